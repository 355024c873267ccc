from __future__ import annotations

import pickle
import string

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from instance.analysis.languages import LANGUAGES
from instance.learning.idioms import STATEMENT, FileContext, FilePatterns, study
from instance.learning.origins import own_modules
from instance.learning.templates import readable
from instance.learning.vocabulary import LANGUAGE, vocabulary
from tests.support.snippets import CANARIES, LOCALS, REFORMATTED, RESERVED

OWN = {
    "python": frozenset({"own"}),
    "typescript": frozenset({"own"}),
    "go": frozenset({"example.org/own"}),
    "rust": frozenset({"own"}),
}


def mined(source: str, language: str, own: frozenset[str] = frozenset()) -> FilePatterns:
    return study(source.encode(), LANGUAGES[language], FileContext(vocabulary(language), own))


def templates(source: str, language: str = "python", own: frozenset[str] = frozenset()) -> set[str]:
    return {idiom.template for idiom in mined(source, language, own).idioms.values()}


def renamed(language: str, names: list[str]) -> dict[bytes, int]:
    source = LOCALS[language].format(**dict(zip("abcde", names, strict=True)))
    patterns = mined(source, language)
    assert patterns.left_out == {}
    return patterns.occurrences


BASELINE_NAMES = ["first", "second", "third", "fourth", "fifth"]
PUBLIC_LOCALS = ["id", "list", "input", "data", "format", "hash", "next", "items", "append", "len", "index"]
local_names = st.one_of(
    st.sampled_from([name for name in PUBLIC_LOCALS if name not in RESERVED]),
    st.text(string.ascii_lowercase + "_", min_size=2, max_size=8),
).filter(lambda name: name not in RESERVED and name.strip("_") and name[0] != "_")


