from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mesh.watch import sparkline

values = st.lists(st.none() | st.floats(0, 1e9), max_size=80)


@given(values)
def test_a_line_has_a_letter_for_each_value_and_a_gap_where_there_is_none(series: list[float | None]) -> None:
    line = sparkline(series)
    assert len(line) == len(series)
    assert [letter == " " for letter in line] == [value is None for value in series]


def test_the_highest_bar_is_the_highest_value() -> None:
    assert sparkline([0.0, 5.0, None, 10.0]) == "▁▅ █"
    assert sparkline([0.0, 0.0]) == "▁▁"
