"""Nested tuples, lists and dicts: taken apart into named leaves and put together again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np


def is_container(value: Any) -> bool:
    """Whether a value is taken apart: a tuple, a dict, or a list that is not a list of plain numbers.

    A list of numbers (nested or not) stands for an array, as it does for numpy.
    """
    if isinstance(value, (tuple, dict)):
        return True
    return isinstance(value, list) and not is_numbers(value)


def is_numbers(value: Any) -> bool:
    """Whether a list holds numbers only, Python's or numpy's, at any depth; an empty list does not."""
    if isinstance(value, list):
        return bool(value) and all(is_numbers(item) for item in value)
    return isinstance(value, (bool, int, float, complex, np.number, np.bool))


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of a nested value from left to right, each with its name, as in `state[0]` or `state['h']`."""
    if not is_container(value):
        yield name, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, f"{name}[{key!r}]")
    else:
        fields = getattr(value, "_fields", None)
        for position, item in enumerate(value):
            yield from leaves(item, f"{name}.{fields[position]}" if fields else f"{name}[{position}]")


def count(value: Any) -> int:
    """How many leaves a nested value has."""
    return sum(1 for _ in leaves(value))


def rebuild(template: Any, values: Iterator[Any]) -> Any:
    """A value nested as the template, its leaves taken in order from `values`."""
    if not is_container(template):
        return next(values)
    if isinstance(template, dict):
        return {key: rebuild(item, values) for key, item in template.items()}
    items = [rebuild(item, values) for item in template]
    if isinstance(template, list):
        return items
    return type(template)(*items) if hasattr(template, "_fields") else tuple(items)


def aligned(template: Any, value: Any) -> list[Any]:
    """The leaves of `value` at the places where the template has leaves.

    Where the two are nested differently the leaves of `value` come as they are, so that their number tells.
    """
    if not is_container(template):
        return [value]
    if value is None:
        return [None] * count(template)
    if isinstance(template, dict) and isinstance(value, dict):
        return [leaf for key, item in template.items() for leaf in aligned(item, value.get(key))]
    if is_container(value) and not isinstance(value, dict) and len(value) == len(template):
        items = template.values() if isinstance(template, dict) else template
        return [leaf for item, part in zip(items, value, strict=True) for leaf in aligned(item, part)]
    return [leaf for _, leaf in leaves(value)]


def mapped(function: Callable[[Any], Any], value: Any) -> Any:
    """The nested value with the function applied to each leaf."""
    return rebuild(value, (function(leaf) for _, leaf in leaves(value)))
