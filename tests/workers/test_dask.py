"""A real Dask cluster of two local workers, one of which is killed in the middle of a check."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_gradcheck import check
from pytest_gradcheck.workers import named

from .layers import Affine, Killer, W, Watched, X
from .test_same import told

distributed: Any = pytest.importorskip("distributed", reason="needs the extra pytest-gradcheck[dask]")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50) as made:
        yield made


@pytest.fixture
def client(cluster: Any) -> Iterator[Any]:
    with distributed.Client(cluster, set_as_default=False) as made:
        # One that an earlier test has killed may still be on its way back.
        made.wait_for_workers(2, timeout=60)
        yield made


@pytest.mark.parametrize("factor", [1.0, 1.01], ids=["right", "wrong"])
def test_the_report_is_the_same(client: Any, factor: float) -> None:
    assert told(check(Affine(factor), X, W, executor=client.get_executor())) == told(check(Affine(factor), X, W))


def test_every_entry_is_the_same(client: Any) -> None:
    alone = check(Affine(), X, W, method="every-entry")
    assert told(check(Affine(), X, W, method="every-entry", executor=client.get_executor())) == told(alone)


def test_both_workers_work(client: Any, tmp_path: Path) -> None:
    assert check(Watched(tmp_path), X, W, executor=client.get_executor()).passed
    assert len(list(tmp_path.iterdir())) == 3


def test_a_killed_worker_s_tasks_are_done_by_another(client: Any, tmp_path: Path) -> None:
    report = check(Killer(tmp_path, times=1), X, W, executor=client.get_executor())
    assert len(list(tmp_path.iterdir())) == 1
    assert told(report) == {**told(check(Affine(), X, W)), "layer": "Killer"}


def test_a_layer_that_kills_every_worker_is_inconclusive(client: Any, tmp_path: Path) -> None:
    report = check(Killer(tmp_path, times=99), X, W, executor=client.get_executor())
    assert report.verdict == "inconclusive"
    assert any("worker lost" in note for note in report.notes)


def test_a_scheduler_by_its_address(cluster: Any) -> None:
    try:
        assert check(Affine(), X, W, executor=cluster.scheduler_address.replace("tcp://", "dask://")).passed
    finally:
        named.close_all()
