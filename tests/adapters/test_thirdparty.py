"""Adapters of others, by the hook: a small plugin package, and all that can be wrong with one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import pytest_gradcheck
from pytest_gradcheck import hooks
from pytest_gradcheck.adapters import adapt
from pytest_gradcheck.errors import InvalidInput, LayerError, UnknownLayer
from pytest_gradcheck.target import Argument, Target
from tests.adapters.differences import normal, wrong
from tests.adapters.plugins import tiles

Register = Callable[..., Any]


@pytest.fixture
def register() -> Iterator[Register]:
    manager, given = hooks.manager(), []

    def one(plugin: Any) -> Any:
        if not isinstance(plugin, SimpleNamespace) and not hasattr(plugin, "gradcheck_adapt_layer"):
            plugin = SimpleNamespace(gradcheck_adapt_layer=pytest_gradcheck.hookimpl(plugin))
        manager.register(plugin)
        given.append(plugin)
        return plugin

    yield one
    for plugin in given:
        manager.unregister(plugin)


def named(function: Any, module: str) -> Any:
    function.__module__ = module
    function.__name__ = "gradcheck_adapt_layer"
    return function


def test_without_the_plugin_the_layer_is_unknown() -> None:
    with pytest.raises(UnknownLayer, match=r"^Tile is not understood as a layer; tried"):
        adapt(tiles.Tile(2), (normal(3),), {})


def test_with_the_plugin_it_is_checked(register: Register) -> None:
    register(tiles)
    assert pytest_gradcheck.check(tiles.Tile(2), normal(3)).passed
    report = pytest_gradcheck.check(tiles.Tile(2, -1.0), normal(3))
    assert (report.findings[0].kind, report.findings[0].argument) == ("sign", "x")
    assert wrong(tiles.Tile(3), normal(2)) == []


def test_the_built_in_rules_for_inputs_hold_for_it_too(register: Register) -> None:
    register(tiles)
    with pytest.raises(InvalidInput, match=r"^x\[1\] of Tile is nan: give finite values"):
        adapt(tiles.Tile(2), (np.array([1.0, np.nan]),), {})
    with pytest.raises(InvalidInput, match=r"^wrt names 'W': Tile has the arguments 'x'$"):
        adapt(tiles.Tile(2), (normal(3),), {}, "W")


def test_two_adapters_that_claim_one_layer_are_both_named(register: Register) -> None:
    register(tiles)
    register(named(lambda layer, inputs: tiles.TileTarget(layer, inputs[0]), "mosaic"))
    with pytest.raises(
        UnknownLayer, match=r"^Tile is claimed by two adapters, .*mosaic.*: unregister one of them$"
    ) as it:
        adapt(tiles.Tile(2), (normal(3),), {})
    assert tiles.__name__ in str(it.value)


def test_two_claims_of_one_name_are_told_apart_by_their_lines(register: Register) -> None:
    """Every conftest is called conftest."""
    for _ in range(2):
        register(named(lambda layer, inputs: tiles.TileTarget(layer, inputs[0]), "conftest"))
    with pytest.raises(UnknownLayer) as it:
        adapt(tiles.Tile(2), (normal(3),), {})
    assert str(it.value).count(f"conftest ({__file__}:") == 2


class Unfinished(Target):
    name = "half"


def finished(*arguments: Any) -> Target:
    target = Unfinished()
    target.arguments = arguments
    return target


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        (42, "returned int for Tile, which is no Target: return a pytest_gradcheck.target.Target or None"),
        (Unfinished(), "returned Unfinished for Tile, which has no arguments: return a pytest_gradcheck.target.Target"),
        (
            finished("x"),
            "returned Unfinished for Tile, which has str 'x' among its arguments, which is no Argument: ret",
        ),
        (
            finished(Argument("x", np.arange(3))),
            "returned Unfinished for Tile, which has a int64 array for its argument x, not a float array: return a ",
        ),
        (
            finished(Argument("x", [1.0])),  # type: ignore[arg-type] # wrong on purpose
            "returned Unfinished for Tile, which has a list for its argument x, not a float array: return a pytest",
        ),
    ],
)
def test_an_adapter_that_returns_something_else(register: Register, returned: Any, words: str) -> None:
    register(named(lambda layer: returned, "mosaic"))
    with pytest.raises(LayerError) as it:
        adapt(tiles.Tile(2), (normal(3),), {})
    assert str(it.value).startswith(f"the adapter of mosaic {words}")


def test_an_adapter_that_raises(register: Register) -> None:
    def broken(layer: Any) -> Any:
        raise KeyError("shape")

    register(named(broken, "mosaic"))
    with pytest.raises(LayerError) as it:
        adapt(tiles.Tile(2), (normal(3),), {})
    assert str(it.value) == "the adapter of mosaic raised KeyError ('shape') for Tile: mend or remove it"
    assert isinstance(it.value.__cause__, KeyError)


def test_an_adapter_comes_before_the_built_in_ones(register: Register) -> None:
    class Both(tiles.Tile):
        def forward(self, x: Any) -> Any:
            raise AssertionError("the built-in adapter was asked")

        backward = forward

    register(tiles)
    assert wrong(Both(2), normal(3)) == []


def test_an_installed_package_is_found_by_its_entry_point(tmp_path: Path) -> None:
    """As pip leaves it: a module, and its metadata with the entry point."""
    shutil.copy(tiles.__file__, tmp_path / "mosaic.py")
    metadata = tmp_path / "mosaic-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: mosaic\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[pytest_gradcheck]\ntiles = mosaic\n")
    code = "import mosaic, numpy, pytest_gradcheck as g; print(g.check(mosaic.Tile(2), numpy.ones(3)).verdict)"
    path = os.pathsep.join([str(tmp_path), *sys.path])
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        check=False,
    )
    assert run.stdout == "pass\n", run.stderr
