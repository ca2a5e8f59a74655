"""What the commands print, and that they count what they say."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.corpus import __main__ as command
from benchmarks.corpus import scale, sharpness, tables
from benchmarks.corpus.outcome import Outcome, Row, TimedOut, limited
from benchmarks.corpus.peers import PEERS, server
from benchmarks.corpus.run import US, our_rows, peer_rows


def a_row(case: str, bug: str | None, verdict: str, seed: int = 0, kinds: tuple[str, ...] = ()) -> Row:
    words = (bug,) if bug else ()
    return Row(US, case, "made", bug, words, seed, Outcome(verdict, "said so", 20, 2, 0.5, kinds))


ROWS = [
    a_row("a", "sign", "fail", kinds=("sign",)),
    a_row("b", "sign", "pass"),
    a_row("c", "factor", "fail", kinds=("local", "factor")),
    a_row("d", None, "pass"),
    a_row("e", None, "fail", kinds=("sign",)),
    a_row("f", None, "inconclusive"),
]


def test_rates_count_caught_refused_and_inconclusive() -> None:
    assert tables.rates(ROWS).splitlines()[2].split() == [US, "made", "2/3", "1/3", "1", "0", "20", "20", "3.0"]


def test_mistakes_name_the_case_and_what_was_said() -> None:
    lines = tables.mistakes(ROWS).splitlines()
    assert [line.split()[:3] for line in lines] == [
        ["sign", "b", "pass"],
        ["right", "e", "fail"],
        ["right", "f", "inconclusive"],
    ]
    assert "said so" in lines[0]


def test_verdicts_that_change_with_the_seed_are_listed() -> None:
    assert tables.unsteady(ROWS) == "  none"
    changed = tables.unsteady([*ROWS, a_row("d", None, "inconclusive", seed=1)])
    assert changed.split() == ["d", "pass", "1,", "inconclusive", "1"]


def test_kinds_count_the_first_and_the_first_two() -> None:
    lines = {line.split()[0]: line.split()[1:] for line in tables.kinds(ROWS).splitlines()[2:4]}
    assert lines == {"factor": ["1", "0", "1", "0", "100"], "sign": ["2", "1", "1", "50", "50"]}
    assert tables.misnamed(ROWS).split() == ["c", "factor", "named", "local,", "factor"]


def test_the_command_prints_every_table(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "rows.json"
    argv = ["--cases", "made", "--only", "^(affine|sharp-1e-01)", "--seeds", "2", "--kinds", "--json", str(file)]
    assert command.main(argv) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("7 wrong and 2 right layers, 2 seeds\n")
    for heading in (
        "verdicts that are not as they should be:\n  none",
        "changed with the seed:\n  none",
        "sharp-1e-01",
    ):
        assert heading in printed
    assert "all numeric bugs" in printed
    assert file.read_text().count('"checker"') == 18


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["--cases", "made,nonsense"], "no set of cases is called 'nonsense': the sets are real, made, new"),
        (["--peers", "nonsense"], "no checker is called 'nonsense': the known ones are torch, torch-fast, jax"),
    ],
)
def test_unknown_words_are_refused(argv: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(argv)
    assert sentence in capsys.readouterr().err


def test_a_missing_environment_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(server, "HOME", tmp_path)
    monkeypatch.setattr(server, "find_spec", lambda module: None)
    with pytest.raises(SystemExit):
        command.main(["--peers", "chainer"])
    said = capsys.readouterr().err
    assert f"chainer is not installed here and has no environment at {tmp_path / 'chainer'}: make one with" in said
    assert "install 'numpy' 'chainer==7.8.1' 'numpy<1.24'" in said


def test_nothing_to_run_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--only", "no-such-name"]) == 2
    assert capsys.readouterr().out == "no case matches 'no-such-name'\n"


def test_another_checker_runs_in_its_own_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "python_of", lambda peer: sys.executable)
    rows = peer_rows("lecture", ["affine", "affine-transpose", "float32-inside"], [0], 30.0)
    assert [(r.case, r.outcome.verdict) for r in rows] == [("affine", "pass"), ("affine-transpose", "fail")]
    assert rows[0].outcome.forward_evaluations == 2 * (16 + 4 + 4) + 1


def test_every_checker_says_what_it_is() -> None:
    assert {"torch", "torch-fast", "jax", "autograd", "pytensor", "scipy", "cs231n", "lecture"} <= PEERS.keys()
    assert all(peer.about and peer.packages for peer in PEERS.values())


def test_a_case_that_hangs_is_ended() -> None:
    with pytest.raises(TimedOut), limited(0.05):
        while True:
            pass


def test_two_processes_say_what_one_says() -> None:
    one, two = (our_rows(["affine", "affine-transpose"], [0, 1], jobs) for jobs in (1, 2))
    assert [(r.case, r.seed, r.outcome.verdict) for r in one] == [(r.case, r.seed, r.outcome.verdict) for r in two]


def test_planted_errors_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    trial = sharpness.Trial("one entry", 50)
    name, entries, _, right, hits, _ = sharpness.run(trial, 10, 1)
    assert (name, entries, right) == ("one entry", 50, "10/10")
    assert hits in ("9/10", "10/10")


def test_a_planted_error_is_as_large_as_it_says() -> None:
    layer = sharpness.Planted(20, np.ones(20))
    x = np.linspace(-1, 1, 20)
    layer.forward(x)
    (right,) = layer.backward(np.ones(10))
    layer.errors = {3: 0.01}
    (wrong,) = layer.backward(np.ones(10))
    assert wrong[3] / right[3] == pytest.approx(1.01)
    assert (wrong == right).sum() == 19


def test_evaluations_against_size_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert scale.main(["--only", "no-such-part"]) == 0
    assert capsys.readouterr().out == ""
    assert list(scale.PARTS) == [
        "evaluations",
        "half-zeros",
        "magnitudes",
        "dense",
        "one",
        "twenty",
        "time-torch",
        "time-loop",
    ]
