"""What can go wrong besides a gradient being wrong: one class per cause, one sentence each."""

from __future__ import annotations


class GradCheckError(Exception):
    """Base of everything this package raises on purpose."""


class InvalidInput(GradCheckError, ValueError):
    """An argument of the check is unusable: NaN, an integer where a gradient is asked, a step of zero."""


class UnknownLayer(GradCheckError, TypeError):
    """No adapter takes this object as a layer; the message lists what was tried and what is missing."""


class LayerError(GradCheckError, RuntimeError):
    """The layer's own code raised, or returned something that is no output; the cause is chained."""


class AdapterError(LayerError):
    """An adapter of another package raised, or returned what is no target; the message names its module."""


class MissingExtra(GradCheckError, ImportError):
    """An optional framework is not installed; the message names the extra to install."""


class GradientMismatch(GradCheckError, AssertionError):
    """The declared backward is not the derivative of the forward.

    `report` is the `Report` that says where and by how much.
    """

    def __init__(self, message: str, report: object = None) -> None:
        super().__init__(message)
        self.report = report


class GradientInconclusive(GradientMismatch):
    """The check ended without a verdict: too little was covered, or the noise hides the answer."""


class InconclusiveWarning(UserWarning):
    """A check ended without a verdict, and the test asked to be warned only (`inconclusive="warn"`)."""


# Under the name by which users import them: it is what pytest prints before each message.
for _error in [
    GradCheckError, *GradCheckError.__subclasses__(), AdapterError, GradientInconclusive, InconclusiveWarning
]:  # fmt: skip
    _error.__module__ = "pytest_gradcheck"
