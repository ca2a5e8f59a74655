"""Domains: projections are projections, movement stays inside and has the right velocity, messages name the value."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import domain as dom
from pytest_gradcheck.errors import InvalidInput

MADE = [dom.interval(-1, 2), dom.interval(0, 1, ends=True), dom.positive & dom.sorted_]
ALL = [getattr(dom, name) for name in dom.KNOWN] + MADE
STRUCTURED = [d for d in ALL if d.structured]


def names(domains: list[dom.Domain]) -> list[str]:
    return [d.name for d in domains]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


@pytest.mark.parametrize("domain", ALL, ids=names(ALL))
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_settle_gives_a_member_of_the_dtype_and_leaves_members_alone(domain: Any, dtype: Any, rng: Any) -> None:
    for raw in (rng.standard_normal((2, 3, 3)), np.zeros((3, 3)), np.ones((3, 3)), -1e6 * rng.random((4, 4))):
        x = domain.settle(raw.astype(dtype))
        assert domain.contains(x), domain.complaint(x)
        assert x.dtype == dtype
        assert x.shape == raw.shape
        assert np.array_equal(domain.settle(x), x)


@pytest.mark.parametrize("domain", STRUCTURED, ids=names(STRUCTURED))
def test_tangent_is_an_orthogonal_projection(domain: Any, rng: Any) -> None:
    x = domain.settle(rng.standard_normal((3, 3)))
    a, b = rng.standard_normal((2, 3, 3))
    once = domain.tangent(x, a)
    assert np.allclose(domain.tangent(x, once), once, atol=1e-14)
    assert abs((domain.tangent(x, a) * b).sum() - (a * domain.tangent(x, b)).sum()) < 1e-13
    assert not np.allclose(once, a), "a random direction is no tangent, so the projection must change it"


@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4), (2, 3, 3), (1, 1)])
@pytest.mark.parametrize("domain", [dom.orthogonal, dom.unit], ids=["orthogonal", "unit"])
def test_a_curved_domain_is_not_left_and_moves_with_the_asked_velocity(domain: Any, shape: Any, rng: Any) -> None:
    x = domain.settle(rng.standard_normal(shape))
    d = domain.tangent(x, rng.standard_normal(shape))
    h = 1e-4
    assert domain.contains(domain.move(x, d, 0.3))
    velocity = (domain.move(x, d, h) - domain.move(x, d, -h)) / (2 * h)
    assert np.abs(velocity - d).max() < 1e-7


def test_a_straight_step_leaves_the_orthogonal_matrices(rng: Any) -> None:
    x = dom.orthogonal.settle(rng.standard_normal((3, 3)))
    d = dom.orthogonal.tangent(x, rng.standard_normal((3, 3)))
    assert not dom.orthogonal.contains(x + 1e-3 * d)


@pytest.mark.parametrize("domain", STRUCTURED, ids=names(STRUCTURED))
def test_central_differences_along_move_give_the_projected_gradient(domain: Any, rng: Any) -> None:
    # f(X) = sum(C * X^3) has the gradient 3 C X^2; on the domain only its tangent part is seen.
    x = domain.settle(np.abs(rng.standard_normal((3, 3))))
    c, d = rng.standard_normal((2, 3, 3))
    d = domain.tangent(x, d)
    h = 1e-4
    numeric = ((c * domain.move(x, d, h) ** 3).sum() - (c * domain.move(x, d, -h) ** 3).sum()) / (2 * h)
    assert abs(numeric - (domain.tangent(x, 3 * c * x**2) * d).sum()) < 1e-6


@pytest.mark.parametrize(
    ("domain", "x", "words"),
    [
        (dom.positive, [1.0, -0.5], "x is not in its domain positive: entry (1,) is -0.5, below 0"),
        (dom.positive, [0.0], "entry (0,) is 0, an end that does not belong"),
        (dom.interval(-1, 1), [2.0], "entry (0,) is 2, above 1"),
        (dom.symmetric, [[1.0, 2.0], [0.0, 1.0]], "entry (0, 1) is 2 where a symmetric matrix would have 1"),
        (dom.symmetric, [1.0, 2.0], "shape (2,) holds no square matrices"),
        (dom.simplex, [0.5, 0.6], "its last axis sums to 1.1, not one"),
        (dom.simplex, [1.5, -0.5], "entry (1,) is -0.5, below 0"),
        (dom.orthogonal, [[1.0, 1.0], [0.0, 1.0]], "its columns are not orthonormal"),
        (dom.unit, [3.0, 4.0], "its last axis has length 5, not one"),
        (dom.sorted_, [1.0, 3.0, 2.0], "entry (2,) is 2, after 3"),
        (dom.distinct, [1.0, 3.0, 1.0], "the value 1 occurs twice"),
        (dom.positive_definite, [[0.0, 1.0], [1.0, 0.0]], "its smallest eigenvalue is -1"),
    ],
)
def test_a_value_outside_is_named(domain: Any, x: Any, words: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        domain.require(np.array(x), "x")
    assert words in str(caught.value)


@pytest.mark.parametrize("ends", [True, False])
def test_ends_belong_only_where_it_says_so(ends: Any) -> None:
    assert dom.interval(0, 1, ends=ends).contains(np.array([0.0, 1.0])) is ends


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ((1, 1), "hold nothing between them"),
        ((2, 1), "hold nothing between them"),
        (("a", 1), "the lower bound is 'a'"),
        ((0, float("nan")), "the upper bound is nan"),
        ("positive", "give a pair of bounds or one of anything, positive"),
        (dom.interval, "interval without its bounds"),
    ],
)
def test_what_is_no_domain_is_refused(wrong: Any, words: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        dom.as_domain(wrong)
    assert words in str(caught.value)


def test_as_domain_takes_pairs_domains_and_none() -> None:
    assert dom.as_domain(None) is dom.anything
    assert dom.as_domain(dom.positive) is dom.positive
    assert dom.as_domain((0, None)) == dom.interval(0, None)
    assert dom.as_domain((-np.inf, 3)).lower is None


def test_two_domains_meet() -> None:
    both = dom.positive & dom.sorted_ & (None, 10)
    assert both.contains(np.array([1.0, 2.0]))
    assert not both.contains(np.array([2.0, 1.0]))
    assert not both.contains(np.array([-1.0, 1.0]))
    assert not both.contains(np.array([1.0, 10.0]))
    with pytest.raises(InvalidInput, match="nothing lies in both"):
        dom.positive & dom.negative
    with pytest.raises(InvalidInput, match="two structures at once"):
        dom.simplex & dom.symmetric


@pytest.mark.parametrize("domain", ALL, ids=names(ALL))
def test_domains_are_values(domain: Any) -> None:
    assert pickle.loads(pickle.dumps(domain)) == domain
    assert copy.deepcopy(domain) == domain
    assert repr(domain) == domain.name
