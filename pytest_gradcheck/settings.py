"""The settings of a check: one frozen record, the same words in code, marker, command line and ini file."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from numbers import Integral, Real
from typing import Any

METHODS = ("probes", "every-entry", "complex-step")
CONTRACTS = ("full", "values", "off")
#: Precisions in which a float64 layer may declare to compute, with the distance from 1 to the next number.
PRECISIONS = {"float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}
#: Where steps are relative they are this large at most: beyond it nothing is a neighbour.
LARGEST_H = 1.0


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a caller may ask of a check, with its default.

    h: first step, relative to the size of the entries (absolute in `method="every-entry"`).
    sharpness: the smallest relative error in one entry that must be caught; None asks for what
        the default number of evaluations gives.
    seed: of the upstream and of the directions.
    method: "probes" (blocks, refined), "every-entry" (the lecture's check), "complex-step".
    max_evaluations, max_seconds: a budget; when it ends the verdict is "inconclusive".
    contract: "full", "values" (no clause that needs another forward), or "off".
    skip: names of contract clauses to leave out, each with the reason.
    nonsmooth: "pass" judges a kink by its one-sided slopes, "fail" refuses any.
    vacuous: "note" or "fail" where nothing was really compared.
    inconclusive: what the pytest side does then: "fail", "warn" or "skip".
    precision: "float32" where a float64 layer computes in float32 on purpose.
    accuracy: relative accuracy of a forward that is itself approximate (a solver).
    domain: argument name -> a domain of `pytest_gradcheck.domain` or a pair of bounds.
    batch_axis: the axis along which inputs may be cut and grown, None where unknown.
    executor: who evaluates the forwards of a large check: any executor of `concurrent.futures`, or a name such as
        "processes:2" or "dask://HOST:PORT"; None for this process. The report is the same either way.
    """

    h: float = 1e-4
    sharpness: float | None = None
    seed: int = 0
    method: str = "probes"
    max_evaluations: int | None = None
    max_seconds: float | None = None
    contract: str = "full"
    skip: Mapping[str, str] | None = None
    nonsmooth: str = "pass"
    vacuous: str = "note"
    inconclusive: str = "fail"
    precision: str | None = None
    accuracy: float | None = None
    domain: Mapping[str, Any] | None = None
    batch_axis: int | None = None
    executor: Any = None

    def __post_init__(self) -> None:
        for name in ("h", "sharpness", "accuracy", "max_seconds", "max_evaluations"):
            value = getattr(self, name)
            if value is not None or name == "h":
                positive(name, value)
                # Numbers of numpy cannot travel between processes; here they become Python's.
                whole = name == "max_evaluations"
                object.__setattr__(self, name, _whole(name, value) if whole else float(value))
        for name in ("seed", "batch_axis"):
            if getattr(self, name) is not None or name == "seed":
                object.__setattr__(self, name, _whole(name, getattr(self, name)))
        self._check_words()

    def _check_words(self) -> None:
        _one_of("method", self.method, METHODS)
        _one_of("contract", self.contract, CONTRACTS)
        _one_of("nonsmooth", self.nonsmooth, ("pass", "fail"))
        _one_of("vacuous", self.vacuous, ("note", "fail"))
        _one_of("inconclusive", self.inconclusive, ("fail", "warn", "skip"))
        if not (self.executor is None or isinstance(self.executor, str) or hasattr(self.executor, "submit")):
            raise _invalid(
                f"executor is {self.executor!r}: give an executor of concurrent.futures, or a name like 'processes:2'"
            )
        if self.precision is not None:
            _one_of("precision", self.precision, tuple(PRECISIONS))
        for name, what in (("skip", "clauses to the reasons"), ("domain", "arguments to domains")):
            if not isinstance(getattr(self, name), Mapping | None):
                raise _invalid(f"{name} is {getattr(self, name)!r:.60}: give a dict from names of {what}")

    def merged(self, changes: Mapping[str, Any]) -> Settings:
        """These settings with some replaced; an unknown name is an error that lists the known ones."""
        unknown = sorted(set(changes) - set(NAMES))
        if unknown:
            raise _invalid(f"unknown setting {unknown[0]!r}: the known ones are {', '.join(NAMES)}")
        return replace(self, **changes) if changes else self


def positive(name: str, value: Any) -> None:
    """Raise `InvalidInput` unless the value is a finite number larger than zero."""
    number: Any = value if isinstance(value, Real) and not isinstance(value, bool) else 0
    if not 0 < number < float("inf"):
        raise _invalid(f"{name} is {value!r}: give a number larger than zero")


def _whole(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 0:
        least = "larger than zero" if name == "max_evaluations" else "zero or larger"
        raise _invalid(f"{name} is {value!r}: give a whole number, {least}")
    return int(value)


def _one_of(name: str, value: Any, known: tuple[str, ...]) -> None:
    if value not in known:
        raise _invalid(f"{name} is {value!r}: give one of {', '.join(map(repr, known))}")


def _invalid(message: str) -> Exception:
    # Imported late: every pytest session loads this module, and hardly any needs the error.
    from .errors import InvalidInput

    return InvalidInput(message)


NAMES = tuple(field.name for field in fields(Settings))

#: What nobody has changed.
DEFAULTS = Settings()

_TYPES: dict[str, type] = {"float": float, "int": int, "str": str}

#: The settings that are one number or word, with its type: these are options of command line and ini file too.
SCALARS = {f.name: _TYPES[word] for f in fields(Settings) if (word := str(f.type).split()[0]) in _TYPES}

#: What a call or a marker may give besides settings: they belong to one layer and have no place in a file.
CALL_WORDS = ("wrt", "upstream", "kwargs")

#: What a marker may give for generated inputs; `domain` is among the settings.
GIVEN_WORDS = ("given", "sizes", "dtypes")


def resolve(
    call: Mapping[str, Any],
    markers: Sequence[Mapping[str, Any]] = (),
    command_line: Mapping[str, Any] | None = None,
    ini: Mapping[str, Any] | None = None,
    fallback: Mapping[str, Any] | None = None,
) -> Settings:
    """The settings of one check: the one place that knows who overrides whom.

    Call over markers (nearest first, key by key) over command line over ini file over `fallback` (the seed of
    the test) over the defaults. A seed on the command line is a wish to repeat one run and beats all of them.
    Words that are no settings are left out: `CALL_WORDS`, and in markers `GIVEN_WORDS`.
    Raises `InvalidInput` for an unknown word or an unusable value.
    """
    command_line = command_line or {}
    repeat = {word: command_line[word] for word in ("seed",) if word in command_line}
    near = [_without(CALL_WORDS, call), *(_without((*CALL_WORDS, *GIVEN_WORDS), marker) for marker in markers)]
    far = [dict(source or {}) for source in (command_line, ini, fallback)]
    return DEFAULTS.merged(ChainMap(repeat, *near, *far))


def _without(words: Sequence[str], source: Mapping[str, Any]) -> dict[str, Any]:
    return {word: value for word, value in source.items() if word not in words}


def cast(word: str, text: object, option: str) -> Any:
    """The value of one scalar setting, given as text or number under the name `option` by a user.

    Raises `InvalidInput` with a sentence that begins with `option`.
    """
    kind = SCALARS[word]
    try:
        value = kind(text) if isinstance(text, str) else text
    except ValueError:
        noun = "a whole number" if kind is int else "a number"
        raise _invalid(f"{option} is {text!r}: give {noun}") from None
    try:
        DEFAULTS.merged({word: value})
    except ValueError as error:
        raise _invalid(option + str(error).removeprefix(word)) from None
    return value
