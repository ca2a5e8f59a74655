"""How causes are ranked, what a diagnosis costs, and what happens where it cannot ask more."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import pytest_gradcheck.findings as core
from pytest_gradcheck import hooks
from pytest_gradcheck.diagnosis import diagnose
from pytest_gradcheck.diagnosis.bench import Bench
from pytest_gradcheck.evidence import ArgumentEvidence, Evidence, OutOfBudget
from pytest_gradcheck.target import Argument, FunctionTarget
from pytest_gradcheck.verdict import Finding

from .made import checked, named, normal


def evidence_of(run: Any, declared: Any, numeric: Any, x: Any, u: Any, left: int = 200) -> Evidence:
    """Evidence put together by hand: one argument, every entry measured, a backward that declares the same always."""
    target = FunctionTarget("Layer", (Argument("x", x),), run, lambda upstream: (declared,))
    wrong = np.abs(declared - numeric) > 1e-9
    argument = ArgumentEvidence("x", x, declared, numeric, np.full(x.shape, 1e-10), wrong)
    return Evidence(target, (x,), (u,), (run(x),), (argument,), left=left)


def finding(evidence: Evidence) -> Finding:
    argument = evidence.arguments[0]
    assert argument is not None
    return Finding("local", "", "x", count=int(argument.wrong.sum()), total=argument.value.size)


def test_a_right_layer_is_never_diagnosed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise RuntimeError("diagnosed")

    monkeypatch.setattr(core, "diagnose", refuse)
    assert checked(np.tanh, lambda u, y, x: u * (1 - y * y), normal(6)).passed
    with pytest.raises(RuntimeError, match="diagnosed"):
        checked(np.tanh, lambda u, y, x: u * (1 - y), normal(6))


def test_the_runner_up_follows_and_says_why_it_is_second() -> None:
    def back(u: Any, y: Any, x: Any) -> Any:
        return u * (1 - np.tanh(x) ** 2)

    first, second = named(lambda x: np.tanh(x) + x, back, normal(6))
    assert (first.kind, second.kind) == ("accumulate", "term")
    assert first.argument == second.argument == "x"
    assert first.confidence > second.confidence
    assert second.evidence[-1] == "named second: 'accumulate' explains the same entries and is more likely"


def test_the_surest_argument_comes_first_and_the_right_ones_are_named() -> None:
    def back(u: Any, y: Any, a: Any, b: Any, c: Any) -> Any:
        return u * np.cos(b) * 0.8 * a, 2 * u * a, u

    found = named(lambda a, b, c: a * b + c, back, normal(5), normal(5, seed=2), normal(5, seed=3))
    assert (found[0].kind, found[0].argument) == ("factor", "b")
    assert found[0].evidence[-1] == "a, b are wrong together, c is right: look first at the step they share"


def test_at_most_twenty_wrong_entries_are_exactly_those_named() -> None:
    x = normal(30)
    places = [3, 7, 8, 20]

    def back(u: Any, y: Any, x: Any) -> Any:
        g = u * (1 - y * y)
        g[places] *= 1.5
        return g

    first = named(np.tanh, back, x)[0]
    assert first.indices == tuple((p,) for p in places)
    assert (first.count, first.total) == (4, 30)


def test_the_budget_of_evaluations_is_kept() -> None:
    x, u = normal(6), normal(6, seed=4)
    evidence = evidence_of(np.tanh, u * np.sin(5 * x), u * (1 - np.tanh(x) ** 2), x, u)
    diagnose(evidence, [finding(evidence)])
    assert 0 < evidence.forward_evaluations <= 200
    assert evidence.left == 200 - evidence.forward_evaluations


def test_without_a_budget_the_numbers_at_hand_still_name_it() -> None:
    x, u = normal(6), normal(6, seed=4)
    true = u * (1 - np.tanh(x) ** 2)
    doubled = evidence_of(np.tanh, 2 * true, true, x, u, left=0)
    assert diagnose(doubled, [finding(doubled)])[0].kind == "factor"
    odd = evidence_of(np.tanh, u * np.sin(5 * x), true, x, u, left=0)
    assert diagnose(odd, [finding(odd)])[0].kind == "local"
    assert odd.forward_evaluations == 0


def test_a_layer_that_raises_elsewhere_is_still_diagnosed() -> None:
    x, u = np.abs(normal(6)) + 1, normal(6, seed=4)

    def run(x: Any) -> Any:
        if (x <= 0.5).any() or (np.abs(x - np.abs(normal(6)) - 1) > 0.1).any():
            raise ValueError("outside")
        return (np.sqrt(x),)

    evidence = evidence_of(run, u / x, u / (2 * np.sqrt(x)), x, u)
    evidence.outputs = run(x)
    evidence.target.backward = lambda upstream: (upstream[0] / x,)  # type: ignore[method-assign] # replaced to be wrong
    first = diagnose(evidence, [finding(evidence)])[0]
    assert first.kind == "local"
    assert evidence.forward_evaluations > 3


def test_an_earlier_input_is_recognised() -> None:
    x, u = normal(6), normal(6, seed=4)
    before = normal(6, seed=9)
    evidence = evidence_of(np.tanh, u * (1 - np.tanh(before) ** 2), u * (1 - np.tanh(x) ** 2), x, u)
    evidence.outputs, evidence.earlier = (np.tanh(x),), (before,)
    evidence.target.backward = lambda upstream: (upstream[0] * (1 - np.tanh(before) ** 2),)  # type: ignore[method-assign] # replaced to be wrong
    first = diagnose(evidence, [finding(evidence)])[0]
    assert (first.kind, first.message) == ("stale", "the derivative of x is taken at an earlier call's input")


def test_findings_of_other_clauses_are_handed_on() -> None:
    x, u = normal(6), normal(6, seed=4)
    evidence = evidence_of(np.tanh, 2 * u, u, x, u)
    other = Finding("shape", "a shape", "y", clause="shape")
    assert diagnose(evidence, [other, finding(evidence)])[-1] is other


class Namer:
    """A third party's cause."""

    @hooks.hookimpl
    def gradcheck_name_cause(self, evidence: Any, argument: Any) -> Any:
        return Finding("term", f"our own cause of {argument.name}", evidence=("seen",), confidence=0.99)


