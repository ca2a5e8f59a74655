"""`LayerSuite`: a class of tests for one layer, for those who prefer classes."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from .cases import LayerCase
from .parametrize import parametrized


class LayerSuite:
    """One test per clause of one layer, in a class of its own; say what the layer and its inputs are::

        class TestAffine(LayerSuite):
            layer = Affine

            def inputs(self):
                return np.ones((2, 3)), np.ones((3, 4)), np.ones(4)

    layer: a class, or a method that makes the layer; from its return annotation come the arguments' names.
    known, wrt, settings: as in `LayerCase`.
    """

    known: ClassVar[Mapping[str, str]] = {}
    wrt: ClassVar[Any] = None
    settings: ClassVar[Mapping[str, Any]] = {}

    layer: Any = None

    def inputs(self) -> Any:
        """The inputs of forward, as a tuple or a single one; to be overridden."""
        raise NotImplementedError(f"{type(self).__name__} has no inputs: write a method inputs(self) that returns them")

    def __init_subclass__(cls, **words: Any) -> None:
        """Give the subclass its tests, where it says what its layer is."""
        super().__init_subclass__(**words)
        if cls.layer is None:
            return
        case = LayerCase(
            _kind(cls), _later, name=cls.__name__.removeprefix("Test"), known=cls.known, wrt=cls.wrt, **cls.settings
        )

        def test_clause(self: LayerSuite, gradcheck_case: Callable[[], Any]) -> None:
            gradcheck_case()

        test_clause.__qualname__ = f"{cls.__qualname__}.test_clause"
        test_clause.__module__ = cls.__module__
        test_clause.__doc__ = f"One clause of {case.name}."
        cls.test_clause = parametrized([case])(test_clause)  # type: ignore[attr-defined] # a suite's own attribute

    def case(self, declared: LayerCase) -> LayerCase:
        """The case at run time: layer and inputs come from this instance."""
        made = LayerCase(self._made, self.inputs, name=declared.name, wrt=declared.wrt, **declared.settings)
        made.kwargs = declared.kwargs
        return made

    def _made(self) -> Any:
        return self.layer()


def _later() -> Any:
    """In the place of inputs that an instance gives."""
    raise NotImplementedError


def _unknown() -> Any:
    """In the place of a layer of which nothing is known before it is made."""
    raise NotImplementedError


def _kind(cls: type[LayerSuite]) -> Any:
    """The class of the layer, as far as can be told without making it."""
    layer = inspect.getattr_static(cls, "layer")
    if isinstance(layer, type):
        return layer
    try:
        kind = typing.get_type_hints(layer).get("return")
    except (NameError, TypeError, AttributeError):
        return _unknown
    return kind if isinstance(kind, type) and kind is not type(None) else _unknown
