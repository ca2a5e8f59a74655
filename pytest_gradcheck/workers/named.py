"""Named: an executor for a word, so that one can be asked for on a command line.

threads:4            threads of this process; pays where forward lets go of the interpreter
processes:2          processes of this machine
loky:2               the same, with loky's, which can be used again after a crash
dask://HOST:PORT     the cluster of a running Dask scheduler
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from importlib import import_module
from typing import Any

from pytest_gradcheck.errors import InvalidInput, MissingExtra
from pytest_gradcheck.hooks import manager

#: Seconds to wait for a scheduler.
PATIENCE = 10.0
KINDS = ("threads", "processes", "loky", "dask")
KNOWN = "'threads:N', 'processes:N', 'loky:N', 'dask://HOST:PORT'"

#: What ends an executor that was made here; one that a hook supplied is its owner's.
Close = Callable[[], Any]


_opened: dict[str, tuple[Executor, Close]] = {}


def held(name: str) -> Executor:
    """The executor of a name, opened once and kept until `close_all`; raises as `executor_for`."""
    if name not in _opened:
        _opened[name] = executor_for(name)
    return _opened[name][0]


def drop(executor: Executor) -> None:
    """Give up an executor that is broken: the next check opens another."""
    for name in [name for name, (kept, _) in _opened.items() if kept is executor]:
        _opened.pop(name)[1]()


@atexit.register
def close_all() -> None:
    """End every executor that was opened here."""
    while _opened:
        _opened.popitem()[1][1]()


def require(name: str) -> None:
    """Raise InvalidInput for a name that is of no known kind, and that no hook could supply."""
    kind, _, rest = name.partition(":")
    if kind in KINDS:
        if kind != "dask":
            _count(name, rest)
    elif not manager().hook.gradcheck_executor.get_hookimpls():
        raise InvalidInput(f"executor is {name!r}: give {KNOWN}, or supply it by the hook gradcheck_executor")


def executor_for(name: str) -> tuple[Executor, Close]:
    """The executor of a name, and how to end it: what `gradcheck_executor` supplies, else one of the known kinds.

    Raises InvalidInput for a name that nobody knows or a scheduler that does not answer, MissingExtra where the
    package is not installed.
    """
    supplied = manager().hook.gradcheck_executor(name=name)
    if supplied is not None:
        if not hasattr(supplied, "submit"):
            raise InvalidInput(
                f"gradcheck_executor returned {supplied!r:.60} for {name!r}: return an executor of concurrent.futures"
            )
        return supplied, lambda: None
    kind, _, rest = name.partition(":")
    if kind == "dask":
        return _dask("tcp:" + rest)
    if kind == "threads":
        threads = ThreadPoolExecutor(_count(name, rest))
        return threads, lambda: threads.shutdown(cancel_futures=True)
    if kind == "processes":
        processes = ProcessPoolExecutor(_count(name, rest))
        return processes, lambda: processes.shutdown(cancel_futures=True)
    if kind == "loky":
        return _loky(_count(name, rest))
    raise InvalidInput(f"executor is {name!r}: give {KNOWN}, or supply it by the hook gradcheck_executor")


def _count(name: str, word: str) -> int:
    if not word:
        return os.cpu_count() or 1
    if not word.isdecimal() or int(word) == 0:
        raise InvalidInput(f"executor is {name!r}: give a whole number of workers after the colon")
    return int(word)


def _dask(address: str) -> tuple[Executor, Close]:
    distributed = _module("distributed", "'pytest-gradcheck[dask]'")
    try:
        client = distributed.Client(address, timeout=PATIENCE, set_as_default=False)
    except Exception as cause:
        why = " ".join(str(cause).split())[:120] or type(cause).__name__
        where = address.removeprefix("tcp://")
        raise InvalidInput(f"no Dask scheduler answers at {where} ({why}): start one") from None
    executor: Executor = client.get_executor()
    return executor, client.close


def _loky(workers: int) -> tuple[Executor, Close]:
    executor: Executor = _module("loky", "loky").get_reusable_executor(max_workers=workers)
    return executor, lambda: None


def _module(name: str, install: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        raise MissingExtra(f"this executor needs {name}, which is not installed: pip install {install}") from None
