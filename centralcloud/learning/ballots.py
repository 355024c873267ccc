"""What every instance says of every pattern others know too, as arrays: what trust is judged by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


class Fact(NamedTuple):
    """One pattern and who reports it: positions of instances, and in how many of its files each has it."""

    language: str
    instances: Sequence[int]
    files: Sequence[int]


@dataclass(frozen=True)
class Ballots:
    """Reports as parallel arrays `fact`, `instance`, `files`; what is not reported is in no file."""

    instances: tuple[str, ...]
    sizes: Floats
    """Shape (instances, languages): all files of a language an instance has; 0: it does not know the language."""
    languages: Integers
    """Shape (facts,): the column of `sizes` a fact belongs to."""
    fact: Integers
    instance: Integers
    files: Floats


def ballots_of(instances: Sequence[str], sizes: Mapping[tuple[str, str], int], facts: Iterable[Fact]) -> Ballots:
    """Put facts into arrays; `sizes` gives the files by (language, instance), and facts of other languages drop out."""
    columns = {language: column for column, language in enumerate(sorted({language for language, _ in sizes}))}
    rows = {instance: row for row, instance in enumerate(instances)}
    table = np.zeros((len(rows), len(columns)))
    for (language, instance), files in sizes.items():
        table[rows[instance], columns[language]] = files
    known = [fact for fact in facts if fact.language in columns]
    lengths = [len(fact.instances) for fact in known]
    return Ballots(
        instances=tuple(instances),
        sizes=table,
        languages=np.array([columns[fact.language] for fact in known], dtype=np.int64),
        fact=np.repeat(np.arange(len(known)), lengths),
        instance=_joined([fact.instances for fact in known]).astype(np.int64),
        files=_joined([fact.files for fact in known]),
    )


def _joined(parts: Sequence[Sequence[int]]) -> Floats:
    return np.concatenate([np.asarray(part, dtype=np.float64) for part in parts]) if parts else np.zeros(0)
