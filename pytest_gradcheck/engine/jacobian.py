"""Derivative, gradient and Jacobian: one call, since the first two are Jacobians of one row."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .graph import Graph
from .node import Node


def jacobian(output: Node, input: Node) -> npt.NDArray[np.float64]:
    """The m x n matrix of ∂output_i / ∂input_j, for m entries of the output and n of the input, in C order.

    A function of one variable gives its derivative as 1 x 1, a function of n variables its gradient as 1 x n, and an
    output of m numbers one row for each. The input may be any node, also an interior one. One backward pass per row.

    >>> from pytest_gradcheck.engine import jacobian, source
    >>> x = source([1.0, 2.0])
    >>> jacobian(x * x, x).tolist()
    [[2.0, 0.0], [0.0, 4.0]]
    """
    run = Graph(output, [input]).run()
    rows = np.zeros((output.size, input.size))
    unit = np.zeros(output.shape)
    for i in range(output.size):
        unit.flat[i] = 1.0
        rows[i] = run.backward(unit)[input].ravel()
        unit.flat[i] = 0.0
    return rows
