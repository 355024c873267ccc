"""Which files beside `bench/__main__.py` are benchmarks."""

from __future__ import annotations

from bench.__main__ import benchmarks


def test_modules_and_packages_with_a_main_are_benchmarks_and_what_they_use_is_none() -> None:
    known = benchmarks()
    assert {"fleet_routing", "routing_math"} <= set(known)
    assert known == sorted(known)
    assert not {"heldout", "queues", "report", "routing_worlds", "__main__"} & set(known)
