"""Everything together: from what a repository shows to its architecture patterns."""

from __future__ import annotations

from instance.learning.architecture.conventions import conventions
from instance.learning.architecture.customs import custom_patterns
from instance.learning.architecture.dependency import dependency_patterns
from instance.learning.architecture.entries import entry_patterns, entry_points
from instance.learning.architecture.evidence import Evidence
from instance.learning.architecture.layers import layer_patterns
from instance.learning.architecture.pattern import ArchitecturePattern
from instance.learning.architecture.roles import role_patterns, roles
from instance.learning.architecture.services import service_patterns, services
from instance.learning.architecture.styles import style_patterns
from instance.learning.architecture.testing import testing_patterns


def architecture(evidence: Evidence) -> list[ArchitecturePattern]:
    """Return the patterns of one repository, sorted by name and language; none names anything of its own."""
    run, entries = services(evidence.documents), entry_points(evidence)
    found = [
        *conventions(evidence.paths),
        *role_patterns(roles(evidence.paths)),
        *entry_patterns(entries),
        *service_patterns(run),
        *style_patterns(evidence, run, entries),
        *testing_patterns(evidence),
        *custom_patterns(evidence),
    ]
    for graph in evidence.graphs.values():
        found.extend(dependency_patterns(graph))
    for layers in evidence.layerings.values():
        found.extend(layer_patterns(layers))
    return sorted(found, key=lambda pattern: (pattern.name, pattern.language))
