"""Long work: progress where somebody looks, an interrupt that tells what was found, budgets, the slowest checks."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import check
from pytest_gradcheck.pytesting import progress
from pytest_gradcheck.pytesting.progress import Line, Terminal, terminal_of, text_of
from pytest_gradcheck.pytesting.session_budget import NOTHING, SessionBudget
from pytest_gradcheck.settings import Settings

from .conftest import HEADER, Run
from .test_summary import section

# ---------------------------------------------------------------- progress


class Screen:
    def __init__(self) -> None:
        self.written: list[str] = []

    def ensure_newline(self) -> None:
        self.written.append("\n")

    def rewrite(self, line: str, **markup: bool) -> None:
        self.written.append(line if markup == {"erase": True} else "\r")

    def write_fspath_result(self, nodeid: str, res: str) -> None:
        self.written.append(nodeid)


def a_check(done: int, covered: int, expected: int) -> Any:
    sitting = SimpleNamespace(progress=lambda: (covered, expected)) if expected else None
    arguments = [SimpleNamespace(value=np.zeros((40, 50))), SimpleNamespace(value=np.zeros(50))]
    target = SimpleNamespace(name="Affine", arguments=arguments)
    meter = SimpleNamespace(forward_evaluations=done)
    return SimpleNamespace(target=target, meter=meter, sitting=sitting, began=time.perf_counter())


@pytest.mark.parametrize(
    ("done", "covered", "expected", "line"),
    [
        (1, 0, 0, "Affine: 0 of 2,050 entries, 1 evaluations, 6 s"),
        (20, 0, 56, "Affine: 0 of 2,050 entries, 20 of about 56 evaluations, 11 s left"),
        (1025, 512, 4100, "Affine: 512 of 2,050 entries, 1,025 of about 4,100 evaluations, 18 s left"),
        (90, 50, 56, "Affine: 50 of 2,050 entries, 90 evaluations, 6 s: a closer look at what does not agree"),
    ],
)
def test_the_line(done: int, covered: int, expected: int, line: str) -> None:
    assert text_of(a_check(done, covered, expected), 6.0) == line


def test_the_line_is_written_late_and_seldom_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(progress, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    screen = Screen()
    line = Line(Terminal(screen, None, verbose=False), a_check(10, 0, 44), "t")
    for now in (0.1, 1.9):
        clock[0] = now
        line()
    line.erase()
    assert screen.written == []
    for now in (2.1, 2.2, 2.3, 2.7):
        clock[0] = now
        line()
    line.erase()
    assert [text if len(text) < 2 else "..." for text in screen.written] == ["\n", "...", "...", "", "\r", "t"]


def a_config(**changes: Any) -> Any:
    told: dict[str, Any] = {"isatty": True, "dist": "no", "verbosity": 0, "worker": False, **changes}
    reporter = SimpleNamespace(isatty=told["isatty"])
    plugins = {"terminalreporter": reporter}
    config = SimpleNamespace(
        stash=pytest.Stash(),
        pluginmanager=SimpleNamespace(get_plugin=plugins.get),
        getoption=lambda name, default: told["dist"],
        get_verbosity=lambda: told["verbosity"],
    )
    if told["worker"]:
        config.workerinput = {}
    return config


@pytest.mark.parametrize(
    ("changes", "environ", "shown"),
    [
        ({}, {}, True),
        ({"isatty": False}, {}, False),
        ({"dist": "load"}, {}, False),
        ({"worker": True}, {}, False),
        ({"verbosity": -1}, {}, False),
        ({}, {"CI": "true"}, False),
        ({}, {"BUILD_NUMBER": "3"}, False),
    ],
)
def test_it_is_shown_where_somebody_looks(changes: dict[str, Any], environ: dict[str, str], shown: bool) -> None:
    assert (terminal_of(a_config(**changes), environ) is not None) is shown


def test_every_way_of_measuring_says_how_far_it_is() -> None:
    from pytest_gradcheck.checking import Check
    from pytest_gradcheck.observer import watching

    class Watcher:
        seen: tuple[tuple[int, int], int]

        def adapted(self, target: Any) -> None:
            pass

        def begun(self, check: Check) -> None:
            check.meter.watch = lambda: None

        def told(self, check: Check, report: Any) -> None:
            assert check.sitting is not None
            self.seen = check.sitting.progress(), report.forward_evaluations

    square = (lambda x: (x**2, x), lambda u, x: 2 * u * x)
    for method, entries in (("probes", 300), ("every-entry", 300)):
        watcher = Watcher()
        with watching(watcher):
            assert check(square, np.linspace(1, 2, entries), method=method).passed
        (covered, expected), done = watcher.seen
        assert covered == entries
        assert done <= expected <= done + 20


SLOW = """
import time
class Slow(Square):
    def forward(self, x):
        time.sleep(0.08)
        return super().forward(x)
