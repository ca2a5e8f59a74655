"""A report as text that fits one screen: what is wrong, where, by how much, why, and how to see it again."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

from pytest_gradcheck.verdict import ArgumentResult, Entry, Finding, Report

#: What fits a screen of 24 lines together with the command that repeats the check.
MOST_FINDINGS = 3
MOST_ENTRIES = 5
MOST_EVIDENCE = 2
MOST_NOTES = 2
WIDEST = 150
LONGEST_NAME = 40


def render(report: Report) -> str:
    """The report as lines of plain text, never longer than a screen and never with a whole array.

    Where `report.extra` has "repeat", the command that repeats the check, it is the last line; "page", where the check
    stands on the HTML page, the one before; "map", an error map that was asked for (`-vv`), makes it longer.
    """
    lines = [headline(report)]
    for rank, finding in enumerate(report.findings[:MOST_FINDINGS]):
        lines += finding_lines(finding, leading=rank == 0, table=_first_of_its_entries(report.findings, rank))
    lines += more(len(report.findings) - MOST_FINDINGS, "finding")
    lines += [f"  {line}" for line in report.extra.get("map", ())]
    if report.passed:
        lines += [argument_line(argument) for argument in report.arguments[:MOST_ENTRIES]]
        lines += more(len(report.arguments) - MOST_ENTRIES, "argument")
    else:
        lines += what_was_right(report)
    lines += [f"  note: {note}" for note in report.notes[:MOST_NOTES]]
    lines += more(len(report.notes) - MOST_NOTES, "note")
    lines.append(cost_line(report))
    lines = [clipped(line) for line in lines]
    lines += [f"  page: {report.extra['page']}"] if "page" in report.extra else []
    # The command is never cut: half a command is none.
    return "\n".join([*lines, f"  repeat: {repeat(report)}"])


def headline(report: Report) -> str:
    """The first line, which stands alone in pytest's short summary: layer, verdict, arguments and counts."""
    if report.verdict == "pass":
        return f"{report.layer}: the declared backward is right on {counted(report.entries, 'entry', 'entries')}"
    places = list(dict.fromkeys(place(finding) for finding in report.findings))
    shown = ", ".join(places[:MOST_FINDINGS]) + (", ..." if len(places) > MOST_FINDINGS else "")
    if report.verdict == "fail":
        return f"{report.layer}: the declared backward is wrong" + (f": {shown}" if shown else "")
    return f"{report.layer}: no verdict" + (f": {shown}" if shown else f": {undecided(report)}")


def undecided(report: Report) -> str:
    """Which arguments a check without a verdict left open."""
    names = [argument.name for argument in report.arguments if argument.verdict == "inconclusive"]
    return f"not decided for {', '.join(names[:MOST_ENTRIES])}" if names else "nothing was decided"


def place(finding: Finding) -> str:
    """Where a finding is: "W in 2 of 12 entries", else the broken clause."""
    if finding.argument is None:
        return finding.clause
    count = finding.count or len(finding.indices)
    if not count:
        return finding.argument
    many = f"{finding.bound} {count:,}" if finding.bound else f"{count:,}"
    return f"{finding.argument} in {many} of {counted(max(finding.total, count), 'entry', 'entries')}"


def finding_lines(finding: Finding, leading: bool, table: bool) -> list[str]:
    """Cause, sentence and evidence of a finding, with its worst entries where `table` is set."""
    lines = [f"  {'likely' if leading else 'or'} {finding.kind}: {finding.message}"]
    evidence = finding.evidence if leading else finding.evidence[:1]
    lines += [f"    {line}" for line in evidence[:MOST_EVIDENCE]]
    if table and finding.entries:
        lines += entry_table(finding) if leading else [worst_entry(finding)]
    return lines


def _first_of_its_entries(findings: Sequence[Finding], rank: int) -> bool:
    # The runner-up cause explains the same entries as the first: they are printed once.
    mine = findings[rank]
    return all((f.argument, f.indices) != (mine.argument, mine.indices) for f in findings[:rank])


