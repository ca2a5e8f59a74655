"""The failure message: every line pinned, one screen whatever happens, and no array in it."""

from __future__ import annotations

from dataclasses import replace

from pytest_gradcheck.report.terminal import WIDEST, render
from pytest_gradcheck.verdict import ArgumentResult, Clause, Entry, Finding, Report

WEIGHT = Finding(
    kind="factor",
    message="the gradient of W is twice what it should be",
    argument="W",
    indices=((0, 1), (2, 3)),
    count=2,
    total=12,
    entries=(Entry((2, 3), 0.5, 0.25, 1e-10), Entry((0, 1), -2.0, -1.0, 3e-11)),
    evidence=("declared / numeric = 2.0000 +- 1e-9 on 2 entries",),
)

ARGUMENTS = (
    ArgumentResult("x", (5, 3), "float64", 15, "pass", error=0.1, sharpness=1e-8),
    ArgumentResult("W", (3, 4), "float64", 12, "fail", error=1e9),
    ArgumentResult("b", (4,), "float64", 4, "pass", error=0.2, sharpness=2e-8, kinks=1),
)

FAILED = Report(
    layer="Affine",
    verdict="fail",
    findings=(WEIGHT, replace(WEIGHT, kind="local", message="or something else", evidence=())),
    notes=("b has one entry on a kink",),
    arguments=ARGUMENTS,
    clauses=(Clause("mutation", "kept"), Clause("dtype", "kept"), Clause("batch of one", "skipped", "no batch axis")),
    forward_evaluations=28,
    backward_calls=2,
    seed=7,
)


def test_a_failure() -> None:
    assert render(FAILED).splitlines() == [
        "Affine: the declared backward is wrong: W in 2 of 12 entries",
        "  likely factor: the gradient of W is twice what it should be",
        "    declared / numeric = 2.0000 +- 1e-9 on 2 entries",
        "                   declared         numeric      error       bar",
        "    W[0, 1]              -2              -1         -1     3e-11",
        "    W[2, 3]             0.5            0.25       0.25     1e-10",
        "  or local: or something else",
        "  right: x, b; 2 clauses of the contract kept",
        "  note: b has one entry on a kink",
        "  28 forward evaluations, 2 backward calls, h 0.0001, seed 7",
        "  repeat: check(..., seed=7)",
    ]


def many(count: int, total: int, known: int) -> list[str]:
    """The lines behind the table of a finding with so many wrong entries, of which so many indices are listed."""
    indices = tuple((i, 100 + i) for i in range(known))
    entries = tuple(Entry(index, 1.0, 2.0 + i, 0.1) for i, index in enumerate(indices[:5]))
    finding = replace(WEIGHT, indices=indices, entries=entries, count=count, total=total)
    lines = render(replace(FAILED, findings=(finding,))).splitlines()
    return lines[lines.index("    W[0, 100]               1               2         -1       0.1") + 1 : -4]


def test_up_to_twenty_wrong_entries_are_all_named() -> None:
    assert many(7, 200, 7) == ["    ... and 2 more entries: [5, 105], [6, 106]"]
    lines = many(20, 200, 20)
    assert len(lines) == 2
    assert all(len(line) <= WIDEST for line in lines)
    assert [f"[{i}, {100 + i}]" in " ".join(lines) for i in range(4, 20)] == [False, *[True] * 15]


def test_of_more_or_of_all_the_number_is_enough() -> None:
    assert many(21, 200, 20) == ["    ... and 16 more entries"]
    assert many(7, 7, 7) == ["    ... and 2 more entries"]


def test_the_command_that_repeats_is_the_last_line_and_never_cut() -> None:
    command = f'pytest "tests/test_{"x" * 200}.py::test_it" --gradcheck-seed=7'
    assert render(replace(FAILED, extra={"repeat": command})).splitlines()[-1] == f"  repeat: {command}"