def test_it(gradcheck):
    gradcheck(Slow(), X)
"""


@pytest.mark.slow
def test_on_a_real_terminal(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=HEADER + SLOW)
    leader, follower = pty.openpty()
    environ = {k: v for k, v in os.environ.items() if k not in ("CI", "BUILD_NUMBER", "PYTEST_ADDOPTS")}
    command = [sys.executable, "-m", "pytest", "-p", "gradcheck", "test_it.py"]
    with subprocess.Popen(command, stdout=follower, stderr=follower, stdin=follower, env=environ) as process:
        os.close(follower)
        text = b""
        while process.poll() is None or select.select([leader], [], [], 0.2)[0]:
            if select.select([leader], [], [], 0.2)[0]:
                try:
                    text += os.read(leader, 1 << 16)
                except OSError:
                    break
    os.close(leader)
    assert process.returncode == 0
    shown = re.findall(r"\rSlow: 0 of 6 entries, (\d+) of about 44 evaluations, (\d+) s left", text.decode())
    assert shown and int(shown[0][0]) >= 20
    last = text.decode().rsplit("s left", 1)[1]
    assert re.match(r" *\r +\r\r\ntest_it.py \. ", last)


def test_nothing_is_shown_in_a_pipe(run: Run) -> None:
    assert " of about " not in str(run("def test_it(gradcheck):\n    gradcheck(Square(), X)\n").stdout)


# ---------------------------------------------------------------- an interrupt

STOPPED = """
class Stopped(Square):
    '''Ctrl-C is pressed while its forward runs for the n-th time.'''
    n, calls = {n}, 0
    def forward(self, x):
        type(self).calls += 1
        if type(self).calls == self.n:
            raise KeyboardInterrupt
        return super().forward(x)

def test_before(gradcheck):
    gradcheck(Square(), X)

def test_stopped(gradcheck):
    gradcheck(Stopped(), X)

def test_after(gradcheck):
    gradcheck(Square(), X)
"""


@pytest.mark.parametrize("n", [1, 4, 20, 38])
def test_an_interrupted_run_tells_what_it_had(run: Run, pytester: pytest.Pytester, n: int) -> None:
    # In a process of its own: in this one pytest's own tester would pass the interrupt on.
    result = run(STOPPED.replace("{n}", str(n)), "-v", "--gradcheck-json=checks.json", fresh=True)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    lines = section(result)
    assert re.match(r"test_it.py::test_before Square +pass ", lines[0])
    assert re.match(r"test_it.py::test_stopped Stopped +inconclusive ", lines[1])
    checks = json.loads((pytester.path / "checks.json").read_text())["checks"]
    assert [check["verdict"] for check in checks] == ["pass", "inconclusive"]
    assert checks[1]["report"]["notes"][0] == "interrupted: this is what was found until then"
    assert checks[1]["forward_evaluations"] == n
    # pytest itself prints what an interrupt carries.
    result.stdout.fnmatch_lines(
        [
            "*KeyboardInterrupt",
            "Stopped: no verdict: *",
            "  note: interrupted: this is what was found until then",
            '  repeat: pytest "test_it.py::test_stopped" --gradcheck-seed=*',
        ]
    )


class Interrupted:
    """Wrong in one entry; Ctrl-C comes when it is called for the n-th time."""

    def __init__(self, n: int) -> None:
        self.n, self.calls = n, 0

    def forward(self, x: Any) -> Any:
        self.calls += 1
        if self.calls == self.n:
            raise KeyboardInterrupt
        self.x = x
        np.random.random()
        return x**2

    def backward(self, upstream: Any) -> Any:
        gradient = 2 * self.x * upstream
        gradient[3] *= 2
        return gradient


@pytest.mark.parametrize("n", [2, 9, 40, 60])
def test_an_interrupt_carries_the_partial_report_and_loses_nothing(n: int) -> None:
    x, before = np.linspace(1, 2, 6), str(np.random.get_state())
    with pytest.raises(KeyboardInterrupt) as caught:
        check(Interrupted(n), x)
    report = vars(caught.value)["report"]
    assert report.forward_evaluations == n
    assert report.verdict in ("fail", "inconclusive")
    assert caught.value.__notes__ == [str(report)]
    assert np.array_equal(x, np.linspace(1, 2, 6))
    assert str(np.random.get_state()) == before


def test_what_was_found_wrong_before_the_interrupt_is_told() -> None:
    last = Interrupted(10**9)
    assert check(last, np.linspace(1, 2, 6)).verdict == "fail"
    with pytest.raises(KeyboardInterrupt) as caught:
        check(Interrupted(last.calls), np.linspace(1, 2, 6))
    report = vars(caught.value)["report"]
    assert report.verdict == "fail"
    assert report.findings[0].indices == ((3,),)


# ---------------------------------------------------------------- budgets and durations

TWO = """
def test_one(gradcheck):
    gradcheck(Square(), X)
