"""What a path says about a file: the product, its tests, or something that only lies beside it."""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache

from instance.analysis.language import words
from instance.learning.testfiles import is_test


class Place(StrEnum):
    """Where a file lies; what lies beside the product says nothing about what the product is made of."""

    CODE = "code"
    TEST = "test"
    BESIDE = "beside"


_BESIDE_FOLDERS = words(
    """
    example examples _examples sample samples demo demos tutorial tutorials playground playgrounds sandbox docs doc
    docs_src documentation website cookbook quickstart template templates generators fixture fixtures __fixtures__
    testdata test-data test_data testcases stubs mocks __mocks__ vendor vendored _vendor third_party third-party
    thirdparty node_modules bower_components site-packages dist bench benches benchmark benchmarks
    """
)
_BESIDE_ENDINGS = re.compile(r"[-_](?:examples?|samples?|demos?|templates?|fixtures)$")
_SERVED = re.compile(r"(?:^|/)(?:static|public|assets)/(?:.*/)?(?:components|libs?|vendors?)(?:/|$)")
_REQUIREMENTS = re.compile(r"(?:^|/)(?:tests?|docs?|requirements)/[^/]*requirements[^/]*\.(?:txt|in)$")


def place_of(path: str) -> Place:
    """Return where a file (posix path, relative to the root) lies."""
    if _lies_beside(path.rpartition("/")[0]):
        return Place.BESIDE
    return Place.TEST if is_test(path) else Place.CODE


def counts_as_manifest(path: str) -> bool:
    """Tell whether a manifest speaks for the repository: one of an example, a fixture or a test project does not."""
    return place_of(path) is Place.CODE or _REQUIREMENTS.search(path) is not None


@lru_cache(maxsize=4096)  # a repository has many files in few folders
def _lies_beside(folder: str) -> bool:
    parts = folder.lower().split("/")
    named = not _BESIDE_FOLDERS.isdisjoint(parts) or any(map(_BESIDE_ENDINGS.search, parts))
    return named or _SERVED.search(folder) is not None
