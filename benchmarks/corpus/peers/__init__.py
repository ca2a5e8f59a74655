"""Other gradient checkers, each run on a case with its own defaults.

An adapter is a function `(layer, inputs, rng)` that returns when the checker accepts, raises `MismatchError` when it
finds the gradients wrong, and lets every other exception through: that is counted as a rejection, its author
would see it, and noted apart.
"""

from __future__ import annotations

from .common import PEERS, MismatchError, Peer

__all__ = ["PEERS", "MismatchError", "Peer"]

from . import frameworks, recipes  # noqa: F401 - they register their checkers
