"""How much a template tells: a fixed price list in bits, the same for every corpus and every machine.

Prices follow the habit of code: a public name is one of thousands, a keyword one of dozens, the commonplace names of a
language are written without thinking, punctuation is nearly given by what stands before it, and holes are free because
anything fits.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

NAME_BITS = 6.0
FOREIGN_NAME_BITS = 7.0
KEYWORD_BITS = 2.0
COMMONPLACE_BITS = 1.5
SHOWN_STRING_BITS = 4.0
FOLD_BITS = 1.0
PUNCTUATION_BITS = 0.5
TELLING_BITS_MIN = 9.5
_COMMONPLACE = frozenset(
    """
    self cls this super None True False null nil true false undefined _ ok error
    str int bool float bytes object dict list tuple set type Any Optional Union Dict List Tuple Callable Self
    string number boolean void any unknown never Promise Array Object String Boolean Integer Map Set
    byte rune int32 int64 uint32 uint64 float64 uint interface struct u8 u16 u32 u64 i32 i64 usize f64 char
    Some Ok Err Option Result Vec Box Error Exception public private protected static final
    isinstance len __init__ __repr__ __str__ __name__ __eq__ __hash__ __len__ main constructor toString equals hashCode
    async await pub const let var mut end do def defp
    """.split()  # noqa: SIM905 - a page of words
)
_LITERALS = frozenset({'"S"', 'f"S"', 'b"S"', "'S'", "#", "/S/", "0", "1", "2"})


def bits(template: str, names: Iterable[tuple[str, str]]) -> float:
    """Return the price of a template; `names` are its public ones with their origins."""
    parts = template.split(" ")
    return sum(map(_price, parts)) + sum(parts.count(name) * _surcharge(name, origin) for name, origin in names)


def _surcharge(name: str, origin: str) -> float:
    """Return what a public name costs more than the keyword it looks like."""
    price = NAME_BITS if origin == "language" else FOREIGN_NAME_BITS
    return 0.0 if name in _COMMONPLACE else price - _price(name)


@lru_cache(maxsize=1 << 16)
def _price(part: str) -> float:
    if part[0] == "$" and len(part) > 1:
        return 0.0
    if part in _COMMONPLACE:
        return COMMONPLACE_BITS
    if part[0].isalpha() and part[-1] not in "\"'":
        return KEYWORD_BITS
    if part == "{…}":
        return FOLD_BITS
    return SHOWN_STRING_BITS if part[-1] in "\"'" and part not in _LITERALS else PUNCTUATION_BITS