def test_a_pass() -> None:
    passed = replace(FAILED, verdict="pass", findings=(), notes=(), arguments=(ARGUMENTS[0], ARGUMENTS[2]))
    assert render(passed).splitlines() == [
        "Affine: the declared backward is right on 19 entries",
        "  x [5, 3] float64: pass, an error of 1e-08 in one entry would show",
        "  b [4] float64: pass, an error of 2e-08 in one entry would show, 1 on a kink",
        "  28 forward evaluations, 2 backward calls, h 0.0001, seed 7",
        "  repeat: check(..., seed=7)",
    ]


def test_a_second_argument_shows_its_worst_entry() -> None:
    bias = replace(WEIGHT, argument="b", indices=((1,), (2,)), entries=(Entry((1,), 1.5, 1.0, 1e-9), WEIGHT.entries[1]))
    lines = render(replace(FAILED, findings=(WEIGHT, bias))).splitlines()
    assert lines[0] == "Affine: the declared backward is wrong: W in 2 of 12 entries, b in 2 of 12 entries"
    assert lines[8] == "    b[0, 1]: declared -2, numeric -1, bar 3e-11"


def test_no_verdict() -> None:
    open_ = replace(ARGUMENTS[1], verdict="inconclusive")
    report = replace(FAILED, verdict="inconclusive", findings=(), notes=(), arguments=(ARGUMENTS[0], open_))
    assert render(report).splitlines()[:2] == [
        "Affine: no verdict: not decided for W",
        "  right: x; 2 clauses of the contract kept",
    ]
    assert render(replace(report, arguments=())).splitlines()[0] == "Affine: no verdict: nothing was decided"


def test_a_broken_clause_has_no_entries() -> None:
    clause = Finding(kind="mutation", message="backward writes into x", clause="mutation")
    report = replace(FAILED, findings=(clause,), clauses=(), arguments=())
    assert render(report).splitlines()[:3] == [
        "Affine: the declared backward is wrong: mutation",
        "  likely mutation: backward writes into x",
        "  note: b has one entry on a kink",
    ]


def test_a_scalar_entry_and_numbers_that_are_none() -> None:
    nan = Entry((), float("nan"), 1.0, 1e-9)
    finding = replace(WEIGHT, entries=(Entry((), 1.0, 3.0, 1e-9), nan), indices=((),), count=2)
    lines = render(replace(FAILED, findings=(finding,))).splitlines()
    # What is no number is the worst of all.
    assert lines[4].split() == ["W[]", "nan", "1", "nan", "1e-09"]


def test_the_largest_report_fits_a_screen_and_its_width() -> None:
    entries = tuple(Entry((i, i, i), 1.0 + i, 1.0, 1e-9) for i in range(20))
    many = Finding(
        kind="reduction",
        message="a sentence " * 60,
        indices=tuple(e.index for e in entries),
        count=999_990,
        total=1_000_000,
        entries=entries,
        evidence=tuple(f"evidence {i} " * 40 for i in range(9)),
    )
    report = replace(
        FAILED,
        layer="L" * 300,
        findings=tuple(replace(many, argument=f"argument{i}" * 5) for i in range(50)),
        notes=tuple(f"note {i} " * 40 for i in range(50)),
        arguments=tuple(replace(ARGUMENTS[0], name=f"argument{i}" * 9) for i in range(50)),
    )
    for verdict in ("fail", "pass", "inconclusive"):
        findings = () if verdict == "pass" else report.findings
        lines = render(replace(report, verdict=verdict, findings=findings)).splitlines()
        assert len(lines) <= 24
        assert max(map(len, lines)) <= WIDEST
        if findings:
            assert lines[8].endswith("...[16, 16, 16]              17               1         16     1e-09")


def test_a_message_of_many_lines_is_one() -> None:
    finding = replace(WEIGHT, message="one\n  two\n\nthree", evidence=())
    assert render(replace(FAILED, findings=(finding,))).splitlines()[1] == "  likely factor: one two three"


def test_str_of_a_report_is_its_message() -> None:
    assert str(FAILED) == render(FAILED)