def entry_table(finding: Finding) -> list[str]:
    """The worst entries: index, declared, numeric, error and bar."""
    worst = sorted(finding.entries, key=badness, reverse=True)[:MOST_ENTRIES]
    indices = [named(finding, entry) for entry in worst]
    width = max(map(len, indices))
    lines = [f"    {'':<{width}}{'declared':>16}{'numeric':>16}{'error':>11}{'bar':>10}"]
    for index, e in zip(indices, worst, strict=True):
        lines.append(f"    {index:<{width}}{e.declared:>16.8g}{e.numeric:>16.8g}{e.error:>11.2g}{e.bar:>10.1g}")
    rest = max(finding.count, len(finding.entries)) - len(worst)
    return [*lines, *(f"    {line}" for line in the_rest(finding, worst, rest))]


def the_rest(finding: Finding, worst: Sequence[Entry], rest: int) -> list[str]:
    """How many entries more are wrong, and which where some are not: so every one of up to twenty is named."""
    count = [line.strip() for line in more(rest, "entry", "entries")]
    shown = {entry.index for entry in worst}
    left = [str(list(index)) for index in finding.indices if index not in shown]
    if not count or finding.count == finding.total or len(left) != rest:
        return count
    # No line ends inside an index.
    kept = ", ".join(index.replace(" ", "\xa0") for index in left)
    return [line.replace("\xa0", " ") for line in wrap(f"{count[0]}: {kept}", WIDEST - 4, subsequent_indent="  ")]


def worst_entry(finding: Finding) -> str:
    """The worst entry in one line, for a finding that is not the first."""
    e = max(finding.entries, key=badness)
    return f"    {named(finding, e)}: declared {e.declared:.8g}, numeric {e.numeric:.8g}, bar {e.bar:.1g}"


def named(finding: Finding, entry: Entry) -> str:
    """An entry as it is written in code: `W[0, 1]`."""
    name = finding.argument or ""
    # A long name must not push the numbers off the line.
    return f"{name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 3] + '...'}{list(entry.index)}"


def badness(entry: Entry) -> float:
    """How wrong an entry is, for sorting: an error that is no number is the worst."""
    size = abs(entry.error)
    return size if size == size else float("inf")


def argument_line(argument: ArgumentResult) -> str:
    """One argument of a check that passed, with the smallest error that would have been caught."""
    sharp = f", an error of {argument.sharpness:.1g} in one entry would show" if argument.sharpness is not None else ""
    kinks = f", {argument.kinks:,} on a kink" if argument.kinks else ""
    return f"  {argument.name} {list(argument.shape)} {argument.dtype}: {argument.verdict}{sharp}{kinks}"


def what_was_right(report: Report) -> list[str]:
    """The arguments and clauses that passed: they narrow the search."""
    names = [argument.name for argument in report.arguments if argument.verdict == "pass"]
    kept = sum(clause.state == "kept" for clause in report.clauses)
    said = [", ".join(names[:MOST_ENTRIES]) + (", ..." if len(names) > MOST_ENTRIES else "")] if names else []
    said += [f"{counted(kept, 'clause', 'clauses')} of the contract kept"] if kept else []
    return [f"  right: {'; '.join(said)}"] if said else []


def cost_line(report: Report) -> str:
    """What the check spent, and the numbers that make it repeatable."""
    return (
        f"  {counted(report.forward_evaluations, 'forward evaluation', 'forward evaluations')}, "
        f"{counted(report.backward_calls, 'backward call', 'backward calls')}, h {report.h:g}, seed {report.seed}"
    )


def repeat(report: Report) -> str:
    """The command that repeats the check, or the keyword that does where no test runs."""
    return str(report.extra.get("repeat") or f"check(..., seed={report.seed})")


def more(number: int, one: str, many: str = "") -> list[str]:
    """A line that counts what is not shown, if anything."""
    return [f"  ... and {number:,} more {one if number == 1 else many or one + 's'}"] if number > 0 else []


def counted(number: int, one: str, many: str) -> str:
    """The number with its noun: "1 entry", "1,000 entries"."""
    return f"{number:,} {one if number == 1 else many}"


def clipped(line: str) -> str:
    """One line of bounded width, whatever a layer's name or a message contains."""
    indent = line[: len(line) - len(line.lstrip())]
    flat = indent + " ".join(line.split()) if "\n" in line else line
    return flat if len(flat) <= WIDEST else flat[: WIDEST - 3] + "..."
