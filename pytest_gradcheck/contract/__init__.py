"""The contract: what a backward must keep besides being right, as named clauses, each provoked in its own way.

`judge_first` looks at the first call, before any number is compared; `examine` calls the layer again. Each clause is
a small function in a table; it can be switched off by name with `skip={"name": "reason"}`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from pytest_gradcheck.calls import Unfinished
from pytest_gradcheck.errors import GradCheckError, InvalidInput, LayerError
from pytest_gradcheck.settings import Settings
from pytest_gradcheck.verdict import Clause, Finding

from . import between, repeats, returned, sizes, upstreams, written
from .compare import numbers
from .records import FirstCall, Outcome, Ruling, begin, broken, kept, skipped
from .scene import Scene, copies
from .written import settled

__all__ = ["CLAUSES", "FirstCall", "Outcome", "begin", "examine", "judge_first", "settled"]

#: Clauses on the first call: name, rule, and whether it is needed to compare numbers at all.
ON_FIRST: tuple[tuple[str, Callable[[FirstCall, Settings], Ruling], bool], ...] = (
    ("count", returned.count, True),
    ("missing", returned.missing, True),
    ("shape", returned.shape, True),
    ("dtype", returned.dtype, False),
    ("device", returned.device, False),
    ("finite", returned.finite, False),
    ("mutation-inputs", written.inputs, False),
    ("mutation-parameters", written.parameters, False),
    ("mutation-upstream", written.upstream, False),
)


def _own_clauses(scene: Scene) -> Ruling:
    target, first = scene.calls.target, scene.first
    if scene.redo or not scene.ready:
        scene.forward()
    scene.ready = False
    try:
        said = target.own_clauses(copies(first.upstream))
    except GradCheckError:
        raise
    except Exception as cause:
        raise LayerError(f"{target.name} raised {type(cause).__name__} ({cause}) when called once more") from cause
    wrong = [c for c in said if c.state == "broken"]
    if wrong:
        return broken(wrong[0].name, *(Finding("accumulate", c.detail, clause=c.name) for c in wrong))
    tried = [c for c in said if c.state == "kept"]
    if tried:
        return kept("; ".join(c.detail for c in tried))
    return skipped(said[0].detail if said else "gradients are returned, not held")


#: Clauses that call the layer again, in an order in which most follow one forward.
ON_FURTHER: tuple[tuple[str, Callable[[Scene], Ruling]], ...] = (
    ("repeatable", repeats.repeatable),
    ("second-backward", repeats.second_backward),
    ("backward-random", repeats.backward_random),
    ("layout-transposed", upstreams.transposed),
    ("layout-strided", upstreams.strided),
    ("layout-broadcast", upstreams.broadcast),
    ("read-only", upstreams.read_only),
    ("zero", upstreams.zero),
    ("linear", upstreams.linear),
    ("accumulation", _own_clauses),
    ("other-calls", between.other_calls),
    ("fresh-copy", between.fresh_copy),
    ("other-sizes", sizes.other_sizes),
    ("batch-of-one", sizes.batch_of_one),
    ("empty-batch", sizes.empty_batch),
)

#: Names of all clauses, as `skip=` takes them.
CLAUSES = (*(name for name, _, _ in ON_FIRST), *(name for name, _ in ON_FURTHER))


def judge_first(first: FirstCall, settings: Settings) -> Outcome:
    """What the first forward and backward break: number, None, shape, dtype, finiteness, arrays written into.

    Raises `InvalidInput` where `settings.skip` names no clause.
    """
    skip = _reasons(settings)
    record = _Record()
    for name, rule, needed in ON_FIRST:
        if settings.contract == "off" and not needed:
            record.add(name, skipped("contract is off"))
        elif name in skip:
            record.add(name, skipped(skip[name]))
        else:
            record.add(name, rule(first, settings))
    return record.outcome()


def examine(first: FirstCall, settings: Settings) -> Outcome:
    """What further calls show: repetition, the upstream's layout and linearity, calls in between.

    At most about twelve forward evaluations where the layer keeps the contract; none unless `settings.contract` is
    "full". Raises `Unfinished` where the budget ended before anything was found: such a check cannot pass.
    """
    if settings.contract != "full":
        return Outcome()
    skip = _reasons(settings)
    scene, record = Scene(first, settings), _Record()
    scene.hopeless = _no_numbers(first)
    # Who leaves this clause out says that each forward serves one backward.
    scene.redo = "second-backward" in skip
    for name, rule in ON_FURTHER:
        if name in skip:
            record.add(name, skipped(skip[name]))
            continue
        if scene.hopeless:
            record.add(name, skipped(scene.hopeless))
            continue
        try:
            record.add(name, rule(scene))
        except LayerError as error:
            scene.ready = False
            record.add(name, skipped(_short(error)))
        except Unfinished as spent:
            if not record.findings:
                raise
            return record.outcome(complete=False, note=f"the contract is not finished: {spent}")
    return record.outcome()


class _Record:
    """Collects rulings; of findings with the same cause and argument only the first is kept."""

    def __init__(self) -> None:
        self.findings: dict[tuple[str, str | None], Finding] = {}
        self.clauses: list[Clause] = []
        self.notes: list[str] = []

    def add(self, name: str, ruling: Ruling) -> None:
        self.clauses.append(_clause(name, ruling.state, ruling.detail))
        for finding in ruling.findings:
            self.findings.setdefault((finding.kind, finding.argument), finding)
        if ruling.note:
            self.notes.append(ruling.note)

    def outcome(self, complete: bool = True, note: str = "") -> Outcome:
        notes = (*self.notes, note) if note else tuple(self.notes)
        return Outcome(tuple(self.findings.values()), tuple(self.clauses), notes, complete)


#: What is said of the clauses is the same in most checks.
_clause = lru_cache(maxsize=256)(Clause)


def _no_numbers(first: FirstCall) -> str:
    """Which gradient is no array of numbers, so that no two of them can be compared; nothing where all are."""
    for name, gradient in zip(first.names, first.gradients, strict=False):
        if gradient is not None and numbers(gradient) is None:
            return f"the gradient of {name} is no array of numbers"
    return ""


def _reasons(settings: Settings) -> dict[str, str]:
    skip = dict(settings.skip or {})
    for name in skip:
        if name not in CLAUSES:
            raise InvalidInput(f"skip names {name!r}: the clauses are {', '.join(CLAUSES)}")
    return {name: f"left out: {reason}" for name, reason in skip.items()}


def _short(error: LayerError) -> str:
    if error.__cause__ is None:
        return " ".join(str(error).split())[:160]
    return f"the layer raised {type(error.__cause__).__name__}: {' '.join(str(error.__cause__).split())[:80]}"