@pytest.fixture
def third_party() -> Iterator[None]:
    namer = Namer()
    hooks.manager().register(namer)
    yield
    hooks.manager().unregister(namer)


@pytest.mark.usefixtures("third_party")
def test_a_third_party_names_a_cause_through_the_hook() -> None:
    first = named(np.tanh, lambda u, y, x: u * (1 - y), normal(6))[0]
    assert (first.kind, first.message, first.confidence) == ("term", "our own cause of x", 0.99)


def test_an_entry_whose_bar_hides_the_error_does_not_stand_against_a_cause() -> None:
    x, u = normal(6), normal(6, seed=4)
    true = u * (1 - np.tanh(x) ** 2)
    evidence = evidence_of(np.tanh, 2 * true, true, x, u, left=0)
    argument = evidence.arguments[0]
    assert argument is not None
    argument.bar[0], argument.wrong[0] = 10.0, False
    assert not Bench(evidence, 0, argument).telling[0]
    first = diagnose(evidence, [finding(evidence)])[0]
    assert (first.kind, first.message) == ("factor", "the declared gradient of x is 2 times the true one")


def test_unmeasured_entries_of_a_sparse_failure_count_as_right() -> None:
    x, u = normal(6), normal(6, seed=4)
    true = u * (1 - np.tanh(x) ** 2)
    declared = np.where(np.arange(6) == 0, 0.0, true)
    evidence = evidence_of(np.tanh, declared, true, x, u, left=0)
    argument = evidence.arguments[0]
    assert argument is not None
    argument.numeric[1:], argument.bar[1:] = np.nan, np.inf
    first = diagnose(evidence, [finding(evidence)])[0]
    assert first.kind == "region"
    assert first.message == "the declared gradient of x is wrong only at the first index"


def test_a_flipped_sign_is_no_number_of_uses() -> None:
    found = named(lambda x, W: x @ W, lambda u, y, x, W: (u @ W.T, -x.T @ u), normal(5, 3), normal(3, 2))
    assert [(f.kind, f.argument) for f in found] == [("sign", "W")]


def test_one_half_of_every_entry_is_not_said_to_be_one_half_of_their_sum_alone() -> None:
    found = named(lambda x: x * x, lambda u, y, x: u * x, normal(6))
    term = next(f for f in found if f.kind == "term")
    assert term.message == "x enters the layer 2 times, and 1 of them is differentiated"
    assert term.evidence[0] == "declared . x = 1/2 of numeric . x at every entry"


def test_a_factor_next_to_one_is_not_written_as_one() -> None:
    found = named(lambda x: np.exp(x), lambda u, y, x: u * y * 1.0000127, normal(6))
    said = {f.kind: f.message for f in found}
    assert said["factor"] == "the declared gradient of x is 1.0000127 times the true one"


def test_the_search_ends_at_the_moment_that_was_granted() -> None:
    x, u = normal(4), normal(4)
    evidence = evidence_of(np.sin, u, u * np.cos(x), x, u)
    evidence.deadline = time.perf_counter() - 1.0
    with pytest.raises(OutOfBudget):
        evidence.forward([x])
    assert evidence.forward_evaluations == 0
    evidence.deadline = time.perf_counter() + 3600.0
    assert np.array_equal(evidence.forward([x])[0], np.sin(x))
