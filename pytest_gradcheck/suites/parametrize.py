"""`parametrize_layers`: one test per layer and clause, with readable ids and strict known failures."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import pytest

from pytest_gradcheck.errors import GradientMismatch, InvalidInput

from .cases import LayerCase, as_case
from .clauses import ClauseTest, tests_of
from .signatures import unique

#: The fixture that is parametrized: called in the test, it judges one clause of one layer.
FIXTURE = "gradcheck_case"

Test = TypeVar("Test", bound=Callable[..., Any])


def parametrize_layers(layers: Iterable[Any]) -> Callable[[Test], Test]:
    """A decorator that makes one test per layer and clause of `def test_layer(gradcheck_case): gradcheck_case()`.

    layers: each a `LayerCase`, a tuple `(layer, *inputs)`, or a layer by itself. A layer may be a class, which is
        then made without arguments. Nothing is made or called before the first test runs; each layer is checked once
        in a process, and its tests share the report.

    The ids are layer and clause: `Affine-gradient-W`, `Affine-mutation`, `Affine-second-backward`. Raises
    InvalidInput for layers that are no list, or an empty one.
    """
    if isinstance(layers, (str, bytes, dict)) or not isinstance(layers, Iterable):
        raise InvalidInput(f"parametrize_layers got {layers!r:.60}: give a list of layers")
    cases = [as_case(element) for element in layers]
    if not cases:
        raise InvalidInput("parametrize_layers got no layers: give a list of at least one")
    for case, name in zip(cases, unique([case.name for case in cases]), strict=True):
        case.name = name
    return parametrized(cases)


def parametrized(cases: Iterable[LayerCase]) -> Callable[[Test], Test]:
    """The decorator for cases whose names differ."""
    parameters = [pytest.param(test, id=test.id, marks=marks_of(test)) for case in cases for test in tests_of(case)]
    mark = pytest.mark.parametrize(FIXTURE, parameters, indirect=True)

    def decorated(function: Test) -> Test:
        marked: Test = mark(function)
        return marked

    return decorated


def marks_of(test: ClauseTest) -> list[pytest.MarkDecorator]:
    """The strict xfail of a known failure."""
    reason = test.case.known.get(test.clause)
    if reason is None or test.problem:
        return []
    return [pytest.mark.xfail(reason=str(reason), raises=GradientMismatch, strict=True)]
