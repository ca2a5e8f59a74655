"""What `python -m benchmarks` measures and prints, and that it counts what it says; no time is asserted."""

from __future__ import annotations

import itertools
import json
import operator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import __main__ as command
from benchmarks.corpus.base import Case
from benchmarks.corpus.outcome import Outcome, Row
from benchmarks.corpus.peers import server
from benchmarks.corpus.run import US
from benchmarks.speed import measure, on_corpus, rounds, side_by_side, told
from benchmarks.speed.layers import LAYERS, Elementwise, case
from benchmarks.speed.results import Caught, Memory, Results, Sharp, Size, kept
from benchmarks.speed.run import BESIDE, missing, plan_of

RESULTS = Results(
    limit=20.0,
    versions={"Python": "3.11"},
    missing={"jax": "jax is not installed here"},
    bare={"10": 9.0, "1000000": 1.25},
    sizes=[
        Size(US, 10, "pass", 40, 1.0),
        Size(US, 10**6, "pass", 40, 1.0),
        Size("torch", 10, "pass", 22, 0.512),
        Size("torch", 10**6, "timeout", 0, None),
        Size("lecture", 10, "fail", 21, 0.0851),
    ],
    caught=[Caught(US, 83, 83, 0, 53, 40, 1.0), Caught("torch", 73, 83, 8, 53, 31, 1234.0)],
    sharp=[Sharp(US, 100, 3e-9), Sharp("torch", 100, None), Sharp("scipy", 100, None, "over 20 s")],
    memory=[Memory(US, 3000, 5.6789), Memory("torch", 3000, None)],
)


def cells(name: str) -> dict[str, list[str]]:
    head, rows = told.TABLES[name][1](RESULTS)
    assert all(len(row) == len(head) for row in rows), "every row has a cell for each column"
    return {row[0]: row[1:] for row in rows}


def test_times_are_ratios_and_a_stopped_checker_says_so() -> None:
    assert cells("time") == {
        US: ["1", "1"],
        "torch": ["0.51", "over 20 s"],
        "lecture": ["0.085 (fail)", ""],
        "jax": ["not installed", ""],
        "ours over its calls alone": ["9", "1.2"],
    }


def test_the_other_tables() -> None:
    assert cells("evaluations") == {
        US: ["40", "40"],
        "torch": ["22", ""],
        "lecture": ["21", ""],
        "jax": ["not installed", ""],
    }
    assert cells("caught")["torch"] == ["73/83", "8/53", "31", "1,200"]
    assert cells("sharpness") == {US: ["3e-09"], "torch": ["none"], "scipy": ["over 20 s"], "jax": ["not installed"]}
    assert cells("memory") == {US: ["5.7"], "torch": ["over 20 s"], "jax": ["not installed"]}


def test_the_terminal_shows_every_table_and_what_to_install() -> None:
    text = told.text(RESULTS)
    assert text.startswith("Python 3.11\n")
    assert all(f"\n{title}:\n" in text for title, _ in told.TABLES.values())
    assert text.endswith("jax: jax is not installed here")
    assert told.text(Results(versions={"Python": "3"}, missing=RESULTS.missing)).count("\n\n") == 1


def test_a_table_of_the_page() -> None:
    assert told.markdown(RESULTS, "time").splitlines()[:3] == [
        "| entries | 10¹ | 10⁶ |",
        "| --- | ---: | ---: |",
        f"| **{US}** | 1 | 1 |",
    ]


def test_results_come_back_from_their_file(tmp_path: Path) -> None:
    RESULTS.keep(tmp_path / "results.json")
    assert kept(tmp_path / "results.json") == RESULTS


@pytest.mark.parametrize("name", LAYERS)
def test_an_error_is_planted_in_one_entry(name: str) -> None:
    (x,) = case(name, 20).inputs(np.random.default_rng(0))
    gradients = []
    for error in (0.0, 0.01):
        layer = case(name, 20, error).make()
        gradients.append(layer.backward(np.ones_like(layer.forward(x)))[0])
    off = gradients[1] / gradients[0]
    assert np.flatnonzero(off != 1).tolist() == [13]
    assert off[13] == pytest.approx(1.01)


@pytest.mark.parametrize("name", LAYERS)
def test_a_right_layer_is_right(name: str) -> None:
    assert measure.outcome(US, case(name, 50)).verdict == "pass"
    assert measure.outcome(US, case(name, 50, 1e-3)).verdict == "fail"
    assert measure.outcome("lecture", case(name, 50)).verdict == "pass"


def test_the_smallest_error_that_is_caught_is_found_by_halving() -> None:
    errors = side_by_side.ERRORS
    for least in (*errors, 1.0, 0.0):
        right = max([i for i, e in enumerate(errors) if e >= least], default=None)
        found = side_by_side.smallest(errors, partial(operator.le, least))
        assert found == (None if right is None else errors[right])
    assert errors[:3] == (0.3, 0.1, 0.03)


