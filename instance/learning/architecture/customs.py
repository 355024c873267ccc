"""Conventions that a clear majority keeps: naming, errors, imports. A habit is one when nearly all agree."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from instance.learning.architecture.evidence import Evidence
from instance.learning.architecture.outline import Outline
from instance.learning.architecture.pattern import HABIT_LEAST, ArchitecturePattern, coarse_share, lower_bound, pattern

_FILE_STYLES = (
    ("kebab-case", re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)+$")),
    ("snake-case", re.compile(r"[a-z0-9]+(?:_[a-z0-9]+)+$")),
    ("camel-case", re.compile(r"[a-z]+[a-z0-9]*[A-Z]\w*$")),
    ("pascal-case", re.compile(r"[A-Z][a-z0-9]+\w*$")),
)
_IMPORTS = ("imports.relative", "imports.absolute")


class Custom(NamedTuple):
    """A convention of one language: what counts for it, and what against."""

    language: str
    name: str
    agreeing: str
    against: tuple[str, ...]
    description: str


CUSTOMS = (
    Custom(
        "python",
        "naming.functions-snake-case",
        "functions.snake",
        ("functions.camel", "functions.pascal"),
        "functions are named in snake_case",
    ),
    Custom(
        "python",
        "naming.functions-camel-case",
        "functions.camel",
        ("functions.snake", "functions.pascal"),
        "functions are named in camelCase",
    ),
    Custom(
        "python",
        "naming.types-pascal-case",
        "types.pascal",
        ("types.snake", "types.camel"),
        "classes are named in PascalCase",
    ),
    Custom(
        "python",
        "errors.chained",
        "raised.from",
        ("raised.bare",),
        "an error raised while handling another names its cause",
    ),
    Custom(
        "python",
        "errors.unchained",
        "raised.bare",
        ("raised.from",),
        "an error raised while handling another does not name its cause",
    ),
    Custom("python", "typing.returns", "returns.typed", ("returns.untyped",), "functions say the type they return"),
    Custom("python", "typing.none", "returns.untyped", ("returns.typed",), "functions do not say the type they return"),
    Custom(
        "python", "imports.relative", "imports.relative", ("imports.absolute",), "own modules are imported relatively"
    ),
    Custom(
        "python",
        "imports.absolute",
        "imports.absolute",
        ("imports.relative",),
        "own modules are imported by their whole names",
    ),
    Custom("python", "imports.explicit", "imports.explicit", ("imports.star",), "nothing is imported by star"),
    Custom(
        "typescript",
        "naming.functions-camel-case",
        "functions.camel",
        ("functions.snake", "functions.pascal"),
        "functions are named in camelCase",
    ),
    Custom("typescript", "exports.named", "exported.named", ("exported.default",), "modules export by name"),
    Custom("typescript", "bindings.const", "bound.const", ("bound.let", "bound.var"), "what is bound is const"),
    Custom("typescript", "async.await", "awaited", ("chained",), "promises are awaited, not chained"),
    Custom("typescript", "async.then", "chained", ("awaited",), "promises are chained, not awaited"),
    Custom("go", "errors.wrapped", "returned.wrapped", ("returned.bare",), "an error that is passed on says where"),
    Custom("go", "errors.passed-on", "returned.bare", ("returned.wrapped",), "an error is passed on as it came"),
    Custom(
        "rust",
        "errors.passed-on",
        "failed.passed-on",
        ("failed.unwrapped",),
        "errors are passed on with ?, not unwrapped",
    ),
    Custom(
        "java", "errors.cause-kept", "thrown.cause", ("thrown.bare",), "an exception thrown for another keeps its cause"
    ),
    Custom(
        "elixir",
        "docs.modules",
        "modules.documented",
        ("modules.undocumented",),
        "modules are documented, or say that they are not",
    ),
)


def custom_patterns(evidence: Evidence) -> Iterator[ArchitecturePattern]:
    """Yield the conventions that hold in what is shipped; their evidence is the files that show them."""
    counts = {kin: [_counts(kin, *file) for file in files.items()] for kin, files in evidence.production.items()}
    for custom in CUSTOMS:
        files = counts.get(custom.language, [])
        agreeing = sum(found[custom.agreeing] for found in files)
        total = agreeing + sum(found[key] for found in files for key in custom.against)
        showing = sum(found[custom.agreeing] > 0 for found in files)
        language = evidence.spoken.get(custom.language, custom.language)
        yield from _judged(custom.name, language, (agreeing, total), showing, custom.description)
    for kin, paths in evidence.production.items():
        styles = Counter(filter(None, map(_file_style, paths)))
        for style, count in styles.items():
            text = f"files are named in {style}"
            yield from _judged(f"naming.files-{style}", evidence.spoken[kin], (count, styles.total()), count, text)


def _judged(name: str, language: str, votes: tuple[int, int], files: int, text: str) -> Iterator[ArchitecturePattern]:
    """Yield a convention when so many of all votes agree that it is one."""
    sure = lower_bound(*votes)
    if sure >= HABIT_LEAST:
        measures = {"share": coarse_share(votes[0] / votes[1])}
        yield pattern(name, files, text, language=language, confidence=sure, measures=measures)


def _counts(language: str, path: str, outline: Outline) -> Counter[str]:
    """Return what a file's outline counts, and what follows from it."""
    found = Counter(outline.counts)
    if language == "python":
        found.update(_python_imports(path, outline))
    found["returns.untyped"] = max(0, found["defined"] - found["returns.typed"])
    found["modules.undocumented"] = max(0, found["modules"] - found["modules.documented"])
    return found


def _python_imports(path: str, outline: Outline) -> Iterator[str]:
    """Yield for each import of an own module how it is written, and for each import whether it names what it takes."""
    around = set(path.split("/")[:-1])
    for need in outline.needs:
        if need.module.startswith("."):
            yield "imports.relative"
        elif need.module.partition(".")[0] in around:
            yield "imports.absolute"
        yield "imports.star" if need.names == ("*",) else "imports.explicit"


def _file_style(path: str) -> str:
    stem = path.rpartition("/")[2].partition(".")[0].strip("_")
    return next((style for style, shape in _FILE_STYLES if shape.match(stem)), "")