def test_other(gradcheck):
    gradcheck(Square(), X)
"""


def test_a_check_gets_what_is_left_of_the_session() -> None:
    budget = SessionBudget(10.0)
    assert budget.limited(Settings()).max_seconds == 10.0
    budget.spent = 9.5
    assert budget.limited(Settings()).max_seconds == 0.5
    assert budget.limited(Settings(max_seconds=0.25)).max_seconds == 0.25
    budget.spent = 11.0
    assert budget.limited(Settings(max_seconds=0.25)).max_seconds == NOTHING


def test_the_seconds_of_a_session_end_its_checks(run: Run) -> None:
    result = run(TWO, "-v", "--gradcheck-session-seconds=1e-9")
    result.assert_outcomes(failed=2)
    lines = section(result)
    assert all(re.search(" Square +inconclusive .* 0 forwards, ", line) for line in lines[:2])
    result.stdout.fnmatch_lines(["the 1e-09 s of --gradcheck-session-seconds are spent: the rest is inconclusive"])
    run(TWO, "--gradcheck-session-seconds=600").assert_outcomes(passed=2)


def test_what_checks_take_is_counted(run: Run) -> None:
    result = run(
        TWO + "def test_z(request):\n"
        "    from pytest_gradcheck.pytesting.session_budget import BUDGET\n"
        "    print('spent', request.config.stash[BUDGET].spent > 0)\n",
        "-rP",
        "--gradcheck-session-seconds=600",
    )
    result.stdout.fnmatch_lines(["spent True"])


def test_the_seconds_of_a_session_hold_for_suites_too(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\ngradcheck_session_seconds = 1e-6\n")
    result = run(
        "from pytest_gradcheck import parametrize_layers\n"
        "@parametrize_layers([(Square(), X)])\ndef test_layer(gradcheck_case):\n    gradcheck_case()\n"
    )
    assert result.parseoutcomes().get("passed", 0) == 0


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("--gradcheck-session-seconds=soon", "--gradcheck-session-seconds is 'soon': give a number of seconds"),
        ("--gradcheck-session-seconds=0", "--gradcheck-session-seconds is 0.0: give a number larger than zero"),
        ("--gradcheck-durations=-1", "--gradcheck-durations is '-1': give a whole number, 0 for all checks"),
    ],
)
def test_a_wrong_option_is_one_line(run: Run, option: str, sentence: str) -> None:
    result = run("def test_it():\n    pass\n", option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert [line for line in result.stderr.lines if line.strip()] == [f"ERROR: {sentence}"]


NAMED = """
import time
def made(seconds):
    class Slow(Square):
        def forward(self, x):
            time.sleep(seconds)
            return super().forward(x)
    return Slow()
def test_fast(gradcheck):
    gradcheck(made(0), X)
def test_slow(gradcheck):
    gradcheck(made(0.01), X)
    gradcheck(made(0.003), X)
"""


@pytest.mark.parametrize(("n", "shown"), [(1, 1), (2, 2), (0, 3)])
def test_the_slowest_checks_are_listed(run: Run, n: int, shown: int) -> None:
    lines = run(NAMED, f"--gradcheck-durations={n}").stdout.lines
    start = next(i for i, line in enumerate(lines) if re.fullmatch(r"=+ slowest \d gradient checks? =+", line))
    names = ["test_it.py::test_slow Slow", "test_it.py::test_slow #2 Slow", "test_it.py::test_fast Slow"]
    found = lines[start + 1 : start + 1 + shown]
    assert [line.split("  ")[-1] for line in found] == names[:shown]
    assert all(re.match(r" *[\d.]+ m?s +\d+ forwards  ", line) for line in found)


def test_nothing_is_listed_where_nothing_was_checked(run: Run) -> None:
    assert "slowest" not in str(run("def test_it():\n    pass\n", "--gradcheck-durations=3").stdout)
