from __future__ import annotations

import pytest

from instance.learning.architecture.places import is_production
from instance.learning.technology.places import Place, place_of
from instance.learning.testfiles import is_test, is_test_folder


@pytest.mark.parametrize(
    "path",
    ["tests/unit/a.py", "testing/code/test_a.py", "shop/test_cart.py", "shop/conftest.py", "shop/tests.py",
     "pkg/cart_test.go", "pkg/testdata/a.go", "internal/testutil/wait.go", "client/integration/doc.go",
     "web/cart.test.tsx", "web/cart.spec.ts", "web/cart.stories.tsx", "web/__tests__/cart.ts", "spec/support/cart.js",
     "cypress/cart.js", "crates/a/tests/b.rs", "src/client/tests.rs", "test/shop/cart_test.exs",
     "core/src/test/java/org/shop/Cart.java", "src/it/java/org/shop/Cart.java", "src/jmh/java/org/shop/Cart.java",
     "core/src/integrationTest/java/Cart.java", "src/org/shop/CartTest.java"],
)  # fmt: skip
def test_tests_and_what_supports_them(path: str) -> None:
    assert is_test(path)
    assert not is_production(path)
    assert place_of(path) is not Place.CODE


@pytest.mark.parametrize(
    "path",
    ["shop/cart.py", "shop/testimony.py", "shop/contest.py", "shop/openapi/spec/contact.py", "src/specs/module.ts",
     "shop/locale/it/formats.py", "lib/ex_unit/doc_test.ex", "src/latest.ts",
     "core/src/main/java/org/shop/testing/Cart.java", "core/src/main/java/org/shop/integration/CartTest.java"],
)  # fmt: skip
def test_what_is_shipped_is_no_test_whatever_it_is_called(path: str) -> None:
    assert not is_test(path)
    assert is_production(path)
    assert place_of(path) is Place.CODE


@pytest.mark.parametrize(
    ("folder", "holds"), [("tests", True), ("web/e2e", True), ("spec", True), ("tests/data", False), ("shop", False)]
)
def test_a_folder_of_tests_holds_them_directly(folder: str, holds: bool) -> None:  # noqa: FBT001 - a row of a table
    assert is_test_folder(folder) is holds
