"""What a path says about a file: the product, its tests, or something that only lies beside it."""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache

from instance.analysis.language import words


class Place(StrEnum):
    """Where a file lies; what lies beside the product says nothing about what the product is made of."""

    CODE = "code"
    TEST = "test"
    BESIDE = "beside"


_TEST_FOLDERS = words(
    """
    test tests testing spec specs __tests__ e2e integration integration-tests integration_tests it jvmtest
    androidtest cypress testutil testutils test-utils
    """
)
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
_TEST_FILE = re.compile(
    r"(?:^test_[^/]*|^conftest|_test|_tests|\.test|\.spec|\.cy|Tests?|IT|TestCase)\.(?:py|go|exs?|[cm]?[jt]sx?|java|kt|rs)$"
)
_REQUIREMENTS = re.compile(r"(?:^|/)(?:tests?|docs?|requirements)/[^/]*requirements[^/]*\.(?:txt|in)$")


@lru_cache(maxsize=4096)  # a repository has many files in few folders
def _folder(folder: str) -> Place:
    parts = folder.lower().split("/")
    if not _BESIDE_FOLDERS.isdisjoint(parts) or any(map(_BESIDE_ENDINGS.search, parts)) or _SERVED.search(folder):
        return Place.BESIDE
    return Place.CODE if _TEST_FOLDERS.isdisjoint(parts) else Place.TEST


def place_of(path: str) -> Place:
    """Return where a file (posix path, relative to the root) lies."""
    folder, _, name = path.rpartition("/")
    place = _folder(folder)
    return Place.TEST if place is Place.CODE and _TEST_FILE.search(name) else place


def is_test_folder(folder: str) -> bool:
    """Tell whether a folder holds tests directly, so that what lies in it is how tests are run, not what they read."""
    return folder.rpartition("/")[2].lower() in _TEST_FOLDERS


def counts_as_manifest(path: str) -> bool:
    """Tell whether a manifest speaks for the repository: one of an example, a fixture or a test project does not."""
    return place_of(path) is Place.CODE or _REQUIREMENTS.search(path) is not None
