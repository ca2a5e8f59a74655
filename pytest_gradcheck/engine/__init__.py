"""The lecture's backpropagation as a small engine on numpy. What one can do, and the function for each:

- write a formula as an ordinary expression of nodes: `source`, `sources`, `constant`, and the operations below;
- differentiate it: `gradient(output, inputs)`, `backward(output)` for every node, `jacobian(output, input)`;
- replay it with other values, or use it as a layer with forward and backward: `Graph`;
- see what goes right and what comes left: `print(trace(output))`, `trace(output).to_dot()`, `.to_svg()`;
- meet the lecture's network and count what sharing δ saves: `LectureNetwork`;
- list every kind of node, with its rules and domain, or add one: `OPERATIONS`, `Operation`, `operation`.

>>> from pytest_gradcheck.engine import gradient, maximum, sources
>>> x, y, z = sources(x=1, y=2, z=0)
>>> f = (x + y) * maximum(y, z)
>>> [float(g) for g in gradient(f, [x, y, z])]
[2.0, 5.0, 0.0]

Gradients are returned and never stored in the nodes. Conventions where there is no single slope: at a tie of
`maximum`, `minimum`, `max`, `min` the upstream is shared evenly; `relu` and `abs` give 0 at 0; `sqrt` is infinite at 0;
the exponent of a power gets 0 at base 0. It needs numpy and nothing else, and knows nothing of pytest.
"""

from __future__ import annotations

from .arithmetic import add, divide, multiply, negate, power, subtract
from .domain import Domain
from .drawing import DrawingUnavailable
from .graph import Gradients, Graph, Pass, backward, gradient, topological_order
from .jacobian import jacobian
from .linear import affine, dot, matmul
from .network import LectureNetwork, Sharing
from .node import Node, constant, source, sources
from .nonlinear import abs, exp, log, relu, sigmoid, softplus, sqrt, tanh
from .operation import OPERATIONS, REQUIRED, Operation, OperationLayer, operation
from .reductions import cross_entropy, log_softmax, mean, softmax, sum
from .routing import greater, greater_equal, less, less_equal, max, maximum, min, minimum, where
from .shaping import broadcast, concatenate, index, reshape, transpose
from .trace import Trace, TraceEdge, TraceNode, trace

__all__ = [
    "OPERATIONS",
    "REQUIRED",
    "Domain",
    "DrawingUnavailable",
    "Gradients",
    "Graph",
    "LectureNetwork",
    "Node",
    "Operation",
    "OperationLayer",
    "Pass",
    "Sharing",
    "Trace",
    "TraceEdge",
    "TraceNode",
    "abs",
    "add",
    "affine",
    "backward",
    "broadcast",
    "concatenate",
    "constant",
    "cross_entropy",
    "divide",
    "dot",
    "exp",
    "gradient",
    "greater",
    "greater_equal",
    "index",
    "jacobian",
    "less",
    "less_equal",
    "log",
    "log_softmax",
    "matmul",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "multiply",
    "negate",
    "operation",
    "power",
    "relu",
    "reshape",
    "sigmoid",
    "softmax",
    "softplus",
    "source",
    "sources",
    "sqrt",
    "subtract",
    "sum",
    "tanh",
    "topological_order",
    "trace",
    "transpose",
    "where",
]
