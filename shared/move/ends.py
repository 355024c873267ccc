"""The two ends of a move: connections on which rows read the same whatever the server, and errors that say what to do.

Each end is held by an advisory lock of its database for as long as the move lasts. It keeps a second move away, and it
cannot be taken twice: a database cannot be moved onto itself, however differently the two addresses are written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import psycopg
from psycopg import Connection

from shared.errors import AlreadyRunningError, ConfigurationError, TransientError, UnreachableError

CONNECT_SECONDS_MAX: Final = 5
LOCK_SECONDS_MAX: Final = 2
"""Long enough for the server to notice that an earlier run was killed."""
KEEPALIVE_SECONDS: Final = 30
APPLICATION: Final = "flocklore db move"
_LOCK: Final = 2_950_417_733_186_204  # any number, the same in every release

_SETTINGS: Final = {
    # How values are written as text, which the checksums are made of.
    "TimeZone": "UTC",
    "DateStyle": "ISO",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    # One end waits while the other works, longer than an operator may have allowed.
    "statement_timeout": "0",
    "transaction_timeout": "0",
    "idle_session_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "lock_timeout": f"{LOCK_SECONDS_MAX}s",
}
# Only what the server knows: transaction_timeout came with PostgreSQL 17.
_SET: Final = """
    SELECT count(set_config(s.name, wanted.value, false))
      FROM jsonb_each_text(%s::jsonb) AS wanted(name, value) JOIN pg_settings s USING (name)
"""
# What happens by itself when a row is written did so at the source already: triggers ask for this.
_COPYING: Final = "SET flocklore.copying = 'on'"
_GONE: Final = ("08", "57P")
# A server notices within a second that we were killed, also amid a long query; one on Windows cannot.
_WATCH: Final = "SET client_connection_check_interval = '1s'"
_PASSWORD: Final = re.compile(r"(//[^/@:]*:)[^@/]*(?=@)|([?&]password=)[^&]*")


@contextmanager
def opened(url: str, end: str) -> Iterator[Connection[Any]]:
    """Yield a connection that commits each statement; `end` is how errors name the address.

    UnreachableError when the server does not let us in, ConfigurationError when `url` is no address.
    """
    try:
        connection = psycopg.connect(
            url,
            autocommit=True,
            connect_timeout=CONNECT_SECONDS_MAX,
            application_name=APPLICATION,
            client_encoding="utf8",
            keepalives_idle=KEEPALIVE_SECONDS,
        )
    except psycopg.OperationalError as error:
        reason = str(error).strip().splitlines()[-1]
        raise UnreachableError(f"{end}: PostgreSQL does not answer ({reason}); check the address") from error
    except psycopg.ProgrammingError:
        # Not shown: libpq repeats the address with its password.
        raise ConfigurationError(f"{end} is no address; write postgresql://user@host/database") from None
    with connection:
        connection.execute(_SET, [json.dumps(_SETTINGS)])
        connection.execute(_COPYING)
        with suppress(psycopg.errors.InvalidParameterValue):
            connection.execute(_WATCH)
        yield connection


def hold(connection: Connection[Any], end: str) -> None:
    """Keep other moves away from this database until the connection ends; AlreadyRunningError when one is there."""
    try:
        connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
    except psycopg.errors.LockNotAvailable as error:
        raise AlreadyRunningError(
            f"{end}: another `db move` is at work on {connection.info.dbname}, or it is the very database to be moved"
        ) from error


def shown(url: str) -> str:
    """The address without its password."""
    return _PASSWORD.sub(lambda found: f"{found[1] or found[2]}***", url)


@contextmanager
def explained() -> Iterator[None]:
    """Turn what servers refuse on the way into errors a person can act on; what was copied is kept."""
    try:
        yield
    except psycopg.errors.InsufficientPrivilege as error:
        raise ConfigurationError(f"its user may not do this ({_reason(error)}); name the owner") from error
    except psycopg.errors.LockNotAvailable as error:
        raise AlreadyRunningError(f"somebody else works on the tables ({_reason(error)}); stop that first") from error
    except psycopg.OperationalError as error:
        if error.sqlstate is None or error.sqlstate.startswith(_GONE):
            raise UnreachableError(f"PostgreSQL went away ({_reason(error)}); run it again, it goes on") from error
        raise TransientError(
            f"PostgreSQL gave up ({_reason(error)}); mend that and run it again, it goes on"
        ) from error


def _reason(error: psycopg.Error) -> str:
    return error.diag.message_primary or str(error).strip().partition("\n")[0]
