"""A package as the benchmark sees it: right, wrong, slow to say anything, and one that ends the process."""

from __future__ import annotations

import os
from typing import Any

from benchmarks.real_packages.base import Check, Package, normal


class Double:
    factor = 2.0

    def forward(self, x: Any) -> Any:
        return 2 * x

    def backward(self, upstream: Any) -> Any:
        return self.factor * upstream


class Triple(Double):
    factor = 3.0


class Deadly(Double):
    def backward(self, upstream: Any) -> Any:
        os.abort()


class Raising(Double):
    def forward(self, x: Any) -> Any:
        raise KeyError("no such layer")


X = normal((3, 2))
PACKAGE = Package(
    title="fake",
    distribution="numpy",
    found=lambda: [
        ("Double", "layer"),
        ("Triple", "layer"),
        ("Deadly", "layer"),
        ("Raising", "other"),
        ("New", "other"),
    ],
    checks=lambda: [
        Check("Double", Double, X, settings={"contract": ("values", "to have one")}),
        Check("Deadly", Deadly, X),
        Check("Triple", Double, X, "once right"),
        Check("Triple", Triple, X, "and wrong", theirs="the factor is 3 for 2"),
        Check("Raising", Raising, X),
    ],
)
