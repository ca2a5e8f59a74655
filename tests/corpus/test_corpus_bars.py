"""The whole corpus at one seed: every wrong layer is caught, every right one passes, and the words are right."""

from __future__ import annotations

from functools import cache
from statistics import median

import pytest

from benchmarks.corpus import SETS, tables
from benchmarks.corpus.base import CONTRACT_WORDS
from benchmarks.corpus.outcome import Row
from benchmarks.corpus.run import chosen, our_rows, series

SEED = 0
#: Errors of the sharpness series below what the default asks for.
BEYOND_DEFAULTS = ("sharp-1e-08", "sharp-1e-09", "sharp-1e-10")


@cache
def rows(group: str) -> tuple[Row, ...]:
    names = [name for name in chosen([group]) if not series(name)]
    return tuple(our_rows(names, [SEED]))


@pytest.mark.parametrize("group", SETS)
def test_every_wrong_layer_is_caught(group: str) -> None:
    missed = [f"{r.case}: {r.outcome.verdict}" for r in rows(group) if r.bug and not r.caught]
    assert missed == []


@pytest.mark.parametrize("group", SETS)
def test_no_right_layer_is_refused_or_left_open(group: str) -> None:
    refused = [
        f"{r.case}: {r.outcome.verdict}, {r.outcome.message}" for r in rows(group) if not r.bug and not r.accepted
    ]
    assert refused == []


def test_errors_down_to_a_ten_millionth_are_caught_at_defaults() -> None:
    names = [name for name in chosen(["made"], "^sharp-1e") if name not in BEYOND_DEFAULTS]
    assert len(names) == 7
    assert [r.case for r in our_rows(names, [SEED]) if not r.caught] == []


def test_an_error_of_a_billionth_is_caught_when_asked_for() -> None:
    asked = our_rows(chosen(["made"], "^sharp-(right|1e-08|1e-09)$"), [SEED], sharpness=1e-9)
    assert {r.case: r.outcome.verdict for r in asked} == {
        "sharp-right": "pass",
        "sharp-1e-08": "fail",
        "sharp-1e-09": "fail",
    }


def test_one_wrong_entry_among_ten_thousand_is_caught() -> None:
    found = {r.case: r.outcome.verdict for r in our_rows(chosen(["made"], "^scale-(right-)?1e[234]$"), [SEED])}
    assert found == {f"scale-{kind}1e{n}": "pass" if kind else "fail" for kind in ("right-", "") for n in (2, 3, 4)}


@pytest.mark.parametrize(
    ("contract", "most", "share"),
    [(False, 1, 0.75), (False, 2, 0.90), (True, 2, 0.90)],
    ids=["numeric-first", "numeric-first-two", "contract"],
)
def test_the_true_word_is_named(contract: bool, most: int, share: float) -> None:
    wrong = [r for group in SETS for r in rows(group) if r.bug and (r.bug in CONTRACT_WORDS) == contract]
    named = sum(tables.named_within(r, most) for r in wrong)
    assert named >= share * len(wrong), tables.misnamed(wrong)


def test_a_right_layer_is_not_diagnosed() -> None:
    assert [r.case for group in SETS for r in rows(group) if not r.bug and r.outcome.kinds] == []


def test_looking_for_a_cause_costs_little_and_nothing_where_none_is() -> None:
    every = [r for group in SETS for r in rows(group)]
    assert sum(r.outcome.diagnosis for r in every if not r.bug) == 0
    # 200 for one point; a layer that is looked at again at the mirrored one may spend them twice.
    spent = [r.outcome.diagnosis for r in every if r.caught]
    assert 0 < max(spent) <= 200


def test_right_layers_cost_few_evaluations() -> None:
    """The bar of a smooth layer is 32 + 12 an argument; kinks and odd scales may cost more, the median may not."""
    spent = [r.outcome.forward_evaluations for group in SETS for r in rows(group) if not r.bug]
    assert 4 < median(spent) <= 32 + 3 * 12
