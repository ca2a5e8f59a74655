"""Crew: hands tasks to an executor and takes the answers in; what a worker lacks is sent, a lost one is noticed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_gradcheck.calls import BudgetSpent, Unfinished
from pytest_gradcheck.errors import InvalidInput
from pytest_gradcheck.target import Array

from .named import drop, held
from .parcel import Cargo, NotHere, beside, delivered, forget, packed, shared

#: A task is handed out so often before its worker counts as lost for good.
MOST_TRIES = 6


class WorkerLost(Unfinished):
    """A worker ended in the middle of a task, and the executor starts no other."""


@dataclass(slots=True)
class Errand:
    """A task that was handed out, and what is needed to hand it out again.

    needs: numbers of arrays that it looks up. whole: whether all that it needs went along.
    informed: how many tasks that took all along had been answered when it was handed out.
    """

    task: Callable[..., Any]
    arguments: tuple[Any, ...]
    needs: tuple[int, ...]
    future: Future[Any]
    tries: int = 1
    whole: bool = False
    informed: int = 0


class Crew:
    """The workers of one check; a context manager that drops what was handed out in vain.

    executor: anything with `submit` of `concurrent.futures`, or the name of one (see `named`). cargo: what every task
    is about. deadline: a moment of `time.perf_counter` after which no answer is waited for.
    """

    def __init__(self, executor: Executor | str, cargo: Cargo, deadline: float | None = None) -> None:
        self.executor = held(executor) if isinstance(executor, str) else executor
        self._cargo, self._deadline = cargo, deadline
        self._threads = isinstance(self.executor, ThreadPoolExecutor)
        self._stack = ExitStack()
        self._open: list[Errand] = []
        #: What was sent once, by its number: the array, and where a cluster holds it.
        self._arrays: dict[int, tuple[Array, Any]] = {}
        self._numbers: dict[int, int] = {}
        self._informed = 0

    def __enter__(self) -> Crew:
        handed = shared(self._cargo) if self._threads else packed(self._cargo)
        self._parcel, self._content = self._stack.enter_context(handed)
        self._near = scattered(self.executor, self._content)
        return self

    def __exit__(self, *_: object) -> None:
        for errand in self._open:
            errand.future.cancel()
        self._stack.close()
        forget([self._parcel.token])

    def once(self, array: Array) -> int:
        """The number under which an array is sent to each worker that needs it, once; it must not change."""
        if id(array) not in self._numbers:
            number = self._numbers[id(array)] = len(self._arrays)
            self._arrays[number] = array, array if self._threads else scattered(self.executor, array)
            if not self._threads:
                np.save(beside(self._parcel.path, number), array, allow_pickle=False)
        return self._numbers[id(array)]

    def send(self, task: Callable[..., Any], *arguments: Any, needs: Iterable[int] = ()) -> Errand:
        """Hand out a task; its first argument will be the parcel. needs: numbers of arrays that it looks up."""
        errand = Errand(task, arguments, tuple(needs), Future())
        self._submit(errand)
        self._open.append(errand)
        return errand

    def answer(self, errand: Errand) -> Any:
        """What a task returned, or raised; raises `WorkerLost` where no worker is left to ask."""
        answer = self._answer(errand)
        self._informed += errand.whole
        self._open = [other for other in self._open if other is not errand]
        return answer

    def _answer(self, errand: Errand) -> Any:
        while True:
            try:
                return errand.future.result(self._seconds_left())
            except NotHere:
                # Of many tasks that met a new worker only the first has to bring everything along.
                whole = errand.informed == self._informed or errand.tries == MOST_TRIES - 1
            except TimeoutError:
                raise BudgetSpent("the seconds granted are spent") from None
            except BrokenExecutor as broken:
                raise self._lost(broken) from None
            except CancelledError:
                # A cluster has lost what was put there: it is sent again, with the task itself.
                whole = True
            except Exception as error:
                if type(error).__name__ != "KilledWorker":
                    raise
                raise self._lost(error) from None
            if errand.tries >= MOST_TRIES:
                raise WorkerLost(f"worker lost: a task was handed out {errand.tries} times in vain")
            errand.tries, errand.whole = errand.tries + 1, whole
            self._submit(errand)

    def _submit(self, errand: Errand) -> None:
        errand.informed = self._informed
        content = self._content if errand.whole else self._near
        arrays = {n: self._arrays[n][0 if errand.whole else 1] for n in errand.needs}
        # What has no place near the workers lies in a file, where they look by themselves.
        arrays = {n: array for n, array in arrays.items() if array is not None}
        try:
            errand.future = self.executor.submit(
                delivered, errand.task, self._parcel, content, arrays, *errand.arguments
            )
        except BrokenExecutor as broken:
            raise self._lost(broken) from None
        except RuntimeError as error:
            raise InvalidInput(f"executor takes no task ({_first_line(error)}): give one that is running") from None

    def _lost(self, error: Exception) -> WorkerLost:
        drop(self.executor)
        return WorkerLost(f"worker lost: {_first_line(error)}")

    def _seconds_left(self) -> float | None:
        return None if self._deadline is None else max(0.0, self._deadline - time.perf_counter())


def scattered(executor: Any, content: bytes | Array | None) -> Any:
    """Where a cluster of Dask holds the content, so that each of its workers gets it once; None elsewhere."""
    client = getattr(executor, "_client", None)
    if content is None or client is None or not type(executor).__module__.startswith("distributed"):
        return None
    return client.scatter(content, broadcast=True, hash=False)


def _first_line(error: BaseException) -> str:
    return (" ".join(str(error).split())[:200] or type(error).__name__).rstrip(".")
