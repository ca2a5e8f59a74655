"""Replay files: what is saved repeats the check, and whatever is no replay file is refused with one sentence."""

from __future__ import annotations

import io
import json
import os
import pickle
import re
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

import pytest_gradcheck
from pytest_gradcheck.replay import BadReplay, Replay, chosen_settings, load, save
from tests.plugin.conftest import Run
from tests.report.extra import needs_extra

SAVED = Replay(
    "tests/test_it.py::test_wrong[<script>]", 2, "Affine", 7, {"h": 1e-3},
    {1: np.array([1, 2, 3])}, [("x", np.array([[0.1, -0.0]])), ("W", np.array([3.5], np.float32))], [np.array([np.pi])],
)  # fmt: skip


def test_what_was_saved_comes_back_bit_by_bit(tmp_path: Path) -> None:
    path = save(SAVED, tmp_path, tmp_path)
    assert path is not None
    found = load(path)
    assert (found.nodeid, found.call, found.layer, found.seed, found.settings) == (
        SAVED.nodeid, SAVED.call, SAVED.layer, SAVED.seed, SAVED.settings,
    )  # fmt: skip
    pairs = [*zip(found.upstream, SAVED.upstream, strict=True), (found.inputs[1], SAVED.inputs[1])]
    pairs += [(a, b) for (_, a), (_, b) in zip(found.arguments, SAVED.arguments, strict=True)]
    for a, b in pairs:
        assert a.dtype == b.dtype
        assert a.tobytes() == b.tobytes()
    assert [name for name, _ in found.arguments] == ["x", "W"]
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([path.name, f"replay-{path.stem}.py"])


def test_an_input_that_is_an_argument_is_saved_once(tmp_path: Path) -> None:
    x = np.zeros(100_000)
    path = save(Replay("a.py::t", 1, "", 0, {}, {0: x}, [("x", x)]), tmp_path, tmp_path)
    assert path is not None
    assert path.stat().st_size < 1.1 * x.nbytes
    assert np.array_equal(load(path).inputs[0], x)


def test_a_point_that_is_too_large_is_not_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_gradcheck.replay.MOST_BYTES", 10)
    assert save(SAVED, tmp_path, tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_the_name_of_a_file_is_harmless_and_its_own() -> None:
    names = {Replay(f"a.py::../{c}\x00;rm", 1, "", 0).stem for c in "ab"}
    assert len(names) == 2
    assert all(re.fullmatch(r"[\w-]+", name) for name in names)


def test_settings_that_are_the_default_are_left_out() -> None:
    given = {"h": 1e-4, "sharpness": 1e-6, "seed": 3, "inconclusive": "skip", "max_seconds": 1.0, "domain": {}}
    assert chosen_settings(given) == {"sharpness": 1e-6}


ABOUT = {
    "format": "pytest-gradcheck replay", "version": 1, "nodeid": "a.py::t", "call": 1, "layer": "L", "seed": 0,
    "settings": {}, "inputs": {}, "arguments": ["x"], "upstreams": 0,
}  # fmt: skip


def made(
    path: Path, about: Any = ABOUT, more: Mapping[str, np.ndarray] = MappingProxyType({}), packed: bool = False
) -> Path:
    members: dict[str, Any] = {"argument.0": np.ones(3), **more}
    write: Any = np.savez_compressed if packed else np.savez
    write(path, about=np.array(about if isinstance(about, str) else json.dumps(about)), **members)
    return path


def test_the_file_that_the_others_are_wrong_twins_of(tmp_path: Path) -> None:
    assert load(made(tmp_path / "a.npz")).nodeid == "a.py::t"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"format": "other"}, "it is an .npz file of something else"),
        ({"version": 2}, "it has version 2, this package reads 1"),
        ({"nodeid": 3}, "it does not name a test"),
        ({"nodeid": "a.py"}, "it does not name a test"),
        ({"seed": -1}, "its seed and number are no whole numbers"),
        ({"seed": True}, "its seed and number are no whole numbers"),
        ({"call": "1"}, "its seed and number are no whole numbers"),
        ({"settings": {"rm": 1}}, "it holds settings that do not exist"),
        ({"settings": {"h": "0"}}, "its settings are unusable (h is '0': give a number larger than zero)"),
        ({"arguments": ["x", "y"]}, "its list of arrays does not fit the arrays in it"),
        ({"inputs": {"0": "input.5"}}, "its list of arrays does not fit the arrays in it"),
        ({"inputs": 3}, "its list of arrays does not fit the arrays in it"),
        ({"upstreams": 10**9}, "its list of arrays does not fit the arrays in it"),
    ],
)  # fmt: skip
def test_what_it_says_must_make_sense(tmp_path: Path, change: dict[str, Any], sentence: str) -> None:
    path = made(tmp_path / "a.npz", {**ABOUT, **change})
    with pytest.raises(BadReplay) as error:
        load(path)
    assert str(error.value) == f"{path} cannot be replayed: {sentence}"


