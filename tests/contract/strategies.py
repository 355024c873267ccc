"""Hypothesis strategies read off the structs themselves, so that a new field is tested without being mentioned."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC
from typing import Any

import msgspec
from hypothesis import strategies as st
from msgspec import inspect

from schemas.codec import encode
from schemas.events import AnyEvent

_INTEGER_MAX = 2**53


def messages(kind: Any) -> st.SearchStrategy[Any]:
    """Values of one wire type."""
    return _values(inspect.type_info(kind))


def _values(info: Any) -> st.SearchStrategy[Any]:
    return _STRATEGIES[type(info)](info)


def _structs(info: inspect.StructType) -> st.SearchStrategy[Any]:
    return st.builds(info.cls, **{field.name: _values(field.type) for field in info.fields})


def _strings(info: inspect.StrType) -> st.SearchStrategy[str]:
    if info.pattern is None:
        return st.text(max_size=20)
    return st.from_regex(info.pattern, fullmatch=True).filter(lambda text: not text.endswith("\n"))


def _integers(info: inspect.IntType) -> st.SearchStrategy[int]:
    return st.integers(-_INTEGER_MAX if info.ge is None else info.ge, info.le or _INTEGER_MAX)


def _lists(info: inspect.VarTupleType) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(_values(info.item_type), min_size=info.min_length or 0, max_size=3).map(tuple)


_STRATEGIES: dict[type[inspect.Type], Callable[[Any], st.SearchStrategy[Any]]] = {
    inspect.Metadata: lambda info: _values(info.type),
    inspect.StructType: _structs,
    inspect.UnionType: lambda info: st.one_of(*map(_values, info.types)),
    inspect.EnumType: lambda info: st.sampled_from(list(info.cls)),
    inspect.LiteralType: lambda info: st.sampled_from(info.values),
    inspect.RawType: lambda _: messages(AnyEvent).map(encode).map(msgspec.Raw),
    inspect.VarTupleType: _lists,
    inspect.TupleType: lambda info: st.tuples(*map(_values, info.item_types)),
    inspect.DictType: lambda info: st.dictionaries(_values(info.key_type), _values(info.value_type), max_size=3),
    inspect.StrType: _strings,
    inspect.IntType: _integers,
    inspect.FloatType: lambda info: st.floats(info.ge, info.le, allow_nan=False, allow_infinity=False),
    inspect.DateTimeType: lambda _: st.datetimes(timezones=st.just(UTC)),
    inspect.DateType: lambda _: st.dates(),
    inspect.BoolType: lambda _: st.booleans(),
    inspect.NoneType: lambda _: st.none(),
}
