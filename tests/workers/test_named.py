"""Executors by name: in a call, on the command line, in the ini file, from a hook."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import pytest

import pytest_gradcheck
from pytest_gradcheck import InvalidInput, MissingExtra, check
from pytest_gradcheck.hooks import manager
from pytest_gradcheck.workers import named
from tests.plugin.conftest import Run, run

from .layers import Affine, W, X

__all__ = ["run"]


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    named.close_all()


@pytest.mark.parametrize(("name", "kind"), [("threads:2", ThreadPoolExecutor), ("processes:1", ProcessPoolExecutor)])
def test_a_name_is_opened_once_and_closed(name: str, kind: type[Executor]) -> None:
    assert check(Affine(), X, W, executor=name).passed
    executor = named.held(name)
    assert isinstance(executor, kind)
    assert named.held(name) is executor
    named.close_all()
    with pytest.raises(RuntimeError):
        executor.submit(abs, 1)


def test_loky() -> None:
    pytest.importorskip("loky", reason="loky is not installed")
    assert check(Affine(), X, W, executor="loky:1").passed


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "fast",
            "executor is 'fast': give 'threads:N', 'processes:N', 'loky:N', 'dask://HOST:PORT', or supply it*",
        ),
        ("threads:0", "executor is 'threads:0': give a whole number of workers after the colon"),
        ("processes:two", "executor is 'processes:two': give a whole number of workers after the colon"),
    ],
)
def test_a_wrong_name_is_one_sentence(name: str, sentence: str, run: Run) -> None:
    with pytest.raises(InvalidInput) as caught:
        check(Affine(), X, W, executor=name)
    assert str(caught.value).startswith(sentence.rstrip("*"))
    option = run("def test_it(gradcheck):\n    pass\n", f"--gradcheck-executor={name}")
    assert option.ret == pytest.ExitCode.USAGE_ERROR
    assert len([line for line in option.stderr.lines if line.strip()]) == 1
    option.stderr.fnmatch_lines([f"ERROR: {sentence.replace('executor is', '--gradcheck-executor is')}"])


def test_no_scheduler_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed", reason="needs the extra pytest-gradcheck[dask]")
    monkeypatch.setattr(named, "PATIENCE", 0.3)
    with pytest.raises(InvalidInput, match=r"no Dask scheduler answers at 127\.0\.0\.1:9 \(.*\): start one"):
        check(Affine(), X, W, executor="dask://127.0.0.1:9")


def test_without_its_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(MissingExtra, match=r"pip install 'pytest-gradcheck\[dask\]'"):
        check(Affine(), X, W, executor="dask://127.0.0.1:9")


USES = """
from concurrent.futures import ThreadPoolExecutor
def test_it(gradcheck, request):
    gradcheck(Square(), X)
    from pytest_gradcheck.workers import named
    print("opened", sorted(named._opened))
"""


def test_the_option_the_ini_word_and_the_marker(run: Run, pytester: pytest.Pytester) -> None:
    run(USES, "-rP").stdout.no_fnmatch_line("opened [[]'*")
    pytester.makeini("[pytest]\ngradcheck_executor = threads:1\n")
    run(USES, "-rP").stdout.fnmatch_lines(["opened [[]'threads:1']"])
    run(USES, "-rP", "--gradcheck-executor=threads:2").stdout.fnmatch_lines(["opened [[]'threads:2']"])
    marked = "@pytest.mark.gradcheck(executor='threads:3')\n" + USES.strip().split("\n", 1)[1]
    run(marked, "-rP", "--gradcheck-executor=threads:2").stdout.fnmatch_lines(["opened [[]'threads:3']"])
    assert not named._opened


def test_a_wrong_ini_word_is_one_line(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\ngradcheck_executor = fast\n")
    result = run(USES)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: gradcheck_executor in the ini file is 'fast': give *"])


class Supplies:
    def __init__(self, what: Any) -> None:
        self.what = what

    @pytest_gradcheck.hookimpl
    def gradcheck_executor(self, name: str) -> Any:
        return self.what if name == "mine" else None


def test_a_hook_supplies_an_executor_and_keeps_it() -> None:
    with ThreadPoolExecutor(1) as mine:
        plugin = Supplies(mine)
        manager().register(plugin)
        try:
            assert check(Affine(), X, W, executor="mine").passed
            assert named.held("mine") is mine
            named.close_all()
            assert mine.submit(abs, -1).result() == 1
        finally:
            manager().unregister(plugin)


def test_a_hook_that_returns_something_else_is_one_sentence() -> None:
    plugin = Supplies(3)
    manager().register(plugin)
    try:
        with pytest.raises(InvalidInput, match="gradcheck_executor returned 3 for 'mine': return an executor of"):
            check(Affine(), X, W, executor="mine")
    finally:
        manager().unregister(plugin)
