"""`--gradcheck-modules`: what is collected, how it is made, what is told, and what a pasted id means."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks import discovery

from .conftest import PACKAGE, Run

MODULES = "--gradcheck-modules=mypkg.layers"


def lines(result: pytest.RunResult) -> str:
    return result.stdout.str()


def test_every_layer_of_a_module_is_a_test_or_is_listed(run: Run, package: Path) -> None:
    result = run(None, MODULES, "-v")
    result.assert_outcomes(passed=3, failed=1, skipped=2)
    result.stdout.fnmatch_lines_random(
        [
            "mypkg/layers.py::Square PASSED*",
            "mypkg/layers.py::Tripled SKIPPED*",
            "mypkg/layers.py::Dense PASSED*",
            "mypkg/layers.py::Doubled FAILED*",
            "mypkg/layers.py::affine PASSED*",
            "mypkg/layers.py::FromFile SKIPPED*",
            "mypkg.layers.FromFile  unchecked, cannot be made: no value is likely for path; declare make",
            "mypkg.layers.Square  checked on guessed inputs",
            "6 layers: 1 checked, 2 checked on guessed inputs, 2 unchecked, 1 failed",
        ]
    )


def test_a_guess_that_fails_is_unchecked_with_the_numbers(run: Run, package: Path) -> None:
    result = run(None, MODULES, "-k", "Tripled")
    result.assert_outcomes(skipped=1, deselected=5)
    result.stdout.fnmatch_lines(
        [
            "mypkg.layers.Tripled  unchecked, declare inputs: on guessed inputs of shape (3, 4) Tripled: the declared "
            "backward is wrong: x in 12 of 12 entries; x[[]*[]]: declared *, numeric *, bar *"
        ]
    )
    # An unchecked layer is no failure, and none "as expected" either.
    assert "failed" not in lines(result)


def test_strict_lets_a_guess_fail(run: Run, package: Path) -> None:
    result = run(None, MODULES, "-k", "Tripled or Square", "--gradcheck-guess=strict")
    result.assert_outcomes(passed=1, failed=1, deselected=4)
    result.stdout.fnmatch_lines(["Tripled: the declared backward is wrong: x in 12 of 12 entries"])


def test_nothing_is_guessed_where_that_is_off(run: Run, package: Path) -> None:
    result = run(None, MODULES, "--gradcheck-guess=off")
    result.assert_outcomes(passed=1, failed=1, skipped=4)
    result.stdout.fnmatch_lines(["mypkg.layers.Square  unchecked, declare make and inputs: nothing is guessed *"])


def test_a_failure_shows_numbers_and_a_command_that_repeats_it(run: Run, package: Path) -> None:
    result = run(None, MODULES, "-k", "Doubled")
    result.stdout.fnmatch_lines(
        [
            "Doubled: the declared backward is wrong: W in 12 of 12 entries",
            '*repeat: pytest "mypkg/layers.py::Doubled" --gradcheck-modules=mypkg.layers --gradcheck-seed=*',
            "FAILED mypkg/layers.py::Doubled - pytest_gradcheck.GradientMismatch: Doubled:*",
        ]
    )
    assert "discovery/items.py" not in lines(result)


@pytest.mark.parametrize("options", [[], ["-n", "2"]], ids=["one process", "-n 2"])
def test_a_pasted_id_runs_one_layer(run: Run, package: Path, options: list[str]) -> None:
    result = run(None, "mypkg/layers.py::Doubled", MODULES, *options, plugins=("xdist",), fresh=True)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["1 layer: 1 failed"])


def test_pasted_ids_beside_tests_and_each_other(run: Run, package: Path) -> None:
    ids = ["mypkg/layers.py::Square", "mypkg/layers.py::Dense", "test_it.py::test_plain"]
    run("def test_plain(): pass\ndef test_other(): pass\n", *ids, MODULES).assert_outcomes(passed=3)


def test_the_file_alone_runs_all_of_it(run: Run, package: Path) -> None:
    run(None, "mypkg/layers.py", MODULES).assert_outcomes(passed=3, failed=1, skipped=2)


def test_a_pasted_id_that_is_no_layer_says_which_there_are(run: Run, package: Path) -> None:
    result = run(None, "mypkg/layers.py::Sqare", MODULES)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["mypkg.layers has no layer 'Sqare': its layers are Square, Tripled, Dense, Doubled, *"]
    )


def test_lf_runs_what_failed(run: Run, package: Path) -> None:
    run(None, MODULES, "--lf").assert_outcomes(passed=3, failed=1, skipped=2)
    result = run(None, MODULES, "--lf")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["collected 1 item", "mypkg/layers.py F*"])


@pytest.mark.parametrize("options", [["-n", "2"], ["-n", "2", "--dist", "loadfile"]], ids=" ".join)
def test_workers_tell_the_same(run: Run, package: Path, options: list[str]) -> None:
    alone = run(None, MODULES)
    result = run(None, MODULES, *options, plugins=("xdist",), fresh=True)
    assert result.parseoutcomes() == alone.parseoutcomes()
    listed = [line for line in alone.outlines if line.startswith(("mypkg.layers.", "6 layers:"))]
    assert len(listed) == 3
    assert [line for line in result.outlines if line.startswith(("mypkg.layers.", "6 layers:"))] == listed


@pytest.fixture
def outside(run: Run, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a module `far.layers` that lies outside the rootdir."""
    folder = tmp_path_factory.mktemp("site") / "far"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "layers.py").write_text(PACKAGE, encoding="utf-8")
    monkeypatch.syspath_prepend(folder.parent)
    monkeypatch.setenv("PYTHONPATH", str(folder.parent))
    return folder / "layers.py"


