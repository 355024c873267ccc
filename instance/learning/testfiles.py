"""Which files are tests or support them: told by their paths, as test runners and build tools tell it."""

from __future__ import annotations

import re
from functools import lru_cache

from instance.analysis.language import words

_FOLDERS = words(
    """
    test tests testing testdata __tests__ __mocks__ e2e integration integration-tests integration_tests
    integrationtest jvmtest androidtest testfixtures jmh cypress testutil testutils test-utils
    """
)
_WHOLE_FOLDERS = re.compile(r"^/specs?/|/src/it/")  # elsewhere a spec specifies, and "it" is Italian
_SHIPPED = re.compile(r"/src/main/.*")  # what is shipped of a Maven or Gradle project, whatever its packages are called
_FILE = re.compile(
    r"(?:^test_[^/]*|^conftest|^tests|_test|_tests|\.test|\.spec|\.stories|\.cy|Tests?|IT|TestCase)"
    r"\.(?:py|go|exs|[cm]?[jt]sx?|java|kt|rs)$"
)


def is_test(path: str) -> bool:
    """Tell whether a file (posix path, relative to the root) is a test or supports tests."""
    folder, _, name = path.rpartition("/")
    return _holds_tests(folder) or (_FILE.search(name) is not None and _SHIPPED.search(f"/{folder}/") is None)


def is_test_folder(folder: str) -> bool:
    """Tell whether a folder holds tests directly, so that what lies in it is how tests are run, not what they read."""
    return folder.rpartition("/")[2].lower() in _FOLDERS or folder in ("spec", "specs")


@lru_cache(maxsize=4096)  # a repository has many files in few folders
def _holds_tests(folder: str) -> bool:
    around = _SHIPPED.sub("/", f"/{folder.lower()}/")
    return not _FOLDERS.isdisjoint(around.split("/")) or _WHOLE_FOLDERS.search(around) is not None
