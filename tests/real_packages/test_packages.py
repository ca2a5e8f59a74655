"""The tables of the packages: nothing is left out in silence, and every failure said to be theirs is confirmed."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

import pytest

from benchmarks.real_packages.base import PACKAGES, Package, load
from benchmarks.real_packages.confirm import Wrong, all_of, breaks, wrong
from benchmarks.real_packages.outcome import Row, judged
from benchmarks.real_packages.run import Result

NEEDS = {"numpy_ml": "numpy-ml", "autograd": "autograd", "jax_nn": "jax"}


@pytest.fixture(params=PACKAGES)
def package(request: pytest.FixtureRequest) -> tuple[str, Package]:
    name = request.param
    try:
        version(NEEDS.get(name, "torch"))
    except PackageNotFoundError:
        pytest.skip(f"{NEEDS.get(name, 'torch')} is not installed")
    if name == "autograd":
        pytest.importorskip("scipy")
    return name, load(name)


def test_every_name_found_has_a_check_or_a_reason(package: tuple[str, Package]) -> None:
    _, declared = package
    found = {name for name, _ in declared.found()}
    checked = {check.name for check in declared.checks()}
    assert not checked - found
    assert set(declared.left_out()) == set(declared.unchecked)


def test_labels_are_unique_and_settings_have_reasons(package: tuple[str, Package]) -> None:
    _, declared = package
    labels = [check.label for check in declared.checks()]
    assert len(labels) == len(set(labels))
    assert all(why for check in declared.checks() for _, why in check.settings.values())


def test_every_failure_that_is_theirs_is_confirmed(package: tuple[str, Package]) -> None:
    name, declared = package
    theirs = {check.label for check in declared.checks() if check.theirs}
    confirmed = {label for label, shown in all_of(name).items() if shown.confirmed}
    assert theirs == confirmed


def test_enough_functions_of_torch_and_jax() -> None:
    pytest.importorskip("torch")
    pytest.importorskip("jax")
    names = {(name, check.name) for name in ("torch_functional", "jax_nn") for check in load(name).checks()}
    assert len(names) >= 60


def rows_of(name: str, labels: str = "") -> Iterator[Row]:
    return (judged(name, check) for check in load(name).checks() if labels in check.label)


def test_numpy_ml_has_its_verdicts_and_no_failure_is_ours() -> None:
    pytest.importorskip("scipy")
    try:
        version("numpy-ml")
    except PackageNotFoundError:
        pytest.skip("numpy-ml is not installed")
    declared = load("numpy_ml")
    found = Result("numpy_ml", found=tuple(declared.found()), rows=tuple(rows_of("numpy_ml")))
    groups = [found.counts(group) for group in ("layer", "activation", "loss")]
    total = sum(counts["found"] for counts in groups)
    assert sum(counts["passed"] + counts["failed"] for counts in groups) >= 0.9 * total
    assert [row.label for row in found.failures() if not row.theirs] == []
    assert found.mended() == []
    assert found.counts()["failed"] == 15


def test_a_right_gradient_is_not_confirmed_as_wrong() -> None:
    assert not wrong(lambda x: (x**2).sum(), [1.0, 2.0], [2.0, 4.0], [2.0, 4.0]).confirmed
    assert wrong(lambda x: (x**2).sum(), [1.0, 2.0], [2.0, 4.1], [2.0, 4.0]).confirmed
    assert not Wrong(declared=1.0, formula=2.0, measured=3.0).confirmed
    assert not breaks(lambda: None).confirmed