def test_a_module_outside_the_rootdir(run: Run, outside: Path) -> None:
    words = ("--gradcheck-modules=far.layers", "--lf")
    result = run(None, *words, "-v")
    result.assert_outcomes(passed=3, failed=1, skipped=2)
    result.stdout.fnmatch_lines([f"{outside.as_posix()}::Doubled FAILED*"])
    run(None, *words).assert_outcomes(failed=1)
    run(None, f"{outside}::Doubled", words[0]).assert_outcomes(failed=1)
    run(None, f"{outside}::Square", words[0], "-n", "2", plugins=("xdist",), fresh=True).assert_outcomes(passed=1)


def test_the_module_is_imported_by_its_name_once(run: Run, package: Path) -> None:
    (package / "layers.py").write_text(
        f"{PACKAGE}\nif __name__ != 'mypkg.layers':\n    raise SystemError(__name__)\n", encoding="utf-8"
    )
    run(None, MODULES, "-k", "Square").assert_outcomes(passed=1, deselected=5)


def test_a_package_is_all_its_modules_but_tests_and_main(run: Run, package: Path) -> None:
    (package / "deeper").mkdir()
    (package / "deeper" / "__init__.py").write_text("from mypkg.layers import Square\n", encoding="utf-8")
    (package / "deeper" / "more.py").write_text(PACKAGE, encoding="utf-8")
    for name in ("__main__", "conftest", "test_more"):
        (package / f"{name}.py").write_text("raise SystemError('imported')\n", encoding="utf-8")
    result = run(None, "--gradcheck-modules=mypkg", "--ignore=mypkg", "-v")
    # What a module imports from another is that one's.
    result.assert_outcomes(passed=6, failed=2, skipped=4)
    result.stdout.fnmatch_lines(["mypkg/deeper/more.py::Square PASSED*"])


def test_a_module_that_cannot_be_imported_fails_alone(run: Run, package: Path) -> None:
    (package / "broken.py").write_text("import nowhere_to_be_found\n", encoding="utf-8")
    (package / "exits.py").write_text("raise SystemExit(3)\n", encoding="utf-8")
    result = run(None, "--gradcheck-modules=mypkg")
    result.assert_outcomes(passed=3, failed=3, skipped=2)
    result.stdout.fnmatch_lines_random(
        [
            "mypkg.broken could not be imported: ModuleNotFoundError (No module named 'nowhere_to_be_found')",
            "mypkg.exits could not be imported: ImportError (importing it ended the program with 3)",
            "FAILED mypkg/broken.py::import - pytest_gradcheck.LayerError: mypkg.broken co*",
        ]
    )
    assert "importlib" not in lines(result)