@pytest.mark.parametrize("language", LANGUAGES)
@settings(max_examples=40)
@given(names=st.lists(local_names, min_size=5, max_size=5, unique=True))
def test_renaming_locals_changes_no_fingerprint(language: str, names: list[str]) -> None:
    assert renamed(language, names) == renamed(language, BASELINE_NAMES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_there_is_something_to_learn_in_every_language(language: str) -> None:
    assert len(renamed(language, BASELINE_NAMES)) >= 5


@pytest.mark.parametrize("language", CANARIES)
@settings(max_examples=25)
@given(canary=st.text(string.ascii_lowercase, min_size=6, max_size=12))
def test_a_canary_never_appears_in_a_template(language: str, canary: str) -> None:
    canary = f"zq{canary}"
    assume(not any(canary in name for name in vocabulary(language).members))
    patterns = mined(CANARIES[language].format(z=canary), language, OWN.get(language, frozenset()))
    assert patterns.idioms
    for idiom in patterns.idioms.values():
        seen = f"{idiom.template} {idiom.names}"
        foreign = {name for name, origin in idiom.names if origin not in (LANGUAGE, *vocabulary(language).packages)}
        for name in foreign:
            seen = seen.replace(name, "")
        assert canary not in seen.lower(), idiom


@pytest.mark.parametrize("language", CANARIES)
def test_names_of_the_language_are_all_in_its_vocabulary(language: str) -> None:
    source = CANARIES[language].format(z="canary") + LOCALS[language].format(a="a", b="b", c="c", d="d", e="e")
    words = vocabulary(language)
    for idiom in mined(source, language).idioms.values():
        for name, origin in idiom.names:
            assert origin != LANGUAGE or words.is_public(name.strip(": ")) or language == "elixir", idiom


@pytest.mark.parametrize("language", REFORMATTED)
def test_reformatting_changes_no_fingerprint(language: str) -> None:
    tight, loose = REFORMATTED[language]
    assert mined(tight, language).occurrences == mined(loose, language).occurrences != {}


@pytest.mark.parametrize(
    ("source", "template"),
    [
        ("with open(path, 'rb') as f: pass", 'with open ( $1 , "rb" ) as $2 : {…}'),
        ('if __name__ == "__main__":\n    main()', 'if __name__ == "__main__" : {…}'),
        ("import numpy as np\nx = np.zeros(3, dtype=np.int64)", "$1 = numpy . zeros ( # , dtype = numpy . int64 )"),
        ("from datetime import datetime as dt\nx = dt.now()", "$1 = datetime . now ( )"),
        ("import logging\nlog = logging.getLogger(__name__)", "$1 = logging . getLogger ( __name__ )"),
        ("x = f'{a}' + b'secret'.decode('utf-8') + r'raw'", '$1 = f"S" + b"S" . decode ( "utf-8" ) + "S"'),
        ("@property\ndef f(self): return self._x", "@ property def $1 ( self ) : return self . $2"),
        ("if x:\n    for y in range(10):\n        print(y)", "if $1 : { for $2 in range ( # ) : print ( $2 ) }"),
        ("def f():\n    p = open(1)\n    return list(p)", "$1 = open ( 1 ) ⏎ return list ( $1 )"),
    ],
)
def test_templates_read_as_expected(source: str, template: str) -> None:
    assert template in templates(source)


def test_own_modules_become_holes_and_foreign_ones_stay() -> None:
    source = "from shop.orders import place\nfrom requests import get\nx = place(get('u', timeout=3))\n"
    assert '$1 = $2 ( get ( "S" , timeout = # ) )' in templates(source, own=frozenset({"shop"}))


def test_a_local_hides_an_import_of_the_same_name() -> None:
    source = "import json\n\n\ndef f(json):\n    return json.dumps(json, indent=2)\n"
    assert "return $1 . dumps ( $1 , indent = 2 )" in templates(source)


def test_a_name_is_shown_only_where_nothing_around_it_binds_it() -> None:
    found = templates("def f(len):\n    print(len(1), len(2))\n\n\nprint(len(1), len(2))\n")
    assert {"print ( $1 ( 1 ) , $1 ( 2 ) )", "print ( len ( 1 ) , len ( 2 ) )"} <= found


def test_kept_names_say_where_they_come_from() -> None:
    patterns = mined("import requests\nx = requests.get(len(y))\n", "python")
    (idiom,) = (idiom for idiom in patterns.idioms.values() if idiom.view == STATEMENT)
    assert set(idiom.names) == {("requests", "requests"), ("get", "requests"), ("len", LANGUAGE)}
    assert (idiom.tokens, idiom.holes) == (11, 2)


def test_words_learned_from_the_hub_are_shown() -> None:
    words = vocabulary("python").extended({"frobnicate"})
    assert words.is_public("frobnicate")
    assert not vocabulary("python").is_public("frobnicate")
    source = b"with x.frobnicate(len(y)) as z: pass\n"
    (template,) = {
        idiom.template
        for idiom in study(source, LANGUAGES["python"], FileContext(words)).idioms.values()
        if idiom.view == "body"
    }
    assert template == "with $1 . frobnicate ( len ( $2 ) ) as $3 : pass"


def test_a_vocabulary_pickles_small() -> None:
    words = vocabulary("python").extended({"frobnicate"})
    packed = pickle.dumps(words)
    assert len(packed) < 200
    assert pickle.loads(packed).learned == frozenset({"frobnicate"})  # noqa: S301 - our own bytes


@pytest.mark.parametrize(
    ("language", "module"), [("python", "requests"), ("go", "github.com/spf13/cobra"), ("typescript", "react")]
)
def test_public_packages_are_known(language: str, module: str) -> None:
    words = vocabulary(language)
    assert words.is_public_package(module)
    assert words.is_public_package(LANGUAGE)
    assert not words.is_public_package("shop")


def test_own_modules_are_read_from_paths_and_manifests() -> None:
    python = ["src/shop/__init__.py", "src/shop/orders/__init__.py", "scripts/run.py", "setup.py"]
    assert own_modules("python", "code", python, {}) == {"shop", "run", "setup", "scripts", "src"}
    assert own_modules("python", "shop", ["__init__.py", "a.py"], {}) == {"shop"}
    assert own_modules("go", "x", [], {"go.mod": "module example.org/shop\n"}) == {"example.org/shop"}
    assert own_modules("typescript", "x", [], {"a/package.json": '{"name": "@shop/web"}'}) == {"@shop/web"}
    assert own_modules("rust", "x", [], {"Cargo.toml": '[package]\nname = "shop-core"\n'}) == {"shop_core"}
    assert own_modules("java", "x", ["src/main/java/com/shop/web/A.java"], {}) == {"com.shop"}
    assert own_modules("elixir", "x", [], {"mix.exs": "defmodule Shop.MixProject do\n app: :shop_floor"}) == {
        "ShopFloor",
        "ShopFloorWeb",
        "Shop",
    }


@pytest.mark.parametrize("text", ["{", "[", "[1]", "", "package = 1"])
def test_broken_manifests_name_nothing(text: str) -> None:
    assert own_modules("typescript", "x", [], {"package.json": text, "Cargo.toml": text}) == frozenset()


def test_a_template_can_be_made_readable() -> None:
    assert readable('with open ( $1 , "rb" ) as $2 : {…}') == 'with open($1, "rb") as $2: {…}'
    assert readable("$1 = $2 . items ( ) ⏎ return $1") == "$1 = $2.items() ⏎ return $1"
    assert readable("# [ derive ( Debug ) ]") == "#[derive(Debug)]"
    assert readable("fn $1 ( & self , $2 : & mut Context < ' _ > )") == "fn $1(&self, $2: &mut Context<'_>)"
    assert readable("if ! $1 . ok && $1 < 2 {…}") == "if !$1.ok && $1 < 2 {…}"
