"""Layers that do not want to be looked at: they are checked all the same, or refused in one sentence."""

from __future__ import annotations

import threading
from typing import Any
from unittest.mock import MagicMock, Mock

import numpy as np
import pytest

from pytest_gradcheck import check, declare
from pytest_gradcheck.errors import LayerError, UnknownLayer
from tests.adapters.differences import normal


class Tanh:
    """A layer without parameters, wrong by `factor`."""

    factor = 1.0

    def forward(self, x: Any) -> Any:
        self.y = np.tanh(x)
        return self.y

    def backward(self, upstream: Any) -> Any:
        return self.factor * upstream * (1 - self.y**2)


class Scale:
    """A layer with a parameter, wrong by `factor`."""

    factor = 1.0

    def __init__(self) -> None:
        self.W, self.dW = np.array([0.5, 2.0]), np.zeros(2)

    def forward(self, x: Any) -> Any:
        self.x = x
        return x * self.W

    def backward(self, upstream: Any) -> Any:
        self.dW[...] = self.factor * (upstream * self.x).sum(axis=0)
        return upstream * self.W


def refuses(*_: Any) -> Any:
    raise RuntimeError("leave me alone")


class NotCompared(Tanh):
    __eq__ = __ne__ = refuses
    __hash__ = None  # type: ignore[assignment] # unhashable on purpose


class NotCounted(Tanh):
    __len__ = __bool__ = __iter__ = __contains__ = __getitem__ = refuses


class NotShown(Tanh):
    __repr__ = __str__ = __format__ = refuses


class NotAsked(Tanh):
    weights = bias = property(refuses)


class NotCopied(Tanh):
    __copy__ = __deepcopy__ = __reduce_ex__ = refuses


class NotWritten(Tanh):
    def __setattr__(self, name: str, value: Any) -> None:
        refuses()

    def forward(self, x: Any) -> Any:
        vars(self)["y"] = np.tanh(x)
        return self.y


class Slotted(Tanh):
    __slots__ = ("y",)


class Endless(Tanh):
    def __init__(self) -> None:
        self.itself, self.list = self, [self]
        self.book = {"itself": self, "list": self.list}


class WithLock(Scale):
    def __init__(self) -> None:
        super().__init__()
        self.lock, self.entries = threading.Lock(), (i for i in range(3))


UNWILLING = [NotCompared, NotCounted, NotShown, NotAsked, NotCopied, NotWritten, Slotted, Endless, WithLock]


@pytest.mark.parametrize("kind", UNWILLING)
def test_it_is_checked_all_the_same(kind: type[Tanh] | type[Scale]) -> None:
    report = check(kind(), normal(3, 2))
    assert report.passed, str(report)
    wrong = type("Wrong", (kind,), {"factor": 1.01})
    assert check(wrong(), normal(3, 2)).verdict == "fail"


class AnyName(Tanh):
    def __getattr__(self, name: str) -> Any:
        return refuses(name)


class NoForward:
    forward = property(refuses)

    def backward(self, upstream: Any) -> Any:
        return upstream


class NotEvenCopied(Scale):
    __copy__ = __deepcopy__ = refuses


@pytest.mark.parametrize("thing", [None, 3, "layer", np.sin, Tanh])
def test_what_is_no_module_cannot_be_declared_one(thing: Any) -> None:
    with pytest.raises(UnknownLayer, match=r"is no module \(.*\): give declare.module an object with forward and"):
        check(declare.module(thing), normal(3, 2))


@pytest.mark.parametrize(
    ("layer", "sentence"),
    [
        (Mock(), "forward of Mock returned Mock: return float arrays"),
        (MagicMock(), "forward of MagicMock returned MagicMock: return float arrays"),
        (
            AnyName(),
            "asking AnyName for what a layer has raised RuntimeError (leave me alone): "
            "let it raise AttributeError for what it has not",
        ),
        (
            NoForward(),
            "asking NoForward for what a layer has raised RuntimeError (leave me alone): "
            "let it raise AttributeError for what it has not",
        ),
        (
            NotEvenCopied(),
            "NotEvenCopied holds parameters and cannot be copied: RuntimeError (leave me alone); "
            "the check works on a copy, so let copy.copy make one",
        ),
    ],
    ids=["mock", "magic mock", "__getattr__", "property", "copies"],
)
def test_it_is_refused_in_one_sentence(layer: Any, sentence: str) -> None:
    with pytest.raises(LayerError) as it:
        check(layer, normal(3, 2))
    assert str(it.value) == sentence
