"""The privacy gate: what may leave the machine. Pure.

Fingerprints, counts and digests may. A template or the name of a package may once every name in it is known to be
public, or once centralcloud reports its fingerprint from several instances, so that it is no secret of ours. "Not
defined here" is no proof: packages written in-house look external from every other repository.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Final

from instance.analysis.secrets import find_secrets
from instance.config import Sharing
from instance.learning.dependencies import is_public_dependency
from instance.learning.vocabulary import LANGUAGE, Vocabulary, vocabulary
from instance.store.observations import Known

INSTANCES_MIN: Final = 3
"""A name or a template seen in so many instances is public."""


class Gate:
    """Decides on words, for one state of what is known to be public."""

    def __init__(
        self, sharing: Sharing, public_names: Mapping[str, AbstractSet[str]], widely_known: AbstractSet[str]
    ) -> None:
        self._sharing = sharing
        self._public_names = public_names
        self._widely_known = widely_known
        self._vocabularies: dict[str, Vocabulary] = {}

    def lets_words_out(self, pattern: Known) -> bool:
        """Whether the template of a pattern, or the name of a dependency or a table, may leave the machine.

        The names of conventions, languages and frameworks come from public lists and always may.
        """
        match pattern.kind:
            case "code.pattern":
                return self._lets(pattern, public=lambda: not self.secret_names(pattern))
            case "technology.dependency":
                return self._lets(
                    pattern, public=lambda: is_public_dependency(pattern.body["ecosystem"], pattern.body["name"])
                )
            case "data.schema":
                return self._sharing.table_names
            case _:
                return True

    def _lets(self, pattern: Known, public: Callable[[], bool]) -> bool:
        if self._sharing.templates == "never" or not pattern.template or find_secrets(pattern.template):
            return False
        return self._sharing.templates == "all" or pattern.fingerprint in self._widely_known or public()

    def secret_names(self, pattern: Known) -> list[str]:
        """Names in a template that are not known to be public."""
        known = self._vocabulary(pattern.language)
        return [name for name, origin in pattern.names if not _is_public(name, origin, known)]

    def _vocabulary(self, language: str) -> Vocabulary:
        if language not in self._vocabularies:
            learned = self._public_names.get(language, frozenset())
            self._vocabularies[language] = vocabulary(language).extended(learned)
        return self._vocabularies[language]


def _is_public(name: str, origin: str, known: Vocabulary) -> bool:
    """Whether everybody may know this name.

    Of a well-known package only its own name is: `pytest.mark.<ours>` and `settings.<OURS>` hang on public packages,
    too. The rest of its interface becomes public when several instances show it.
    """
    return known.is_public(name) or (origin != LANGUAGE and name == origin and known.is_public_package(origin))
