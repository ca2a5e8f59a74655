"""Runs the worker of each package in a process of its own, and once more behind a layer that ended it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from threading import Timer
from typing import Any

from benchmarks.real_packages.outcome import Row, from_plain

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Result:
    """One package: what was found in it, what was left out and why, and a row for each check and seed."""

    package: str
    title: str = ""
    version: str = ""
    found: tuple[tuple[str, str], ...] = ()
    unchecked: dict[str, str] = field(default_factory=dict)
    rows: tuple[Row, ...] = ()
    missing: str = ""

    def verdicts(self) -> dict[str, str]:
        """The verdict of each name that was checked, the worst of its variants and seeds."""
        worst: dict[str, str] = {}
        for row in self.rows:
            word = "failed" if row.failed else "undecided" if row.verdict == "inconclusive" else "passed"
            order = ("passed", "undecided", "failed")
            worst[row.name] = max(worst.get(row.name, "passed"), word, key=order.index)
        return worst

    def counts(self, group: str | None = None) -> dict[str, int]:
        """How many names were found, checked, passed, failed and undecided; of one group or of all."""
        names = {name for name, g in self.found if group in (None, g)}
        verdicts = {name: word for name, word in self.verdicts().items() if name in names}
        words = list(verdicts.values())
        counted = {word: words.count(word) for word in ("passed", "failed", "undecided")}
        return {"found": len(names), "checked": len(verdicts), **counted, "unchecked": len(names - set(verdicts))}

    def failures(self) -> list[Row]:
        """One row for each check that failed with some seed."""
        first: dict[str, Row] = {}
        for row in self.rows:
            if row.failed:
                first.setdefault(row.label, row)
        return list(first.values())

    def undecided(self) -> list[Row]:
        """One row for each check that ended without a verdict and did not fail."""
        failed = {row.label for row in self.failures()}
        rows = {row.label: row for row in self.rows if row.verdict == "inconclusive" and row.label not in failed}
        return list(rows.values())

    def mended(self) -> list[str]:
        """Labels of checks said to fail that passed."""
        failed = {row.label for row in self.failures()}
        return [row.label for row in self.rows if row.theirs and row.label not in failed and row.seed == 0]


def result(package: str, seeds: int = 1, only: str = "", patience: float = 120.0) -> Result:
    """Every check of one package; a layer that ends the process is a row like any other."""
    rows: list[Row] = []
    known = Result(package)
    while True:
        begun: dict[str, Any] | None = None
        done = "\n".join(f"{row.label} #{row.seed}" for row in rows)
        lines = spoken(package, seeds, only, done, patience)
        for line in lines:
            if "title" in line:
                found = tuple((name, group) for name, group in line["found"])
                known = replace(known, title=line["title"], version=line["version"], found=found)
                known = replace(known, unchecked=line["unchecked"])
            elif "begin" in line:
                begun = line
            elif "row" in line:
                rows.append(from_plain(line["row"]))
                begun = None
            elif begun is None:
                return replace(known, rows=tuple(rows), missing=line["end"])
            else:
                words = {key: begun[key] for key in ("name", "variant", "theirs", "seed")}
                rows.append(Row(package, verdict="crashed", message=line["end"], **words))
        if begun is None:
            return replace(known, rows=tuple(rows))


def spoken(package: str, seeds: int, only: str, done: str, patience: float) -> Iterator[dict[str, Any]]:
    """The worker's lines; at last how it ended, where it did not end well."""
    command = [sys.executable, "-m", "benchmarks.real_packages.worker", package, "--seeds", str(seeds), "--only", only]
    with TemporaryFile("w+") as errors, TemporaryFile("w+") as given:
        given.write(done)
        given.seek(0)
        worker = subprocess.Popen(command, cwd=ROOT, stdin=given, stdout=subprocess.PIPE, stderr=errors, text=True)
        with worker, Patience(worker, patience) as silence:
            for line in worker.stdout or ():
                silence.begin()
                if line.startswith("{"):
                    yield json.loads(line)
        errors.seek(0)
        if worker.returncode:
            last = (errors.read().strip().splitlines() or [""])[-1]
            ended = f"the process ended by signal {-worker.returncode}" if worker.returncode < 0 else last
            yield {"end": f"said nothing for {patience:g} s and was ended" if silence.over else ended}


class Patience:
    """Ends a process that prints nothing for so many seconds; `over` tells whether it did."""

    def __init__(self, process: subprocess.Popen[str], seconds: float) -> None:
        self.process, self.seconds, self.over = process, seconds, False
        self.timer = Timer(seconds, self._end)

    def begin(self) -> None:
        """Wait anew."""
        self.timer.cancel()
        self.timer = Timer(self.seconds, self._end)
        self.timer.start()

    def _end(self) -> None:
        self.over = True
        self.process.kill()

    def __enter__(self) -> Patience:
        self.timer.start()
        return self

    def __exit__(self, *why: object) -> None:
        self.timer.cancel()


def results(packages: Sequence[str], seeds: int = 1, only: str = "", jobs: int = 1) -> list[Result]:
    """All packages in their order, `jobs` of them at the same time."""
    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(partial(result, seeds=seeds, only=only), packages))
