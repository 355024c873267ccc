"""What a step's function takes and returns, read from its annotations."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

import msgspec

from shared.errors import ConfigurationError


class Signature(NamedTuple):
    """Types by the name of the parameter, without the first one (the context), and the type of what is returned."""

    parameters: dict[str, Any]
    result: Any


def read(function: Callable[..., Any], where: str) -> Signature:
    """Read a step's function; raises `ConfigurationError` that begins with `where`."""
    if not inspect.iscoroutinefunction(function):
        raise ConfigurationError(f"{where} is no coroutine function; write `async def`")
    try:
        hints = get_type_hints(function, include_extras=True)
    except NameError as error:
        raise ConfigurationError(f"{where}: {error}; its types must be names of the module it is in") from error
    parameters = list(inspect.signature(function).parameters.values())
    if not parameters:
        raise ConfigurationError(f"{where} takes nothing; its first parameter is the context")
    for parameter in parameters:
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise ConfigurationError(f"{where}: parameter {parameter.name} must have a name that can be passed")
    names = [parameter.name for parameter in parameters[1:]]
    for name in (*names, "return"):
        if name not in hints:
            raise ConfigurationError(f"{where}: say the type of {name}")
    return Signature({name: hints[name] for name in names}, hints["return"])


def check_kept(type_: Any, where: str) -> None:
    """Raise `ConfigurationError` when values of a type cannot be kept as JSON and read again."""
    try:
        msgspec.json.schema(type_)
    except TypeError as error:
        reason = str(error).splitlines()[0].rstrip(":")
        raise ConfigurationError(f"{where}: {shown(type_)} cannot be kept as JSON ({reason}); use a Struct") from error


def element_of(type_: Any) -> Any:
    """The type of what a `list` or a `tuple` of any length holds; None for anything else."""
    arguments = get_args(type_)
    if get_origin(type_) is list or (get_origin(type_) is tuple and arguments[1:] == (...,)):
        return arguments[0]
    return None


def field_of(type_: Any, name: str) -> tuple[str, Any] | None:
    """The JSON name and the type of a field of a Struct or dataclass; None when there is none."""
    if not isinstance(type_, type):
        return None
    if issubclass(type_, msgspec.Struct):
        fields = () if type_.__struct_config__.array_like else msgspec.structs.fields(type_)
        return next(((field.encode_name, field.type) for field in fields if field.name == name), None)
    if dataclasses.is_dataclass(type_) and name in {field.name for field in dataclasses.fields(type_)}:
        return name, get_type_hints(type_, include_extras=True)[name]
    return None


def shown(type_: Any) -> str:
    """A type as it is written."""
    return type_.__name__ if isinstance(type_, type) and not get_args(type_) else str(type_).replace("typing.", "")
