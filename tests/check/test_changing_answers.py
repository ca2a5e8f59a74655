"""Layers whose answers change their form from one call to the next: a finding or a sentence, never an error of ours."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import check
from pytest_gradcheck.errors import LayerError
from pytest_gradcheck.settings import METHODS
from tests.check.layers import Array, normal

X = normal(3, 2)

#: What a call may return in place of an array, and may not.
FORMS: dict[str, Callable[[Array], Any]] = {
    "text": lambda a: "a",
    "ragged": lambda a: [[1.0], [1.0, 2.0]],
    "objects": lambda a: a.astype(object),
    "dates": lambda a: np.array(["2020"], "M8[Y]"),
    "None": lambda a: None,
    "twice": lambda a: (a, a),
    "nothing": lambda a: (),
    "longer": lambda a: np.append(a, a),
    "transposed": lambda a: a.T,
    "empty": lambda a: np.zeros((0, 2)),
    "number": lambda a: 0.0,
    "complex": lambda a: a + 1j,
    "NaN": lambda a: a * np.nan,
}


class Changing:
    """tanh, of which forward or backward returns something else after some calls."""

    def __init__(self, stage: str, calls: int, form: str) -> None:
        self.stage, self.calls, self.form, self.made = stage, calls, FORMS[form], count(1)

    def _returned(self, stage: str, array: Array) -> Any:
        late = stage == self.stage and next(self.made) > self.calls
        return self.form(array) if late else array

    def forward(self, x: Array) -> Any:
        self.y = np.tanh(x)
        return self._returned("forward", self.y)

    def backward(self, upstream: Array) -> Any:
        return self._returned("backward", upstream * (1 - self.y**2))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("calls", [1, 2, 3, 5])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("stage", ["forward", "backward"])
def test_no_change_of_form_passes_or_raises_an_error_of_ours(stage: str, form: str, calls: int, method: str) -> None:
    try:
        report = check(Changing(stage, calls, form), X, method=method)
    except LayerError as error:
        # Broadcasting and a spent iterator are numpy's and Python's words for what this package can say itself.
        assert "broadcast" not in str(error)
        assert "StopIteration" not in str(error)
    else:
        assert not report.passed


def test_the_number_of_outputs_is_said() -> None:
    with pytest.raises(LayerError) as caught:
        check(Changing("forward", 1, "twice"), X)
    assert str(caught.value) == (
        "forward of Changing returned 2 outputs where its first call returned 1: "
        "return as many each time, for inputs of the same shapes"
    )


def test_the_shape_of_the_output_is_said() -> None:
    report = check(Changing("forward", 5, "longer"), X, contract="off")
    assert report.verdict == "inconclusive"
    assert report.notes[0] == "the outputs change their shape to (12,) at or near the inputs"


def test_as_many_outputs_as_the_inputs_are_long_are_fine() -> None:
    class Unstack:
        x: Array

        def forward(self, x: Array) -> Any:
            self.x = x
            return [np.tanh(row) for row in x]

        def backward(self, upstream: Any) -> Any:
            return np.stack(upstream) * (1 - np.tanh(self.x) ** 2)

    report = check(Unstack(), X)
    assert report.passed, str(report)
    assert {c.state for c in report.clauses if c.name == "other-sizes"} == {"kept"}