class Trap:
    """Unpickled, it would leave a mark."""

    def __reduce__(self) -> Any:
        return (Path.touch, (Path("opened"),))


def hostile(kind: str, path: Path) -> Path:
    good = made(path).read_bytes()
    if kind == "missing":
        path.unlink()
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("import os")
    elif kind == "cut":
        path.write_bytes(good[: len(good) // 2])
    elif kind == "pickle":
        path.write_bytes(pickle.dumps(Trap()))
    elif kind == "objects":
        np.savez(path, about=np.array([Trap()], dtype=object))
    elif kind == "object member":
        made(path, more={"argument.0": np.array([Trap()], dtype=object)})
    elif kind == "compressed":
        made(path, packed=True)
    elif kind == "other member":
        made(path, more={"../../evil": np.ones(1)})
    elif kind == "text member":
        made(path, more={"argument.0": np.array(["x"])})
    elif kind == "nested":
        made(path, "[" * 100_000)
    else:
        out, shape = io.BytesIO(), {"huge": (1 << 40,), "negative": (-3,)}[kind]
        np.lib.format.write_array_header_1_0(out, {"descr": "<f8", "fortran_order": False, "shape": shape})
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("argument.0.npy", out.getvalue() + bytes(24))
    return path


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("missing", "there is no such file"),
        ("empty", "it is damaged or no .npz file (File is not a zip file)"),
        ("text", "it is damaged or no .npz file (File is not a zip file)"),
        ("cut", "it is damaged or no .npz file (File is not a zip file)"),
        ("pickle", "it is damaged or no .npz file (File is not a zip file)"),
        ("objects", "its member about.npy is of type '|O', not numbers"),
        ("object member", "its member argument.0.npy is of type '|O', not numbers"),
        ("text member", "its member argument.0.npy is of type '<U1', not numbers"),
        ("compressed", "it is compressed, and replay files are not"),
        ("other member", "it has a member '../../evil.npy' that no replay file has"),
        ("nested", "it is damaged (RecursionError)"),
        ("huge", "its member argument.0.npy is shorter or longer than it says"),
        ("negative", "its member argument.0.npy is shorter or longer than it says"),
    ],
)
def test_a_hostile_file_is_refused_and_runs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = hostile(kind, tmp_path / "a.npz")
    with pytest.raises(BadReplay) as error:
        load(path)
    assert str(error.value) == f"{path} cannot be replayed: {sentence}"
    assert not Path("opened").exists()


def test_any_damage_is_told_or_harmless(tmp_path: Path) -> None:
    good = made(tmp_path / "a.npz").read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        damaged = bytearray(good)
        for at in rng.integers(0, len(good), size=3):
            damaged[at] = rng.integers(256)
        (tmp_path / "b.npz").write_bytes(damaged)
        try:
            load(tmp_path / "b.npz")
        except BadReplay as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 150


