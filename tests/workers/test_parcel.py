"""What travels: the layer and its inputs once, after them descriptions of where to evaluate."""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import InvalidInput, LayerError, check
from pytest_gradcheck.workers import parcel as parcels

from .layers import Affine, Bad, Relu, W, X


class Post(Executor):
    """An executor in another process's place: tasks and answers are pickled, and counted."""

    def __init__(self, reads_files: bool) -> None:
        self.reads_files, self.sizes = reads_files, list[int]()

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        task = pickle.dumps((fn, args, kwargs))
        self.sizes.append(len(task))
        future: Future[Any] = Future()
        fn, args, kwargs = pickle.loads(task)
        with pytest.MonkeyPatch.context() as patch:
            if not self.reads_files:
                patch.setattr(Path, "read_bytes", _refused)
            try:
                future.set_result(pickle.loads(pickle.dumps(fn(*args, **kwargs))))
            except Exception as error:
                future.set_exception(pickle.loads(pickle.dumps(error)))
        return future


def _refused(path: Path) -> bytes:
    raise FileNotFoundError(path)


LARGE = np.random.default_rng(0).standard_normal(20_000)


@pytest.mark.parametrize(("reads_files", "times"), [(True, 0), (False, 1)])
def test_the_inputs_travel_once(reads_files: bool, times: int) -> None:
    post = Post(reads_files)
    assert check(Relu(), LARGE, executor=post).passed
    assert len(post.sizes) > 30
    assert sum(size > LARGE.nbytes for size in post.sizes) == times
    assert sorted(post.sizes)[len(post.sizes) // 2] < 4000


def test_each_worker_opens_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    original = parcels._copied

    def copied(cargo: parcels.Cargo) -> parcels.Cargo:
        opened.append(threading.get_ident())
        return original(cargo)

    monkeypatch.setattr(parcels, "_copied", copied)
    with ThreadPoolExecutor(2) as executor:
        check(Affine(), X, W, executor=executor)
    assert len(opened) == len(set(opened)) <= 2
    assert not parcels._held


def test_nothing_is_left_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with ThreadPoolExecutor(2) as executor:
        check(Affine(1.5), X, W, executor=executor)
        with pytest.raises(LayerError, match="KeyError"):
            check(Bad(), X, W, executor=executor)
    assert not list(tmp_path.iterdir())


def test_a_layer_that_cannot_travel_is_one_sentence() -> None:
    layer = Affine()
    layer.lock = threading.Lock()  # type: ignore[attr-defined]  # what a layer may hold, and no pickle can
    with ProcessPoolExecutor(1) as executor, pytest.raises(InvalidInput) as caught:
        check(layer, X, W, contract="values", executor=executor)
    assert str(caught.value) == (
        "Affine cannot be sent to a worker: TypeError (cannot pickle '_thread.lock' object); "
        "define it in a module, or check it without executor="
    )


def test_threads_take_a_copy_of_what_no_pickle_can_hold() -> None:
    class Locked(Affine):
        """Of a class that no other process could find, with a lock."""

        def __deepcopy__(self, memo: Any) -> Locked:
            return Locked(self.factor)

    layer = Locked()
    layer.lock = threading.Lock()  # type: ignore[attr-defined]  # what a layer may hold, and no pickle can
    with ThreadPoolExecutor(2) as executor:
        assert check(layer, X, W, executor=executor).passed


def test_a_layer_that_no_thread_can_copy_is_one_sentence() -> None:
    class Single(Affine):
        def __deepcopy__(self, memo: Any) -> Single:
            raise TypeError("there is one")

    with ThreadPoolExecutor(1) as executor, pytest.raises(InvalidInput) as caught:
        check(Single(), X, W, executor=executor)
    assert str(caught.value) == (
        "Single cannot be copied for another thread: give it a __deepcopy__, or check it without executor="
    )


def test_what_the_layer_raises_comes_back_as_it_would_be_raised_here() -> None:
    with pytest.raises(LayerError) as here:
        check(Bad(), X, W)
    with ProcessPoolExecutor(1) as executor, pytest.raises(LayerError) as there:
        check(Bad(), X, W, executor=executor)
    assert str(there.value) == str(here.value)


def test_an_executor_that_is_shut_down_is_one_sentence() -> None:
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    with pytest.raises(InvalidInput, match=r"executor takes no task .*shutdown.*: give one that is running"):
        check(Affine(), X, W, executor=executor)


def test_what_is_no_executor_is_one_sentence() -> None:
    with pytest.raises(InvalidInput, match=r"executor is 3: give an executor of concurrent\.futures, or a name like"):
        check(Affine(), X, W, executor=3)


def test_a_script_s_own_class_reaches_a_new_process(tmp_path: Path) -> None:
    pytest.importorskip("cloudpickle", reason="cloudpickle is not installed")
    script = tmp_path / "script.py"
    script.write_text(
        "import multiprocessing\n"
        "from concurrent.futures import ProcessPoolExecutor\n"
        "import numpy as np\n"
        "from pytest_gradcheck import check\n"
        "class Square:\n"
        "    def forward(self, x):\n"
        "        self.x = x\n"
        "        return x**2\n"
        "    def backward(self, upstream):\n"
        "        return 2 * self.x * upstream\n"
        "if __name__ == '__main__':\n"
        "    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context('spawn')) as executor:\n"
        "        print(check(Square(), np.arange(1.0, 4.0), executor=executor).verdict)\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout == "pass\n"
