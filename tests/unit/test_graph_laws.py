"""Laws of what is computed on graphs: against plain definitions, and whatever the order things come in."""

from __future__ import annotations

from itertools import permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from instance.learning.architecture.cycles import components, cycles
from instance.learning.architecture.graph import Graph
from instance.learning.architecture.layers import layering
from instance.learning.architecture.metrics import depth, gini, hubs
from instance.learning.architecture.outline import Reach
from instance.learning.architecture.pattern import coarse, coarse_share, lower_bound

NODES = "abcdefgh"
EDGES = st.sets(st.tuples(st.sampled_from(NODES), st.sampled_from(NODES)), max_size=24)
ROLES = ("api", "services", "models", "store", "jobs", "clients")
ROLE_EDGES = st.sets(st.tuples(*[st.tuples(st.sampled_from(ROLES), st.integers(0, 3))] * 2), max_size=30)


def _edges(pairs: set[tuple[str, str]]) -> dict[str, frozenset[str]]:
    return {node: frozenset(two for one, two in pairs if one == node) for node in NODES}


def _graph(pairs: set[tuple[str, str]], nodes: tuple[str, ...]) -> Graph:
    needs = {node: {two: Reach.LOAD for one, two in pairs if one == node != two} for node in nodes}
    return Graph("python", {node: (node,) for node in nodes}, needs)


def _reachable(edges: dict[str, frozenset[str]], start: str) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        new = edges[waiting.pop()] - found
        found |= new
        waiting.extend(new)
    return found


@given(EDGES)
def test_components_are_the_nodes_that_reach_each_other(pairs: set[tuple[str, str]]) -> None:
    edges = _edges(pairs)
    reach = {node: _reachable(edges, node) | {node} for node in NODES}
    expected = {tuple(sorted(two for two in NODES if two in reach[one] and one in reach[two])) for one in NODES}
    found = components(edges)
    assert {tuple(component) for component in found} == expected
    place = {node: at for at, component in enumerate(found) for node in component}
    assert all(place[two] <= place[one] for one, two in pairs)
    assert cycles(edges) == sorted((list(c) for c in expected if len(c) > 1), key=lambda c: (-len(c), c))


def test_a_chain_of_many_modules_needs_no_recursion() -> None:
    edges = {str(at): frozenset({str((at + 1) % 20_000)}) for at in range(20_000)}
    assert [len(cycle) for cycle in cycles(edges)] == [20_000]


@settings(max_examples=50)
@given(ROLE_EDGES)
def test_no_order_of_layers_has_fewer_dependencies_against_it(
    pairs: set[tuple[tuple[str, int], tuple[str, int]]],
) -> None:
    named = {(f"{one[0]}/{one[1]}.py", f"{two[0]}/{two[1]}.py") for one, two in pairs}
    nodes = tuple(sorted({node for pair in named for node in pair}))
    found = layering(_graph(named, nodes))
    assert sorted(found.order) == sorted({role for pair in found.between for role in pair})

    def against(order: tuple[str, ...]) -> int:
        return sum(count for (one, two), count in found.between.items() if order.index(one) > order.index(two))

    assert found.against == against(found.order) == min(map(against, permutations(found.order)))


@given(EDGES)
def test_depth_is_the_longest_chain(pairs: set[tuple[str, str]]) -> None:
    forward = {(one, two) for one, two in pairs if one < two}
    longest = dict.fromkeys(NODES, 1)
    for one in reversed(NODES):
        longest[one] = 1 + max((longest[two] for node, two in forward if node == one), default=0)
    assert depth(_graph(forward, tuple(NODES))) == max(longest.values())


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=30))
def test_gini_is_half_the_mean_difference_over_the_mean(values: list[int]) -> None:
    count, total = len(values), sum(values)
    expected = sum(abs(x - y) for x in values for y in values) / (2 * count * total) if total else 0.0
    assert abs(gini(values) - expected) < 1e-9


def test_hubs_are_one_module_in_twenty() -> None:
    nodes = tuple(f"m{at:02}" for at in range(40))
    pairs = {(node, "m00") for node in nodes} | {(node, "m01") for node in nodes[:9]} | {("m05", "m06")}
    assert hubs(_graph(pairs, nodes)) == [("m00", 39), ("m01", 8)]


@given(st.integers(0, 10**7), st.integers(0, 10**7))
def test_coarse_counts_keep_their_order_and_stay_near(one: int, other: int) -> None:
    assert (coarse(one) <= coarse(other)) if one <= other else (coarse(one) >= coarse(other))
    assert abs(coarse(one) - one) <= 0.2 * one
    assert coarse(coarse(one)) == coarse(one)


@given(st.floats(0, 1))
def test_coarse_shares_never_make_none_of_some(share: float) -> None:
    assert (coarse_share(share) == 0) == (share == 0)
    assert (coarse_share(share) == 1) == (share == 1)
    assert abs(coarse_share(share) - share) <= 0.026


@given(st.integers(0, 300), st.integers(0, 300))
def test_the_lower_bound_lies_below_the_share_and_grows_with_agreement(agreeing: int, against: int) -> None:
    total = agreeing + against
    assert 0 <= lower_bound(agreeing, total) <= (agreeing / total if total else 0) + 1e-9
    assert lower_bound(agreeing, total) <= lower_bound(agreeing + 1, total + 1) + 1e-9


def test_a_convention_takes_twenty_five_who_all_agree() -> None:
    assert lower_bound(24, 24) < 0.9 < lower_bound(25, 25)
