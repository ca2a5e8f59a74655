"""Workers that end in the middle of a task, and checks that are ended."""

from __future__ import annotations

import re
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import check
from pytest_gradcheck.workers import named

from .layers import Affine, Killer, W, X


def test_a_lost_worker_is_inconclusive_and_the_layer_is_not_run_here_instead(tmp_path: Path) -> None:
    layer = Killer(tmp_path, times=99)
    with ProcessPoolExecutor(2) as executor:
        report = check(layer, X, W, executor=executor)
    assert report.verdict == "inconclusive"
    assert re.match(r"worker lost: A .*process.* terminated abruptly", report.notes[0])
    assert 1 <= len(list(tmp_path.iterdir())) <= 2
    assert report.forward_evaluations < 10


def test_a_named_pool_that_broke_is_replaced(tmp_path: Path) -> None:
    try:
        assert check(Killer(tmp_path, times=99), X, W, executor="processes:1").verdict == "inconclusive"
        assert check(Affine(), X, W, executor="processes:1").passed
        broken = named.held("processes:1")
        assert check(Affine(), X, W, executor="processes:1").passed
        assert named.held("processes:1") is broken
    finally:
        named.close_all()


def test_what_was_found_before_counts(tmp_path: Path) -> None:
    class Late(Killer):
        def forward(self, x: Any, W: Any) -> Any:
            (self.folder / f"{len(list(self.folder.iterdir()))}").touch()
            self.times = 0 if len(list(self.folder.iterdir())) < 60 else 10**6
            return super().forward(x, W)

        def backward(self, upstream: Any) -> Any:
            dx, dW = super().backward(upstream)
            return 2 * dx, dW

    pytest.importorskip("cloudpickle", reason="cloudpickle is not installed")
    with ProcessPoolExecutor(1) as executor:
        report = check(Late(tmp_path, times=0), X, W, executor=executor)
    assert report.verdict in ("fail", "inconclusive")
    assert any("worker lost" in note for note in report.notes)


class Stuck(ThreadPoolExecutor):
    """Takes tasks and never begins one."""

    def __init__(self) -> None:
        super().__init__(1)
        self.given: list[Future[Any]] = []

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.given.append(Future())
        return self.given[-1]


def test_seconds_that_are_spent_while_waiting_end_the_check() -> None:
    executor = Stuck()
    report = check(Affine(), X, W, executor=executor, max_seconds=0.2)
    assert (report.verdict, report.notes[0]) == ("inconclusive", "the seconds granted are spent")
    assert all(future.cancelled() for future in executor.given)


def test_an_interrupt_calls_every_task_back(monkeypatch: pytest.MonkeyPatch) -> None:
    executor, x = Stuck(), X.copy()

    def interrupted(self: Any, timeout: float | None = None) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(Future, "result", interrupted)
    with pytest.raises(KeyboardInterrupt):
        check(Affine(), x, W, executor=executor)
    assert executor.given and all(future.cancelled() for future in executor.given)
    assert np.array_equal(x, X)
