"""With workers or without: the same report, to the last bit."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import check, declare
from pytest_gradcheck.domain import interval
from pytest_gradcheck.verdict import Report

from .layers import RNG, Affine, Dropout, Relu, W, Watched, X


@pytest.fixture(scope="module", params=[ThreadPoolExecutor, ProcessPoolExecutor], ids=["threads", "processes"])
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    with request.param(2) as made:
        yield made


def told(report: Report) -> dict[str, Any]:
    plain = report.to_plain()
    del plain["seconds"]
    return plain


SPARSE = np.maximum(RNG.standard_normal(300), 0)
LOG = (lambda x: (np.log(x), x), lambda u, x: u / x)
EXP = (lambda x: (np.exp(x), x), lambda u, x: u * np.exp(x))
RELU = lambda x: np.maximum(x, 0)  # noqa: E731 - one of a list of functions
MIXED = np.array([1e8, 1e-3, 2e4, 3.0, -5e-4, 7e7])

#: What is checked, with which inputs and settings.
CASES: dict[str, Callable[[], tuple[Any, tuple[Any, ...], dict[str, Any]]]] = {
    "right": lambda: (Affine(), (X, W), {}),
    "one entry wrong": lambda: (Affine(1.01), (X, W), {}),
    "one of many wrong": lambda: (Affine(1.01), (X, RNG.standard_normal((5, 400))), {}),
    "everything wrong": lambda: ((lambda x: (x**2, x), lambda u, x: u * x), (RNG.standard_normal(2000),), {}),
    "kinks": lambda: (Relu(), (SPARSE,), {}),
    "outside the slopes": lambda: (Relu(1.5), (SPARSE,), {}),
    "all sizes": lambda: (Relu(), (MIXED,), {}),
    "every entry": lambda: (Affine(), (X, W), {"method": "every-entry"}),
    "every entry, one wrong": lambda: (Affine(1.01), (X, W), {"method": "every-entry"}),
    "complex step": lambda: (Affine(), (X, W), {"method": "complex-step"}),
    "float32": lambda: (Affine(), (X.astype(np.float32), W.astype(np.float32)), {}),
    "a generator of its own": lambda: (Dropout(own=True), (X,), {}),
    "numpy's global state": lambda: (Dropout(own=False), (X,), {}),
    "a domain": lambda: (LOG, (abs(X) + 1e-3,), {"domain": {"x": (0, 9)}}),
    "at an end": lambda: (EXP, (X.clip(0),), {"domain": {"x": interval(0, 9, ends=True)}}),
    "values alone": lambda: (Affine(), (X, W), {"contract": "values"}),
    "a budget": lambda: (Affine(), (X, W), {"max_evaluations": 30}),
    "a sharpness": lambda: (Affine(), (X, W), {"sharpness": 1e-9}),
    "empty": lambda: (Relu(), (np.empty((0, 3)),), {}),
    "a surrogate": lambda: (declare.surrogate(Relu(1.0), forward=RELU, reason="a slope of one at zero"), (SPARSE,), {}),
}


@pytest.mark.parametrize("name", CASES)
def test_the_report_is_the_same_with_workers(name: str, executor: Executor) -> None:
    if isinstance(executor, ProcessPoolExecutor):
        # Functions made here have no name that a process could find, which is what travelling by value is for.
        pytest.importorskip("cloudpickle", reason="needs the extra pytest-gradcheck[dask], which brings cloudpickle")
    layer, inputs, settings = CASES[name]()
    alone = check(layer, *inputs, **settings)
    assert told(check(layer, *inputs, **settings, executor=executor)) == told(alone)


def test_what_is_not_the_same_would_be_seen() -> None:
    assert told(check(Affine(), X, W)) != told(check(Affine(), X, W, seed=1))
    assert told(check(Affine(), X, W)) != told(check(Affine(1.01), X, W))


def test_the_workers_do_most_of_it(tmp_path: Path) -> None:
    with ProcessPoolExecutor(2) as executor:
        report = check(Watched(tmp_path), X, W, executor=executor)
    done = {file.name: len(file.read_text()) for file in tmp_path.iterdir()}
    here = done.pop(str(os.getpid()))
    # Here the first call and the trembling of the declared gradient; there also the contract's first call once more.
    assert (here, sum(done.values())) == (2, report.forward_evaluations - 2 + 1)


def test_global_random_state_is_as_before() -> None:
    before = np.random.get_state(legacy=False)
    with ThreadPoolExecutor(2) as executor:
        check(Dropout(own=False), X, executor=executor)
    after = np.random.get_state(legacy=False)
    assert str(before) == str(after)
