"""Results as text for the terminal and as tables for the page."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from benchmarks.real_packages.outcome import Row
from benchmarks.real_packages.run import Result

COLUMNS = ("found", "checked", "passed", "failed", "undecided", "unchecked")
GROUPS = {"layer": "layers", "activation": "activations", "loss": "losses", "module": "modules", "wrapper": "wrappers"}


def text(results: Sequence[Result]) -> str:
    """Everything, for the terminal."""
    return "\n\n".join("\n".join(_lines(result)) for result in results)


def _lines(result: Result) -> list[str]:
    if result.missing and not result.rows:
        return [f"{result.package}: not run: {result.missing}"]
    counts = ", ".join(f"{count} {word}" for word, count in result.counts().items())
    lines = [f"{result.title} {result.version}: {counts} ({len(result.rows)} checks)"]
    for row in result.failures():
        lines.append(f"  failed     {row.label}: {row.theirs or f'UNEXPLAINED: {row.message}'}")
    lines += [f"  undecided  {row.label}: {row.message}" for row in result.undecided()]
    lines += [f"  mended     {label}: the failure noted here is gone" for label in result.mended()]
    lines += [f"  unchecked  {name}: {why}" for name, why in result.unchecked.items()]
    return [line for long in lines for line in textwrap.wrap(long, 120, subsequent_indent=" " * 13)]


def unexplained(results: Sequence[Result]) -> list[Row]:
    """Failures that are not known to be the package's own: false alarms, until somebody has looked."""
    return [row for result in results for row in result.failures() if not row.theirs]


def counts_table(results: Sequence[Result]) -> str:
    """How many of each, one line for each package, and for each group where a package has several."""
    lines = [_line(("package", *COLUMNS, "checks")), _line(["---", *["---:"] * 7])]
    for result in results:
        lines.append(_counts(f"**{result.title}** {result.version}", result, None, str(len(result.rows))))
        groups = list(dict.fromkeys(group for _, group in result.found))
        if len(groups) > 1:
            lines += [_counts(f"… {GROUPS.get(group, group)}", result, group, "") for group in groups]
    return "\n".join(lines) + "\n"


def _counts(title: str, result: Result, group: str | None, checks: str) -> str:
    return _line([title, *(str(result.counts(group)[word]) for word in COLUMNS), checks])


def failures_table(result: Result, confirmed: dict[str, str]) -> str:
    """Every failure of a package that is its own: what the check named, what is wrong, and how it was confirmed."""
    lines = [_line(("layer", "named", "what is wrong", "by hand")), _line(["---"] * 4)]
    for row in result.failures():
        if row.theirs:
            words = " ".join(f"`{kind}`" for kind in row.kinds[:2]) or "raises"
            lines.append(_line((row.label, words, row.theirs, confirmed.get(row.label, "not confirmed"))))
    return "\n".join(lines) + "\n"


def settings_table(results: Sequence[Result]) -> str:
    """Every setting that is not the default, with its reason."""
    lines = [_line(("package", "check", "setting", "reason")), _line(["---"] * 4)]
    for result in results:
        for row in result.rows:
            if row.seed == 0:
                lines += [_line((result.title, row.label, f"`{word}`", why)) for word, _, why in row.settings]
    return "\n".join(lines) + "\n"


def unchecked_table(results: Sequence[Result]) -> str:
    """What is not checked, with its reason."""
    lines = [_line(("package", "name", "why no check is made")), _line(["---"] * 3)]
    lines += [_line((result.title, name, why)) for result in results for name, why in result.unchecked.items()]
    return "\n".join(lines) + "\n"


def open_table(results: Sequence[Result]) -> str:
    """Checks without a verdict, and failures that nobody has explained yet."""
    rows = [(result.title, row) for result in results for row in [*result.undecided(), *result.failures()]]
    rows = [(title, row) for title, row in rows if not row.theirs]
    if not rows:
        return "None.\n"
    lines = [_line(("package", "check", "verdict", "in the words of the report")), _line(["---"] * 4)]
    return "\n".join([*lines, *(_line((title, r.label, r.verdict, r.message[:160])) for title, r in rows)]) + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
