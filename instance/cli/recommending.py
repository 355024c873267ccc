"""What centralcloud recommends to an instance."""

from __future__ import annotations

from instance.cli.knowledge import text_of
from instance.cli.target import ask_hub, open_target, resolve_settings
from schemas.recommendations import RecommendationsPage, RecommendationsQuery
from schemas.subjects import RECOMMENDATIONS_QUERY
from shared.commandline import print_table


async def recommended(name: str | None, limit: int, *, explain: bool) -> RecommendationsPage:
    """Ask what the fleet does that an instance does not."""
    async with open_target(resolve_settings(name)) as target:
        me = target.identity
        query = RecommendationsQuery(instance=me.instance_id, tenant=me.tenant, limit=min(limit, 100), explain=explain)
        return await ask_hub(target.settings, RECOMMENDATIONS_QUERY, query, RecommendationsPage)


def print_page(page: RecommendationsPage) -> None:
    """Print recommendations with their evidence, and what was left out."""
    print_table(
        ["id", "kind", "language", "instances", "repositories", "confidence", "expected files", "insight"],
        [
            (
                one.insight.id[:12],
                one.insight.kind,
                one.insight.language,
                one.insight.instances,
                one.insight.repositories,
                f"{one.insight.confidence:.2f}",
                f"{one.expected_files:.1f}",
                text_of(one.insight),
            )
            for one in page.recommendations
        ],
        empty="Nothing: whatever the fleet agrees on is here already, or does not apply.",
    )
    if page.not_applicable:
        print_table(
            ["left out", "because", "detail"],
            [(one.insight_id[:12], one.reason, one.detail) for one in page.not_applicable],
            empty="",
        )