def test_a_package_that_cannot_be_imported_fails_each_module_and_not_the_run(run: Run, package: Path) -> None:
    (package / "__init__.py").write_text("1 / 0\n", encoding="utf-8")
    run("def test_plain(): pass\n", MODULES).assert_outcomes(passed=1, failed=1)


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("--gradcheck-modules=mypkg.layrs", "--gradcheck-modules is 'mypkg.layrs': no module of that name is found; *"),
        ("--gradcheck-modules=mypkg/layers.py", "--gradcheck-modules is 'mypkg/layers.py': no module of that name *"),
        ("--gradcheck-modules=sys", "--gradcheck-modules is 'sys': sys has no file; give a module that *"),
        ("--gradcheck-guess=maybe", "--gradcheck-guess is 'maybe': give 'strict' or 'off'"),
    ],
)
def test_a_wrong_option_is_one_line(run: Run, package: Path, option: str, sentence: str) -> None:
    result = run("def test_plain(): pass\n", option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {sentence}"])


INI = "[tool.pytest]\ngradcheck_modules = ['mypkg.layers']\ngradcheck_guess = 'off'\n"


def test_the_ini_file_asks_for_modules_where_the_whole_project_is_run(run: Run, pytester: pytest.Pytester) -> None:
    folder = pytester.mkpydir("mypkg")
    (folder / "layers.py").write_text(PACKAGE, encoding="utf-8")
    pytester.makepyprojecttoml(INI)
    test = "def test_plain(): pass\n"
    run(test).assert_outcomes(passed=2, failed=1, skipped=4)
    run(test, "test_it.py").assert_outcomes(passed=1)
    run(test, ".").assert_outcomes(passed=2, failed=1, skipped=4)
    run(test, "mypkg/layers.py::Dense").assert_outcomes(passed=1)


def test_a_module_that_is_a_test_file_too_is_both(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_both=f"{PACKAGE}\ndef test_plain(): pass\n")
    run(None, "--gradcheck-modules=test_both").assert_outcomes(passed=4, failed=1, skipped=2)


WITHOUT_NUMPY = "import json\nclass Layer:\n    def forward(self, x): return x\n    def backward(self, u): return u\n"


def test_collection_imports_nothing_that_the_module_does_not(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(plain_module=WITHOUT_NUMPY)
    pytester.makeconftest(
        "import sys\n"
        "def pytest_unconfigure(config):\n"
        "    heavy = {'numpy', 'hypothesis', 'torch', 'jax', 'plain_module'} & set(sys.modules)\n"
        "    print('LOADED', sorted(heavy))\n"
    )
    result = run(None, "--gradcheck-modules=plain_module", "--collect-only", "-q", "-s", fresh=True)
    result.stdout.fnmatch_lines(["plain_module.py::Layer", "LOADED [[]'plain_module'[]]"])


def test_a_thousand_layers_are_collected_by_name_alone(run: Run, pytester: pytest.Pytester) -> None:
    body = "    def forward(self, x): return x\n    def backward(self, u): return u\n    __init__ = None\n"
    pytester.makepyfile(many="".join(f"class L{i}:\n{body}" for i in range(1000)))
    result = run(None, "--gradcheck-modules=many", "--collect-only", "-q")
    result.stdout.fnmatch_lines(["many.py::L999", "1000 tests collected*"])


def test_the_benchmark_tells_how_long_discovery_takes(capsys: pytest.CaptureFixture[str]) -> None:
    """And a module of layers that each can be made and checked; how long it may take is not asserted here."""
    discovery.main(6, 1)
    first, second = capsys.readouterr().out.splitlines()
    assert re.fullmatch(
        r"6 layers collected in [\d.]+ s, the first check begun after [\d.]+ s and made after [\d.]+ s", first
    )
    assert second == "collecting a module that imports nothing loads nothing of numpy, hypothesis and the frameworks"
