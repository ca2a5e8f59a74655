"""Generated arrays: sizes, values, domains, dtypes and layouts as declared, simplest first when shrunk."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from pytest_gradcheck import domain as dom
from pytest_gradcheck.errors import InvalidInput
from pytest_gradcheck.strategies import LAYOUTS, arrays_for, as_source, laid_out, upstreams

QUIET = settings(
    max_examples=2000, database=None, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck)
)


def sample(strategy: st.SearchStrategy[Any], count: int = 200) -> list[Any]:
    """So many examples, the same in every run."""
    seen: list[Any] = []

    @settings(QUIET, max_examples=count, phases=[Phase.generate])
    @given(strategy)
    def collect(example: Any) -> None:
        seen.append(example)

    collect()
    return seen


def smallest(strategy: st.SearchStrategy[Any], condition: Any) -> Any:
    return find(strategy, condition, settings=QUIET)


def test_arguments_share_their_sizes_by_name() -> None:
    seen = sample(arrays_for({"x": "B I", "W": "I 2*O", "y": "B int<C"}, sizes={"B": (1, 8), "C": 3}))
    for example in seen:
        assert example["x"].shape[0] == example["y"].shape[0]
        assert example["x"].shape[1] == example["W"].shape[0]
        assert example["W"].shape[1] % 2 == 0
        assert set(example["y"].ravel()) <= {0, 1, 2}
    assert {example["x"].shape[0] for example in seen} == set(range(1, 9))


@pytest.mark.parametrize(
    ("given_", "kind"), [(("batch in",), np.ndarray), (("batch in", "in out"), tuple), (({"x": "B"},), dict)]
)
def test_the_form_of_the_shapes_is_the_form_of_the_example(given_: Any, kind: Any) -> None:
    assert all(isinstance(example, kind) for example in sample(arrays_for(*given_), 10))


def test_empty_sizes_come_only_where_allowed() -> None:
    assert not any(x.size == 0 for x in sample(arrays_for("B I")))
    some = [x for x in sample(arrays_for("B I", empty=True)) if x.size == 0]
    assert 0 < len(some) < 40
    assert any(x.size == 0 for x in sample(arrays_for("B I", sizes={"B": (0, 2)})))


def test_empty_sizes_spare_labels_and_structures() -> None:
    for example in sample(arrays_for({"y": "B int<C", "p": "C"}, domain={"p": dom.simplex}, empty=True)):
        assert example["p"].size > 0


def test_leading_axes_are_shared() -> None:
    shapes = {tuple(a.shape[:-1] for a in pair) for pair in sample(arrays_for("... I", "... O"))}
    assert all(a == b for a, b in shapes)
    assert {len(a) for a, _ in shapes} == {0, 1, 2}


DOMAINS = [getattr(dom, name) for name in dom.KNOWN]
DOMAINS += [dom.as_domain(pair) for pair in ((-1, 1), (0, 1), (1e-3, 1.1e-3), (2, None), (None, -1))]
DOMAINS += [dom.interval(0, 1, ends=True), dom.positive & dom.sorted_, dom.interval(0, 1) & dom.distinct]


@pytest.mark.parametrize("domain", DOMAINS, ids=[d.name for d in DOMAINS])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_every_array_lies_in_its_domain(domain: Any, dtype: Any) -> None:
    for x in sample(arrays_for("N N", domain=domain, dtypes=dtype), 150):
        assert domain.contains(x), domain.complaint(x)
        assert np.isfinite(x).all()
        assert x.dtype == dtype


def test_values_come_in_all_three_manners() -> None:
    flat = sample(arrays_for("4", layouts="contiguous"), 1500)
    assert any((x == np.round(2 * x) / 2).all() and (np.abs(x) <= 4).all() for x in flat)
    assert any(len(set(x)) == 4 and (x != np.round(x, 1)).all() for x in flat)
    assert any(len(set(x)) == 1 and x[0] != 0 for x in flat)
    assert any(np.abs(x).max() > 1e6 for x in flat)
    assert any(0 < np.abs(x).max() < 1e-300 for x in flat)
    # Hypothesis draws numbers that it finds in the sources that are loaded: which examples come is never the same long.
    beside = [np.abs(x - np.round(2 * x) / 2) for x in flat]
    assert any(((d > 0) & (d < 1e-8) & (np.abs(x) >= 0.5)).any() for d, x in zip(beside, flat, strict=True))


def test_manners_can_be_chosen() -> None:
    for x in sample(arrays_for("4", values="simple")):
        assert set(np.abs(x)) <= {0, 0.5, 1, 1.5, 2, 2.5, 3, 4}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_is_what_it_says_and_its_source_rebuilds_it(layout: Any) -> None:
    x = laid_out(np.arange(12.0).reshape(3, 4) / 8, layout)
    assert x.flags.c_contiguous == (layout in {"contiguous", "read-only"})
    assert x.flags.writeable == (layout not in {"read-only", "broadcast"})
    again = eval(as_source(x), {"np": np})
    assert np.array_equal(again, x)
    assert again.dtype == x.dtype
    assert again.strides == x.strides


@pytest.mark.parametrize(
    "x",
    [
        np.array(1.5), np.zeros((0, 3)), np.array([1, 2]), np.array([True]), np.array([0.1, 1e-45], dtype=np.float32),
        np.array([[np.nan, -np.inf]]), np.zeros((2, 0), dtype=np.float32), np.array([[0.1], [1e300]]),
    ],
    ids=repr,
)  # fmt: skip
def test_the_source_of_an_array_keeps_every_bit(x: Any) -> None:
    again = eval(as_source(x), {"np": np})
    assert again.dtype == x.dtype
    assert again.shape == x.shape
    assert again.tobytes() == x.tobytes()


def test_all_layouts_are_drawn() -> None:
    seen = sample(arrays_for("B I", sizes={"B": 3, "I": 4}), 400)
    assert any(x.flags.f_contiguous for x in seen)
    assert any(x.strides[0] < 0 for x in seen)
    assert any(x.strides[1] == 16 for x in seen)
    assert any(x.strides[0] == 0 for x in seen)
    assert any(x.flags.c_contiguous and not x.flags.writeable for x in seen)


def test_arguments_agree_on_a_dtype() -> None:
    seen = sample(arrays_for({"x": "B", "w": "B"}, dtypes=("float64", "float32")))
    assert {example["x"].dtype.name for example in seen} == {"float64", "float32"}
    assert all(example["x"].dtype == example["w"].dtype for example in seen)
    apart = sample(arrays_for({"x": "B", "w": "B"}, dtypes={"x": "float32"}), 20)
    assert all(example["x"].dtype == np.float32 and example["w"].dtype == np.float64 for example in apart)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (lambda x: True, [[0.0]]),
        (lambda x: (x < 0).any(), [[-1.0]]),
        (lambda x: (x == 0.5).any(), [[0.5]]),
        (lambda x: x.sum() > 1 and x.size == 2, [[0.0, 2.0]]),
        (lambda x: x.shape[0] % 2 == 0, [[0.0], [0.0]]),
    ],
)
def test_an_example_shrinks_to_few_entries_with_simple_numbers(condition: Any, expected: Any) -> None:
    x = smallest(arrays_for("B I"), condition)
    assert x.size == np.size(expected)
    assert np.abs(x).sum() <= np.abs(expected).sum()
    assert x.flags.c_contiguous


def test_a_bug_seen_only_at_generic_numbers_still_shrinks() -> None:
    x = smallest(arrays_for("B I"), lambda x: x.size > 1 and len({abs(v) % 0.5 for v in x.ravel()} - {0.0}) >= 1)
    assert x.size == 2


def test_upstreams_have_the_outputs_shape_and_dtype() -> None:
    output = np.zeros((2, 3), dtype=np.float32)
    seen = sample(upstreams(output), 50)
    assert all(u.shape == (2, 3) and u.dtype == np.float32 for u in seen)
    assert len({u.tobytes() for u in seen}) > 25
    assert sample(upstreams((4,)), 3)[0].dtype == np.float64


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"dtypes": "int64"}, "only real dtypes are differentiated"),
        ({"dtypes": "flaot"}, "dtypes has 'flaot'"),
        ({"dtypes": ()}, "dtypes is empty"),
        ({"layouts": "C"}, "layouts has 'C': give names out of contiguous, transposed"),
        ({"values": ()}, "values is empty"),
        ({"domain": {"z": (0, 1)}}, "domain has 'z', which given does not declare"),
        ({"sizes": {"Q": 1}}, "sizes has 'Q'"),
    ],
)
def test_words_that_make_no_sense_are_refused_at_once(arguments: Any, words: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        arrays_for({"x": "B I"}, **arguments)
    assert words in str(caught.value)


@pytest.mark.parametrize("wrong", [(), (3,), ("B", 3), ({},)])
def test_what_is_no_shape_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidInput, match="given is"):
        arrays_for(*wrong)
