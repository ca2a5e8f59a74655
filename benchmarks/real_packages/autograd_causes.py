"""What is wrong in autograd 1.9.1, one sentence for each failing check; `confirm.py` shows each of them to be true."""

from __future__ import annotations

#: (name, variant) -> what is wrong.
CAUSES: dict[tuple[str, str], str] = {
    ("numpy.full", "broadcast"): "the gradient of a fill value that is an array is summed to a scalar",
    ("numpy.diagonal", "not square"): "the gradient is a square matrix of the diagonal's length, whatever the shape of "
    "the input was",
    (
        "numpy.prod",
        "with a zero",
    ): "the gradient is the product divided by the entry: 0/0 at an entry of zero, where "
    "it is the product of the others",
    ("numpy.einsum", "diagonal"): "the backward writes the repeated subscript of 'ii->i' into an output, which einsum "
    "does not take",
}
