"""The one tree of errors.

::

    FlockloreError                 something a person can act on; `exit_code` is what a command returns
    |-- UsageError            (2)  the caller asked for something that makes no sense
    |-- AlreadyRunningError   (3)  somebody else holds what must be held once
    |-- NotRunningError       (3)  the thing asked for is not running
    |-- NotFoundError         (4)  no such row, file or name
    |-- DegradedError         (5)  it works, but not as it should
    |-- ConfigurationError   (78)  a setting is wrong or missing; names the key
    |-- TransientError       (75)  may succeed later: retried with backoff
    |   |-- OverloadedError       so much is asked at this moment that this had to be refused
    |   `-- UnreachableError (69)  a server does not answer
    `-- PermanentError        (1)  will never succeed as it is: set aside, counted, shown
        `-- ContractError     (1)  bytes that do not follow the wire contract

Anything that is not a `FlockloreError` is a bug and exits with 70.
"""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of every command."""

    OK = 0
    FAILED = 1
    USAGE = 2
    RUNNING = 3
    NOT_FOUND = 4
    DEGRADED = 5
    UNREACHABLE = 69
    BUG = 70
    TRY_AGAIN = 75
    CONFIGURATION = 78
    INTERRUPTED = 130


class FlockloreError(Exception):
    """An error a person can act on; the message says what to do next."""

    exit_code: Exit = Exit.FAILED


class UsageError(FlockloreError):
    """The request makes no sense as it was made."""

    exit_code = Exit.USAGE


class AlreadyRunningError(FlockloreError):
    """Somebody else, alive, holds what only one may hold."""

    exit_code = Exit.RUNNING


class NotRunningError(FlockloreError):
    """The daemon or server asked for is not running."""

    exit_code = Exit.RUNNING


class NotFoundError(FlockloreError):
    """There is no such row, file or name."""

    exit_code = Exit.NOT_FOUND


class DegradedError(FlockloreError):
    """It works, but not as it should."""

    exit_code = Exit.DEGRADED


class ConfigurationError(FlockloreError):
    """A setting is wrong or missing; the message names its key."""

    exit_code = Exit.CONFIGURATION


class TransientError(FlockloreError):
    """May succeed later; callers retry with backoff."""

    exit_code = Exit.TRY_AGAIN


class OverloadedError(TransientError):
    """So much is asked at this moment that this had to be refused."""


class UnreachableError(TransientError):
    """A server does not answer."""

    exit_code = Exit.UNREACHABLE


class PermanentError(FlockloreError):
    """Will never succeed as it is; set aside, counted and shown."""


class ContractError(PermanentError):
    """Bytes that do not follow the wire contract."""
