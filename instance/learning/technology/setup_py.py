"""`setup.py`: the literal arguments of `setup(...)`, read without running anything."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator, Mapping

from instance.learning.technology.dependency import Manifest, Scope
from instance.learning.technology.documents import UnreadableError
from instance.learning.technology.pypi import ECOSYSTEM
from instance.learning.technology.requirement import add_requirement, scope_of_group

_SCOPES = {"install_requires": Scope.RUNTIME, "setup_requires": Scope.BUILD, "tests_require": Scope.DEV}
_Names = Mapping[str, ast.expr]


def read_setup_py(path: str, source: str) -> Manifest:
    """Read names and requirements written out as literals, or as literals a name was given to."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
        return _read(path, tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UnreadableError("not Python 3") from error


def _read(path: str, tree: ast.Module) -> Manifest:
    manifest = Manifest(ECOSYSTEM, path)
    names = dict(_assigned(tree))
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and _called(call.func) == "setup":
            for name, value in _arguments(call, names):
                _argument(manifest, name, value, names)
    return manifest


def _assigned(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    for statement in ast.walk(tree):
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            yield statement.targets[0].id, statement.value


def _called(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _arguments(call: ast.Call, names: _Names) -> Iterator[tuple[str, ast.expr]]:
    for keyword in call.keywords:
        if keyword.arg:
            yield keyword.arg, keyword.value
        else:  # setup(**arguments)
            yield from _entries(keyword.value, names)


def _argument(manifest: Manifest, name: str, value: ast.expr, names: _Names) -> None:
    if name == "name":
        manifest.call_own(next(_strings(value, names), ""))
    elif name in _SCOPES:
        for line in _strings(value, names):
            add_requirement(manifest, line, _SCOPES[name])
    elif name == "extras_require":
        for extra, lines in _entries(value, names):
            for line in _strings(lines, names):
                add_requirement(manifest, line, scope_of_group(extra, Scope.OPTIONAL))


def _entries(value: ast.expr, names: _Names) -> Iterator[tuple[str, ast.expr]]:
    found = names.get(value.id, value) if isinstance(value, ast.Name) else value
    if isinstance(found, ast.Dict):
        for key, lines in zip(found.keys, found.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                yield key.value, lines
    elif isinstance(found, ast.Call) and _called(found.func) == "dict":
        for keyword in found.keywords:
            if keyword.arg:
                yield keyword.arg, keyword.value


def _strings(value: ast.expr, names: _Names, depth: int = 0) -> Iterator[str]:
    """Yield the string constants of a literal, a name, a sum or a list of them; anything computed is silent."""
    if depth > 10:  # noqa: PLR2004 - `a = a + [...]` refers to itself
        return
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield from value.value.splitlines() if "\n" in value.value else [value.value]
        return
    below: list[ast.expr] = []
    if isinstance(value, ast.Name) and value.id in names:
        below = [names[value.id]]
    elif isinstance(value, ast.List | ast.Tuple):
        below = value.elts
    elif isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add):
        below = [value.left, value.right]
    for part in below:
        yield from _strings(part, names, depth + 1)