RANDOM = """
class Drawn(Square):
    def __init__(self):
        self.W = np.random.default_rng().uniform(1, 2, size=3)
    def backward(self, upstream):
        print("at", self.x.tolist())
        return 3 * self.x * upstream

def test_right(gradcheck):
    gradcheck(Square(), X)

@pytest.mark.parametrize("name", ["a", "<script>"])
def test_random(gradcheck, name):
    gradcheck(Square(), np.random.default_rng().uniform(1, 2, size=3))
    gradcheck(Drawn(), np.random.default_rng().uniform(1, 2, size=3))
"""


def entries(text: str) -> list[str]:
    return re.findall(r"x\[\d\] .*", text)


@pytest.fixture
def replays(run: Run, pytester: pytest.Pytester) -> list[Path]:
    """The replay files of a run of RANDOM, in the order of the tests."""
    result = run(RANDOM, "--gradcheck-report=out")
    result.assert_outcomes(passed=1, failed=2)
    return [pytester.path / line.split("=")[1] for line in result.outlines if line.startswith("replay: ")][::-1]


@needs_extra
def test_a_failure_is_repeated_with_its_own_random_inputs(run: Run, replays: list[Path]) -> None:
    assert [path.suffix for path in replays] == [".npz", ".npz"]
    first = run(None, f"--gradcheck-replay={replays[0]}")
    first.assert_outcomes(failed=1, deselected=0)
    saved = load(replays[0])
    assert saved.nodeid == "test_it.py::test_random[a]"
    assert saved.call == 2
    assert f"at {saved.arguments[0][1].tolist()}" in first.stdout.str()
    assert entries(first.stdout.str()) == entries(run(None, f"--gradcheck-replay={replays[0]}").stdout.str()) != []


@needs_extra
def test_a_replay_runs_its_node_alone_whatever_else_is_asked(run: Run, replays: list[Path]) -> None:
    result = run(None, f"--gradcheck-replay={replays[1]}", "test_it.py", "-v")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["test_it.py::test_random[[]<script>[]] FAILED*"])


@needs_extra
def test_a_replay_under_xdist(run: Run, replays: list[Path]) -> None:
    result = run(None, f"--gradcheck-replay={replays[0]}", "-n", "1", plugins=("xdist",), fresh=True)
    result.assert_outcomes(failed=1)
    assert f"at {load(replays[0]).arguments[0][1].tolist()}" in result.stdout.str()


@needs_extra
def test_a_test_that_has_changed_is_told(run: Run, replays: list[Path]) -> None:
    result = run(RANDOM.replace("gradcheck(Drawn(), ", "gradcheck(Drawn(), X, "), f"--gradcheck-replay={replays[0]}")
    result.stdout.fnmatch_lines(["E*the replay was saved for x [[]3[]], the test now has *: it has changed since"])


@needs_extra
def test_the_script_is_no_test_of_the_next_run(run: Run, pytester: pytest.Pytester) -> None:
    source = "def test_it(gradcheck):\n    gradcheck(Wrong(), X)\n"
    run(source, "--gradcheck-report=out").assert_outcomes(failed=1)
    assert len(list((pytester.path / "out" / "replays").glob("*.py"))) == 1
    # Wherever pytest looks for tests, and whatever it takes for one.
    run(None, "--gradcheck-report=out").assert_outcomes(failed=1)
    run(None, "-o", "python_files=*.py", "out", "test_it.py").assert_outcomes(failed=1)


