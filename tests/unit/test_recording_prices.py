from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instance.learning.prices import Tokens, listed_cost_cents, plain_name, prices, shipped
from shared.errors import ConfigurationError

DAY = date(2026, 3, 14)
MILLION = 1_000_000
MODELS = sorted({model for table in shipped() for price in table.price for model in price.models})


def test_every_table_says_where_its_prices_are_from_and_when_they_were_compared() -> None:
    for table in shipped():
        assert table.source.startswith("https://")
        assert date(2026, 1, 1) < table.checked
        assert table.price


@pytest.mark.parametrize(
    ("model", "tokens", "cents"),
    [
        ("claude-opus-4-5-20251101", Tokens(input=MILLION), "500"),
        ("claude-opus-4-1", Tokens(output=1000), "7.5"),
        ("claude-sonnet-4-5", Tokens(cache_read=MILLION // 10), "3"),
        ("claude-haiku-4-5-20251001", Tokens(cache_write=1000, cache_write_long=1000), "0.325"),
        ("gpt-5-codex", Tokens(input=1000, cache_read=1000, output=1000, reasoning=1000), "2.1375"),
    ],
)
def test_tokens_cost_what_the_list_says(model: str, tokens: Tokens, cents: str) -> None:
    assert prices().cost_cents(model, DAY, tokens) == Decimal(cents)


def test_an_unknown_model_has_no_price_which_is_not_zero() -> None:
    for model in ("llama-9", "", "claude-opus-4-5-turbo", "us.anthropic.claude-opus-4-5-20251101-v1:0"):
        assert prices().cost_cents(model, DAY, Tokens(input=10)) is None
    assert prices().cost_cents("gpt-5", DAY, Tokens(cache_write=1)) is None, "it has no price for this kind"
    assert prices().cost_cents("gpt-5", DAY, Tokens()) == 0


def test_a_price_holds_from_day_to_day() -> None:
    def cents(model: str, day: date) -> Decimal | None:
        return prices().cost_cents(model, day, Tokens(cache_read=MILLION // 10))

    assert [cents("claude-sonnet-5-5", date(2026, 10, day)) for day in (6, 7)] == [2, 1]
    assert [cents("gpt-5.6-sol", date(2026, 8, day)) for day in (20, 21)] == [5, 4]
    assert cents("gpt-5.6-sol", date(2026, 11, 22)) is None, "a promotion ended, and nothing was said of what follows"


def test_a_long_prompt_may_cost_more_and_what_comes_from_a_cache_is_part_of_it() -> None:
    known = prices()
    short, long = Tokens(input=1000, cache_read=199_000), Tokens(input=1001, cache_read=199_000)
    assert known.cost_cents("claude-sonnet-4-5", DAY, short) == Decimal("6.27")
    assert known.cost_cents("claude-sonnet-4-5[1m]", DAY, long) == Decimal("12.5406")


@pytest.mark.parametrize("name", ["anthropic/Claude-Opus-4-5", " claude-opus-4-5[1m] ", "claude-opus-4-5-20251101"])
def test_a_name_is_plain(name: str) -> None:
    assert plain_name(name) == "claude-opus-4-5"
    assert plain_name("gpt-5.4-2026-03-05") == "gpt-5.4"


def test_no_two_rows_hold_for_the_same_request() -> None:
    for table in shipped():
        seen = [(m, p.since, p.until, p.above_tokens) for p in table.price for m in p.models]
        assert len(seen) == len(set(seen))


def test_the_users_own_table_says_all_about_the_models_it_names(tmp_path: Path) -> None:
    own = tmp_path / "prices.toml"
    own.write_text(
        'source = "our contract"\nchecked = 2026-03-01\n'
        '[[price]]\nmodels = ["gpt-5*", "house-*"]\nsince = 2026-03-10\ninput = 1.25\noutput = 0\n'
    )
    known = prices(own)
    assert known.cost_cents("gpt-5-codex", DAY, Tokens(input=MILLION)) == Decimal("1.25")
    assert known.cost_cents("house-7b", DAY, Tokens(input=MILLION)) == Decimal("1.25")
    assert known.cost_cents("gpt-5", date(2026, 3, 9), Tokens(input=1)) is None, "theirs do not fill the gaps of ours"
    assert known.cost_cents("claude-opus-4-5", DAY, Tokens(input=MILLION)) == 500


@pytest.mark.parametrize(
    "content", ["= 1", 'source = "x"', "\xff", "[[price]]\nmodels=[]", 'price=[{models=["a"], input=-1, output=1}]']
)
def test_a_wrong_table_is_named(tmp_path: Path, content: str) -> None:
    own = tmp_path / "own.toml"
    own.write_text(("" if "source" in content or "=" not in content else "source='x'\nchecked=2026-01-01\n") + content)
    with pytest.raises(ConfigurationError, match=r"own\.toml"):
        prices(own)
    with pytest.raises(ConfigurationError, match="check the path"):
        prices(tmp_path / "none.toml")


def test_a_usage_is_priced_only_when_both_sides_of_it_are_known() -> None:
    usage = {"model_used": "gpt-5", "input_tokens": 1000, "output_tokens": 100}
    assert listed_cost_cents(prices(), usage, DAY) == Decimal("0.225")
    assert listed_cost_cents(prices(), usage | {"output_tokens": None}, DAY) is None
    assert listed_cost_cents(prices(), usage | {"model_used": None}, DAY) is None


kinds = st.tuples(*[st.integers(min_value=0, max_value=20_000)] * 3)


@given(st.sampled_from(MODELS), kinds, kinds)
def test_costs_add_up_exactly(model: str, one: tuple[int, ...], other: tuple[int, ...]) -> None:
    def cents(*counts: int) -> Decimal:
        given, output, read = counts
        cost = prices().cost_cents(model, DAY, Tokens(given, output, read))
        assert cost is not None
        return cost

    assert cents(*(a + b for a, b in zip(one, other, strict=True))) == cents(*one) + cents(*other)
