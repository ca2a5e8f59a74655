"""The tables that `python -m benchmarks.corpus` prints, made of rows alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from benchmarks.corpus.base import CONTRACT_WORDS, TAXONOMY
from benchmarks.corpus.outcome import Row
from benchmarks.corpus.run import US, series


def table(head: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    """Columns aligned, numbers to the right."""
    cells = [[str(c) for c in line] for line in (head, *lines)]
    widths = [max(len(line[k]) for line in cells) for k in range(len(head))]
    aligned = [
        "  ".join(c.ljust(w) if k == 0 else c.rjust(w) for k, (c, w) in enumerate(zip(line, widths, strict=True)))
        for line in cells
    ]
    return "\n".join(line.rstrip() for line in [aligned[0], "-" * len(aligned[0]), *aligned[1:]])


def share(hits: int, all_: int) -> str:
    return f"{hits}/{all_}" if all_ else "-"


def rates(rows: Sequence[Row]) -> str:
    """Per checker and set: wrong caught, right refused, inconclusive, evaluations, time."""
    plain = [r for r in rows if not series(r.case)]
    lines = []
    for checker in dict.fromkeys(r.checker for r in plain):
        mine = [r for r in plain if r.checker == checker]
        groups = list(dict.fromkeys(r.group for r in mine))
        for group in [*groups, *(["all"] if len(groups) > 1 else [])]:
            lines.append([checker, group, *rate([r for r in mine if group in (r.group, "all")])])
    head = ["checker", "set", "wrong caught", "right refused", "inconclusive", "errors"]
    return table([*head, "median evaluations", "largest", "seconds"], lines)


def rate(rows: Sequence[Row]) -> list[object]:
    wrong, right = [r for r in rows if r.bug], [r for r in rows if not r.bug]
    spent = [r.outcome.forward_evaluations for r in rows]
    return [
        share(sum(r.caught for r in wrong), len(wrong)),
        share(sum(r.caught for r in right), len(right)),
        sum(r.outcome.verdict == "inconclusive" for r in rows),
        sum(r.outcome.raised or r.outcome.verdict in ("error", "timeout") for r in rows),
        f"{median(spent):.0f}" if spent else "-",
        max(spent, default=0),
        f"{sum(r.outcome.seconds for r in rows):.1f}",
    ]


def mistaken(r: Row) -> bool:
    """Whether a row is not as it should be."""
    return not r.caught if r.bug else not r.accepted


def mistakes(rows: Sequence[Row], checker: str = US) -> str:
    """Every case with a verdict that is not as it should be, with the seeds and what was said."""
    lines = []
    bad = [r for r in rows if r.checker == checker and mistaken(r) and not series(r.case)]
    for name in dict.fromkeys(r.case for r in bad):
        mine = [r for r in bad if r.case == name]
        verdicts = "/".join(dict.fromkeys(r.outcome.verdict for r in mine))
        seeds = ",".join(str(r.seed) for r in mine[:8]) + ("..." if len(mine) > 8 else "")
        said = " ".join(mine[0].outcome.message.split())[:160]
        lines.append(f"  {mine[0].bug or 'right':10} {name:44} {verdicts:13} seeds {seeds}: {said}")
    return "\n".join(lines) or "  none"


def unsteady(rows: Sequence[Row], checker: str = US) -> str:
    """Every case whose verdict changed with the seed."""
    lines = []
    for name in dict.fromkeys(r.case for r in rows if r.checker == checker):
        verdicts = [r.outcome.verdict for r in rows if r.case == name and r.checker == checker]
        if len(set(verdicts)) > 1:
            counts = ", ".join(f"{v} {verdicts.count(v)}" for v in dict.fromkeys(verdicts))
            lines.append(f"  {name:44} {counts}")
    return "\n".join(lines) or "  none"


def peers_side_by_side(rows: Sequence[Row]) -> str:
    """Wrong cases that some checker misses and right ones that some refuses: x in every run, ~ in some."""
    checkers = list(dict.fromkeys(r.checker for r in rows))
    lines = []
    for name, bug in dict.fromkeys((r.case, r.bug) for r in rows if not series(r.case)):
        marks = [mark([mistaken(r) for r in rows if r.case == name and r.checker == c]) for c in checkers]
        if any(m in "x~" and m for m in marks):
            lines.append([name, bug or "right", *marks])
    return table(["case", "bug", *checkers], lines)


def mark(wrong: Sequence[bool]) -> str:
    if not wrong:
        return "-"
    return "x" if all(wrong) else "~" if any(wrong) else ""


def the_series(rows: Sequence[Row]) -> str:
    """Both series: verdicts and evaluations of each case, by checker."""
    names = sorted(dict.fromkeys(r.case for r in rows if series(r.case)))
    checkers = list(dict.fromkeys(r.checker for r in rows))

    def cell(name: str, checker: str) -> str:
        mine = [r for r in rows if r.case == name and r.checker == checker]
        if not mine:
            return "-"
        verdicts = "/".join(dict.fromkeys(r.outcome.verdict for r in mine))
        spent = max(r.outcome.forward_evaluations for r in mine)
        return f"{verdicts}, {spent}, {median(r.outcome.seconds for r in mine):.2g} s"

    return table(["series", *checkers], [[name, *(cell(name, c) for c in checkers)] for name in names])


def kinds(rows: Sequence[Row]) -> str:
    """How often the corpus's own word for a bug was the first cause named, or among the first two."""
    wrong = [r for r in rows if r.checker == US and r.bug and not series(r.case)]
    lines = [kind_line(word, [r for r in wrong if r.bug == word]) for word in TAXONOMY]
    numeric = [r for r in wrong if r.bug not in CONTRACT_WORDS]
    contract = [r for r in wrong if r.bug in CONTRACT_WORDS]
    lines += [kind_line("all numeric bugs", numeric), kind_line("all contract bugs", contract)]
    return table(["word", "cases", "first", "first two", "first %", "first two %"], [x for x in lines if x[1]])


def diagnosed(rows: Sequence[Row]) -> str:
    """What looking for a cause cost, where something was wrong and where nothing was."""
    mine = [r for r in rows if r.checker == US and not series(r.case)]
    spent = [r.outcome.diagnosis for r in mine if r.caught]
    right = [r for r in mine if not r.bug]
    idle = sum(r.outcome.diagnosis for r in right)
    return (
        f"evaluations of the diagnosis: median {median(spent or [0]):.0f} and at most {max(spent, default=0)} on "
        f"{len(spent)} layers found wrong, {idle} in all on {len(right)} right ones"
    )


def kind_line(word: str, rows: Sequence[Row]) -> list[object]:
    first = sum(named_within(r, 1) for r in rows)
    two = sum(named_within(r, 2) for r in rows)
    percent = [f"{100 * n / max(1, len(rows)):.0f}" for n in (first, two)]
    return [word, len(rows), first, two, *percent]


def named_within(r: Row, most: int) -> bool:
    """Whether one of the case's words is among the first causes named."""
    return any(kind in r.words for kind in tuple(dict.fromkeys(r.outcome.kinds))[:most])


def misnamed(rows: Sequence[Row]) -> str:
    """Every wrong case whose word was not the first named, with the words that were."""
    lines = []
    for r in rows:
        if r.checker == US and r.bug and not series(r.case) and r.caught and not named_within(r, 1):
            said = ", ".join(dict.fromkeys(r.outcome.kinds)) or "nothing"
            lines.append(f"  {r.case:44} {'/'.join(r.words):20} named {said}")
    return "\n".join(dict.fromkeys(lines)) or "  none"
