"""Names that may stand as one token of a subject: tenants, instances, topics."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Final

from msgspec import Meta

NAME_PATTERN: Final = r"^[a-z0-9][a-z0-9_-]{0,62}$(?!\n)"
"""No dots, no wildcards: an instance called `*` could publish as any other."""

DEFAULT_TENANT: Final = "default"

Name = Annotated[str, Meta(pattern=NAME_PATTERN)]
Fingerprint = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$(?!\n)", description="blake2b-128 of a canonical text, hex")]
Text = Annotated[str, Meta(pattern=r"^[^\x00]*$", max_length=4096)]
"""PostgreSQL keeps no NUL; nothing we say of code is longer."""

RepositoryKey = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$(?!\n)", description="blake2b-128, hex; never a name")]
EventId = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$(?!\n)", description="random, hex; the same on every resend")]
Epoch = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$(?!\n)", description="sorts by time of creation")]
COUNT_MAX: Final = 2**53 - 1
"""What every reader of JSON can tell from its neighbours. Whoever adds counts up stops here."""

Count = Annotated[int, Meta(ge=0, le=COUNT_MAX)]
Timestamp = Annotated[datetime, Meta(tz=True)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]

_NAME: Final = re.compile(NAME_PATTERN)


def is_name(text: str) -> bool:
    """Whether `text` may be a tenant, an instance or a topic."""
    return _NAME.match(text) is not None and not text.endswith("\n")
