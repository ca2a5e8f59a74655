"""The layer that a marked test returns: taken while the test is called, and checked before the call ends."""

from __future__ import annotations

import functools
import inspect
import linecache
from collections.abc import Callable, Generator
from types import MethodType
from typing import Any, NoReturn

import pytest

from pytest_gradcheck.errors import GradCheckError
from pytest_gradcheck.plugin import has_own_marker

from .checked import checked
from .running import Running

NOTHING_CHECKED = "{} is marked gradcheck, but nothing was checked: return layer, inputs or call gradcheck"
ASYNC = "{} is marked gradcheck and asynchronous, so what it returns is lost: call gradcheck(layer, *inputs) in it"
GENERATOR = "{} returned a generator: return layer, inputs instead of yielding them"


def around(item: pytest.Function, running: Running) -> Generator[None, object, object]:
    """Around `pytest_pyfunc_call`: the test's function is replaced for the call, then put back."""
    marked, original = has_own_marker(item), item.obj
    handle = getattr(original, "hypothesis", None)
    asynchronous = inspect.iscoroutinefunction(inspect.unwrap(original))
    # What Hypothesis calls for each example is not the test's function but the one it holds.
    if handle is not None:
        inner = handle.inner_test
        handle.inner_test = taking(inner, running, marked, repeated=True)
    elif marked and not asynchronous:
        item.obj = taking(original, running, marked)
    try:
        result = yield
    finally:
        item.obj = original
        if handle is not None:
            handle.inner_test = inner
    if marked and not running.begun:
        pytest.fail((ASYNC if asynchronous else NOTHING_CHECKED).format(item.name), pytrace=False)
    return result


def taking(function: Callable[..., Any], running: Running, marked: bool, repeated: bool = False) -> Callable[..., Any]:
    """The function with its value taken: checked where the test has its own marker, else handed on.

    repeated: whether each call is another example of Hypothesis.
    """

    @functools.wraps(function)
    def taken(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        if repeated:
            running.next_example()
        value = function(*args, **kwargs)
        return value if value is None or not marked else check_value(function, running, value)

    return taken


def check_value(function: Callable[..., Any], running: Running, value: Any) -> None:
    """Check what a test returned: `layer, *inputs` as a tuple or a list, or a layer alone."""
    __tracebackhide__ = True
    if inspect.isgenerator(value) or inspect.iscoroutine(value):
        pytest.fail(GENERATOR.format(running.item.name), pytrace=False)
    layer, *inputs = value if isinstance(value, (tuple, list)) and value else (value,)
    try:
        checked(running, layer, inputs, {})
    except (GradCheckError, pytest.skip.Exception) as error:
        problem = error
    else:
        return
    raise_at_end_of(function, problem, value)


def raise_at_end_of(function: Callable[..., Any], problem: BaseException, value: Any) -> NoReturn:
    """Raise as if from the last line of the test, which has returned: there the reader and the debugger look.

    The frame that raises has the test's file, lines and names, and `returned`, the value that was checked.
    """
    __tracebackhide__ = True
    plain = inspect.unwrap(function)
    code = getattr(plain.__func__ if isinstance(plain, MethodType) else plain, "__code__", None)
    if code is None:  # a callable object, which has no lines of its own
        raise problem
    first, last = code.co_firstlineno, max(line for _, _, line in code.co_lines() if line is not None)
    line = linecache.getline(code.co_filename, last).rstrip()
    bare = line.lstrip() or line
    # As wide as the test's own line, which pytest underlines.
    raising = " " * max(1, len(line) - len(bare)) + "raise" + " " * max(1, len(bare) - 6) + "e"
    text = "\n" * (first - 1) + "def stand_in():" + "\n" * (last - first) + raising
    names = {**getattr(plain, "__globals__", {}), "e": problem.with_traceback(None), "returned": value}
    exec(compile(text, code.co_filename, "exec"), names)
    stand_in = names["stand_in"]
    stand_in.__code__ = stand_in.__code__.replace(co_name=code.co_name)
    stand_in()
    raise problem