def test_rounds_are_in_turns() -> None:
    order: list[str] = []
    counter = itertools.count(1.0)

    def action(name: str) -> float:
        order.append(name)
        return next(counter)

    pairs = rounds.paired(lambda: action("theirs"), lambda: action("ours"), 3, 600.0)
    assert order == ["theirs", "ours"] * 3
    assert rounds.ratio(pairs) == 3 / 4
    assert len(rounds.paired(lambda: 1.0, lambda: 1.0, 3, 0.0)) == 1


def test_memory_is_counted_beyond_the_layers_own() -> None:
    class Held:
        """A layer that needs eight arrays itself; the check must not be blamed for them."""

        def forward(self, x: Any) -> Any:
            self.y = np.tanh(x) + np.zeros((8, x.size)).min()
            return self.y

        def backward(self, upstream: Any) -> Any:
            return ((1 - self.y**2) * upstream,)

    n = 100_000
    measure.outcome(US, case("elementwise", 10))
    plain = measure.beyond(US, case("elementwise", n), "traced")[0]
    own = measure.beyond(US, Case("held", "made", None, Held, case("elementwise", n).inputs), "traced")[0]
    assert 1 < plain < 7
    assert plain < own < 8


def row(case_name: str, bug: str | None, verdict: str, seconds: float, checker: str = "torch") -> Row:
    return Row(checker, case_name, "made", bug, (), 0, Outcome(verdict, "", 20, 2, seconds))


def test_bugs_caught_and_false_alarms_are_counted() -> None:
    ours = [row("a", "sign", "fail", 1, US), row("b", "sign", "fail", 1, US), row("c", None, "pass", 2, US)]
    ours.append(row("d", None, "pass", 1, US))
    theirs = [row("a", "sign", "pass", 1), row("b", "sign", "fail", 1), row("c", None, "pass", 8)]
    theirs.append(row("d", None, "fail", 100))
    assert on_corpus.counted(theirs, ours) == Caught("torch", 1, 2, 1, 2, 20, 4.0)


def test_every_checker_gets_the_same_cases() -> None:
    names = on_corpus.common(["made"], "affine|sharp|float32-inside|tanh")
    assert "affine" in names
    assert not any(name.startswith("sharp-1e") for name in names)


def test_a_missing_checker_is_a_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(server, "HOME", tmp_path)
    monkeypatch.setattr(server, "find_spec", lambda module: None)
    found = missing(BESIDE)
    assert set(found) == {"torch", "torch-fast", "jax", "autograd", "scipy"}
    assert found["jax"].startswith("jax is not installed here")


def test_plans() -> None:
    assert plan_of().powers == (1, 2, 3, 4, 5, 6)
    assert (plan_of().ours, plan_of(largest=8).ours, plan_of(quick=True).ours) == (6, 8, 4)
    assert plan_of(quick=True, limit=7.0).limit == 7.0


def test_unknown_words_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for argv, sentence in (
        (["--beside", "nonsense"], "no checker is called 'nonsense': the known ones are pytest-gradcheck, torch"),
        (["--only", "nonsense"], "no part is called 'nonsense': the known ones are sizes, corpus, sharpness, memory"),
        (["--cases", "nonsense"], "no set of cases is called 'nonsense': the known ones are real, made, new"),
    ):
        with pytest.raises(SystemExit):
            command.main(argv)
        assert sentence in capsys.readouterr().err


def test_the_command_measures_and_writes_nothing_of_a_part(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Results, "keep", lambda self: pytest.fail("a part must not be kept"))
    argv = ["--quick", "--only", "corpus,sizes", "--beside", "lecture", "--match", "^affine", "--limit", "2"]
    assert command.main(argv) == 0
    printed = capsys.readouterr().out
    lines = {line.split()[0]: line.split()[1:] for line in printed.splitlines() if line.startswith(("lecture", US))}
    assert "21" in printed and "2,001" in printed, "the recipe's 2 n + 1 evaluations"
    assert len(lines) == 2


def test_a_worker_says_what_the_process_itself_would_say() -> None:
    with side_by_side.worker("lecture") as there:
        said = there.check("blocks", 30, 60.0)
        assert (said.verdict, said.forward_evaluations) == ("pass", 61)
        assert there.check("blocks", 30, 60.0, error=0.5).verdict == "fail"
        assert there.bare("blocks", 30, said) > 0
        assert there.check("blocks", 10**6, 0.2).verdict == "timeout"
        assert there.check("blocks", 30, 60.0).verdict == "pass", "it is started again"


def test_an_elementwise_layer_keeps_one_array() -> None:
    layer, x = Elementwise(), np.linspace(-1, 1, 5)
    y = layer.forward(x)
    assert layer.backward(np.ones(5))[0] == pytest.approx(1 - y * y)
    assert json.dumps(y.tolist()) == json.dumps(layer.y.tolist())
