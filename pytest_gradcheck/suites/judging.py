"""A suite's tests at run time: the layer is checked once, and each test reads its own clause off the report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import pytest

from pytest_gradcheck.errors import GradCheckError, LayerError
from pytest_gradcheck.plugin import SOURCES
from pytest_gradcheck.pytesting.checked import WHOLE, concluded, given
from pytest_gradcheck.pytesting.records import record_of, record_without_report
from pytest_gradcheck.pytesting.repeat import command
from pytest_gradcheck.pytesting.running import Running, current, seed_of
from pytest_gradcheck.pytesting.session_budget import limited
from pytest_gradcheck.pytesting.watch import Watch
from pytest_gradcheck.settings import NAMES, Settings, resolve

from .base import LayerSuite
from .cases import LayerCase
from .clauses import ALL, HELD, REST, ClauseTest, belongs, family_of
from .signatures import holds_parameters

if TYPE_CHECKING:
    from pytest_gradcheck.verdict import ArgumentResult, Finding, Report, Verdict

NOT_CALLED = "{} asks for gradcheck_case but never called it, so nothing was checked: write gradcheck_case()"


@dataclass(slots=True)
class Shared:
    """The one check of a layer: its report, or why there is none; `paid` once a test has told its cost.

    watch: what was seen of it, for pictures and for a replay.
    """

    settings: Settings
    report: Report | None = None
    error: GradCheckError | None = None
    unchecked: str = ""
    paid: bool = False
    watch: Watch | None = None


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a report says of one clause; `reason` where it does not apply.

    absent: whether there is no such argument at all.
    """

    state: Literal["pass", "fail", "inconclusive", "skip"]
    reason: str = ""
    findings: tuple[Finding, ...] = ()
    arguments: tuple[ArgumentResult, ...] = ()
    absent: bool = False


#: The checks of this process, by the test's id without its clause.
SHARED = pytest.StashKey[dict[str, Shared]]()


def bound(request: pytest.FixtureRequest) -> Callable[[], None]:
    """The value of the fixture: a call that judges the clause of the test that asks for it."""
    test = getattr(request, "param", None)
    if not isinstance(test, ClauseTest):
        pytest.fail(f"{request.node.name} is not decorated: use @pytest_gradcheck.parametrize_layers([...])", False)
    running, instance = current(request.config), request.instance

    def gradcheck_case() -> None:
        __tracebackhide__ = True
        judge(running, test, instance.case(test.case) if isinstance(instance, LayerSuite) else test.case)

    return gradcheck_case


def finished(request: pytest.FixtureRequest) -> None:
    """After the test: one that passed without a check fails."""
    running = current(request.config)
    if running.passed and not running.begun:
        pytest.fail(NOT_CALLED.format(request.node.name), pytrace=False)


def judge(running: Running, test: ClauseTest, case: LayerCase) -> None:
    """Pass, fail or skip one clause of one layer."""
    __tracebackhide__ = True
    number = running.next_call()
    if test.problem:
        pytest.fail(test.problem, pytrace=False)
    shared = _shared(running, case)
    if shared.unchecked:
        pytest.skip(shared.unchecked)
    if shared.error is not None or shared.report is None:
        message = str(shared.error)
        running.keep(number, record_without_report(running.nodeid, number, case.name, "error", message))
        raise shared.error.with_traceback(None) if shared.error else RuntimeError(message)
    ruling = ruling_of(shared.report, test)
    if ruling.absent and test.clause in test.case.known:
        words = f"known of {case.name} names {test.clause!r}, and {ruling.reason}"
        pytest.fail(f"{words}: it has {_named(shared.report)}", pytrace=False)
    if ruling.state == "skip":
        pytest.skip(f"does not apply to {case.name}: {ruling.reason}")
    concluded(running, _told(running, number, shared, shared.report, ruling), shared.settings.inconclusive)


def _told(running: Running, number: int, shared: Shared, report: Report, ruling: Ruling) -> Report:
    """The report of one clause alone, kept as the record of its test; the first one tells what the check cost."""
    where: dict[str, Any] = {
        "nodeid": running.nodeid,
        "repeat": command(running.item, running.nodeid, report.seed),
    }
    if shared.watch is not None:
        watch = running.watches[number] = shared.watch.of(running, number)
        where |= watch.extra(report)
    verdict: Verdict = "pass" if ruling.state == "skip" else ruling.state
    told: Report = replace(
        report, verdict=verdict, findings=ruling.findings, arguments=ruling.arguments, extra={**report.extra, **where}
    )
    record = record_of(told, running.nodeid, number, any(running.item.config.getoption(o, None) for o in WHOLE))
    if shared.paid:
        record |= {"forward_evaluations": 0, "backward_calls": 0, "seconds": 0.0}
    shared.paid = True
    running.keep(number, record)
    return told


def _shared(running: Running, case: LayerCase) -> Shared:
    """The check of a layer, made where this is the first test that asks."""
    from pytest_gradcheck.observer import watching

    stash = running.item.config.stash
    checks = stash.setdefault(SHARED, {})
    # Its own settings belong to the key's test: a marker on the test holds for all its layers.
    key = f"{running.nodeid.partition('[')[0]}[{case.name}]"
    if key not in checks:
        command_line, ini = stash[SOURCES]
        settings = resolve(case.settings, running.marked(), command_line, ini, {"seed": seed_of(key, 1)})
        settings = limited(running.item.config, settings)
        checks[key] = made = Shared(settings)
        made.watch = Watch(running, running.calls, (None,), given(settings))
        made.settings = settings.merged({word: made.watch.words[word] for word in NAMES})
        try:
            with watching(made.watch):
                _check(case, made)
        except GradCheckError as error:
            made.error = error
    return checks[key]