@needs_extra
def test_the_script_beside_it_runs_the_test(
    replays: list[Path], pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path(pytest_gradcheck.__file__).parents[1]
    monkeypatch.setenv("PYTHONPATH", f"{root}{os.pathsep}{pytester.path}")
    monkeypatch.setenv("PYTEST_PLUGINS", "pytest_gradcheck.plugin")
    script = replays[1].with_name(f"replay-{replays[1].stem}.py")
    assert "<" not in script.read_text()
    result = pytester.run(sys.executable, str(script), timeout=60)
    result.stdout.fnmatch_lines(["test_it.py::test_random[[]<script>[]] at {'x': (3,)}"])


@needs_extra
def test_an_example_of_hypothesis_is_repeated_alone(run: Run, pytester: pytest.Pytester) -> None:
    source = """
class Wrong2(Square):
    def backward(self, upstream):
        print("at", self.x.tolist())
        return np.where(self.x > 0.5, 3, 2) * self.x * upstream

@pytest.mark.gradcheck(given={"x": "N"})
def test_given():
    return Wrong2()
"""
    run(source, "--gradcheck-report=out").assert_outcomes(failed=1)
    (path,) = (pytester.path / "out" / "replays").glob("*.npz")
    result = run(None, f"--gradcheck-replay={path}", "-v")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E*Wrong2: the declared backward is wrong*", "*1 failed*"])
    assert f"at {load(path).inputs[0].tolist()}" in result.stdout.str()
    assert " examples" not in result.stdout.str().split("gradient checks ===")[1]


@needs_extra
def test_the_summary_lists_the_files(run: Run) -> None:
    many = "@pytest.mark.parametrize('n', range(7))\ndef test_many(gradcheck, n):\n    gradcheck(Wrong(), X)\n"
    lines = run(many, "--gradcheck-report=out").outlines
    listed = [line for line in lines if line.startswith("replay: pytest --gradcheck-replay=out/replays/test_many-")]
    assert len(listed) == 5
    assert lines[lines.index(listed[-1]) + 1] == "... and 2 more in out/replays"


def test_files_go_into_the_cache_where_there_is_no_report(run: Run, pytester: pytest.Pytester) -> None:
    source = "def test_it(gradcheck):\n    gradcheck(Wrong(), X)\n"
    run(source, "--lf").assert_outcomes(failed=1)
    folder = pytester.path / ".pytest_cache" / "d" / "gradcheck-replays"
    assert sorted(path.suffix for path in folder.iterdir()) == [".npz", ".py"]


def test_a_session_without_a_place_for_files_saves_none(run: Run, pytester: pytest.Pytester) -> None:
    run("def test_it(gradcheck):\n    gradcheck(Wrong(), X)\n").assert_outcomes(failed=1)
    assert list(pytester.path.rglob("*.npz")) == []


@needs_extra
def test_an_expected_failure_saves_nothing(run: Run, pytester: pytest.Pytester) -> None:
    source = "@pytest.mark.xfail\ndef test_it(gradcheck):\n    gradcheck(Wrong(), X)\n"
    run(source, "--gradcheck-report=out").assert_outcomes(xfailed=1)
    assert list(pytester.path.rglob("*.npz")) == []


@needs_extra
def test_a_layer_that_raises_is_saved_too(run: Run, pytester: pytest.Pytester) -> None:
    run("def test_it(gradcheck):\n    gradcheck(Broken(), X)\n", "--gradcheck-report=out").assert_outcomes(failed=1)
    (path,) = pytester.path.rglob("*.npz")
    assert load(path).arguments[0][0] == "x"


@pytest.mark.parametrize(
    ("nodeid", "sentence"),
    [
        ("../evil.py::t", "names a test outside * run it from there"),
        ("gone.py::t", "names a test in 'gone.py', which is *"),
    ],
)
def test_a_file_that_names_another_place_is_refused(
    run: Run, pytester: pytest.Pytester, nodeid: str, sentence: str
) -> None:
    path = made(pytester.path / "a.npz", {**ABOUT, "nodeid": nodeid})
    result = run("def test_it(): pass", f"--gradcheck-replay={path}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --gradcheck-replay: {path} {sentence}"])


def test_a_damaged_file_ends_the_session_with_one_line(run: Run, pytester: pytest.Pytester) -> None:
    (pytester.path / "a.npz").write_text("x")
    result = run("def test_it(): pass", "--gradcheck-replay=a.npz")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert [line for line in result.errlines if line] == [
        f"ERROR: --gradcheck-replay: {pytester.path / 'a.npz'} cannot be replayed: "
        "it is damaged or no .npz file (File is not a zip file)"
    ]
