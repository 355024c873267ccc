"""What may happen to a file without any fingerprint noticing: new layout, another place, another grammar release."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instance.agents.manifests import own_modules_of
from instance.analysis.grammar import grammar
from instance.analysis.languages import LANGUAGES
from instance.analysis.workspace import read_source, walk
from instance.learning.idioms import FileContext, study
from instance.learning.vocabulary import vocabulary
from tests.support.canaries import SUFFIXES
from tests.support.reformat import reformatted
from tests.support.snippets import LOCALS

PROGRAMS = {language: text.format(**dict(zip("abcde", "abcde", strict=True))) for language, text in LOCALS.items()}


def fingerprints(source: str, language: str) -> dict[bytes, int]:
    patterns = study(source.encode(), LANGUAGES[language], FileContext(vocabulary(language)))
    assert patterns.left_out == {}, source
    return patterns.occurrences


@pytest.mark.parametrize("language", PROGRAMS)
@settings(max_examples=40)
@given(seed=st.integers(0, 1 << 32))
def test_layout_changes_no_fingerprint(language: str, seed: int) -> None:
    source = PROGRAMS[language]
    other = reformatted(source, language, random.Random(seed))  # noqa: S311 - a test's dice
    assert fingerprints(other, language) == fingerprints(source, language) != {}


@pytest.mark.parametrize("language", PROGRAMS)
def test_moving_a_file_changes_no_fingerprint(language: str, tmp_path: Path) -> None:
    found = []
    for place in (".", "deeper/and/deeper"):
        root = tmp_path / place.replace("/", "-") / "code"
        (root / "kept" / place).mkdir(parents=True)
        (root / "kept" / "__init__.py").touch()
        (root / "kept" / place / f"file.{SUFFIXES[language]}").write_text(PROGRAMS[language])
        workspace = walk(root)
        (file,) = (file for file in workspace.files if file.size_bytes)
        context = FileContext(vocabulary(language), own_modules_of(workspace).get(language, frozenset()))
        found.append(study(read_source(root, file.path), LANGUAGES[language], context).occurrences)
    assert found[0] == found[1] != {}


@pytest.mark.parametrize("language", PROGRAMS)
def test_no_template_names_a_kind_of_the_grammar(language: str) -> None:
    """A grammar's release may rename and renumber kinds: templates are made of the texts of tokens alone."""
    patterns = study(PROGRAMS[language].encode(), LANGUAGES[language], FileContext(vocabulary(language)))
    kinds = {kind for kind in grammar(language).marks if "_" in kind}
    parts = {part for idiom in patterns.idioms.values() for part in idiom.template.split(" ")}
    assert not {part for part in parts & kinds if part not in PROGRAMS[language]}
