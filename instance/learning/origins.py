"""Whose a module is: the language's own, a foreign package's, or the repository's."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from types import MappingProxyType

from instance.learning.vocabulary import LANGUAGE, Vocabulary

OWN = ""  # the origin of names that are the repository's own and never leave the machine
MANIFEST_NAMES = frozenset({"go.mod", "package.json", "Cargo.toml", "mix.exs"})
_SEPARATOR = MappingProxyType({"python": ".", "go": "/", "rust": "::", "java": ".", "elixir": "."})
_RELATIVE = MappingProxyType(
    {
        "python": re.compile(r"\."),
        "rust": re.compile(r"(crate|self|super)\b"),
        "go": re.compile(r"\."),
        "java": re.compile(r"(?!)"),
        "elixir": re.compile(r"__MODULE__"),
    }
)
_SCRIPT_RELATIVE = re.compile(r"[./#]|[@~$]/|@(app|src|components|lib|utils)/|(data|file|https?):|$")
_JAVA_STANDARD = re.compile(r"(java|javax|jdk)\.")
_JAVA_SOURCE_ROOT = re.compile(r"(?:^|/)(?:java|kotlin)/([^/]+/[^/]+)/")
_SOURCE_ROOTS = frozenset({"src", "lib", "python"})
_GO_MODULE = re.compile(r"^module\s+(\S+)", re.MULTILINE)
_MIX_APP = re.compile(r"\bapp:\s*:(\w+)")
_MIX_MODULE = re.compile(r"defmodule\s+([A-Z]\w*)")


def origin_of(module: str, vocabulary: Vocabulary, own: frozenset[str]) -> str:
    """Return `OWN`, `LANGUAGE` or the root of the foreign package a module belongs to."""
    language = vocabulary.language
    if _RELATIVE.get(language, _SCRIPT_RELATIVE).match(module) or _is_own(module, language, own):
        return OWN
    if module in vocabulary.modules or (language == "java" and _JAVA_STANDARD.match(module)):
        return LANGUAGE
    root = _root(module, language, vocabulary)
    return LANGUAGE if root in vocabulary.modules and language != "elixir" else root


def _is_own(module: str, language: str, own: frozenset[str]) -> bool:
    separator = _SEPARATOR.get(language, "/")
    prefix = ""
    for part in module.split(separator):
        prefix = f"{prefix}{separator}{part}" if prefix else part
        if prefix in own:
            return True
    return False


def _root(module: str, language: str, vocabulary: Vocabulary) -> str:
    parts = module.split(_SEPARATOR.get(language, "/"))
    if language == "go":
        return "/".join(parts[:3]) if "." in parts[0] and not parts[0].startswith("gopkg.") else "/".join(parts[:2])
    if language == "java":
        return _java_root(parts, vocabulary)
    if module.startswith("@"):
        return "/".join(parts[:2])
    return parts[0]


def _java_root(parts: list[str], vocabulary: Vocabulary) -> str:
    for length in range(min(len(parts), 4), 1, -1):
        prefix = ".".join(parts[:length])
        if prefix in vocabulary.packages:
            return prefix
    return ".".join(parts[:3])


def own_modules(language: str, root_name: str, paths: Iterable[str], manifests: Mapping[str, str]) -> frozenset[str]:
    """Return the module prefixes that are the repository's own, for files of one language.

    `root_name` is the directory's name, `paths` its files (posix, relative), `manifests` the text of the files named
    in `MANIFEST_NAMES` by path.
    """
    if language == "python":
        return _own_python(root_name, paths)
    if language == "java":
        found = (_JAVA_SOURCE_ROOT.search(path) for path in paths)
        return frozenset(match[1].replace("/", ".") for match in found if match)
    named = (_named_by(PurePosixPath(path).name, text) for path, text in manifests.items())
    return frozenset(name for names in named for name in names)


def _own_python(root_name: str, paths: Iterable[str]) -> frozenset[str]:
    """Return top-level packages, with or without `__init__.py`, and the modules beside them."""
    files = [PurePosixPath(path) for path in paths if path.endswith((".py", ".pyi"))]
    packages = {file.parent for file in files if file.stem == "__init__"}
    own = {root_name} if PurePosixPath() in packages else set()
    own |= {package.name for package in packages if package.parent not in packages and package.name}
    own |= {file.stem for file in files if file.parent not in packages}
    own |= {part for file in files for part in _roots(file.parts[:-1])}
    return frozenset(own - {"__init__"})


def _roots(directories: tuple[str, ...]) -> tuple[str, ...]:
    """Return the directories of a file that Python may be started in or beside: the first, and the one below `src`."""
    below = 2 if directories and directories[0] in _SOURCE_ROOTS else 1
    return directories[:below]


def _named_by(manifest: str, text: str) -> list[str]:
    if manifest == "go.mod":
        return _GO_MODULE.findall(text)
    if manifest == "mix.exs":
        apps = [_camel(app) for app in _MIX_APP.findall(text)]
        return [*apps, *(f"{app}Web" for app in apps), *_MIX_MODULE.findall(text)]
    return _package_json(text) if manifest == "package.json" else _cargo(text)


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _package_json(text: str) -> list[str]:
    try:
        document = json.loads(text)
    except ValueError:
        return []
    name = document.get("name") if isinstance(document, dict) else None
    return [name] if isinstance(name, str) and name else []


def _cargo(text: str) -> list[str]:
    try:
        package = tomllib.loads(text).get("package", {})
    except tomllib.TOMLDecodeError:
        return []
    name = package.get("name") if isinstance(package, dict) else None
    return [name.replace("-", "_")] if isinstance(name, str) else []
