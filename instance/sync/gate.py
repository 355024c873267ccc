"""The privacy gate: what may leave the machine. Pure.

Fingerprints, counts and digests may. A template may once every name in it is known to be public, or once centralcloud
reports its fingerprint from several instances, so that it is no secret of ours. "Not defined here" is no proof:
packages written in-house look external from every other repository.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Final, Literal

from instance.analysis.secrets import find_secrets
from instance.learning.vocabulary import LANGUAGE, Vocabulary, vocabulary
from instance.store.observations import Known

INSTANCES_MIN: Final = 3
"""A name or a template seen in so many instances is public."""

Policy = Literal["public", "all", "never"]


class Gate:
    """Decides on templates, for one state of what is known to be public."""

    def __init__(
        self, policy: Policy, public_names: Mapping[str, AbstractSet[str]], widely_known: AbstractSet[str]
    ) -> None:
        self._policy = policy
        self._public_names = public_names
        self._widely_known = widely_known
        self._vocabularies: dict[str, Vocabulary] = {}

    def lets_template_out(self, pattern: Known) -> bool:
        """Whether the template of this pattern may leave the machine."""
        if self._policy == "never" or find_secrets(pattern.template):
            return False
        return self._policy == "all" or pattern.fingerprint in self._widely_known or not self.secret_names(pattern)

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
