"""The cases themselves: their names, their number, their form; and the parts of the verifier that tell them apart."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from benchmarks.corpus import SETS, TAXONOMY, Case, load
from benchmarks.corpus.book import Pair, normal
from benchmarks.corpus.outcome import layer_of, settings_of
from benchmarks.corpus.verify import judge

CASES = load()
FOLDER = Path(__file__).parents[2] / "benchmarks" / "corpus"


def named(name: str) -> Case:
    return next(case for case in CASES if case.name == name)


def test_names_are_unique_and_kebab_case() -> None:
    assert [name for name, count in Counter(c.name for c in CASES).items() if count > 1] == []
    assert [c.name for c in CASES if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", c.name)] == []


def test_every_word_is_of_the_taxonomy() -> None:
    assert {word for c in CASES for word in c.words} == set(TAXONOMY)


def test_sixty_six_real_bugs_each_with_a_right_twin_and_a_thread() -> None:
    real = {c.name: c for c in load(["real"])}
    wrong = [c for c in real.values() if c.bug]
    assert len(wrong) == 66
    assert len(real) == 2 * 66 + 7
    for case in wrong:
        twin = real[f"{case.name}-fixed"]
        assert (twin.bug, twin.origin) == (None, case.origin)
        assert re.fullmatch(r"[\w.-]+/[\w.-]+(#\d+|@[0-9a-f]{10})", case.origin), case.name


def test_number_of_cases_made() -> None:
    made = load(["made"])
    assert (len(made), sum(c.bug is not None for c in made)) == (157, 98)
    series = [c.name for c in made if c.name.startswith(("sharp-", "scale-"))]
    assert len(series) == 21


def test_new_cases_cover_every_word_and_have_right_twins() -> None:
    new = load(["new"])
    assert {c.bug for c in new if c.bug} >= set(TAXONOMY)
    assert sum(c.bug is None for c in new) > 200
    assert sum(c.bug is not None for c in new) > 200


@pytest.mark.parametrize("group", SETS)
def test_every_case_has_a_note(group: str) -> None:
    assert [c.name for c in load([group]) if not c.note and c.origin != "textbook"] == []


def test_inputs_are_drawn_anew_from_the_generator_alone() -> None:
    for case in CASES:
        first, second = (case.inputs(np.random.default_rng(3)) for _ in range(2))
        assert all(np.array_equal(a, b) and a is not b for a, b in zip(first, second, strict=True)), case.name
        assert all(x.dtype.kind == "f" and np.isfinite(x).all() for x in first), case.name


def test_an_unknown_set_is_named() -> None:
    with pytest.raises(ValueError, match="no set of cases is called 'nonsense': the sets are real, made, new"):
        load(["nonsense"])


def test_words_of_domains_become_domains() -> None:
    from pytest_gradcheck import domain

    assert settings_of(named("symmetric-eigenvalues")) == {"domain": {"input0": domain.symmetric}}
    assert settings_of(named("float32-inside")) == {"precision": "float32"}


def test_a_surrogate_is_declared_as_one() -> None:
    case = named("surrogate-spike")
    assert type(layer_of(case)) is not type(case.make())
    assert type(layer_of(named("affine"))) is type(named("affine").make())


def verdict_of(bug: str | None, slope: float, power: int = 2) -> bool:
    """Whether the verifier agrees with `bug` about a layer x^power of which the gradient is slope * x."""
    make = lambda: Pair(lambda x: (x**power, x), lambda d, x: (slope * d * x,))  # noqa: E731
    return judge(Case("probe", "made", bug, make, normal(4))).ok


def test_the_verifier_sees_a_right_layer_declared_wrong_and_a_wrong_one_declared_right() -> None:
    assert verdict_of(None, 2.0)
    assert verdict_of("factor", 2.001)
    assert not verdict_of("factor", 2.0)
    assert not verdict_of(None, 2.001)


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("relu-of-difference-one-side", "gradient"),
        ("norm-at-origin-ones", "gradient"),
        ("stair-on-the-jump", "gradient"),
        ("cube-upstream-clipped-far", "not linear"),
        ("tanh-doubled-borrows", "read-only upstream"),
        ("mean-square-size-of-first-call", "second call"),
        ("cache-shared-by-all-instances", "another instance"),
        ("copy-loses-its-weights", "fresh copy"),
        ("dense-upstream-stride-zero", "repeated upstream"),
        ("float32-inside-undeclared", "float32 inside"),
        ("dense-decays-in-forward", "forward not repeatable"),
    ],
)
def test_the_verifier_provokes(name: str, how: str) -> None:
    judged = judge(named(name))
    assert judged.ok
    assert how in judged.how


def test_files_stay_readable() -> None:
    lengths = {p.relative_to(FOLDER).as_posix(): len(p.read_text().splitlines()) for p in FOLDER.rglob("*.py")}
    assert {name: n for name, n in lengths.items() if n > 500} == {}


@pytest.mark.slow
def test_the_verifier_agrees_with_every_case() -> None:
    assert [case.name for case in CASES if not judge(case).ok] == []
