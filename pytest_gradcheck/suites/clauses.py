"""The clauses of a suite: which tests a layer has, named so that pytest can select each."""

from __future__ import annotations

from dataclasses import dataclass

from .cases import LayerCase
from .signatures import holds_parameters

#: The contract's clauses, those with a common first word together: "mutation" of inputs, parameters and upstream.
CONTRACT = (
    "count", "missing", "shape", "dtype", "device", "finite", "mutation", "repeatable", "second-backward",
    "backward-random", "layout", "read-only", "zero", "linear", "accumulation", "other-calls", "fresh-copy",
    "other-sizes", "batch-of-one", "empty-batch",
)  # fmt: skip

#: One gradient for all arguments, where forward's signature cannot be read.
ALL = "gradient"
#: The gradients of what the layer itself holds: their names are not known before it is made.
HELD = "gradient-parameters"
#: Whatever the other clauses do not say, so that the tests of a layer pass together only where its check does.
REST = "verdict"


@dataclass(frozen=True, slots=True, eq=False)
class ClauseTest:
    """One test of a suite.

    clause: its name, as in `known`. names: all arguments of the case that have a test of their own.
    problem: why there can be no such test.
    """

    case: LayerCase
    clause: str
    names: tuple[str, ...] = ()
    problem: str = ""

    @property
    def id(self) -> str:
        """As in the test's id: `Affine-gradient-W`."""
        return f"{self.case.name}-{self.clause}"


def tests_of(case: LayerCase) -> list[ClauseTest]:
    """The tests of one layer, in an order in which the gradients come first."""
    names = case.arguments()
    # A parameter that the layer holds gets a test of its own where a failure of it is known.
    known = [clause.removeprefix("gradient-") for clause in case.known if clause.startswith("gradient-")]
    mine = (*(names or ()), *(name for name in known if name not in (names or ()) and name != "parameters"))
    clauses = [f"gradient-{name}" for name in mine] if names is not None or mine else []
    clauses += [ALL] if names is None else [HELD] if holds_parameters(case.layer) else []
    clauses += [*CONTRACT, REST]
    strange = [clause for clause in case.known if clause not in clauses]
    return [ClauseTest(case, clause, mine) for clause in clauses] + [
        ClauseTest(case, clause, mine, _no_clause(case, clause, clauses)) for clause in strange
    ]


def _no_clause(case: LayerCase, clause: str, clauses: list[str]) -> str:
    return f"known of {case.name} names {clause!r}: its clauses are {', '.join(clauses)}"


def belongs(clause: str, family: str) -> bool:
    """Whether a clause of the contract is a suite's clause, or one of that family."""
    return clause == family or clause.startswith(f"{family}-")


def family_of(clause: str) -> str | None:
    """The suite's clause to which one of the contract belongs; None for what is not of the contract."""
    return next((family for family in CONTRACT if belongs(clause, family)), None)
