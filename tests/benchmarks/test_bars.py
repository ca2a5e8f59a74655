"""The bars: each line has a figure, a bar and whether it is met, of what it says. No time is asserted."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from benchmarks.corpus.peers.server import MissingPeerError
from benchmarks.corpus.run import US
from benchmarks.corpus.scale import Line
from benchmarks.speed import bars, bars_check, bars_elsewhere, bars_pytest, bars_torch, measure
from benchmarks.speed.layers import Blocks, case
from benchmarks.speed.sites import sites
from pytest_gradcheck import checking, elsewhere


def test_the_command_prints_a_figure_beside_its_bar(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def two() -> Iterator[Line]:
        yield "one thing", "3", "at most 4", True
        yield "another", "5", "at most 4", False

    monkeypatch.setattr(bars, "PARTS", {"some": two, "huge": lambda: pytest.fail("asked for by --huge alone")})
    assert bars.main([]) == 0
    assert [line.split()[-2:] for line in capsys.readouterr().out.splitlines()] == [["4", "met"], ["NOT", "MET"]]
    assert bars.main(["--only", "other"]) == 0
    assert capsys.readouterr().out == ""


def test_every_bar_has_its_part() -> None:
    assert list(bars.PARTS) == [
        "memory",
        "every-entry",
        "small",
        "thousand",
        "start-up",
        "evaluations",
        "torch-slow",
        "torch-fast",
        "two-workers",
        "dask",
        "device",
        "huge",
    ]


def test_evaluations_do_not_grow() -> None:
    lines = list(bars_check.evaluations())
    assert [(bar, met) for _, _, bar, met in lines] == [("within 2", True)] * 2


def test_a_check_holds_six_arrays_of_the_layers_size(monkeypatch: pytest.MonkeyPatch) -> None:
    large = case("elementwise", 400_000)
    measure.outcome(US, case("elementwise", 10))
    assert measure.beyond(US, large, "traced")[0] <= 6
    # The twin keeps what the first call was given.
    monkeypatch.setattr(checking, "settled", lambda first: first)
    assert measure.beyond(US, large, "traced")[0] > 6


def test_the_bare_loop_moves_and_puts_back() -> None:
    class Watched(Blocks):
        def forward(self, *xs: np.ndarray) -> np.ndarray:
            seen.append(xs[0].copy())
            return super().forward(*xs)

    seen: list[np.ndarray] = []
    x = np.linspace(-1, 1, 10)
    kept = x.copy()
    bars_check.loop(Watched(10), x, h=0.5)
    assert len(seen) == 20
    assert np.array_equal(x, kept)
    assert [np.flatnonzero(point != kept).tolist() for point in seen] == [[i // 2] for i in range(20)]


def test_suites_run_and_a_failing_one_is_an_error() -> None:
    lines = list(bars_pytest.thousand(count=2, rounds=1))
    assert [name for name, *_ in lines] == ["2 checks over empty tests and calls", "2 checks over empty tests alone"]
    with (
        bars_pytest.suite("def test_layer(i): assert i\n", 2) as folder,
        pytest.raises(RuntimeError, match="1 failed, 1 passed"),
    ):
        bars_pytest.session(folder)


def test_two_environments_differ_by_the_plugin_alone() -> None:
    with sites() as (with_it, without):
        apart = {path.name for path in with_it.iterdir()} ^ {path.name for path in without.iterdir()}
        assert apart == {"pytest_gradcheck", "pytest_gradcheck-0.1.0.dist-info"}
        assert {"_pytest", "pytest", "pluggy"} <= {path.name for path in without.iterdir()}
    assert len(list(bars_pytest.start_up(rounds=1))) == 1


def test_what_is_not_here_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bars_elsewhere, "find_spec", lambda module: None)
    assert [line[1] for line in bars_elsewhere.device()] == [
        "torch is not installed",
        "jax is not installed",
    ]
    assert [line[1] for line in bars_elsewhere.dask()] == ["dask is not installed"]
    monkeypatch.setattr(bars_pytest, "find_spec", lambda module: None)
    assert [line[1] for line in bars_pytest.two_workers()] == ["pytest-xdist is not installed"]


@pytest.mark.parametrize(
    ("framework", "measure"), [("torch", bars_elsewhere.on_device), ("jax", bars_elsewhere.of_jax)]
)
def test_a_check_on_a_device_is_timed_with_and_without_the_contract(
    framework: str, measure: Callable[..., Iterator[Line]], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(framework, reason=f"needs the extra pytest-gradcheck[{framework}]")
    monkeypatch.setattr(elsewhere, "forced", True)
    lines = list(measure("cpu", 100, rounds=1))
    assert [(f"{framework} on cpu" in told and told.endswith(", pass"), passed) for _, told, _, passed in lines] == [
        (True, True)
    ] * 2


def test_torch_that_is_not_here_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(checker: str) -> None:
        raise MissingPeerError(f"{checker} is not installed here")

    monkeypatch.setattr(bars_torch, "worker", absent)
    assert [line[1:] for line in bars_torch.fast()] == [
        ("not installed", "pytest-gradcheck is not installed here", False)
    ]
