"""How much a template tells: a fixed price list in bits, the same for every corpus and every machine.

Prices follow the habit of code: a public name is one of thousands, a keyword one of dozens, the commonplace names of a
language are written without thinking, punctuation is nearly given by what stands before it, and holes are free because
anything fits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, compress, count

HOLE = "\x1a"  # what the label of a hole is known by, before holes are numbered
NAME_BITS = 6.0
FOREIGN_NAME_BITS = 7.0
KEYWORD_BITS = 2.0
COMMONPLACE_BITS = 1.5
SHOWN_STRING_BITS = 4.0
FOLD_BITS = 1.0
PUNCTUATION_BITS = 0.5
TELLING_BITS_MIN = 9.5
DOTS = frozenset({".", "?.", "::"})
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
_FOLDS = frozenset({"{…}", "(…)"})
_LITERALS = frozenset({'"S"', 'f"S"', 'b"S"', "'S'", "#", "/S/", "0", "1", "2"})


_NAME_BITS = {"language": NAME_BITS}
_PRICES_MAX = 1 << 16


def bits(template: str, names: Iterable[tuple[str, str]]) -> float:
    """Return the price of a template; `names` are its public ones with their origins."""
    return sum(priced(template, names).values())


def priced(template: str, names: Iterable[tuple[str, str]]) -> dict[str, float]:
    """Return the price of all there is of each part of a template.

    A chain of public names is one part, known by its end: how much of a path stands there depends on the imports.
    """
    parts, known = template.split(" "), {name: (name, origin) for name, origin in names}
    public = [known.get(part) for part in parts]
    found: dict[str, float] = {}
    chain: list[str] = []
    price_of_chain = 0.0
    for at, price in enumerate(_prices(parts, public)):
        if public[at] is None:
            found[parts[at]] = found.get(parts[at], 0.0) + price
            continue
        chain = (
            [*chain[-1:], parts[at]] if chain and parts[at - 1] in DOTS and public[at - 2] is not None else [parts[at]]
        )
        price_of_chain = price_of_chain + price if len(chain) > 1 else price
        if not _goes_on(parts, public, at):
            found[".".join(chain)] = found.get(".".join(chain), 0.0) + price_of_chain
    return found


def _goes_on(parts: Sequence[str], public: Sequence[tuple[str, str] | None], at: int) -> bool:
    """Tell whether a public member of a public name follows."""
    return at + 2 < len(parts) and parts[at + 1] in DOTS and public[at + 2] is not None


def running_bits(labels: Sequence[str], names: Sequence[tuple[str, str] | None]) -> list[float]:
    """Return what the labels of a file cost up to each place, so that a part costs the difference of two."""
    return list(accumulate(_prices(labels, names), initial=0.0))


def _prices(labels: Sequence[str], names: Sequence[tuple[str, str] | None]) -> list[float]:
    """Return the price of each label; a public member of what is public itself is half expected."""
    prices = list(map(_PRICES.__getitem__, labels))
    for at, (name, origin) in compress(zip(count(), names), names):  # type: ignore[misc]  # these are names
        price = COMMONPLACE_BITS if name in _COMMONPLACE else _NAME_BITS.get(origin, FOREIGN_NAME_BITS)
        is_member = at > 1 and names[at - 2] is not None and labels[at - 1] in DOTS
        prices[at] = price / 2 if is_member else price  # a name costs more than the keyword it looks like
    return prices


def _price(part: str) -> float:
    if not part or (part[0] == "$" and len(part) > 1) or HOLE in part:
        return 0.0
    if part in _COMMONPLACE:
        return COMMONPLACE_BITS
    if part[0].isalpha() and part[-1] not in "\"'":
        return KEYWORD_BITS
    if part in _FOLDS:
        return FOLD_BITS
    return SHOWN_STRING_BITS if part[-1] in "\"'" and part not in _LITERALS else PUNCTUATION_BITS


class _Prices(dict[str, float]):
    """The prices of parts, worked out once."""

    def __missing__(self, part: str) -> float:
        if len(self) >= _PRICES_MAX:
            self.clear()
        price = self[part] = _price(part)
        return price


_PRICES = _Prices()
