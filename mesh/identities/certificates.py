"""Certificates for the servers and clients of one mesh, signed by an authority of its own, made by openssl."""

from __future__ import annotations

import ipaddress
import os
import secrets
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from mesh.identities.files import DIRECTORY_MODE, FILE_MODE, write_private
from shared.errors import ConfigurationError

AUTHORITY_DAYS: Final = 3650
CERTIFICATE_DAYS: Final = 825
_SECONDS_MAX: Final = 30
_NEW_KEY: Final = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def make_authority(directory: Path) -> None:
    """Make `ca.pem` and `ca.key` in a new directory; ConfigurationError without openssl."""
    directory.mkdir(mode=DIRECTORY_MODE)
    uses = "keyUsage=critical,keyCertSign,cRLSign"
    wishes = ["-days", str(AUTHORITY_DAYS), "-subj", "/CN=Flocklore", "-addext", uses]
    _openssl(["req", "-x509", *_NEW_KEY, *wishes, "-keyout", "ca.key", "-out", "ca.pem"], directory)


def sign_server(directory: Path, names: Sequence[str]) -> None:
    """Make `server.pem` and `server.key` for these host names and addresses."""
    alternatives = ",".join(f"{'IP' if _is_address(name) else 'DNS'}:{name}" for name in names)
    extensions = f"subjectAltName={alternatives}\nextendedKeyUsage=serverAuth,clientAuth"
    _sign(directory, "server", f"/CN={names[0]}", extensions)


def sign_client(authority: Path, label: str) -> str:
    """Return key and certificate of a client as one text; nothing of it stays with the authority."""
    _sign(authority, "client", f"/CN={label}", "extendedKeyUsage=clientAuth")
    parts = [authority / "client.key", authority / "client.pem"]
    text = "".join(part.read_text(encoding="ascii") for part in parts)
    for part in parts:
        part.unlink()
    return text


def days_left(certificate: Path) -> int:
    """How long a certificate is still valid, in whole days; -1 when it is no more."""
    for days in (CERTIFICATE_DAYS, 365, 90, 30, 14, 7, 1, 0):
        asked = ["x509", "-in", certificate.name, "-noout", "-checkend", str(days * 86_400)]
        if _run(asked, certificate.parent).returncode == 0:
            return days
    return -1


def _sign(directory: Path, what: str, subject: str, extensions: str) -> None:
    request, wishes = f"{what}.csr", directory / f"{what}.ext"
    write_private(wishes, f"basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n{extensions}\n")
    _openssl(["req", "-new", *_NEW_KEY, "-subj", subject, "-keyout", f"{what}.key", "-out", request], directory)
    signing = ["-CA", "ca.pem", "-CAkey", "ca.key", "-set_serial", f"0x{secrets.token_hex(16)}"]
    until = ["-days", str(CERTIFICATE_DAYS), "-extfile", wishes.name]
    _openssl(["x509", "-req", "-in", request, *signing, *until, "-out", f"{what}.pem"], directory)
    (directory / request).unlink()
    wishes.unlink()


def _openssl(arguments: Sequence[str], directory: Path) -> None:
    done = _run(arguments, directory)
    if done.returncode != 0:
        raise ConfigurationError(f"openssl {arguments[0]} failed: {done.stderr.strip().splitlines()[-1:]}")


def _run(arguments: Sequence[str], directory: Path) -> subprocess.CompletedProcess[str]:
    program = shutil.which("openssl")
    if program is None:
        raise ConfigurationError(
            "--tls needs the program openssl: install it, or name certificates of yours in nats.conf"
        )
    # Keys are the owner's alone from the first byte, whatever the umask of who called.
    return subprocess.run(
        [program, *arguments],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=_SECONDS_MAX,
        check=False,
        umask=0o777 & ~FILE_MODE,
        env={"PATH": os.defpath, "HOME": str(directory)},
    )


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
