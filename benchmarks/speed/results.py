"""What a run finds, kept as plain numbers beside this file, so that the page can be written again without measuring."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("results.json")
#: What was compared, by the name of its distribution.
DISTRIBUTIONS = ("numpy", "torch", "jax", "autograd", "scipy")


@dataclass(frozen=True)
class Size:
    """One checker on the right layer of one size.

    ratio: its time over ours, the median over rounds; None where it was stopped, or is ours and was not timed twice.
    """

    checker: str
    entries: int
    verdict: str
    evaluations: int
    ratio: float | None


@dataclass(frozen=True)
class Caught:
    """One checker on the corpus: wrong layers rejected, right ones refused."""

    checker: str
    caught: int
    wrong: int
    refused: int
    right: int
    evaluations: int
    ratio: float | None


@dataclass(frozen=True)
class Sharp:
    """The smallest relative error in one of so many entries that a checker rejects; None where it rejects none."""

    checker: str
    entries: int
    error: float | None
    said: str = ""


@dataclass(frozen=True)
class Memory:
    """Peak memory beyond the layer's own, in arrays of its size; None where the checker was stopped."""

    checker: str
    entries: int
    arrays: float | None


@dataclass
class Results:
    """Everything side by side; `missing` says what to install for a checker that is not there."""

    limit: float = 0.0
    versions: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    bare: dict[str, float] = field(default_factory=dict)
    sizes: list[Size] = field(default_factory=list)
    caught: list[Caught] = field(default_factory=list)
    sharp: list[Sharp] = field(default_factory=list)
    memory: list[Memory] = field(default_factory=list)

    def keep(self, file: Path = FILE) -> None:
        """Write them down."""
        file.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


def kept(file: Path = FILE) -> Results:
    """The results of the last run that was kept."""
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    records: dict[str, type] = {"sizes": Size, "caught": Caught, "sharp": Sharp, "memory": Memory}
    for word, record in records.items():
        found[word] = [record(**row) for row in found[word]]
    return Results(**found)


def versions() -> dict[str, str]:
    """Of Python and of what was compared."""
    found = {"Python": platform.python_version()}
    for name in DISTRIBUTIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