def _check(case: LayerCase, made: Shared) -> None:
    from pytest_gradcheck.checking import check
    from pytest_gradcheck.discovery.making import declared_or_guessed

    words = {word: value for word, value in (("wrt", case.wrt), ("kwargs", case.kwargs)) if value}
    try:
        layer, inputs = case.made()
    except GradCheckError:
        raise
    except Exception as cause:
        raised = f"{type(cause).__name__} ({' '.join(str(cause).split())})"
        raise LayerError(f"{case.name} or its inputs could not be made: {raised}") from cause
    if inputs is not None:
        made.report = check(layer, *inputs, **words, **given(made.settings))
        return
    outcome = declared_or_guessed(layer, case.name, made.settings, words)
    made.report, made.unchecked = outcome.report, outcome.unchecked


def ruling_of(report: Report, test: ClauseTest) -> Ruling:
    """What the whole report says of one clause."""
    if test.clause == REST:
        return _rest(report, test)
    if test.clause == ALL or test.clause.startswith("gradient-"):
        return _gradient(report, test)
    return _contract(report, test.clause)


def _gradient(report: Report, test: ClauseTest) -> Ruling:
    asked = test.clause.removeprefix("gradient-")
    arguments = tuple(a for a in report.arguments if _is_asked(a.name, test))
    findings = tuple(
        f for f in report.findings if f.argument and family_of(f.clause) is None and _is_asked(f.argument, test)
    )
    if findings:
        return Ruling("fail", findings=findings, arguments=arguments)
    # Of a check whose budget ended an argument has passed as far as it was looked at.
    spent = report.verdict == "inconclusive"
    if any(a.verdict == "inconclusive" or (spent and a.covered < a.size) for a in arguments):
        return Ruling("inconclusive", arguments=arguments)
    if arguments:
        return Ruling("pass", arguments=arguments)
    if test.clause == HELD:
        return Ruling("skip", "it holds no parameters besides its arguments")
    for note in report.notes:
        if note.startswith(f"{asked} is passed through") or note.startswith(f"{asked}["):
            return Ruling("skip", note)
    for finding in report.findings:
        if finding.argument is None or _is_asked(finding.argument, test):
            return Ruling(
                "skip", f"nothing could be compared, see {test.case.name}-{family_of(finding.clause) or REST}"
            )
    if report.verdict == "inconclusive":
        return Ruling("inconclusive")
    if test.clause == ALL:
        return Ruling("skip", "it has no arguments")
    return Ruling("skip", f"forward was not given {asked}", absent=True)


def _named(report: Report) -> str:
    return ", ".join(argument.name for argument in report.arguments) or "no arguments"


def _is_asked(argument: str, test: ClauseTest) -> bool:
    if test.clause == ALL:
        return not any(is_part(argument, name) for name in test.names)
    if test.clause == HELD:
        return not any(is_part(argument, name) for name in test.names)
    return is_part(argument, test.clause.removeprefix("gradient-"))


def is_part(name: str, whole: str) -> bool:
    """Whether an argument is the whole or a part of it, as `state[0]` is of `state`."""
    return name == whole or (name.startswith(whole) and name[len(whole)] in "[.")


def _contract(report: Report, family: str) -> Ruling:
    clauses = [clause for clause in report.clauses if belongs(clause.name, family)]
    findings = tuple(f for f in report.findings if belongs(f.clause, family))
    if findings:
        return Ruling("fail", findings=findings)
    if broken := [clause for clause in clauses if clause.state == "broken"]:
        return Ruling("fail", findings=_other_findings(report, broken[0].name, broken[0].detail))
    if not clauses:
        spent = report.verdict == "inconclusive"
        return Ruling("inconclusive") if spent else Ruling("skip", "the contract is not examined with these settings")
    if all(clause.state == "skipped" for clause in clauses):
        return Ruling("skip", "; ".join(dict.fromkeys(clause.detail for clause in clauses)))
    return Ruling("pass")


def _other_findings(report: Report, clause: str, detail: str) -> tuple[Finding, ...]:
    """A broken clause whose finding is told under another one, or under a name of its convention."""
    from pytest_gradcheck.verdict import Finding

    own = [f for f in report.findings if f.clause not in ("gradient", clause) and family_of(f.clause) is None]
    if clause == "accumulation" and own:
        return tuple(own)
    same = report.findings[0].kind if report.findings else "stale"
    return (Finding(same, f"{clause} is broken ({detail}), with the same cause as another clause", clause=clause),)


def _rest(report: Report, test: ClauseTest) -> Ruling:
    asked = holds_parameters(test.case.layer) or test.case.arguments() is None
    findings = tuple(
        f
        for f in report.findings
        if family_of(f.clause) is None
        and not (f.argument and (asked or any(is_part(f.argument, n) for n in test.names)))
    )
    # What the convention's own clauses say is the business of "accumulation".
    own = any(c.name == "accumulation" and c.state == "broken" for c in report.clauses)
    findings = tuple(f for f in findings if not own or f.clause in ("gradient", "precision", "vacuous", "kinks"))
    if findings:
        return Ruling("fail", findings=findings)
    if not report.findings and report.verdict == "inconclusive":
        return Ruling("inconclusive")
    return Ruling("pass")
