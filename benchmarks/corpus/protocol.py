"""What a backward must keep besides being right: each clause provokes one way in which layers break it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from benchmarks.corpus.base import Array, Case
from benchmarks.corpus.reference import copies, gradients, steady

Clause = Callable[["Provoked"], str | None]

#: Breaches after which there is no gradient to compare.
NO_GRADIENT = ("count", "missing", "shape", "nonfinite", "output is no array", "backward raises")


class Provoked:
    """One case at its first draw: what it declares when treated well, to compare with what it declares otherwise."""

    def __init__(self, case: Case, draws: Sequence[tuple[Array, ...]], rng: np.random.Generator) -> None:
        self.case, self.draws, self.xs = case, draws, draws[0]
        steady()
        self.output = case.make().forward(*copies(self.xs))
        shape, dtype = np.shape(self.output), np.asarray(self.output).dtype
        self.upstream = np.asarray(rng.standard_normal(shape)).astype(dtype)
        self.declared: list[Any] = []

    def declares(self, upstream: Array) -> list[Any]:
        """What a fresh layer declares for an upstream at the first draw."""
        return copies(gradients(self.case, self.xs, upstream))


def same(a: Sequence[Any], b: Sequence[Any]) -> bool:
    """Whether two lists of gradients agree but for rounding; None agrees with anything."""
    if len(a) != len(b):
        return False
    pairs = [(p, q) for p, q in zip(a, b, strict=True) if p is not None and q is not None]
    return all(np.shape(p) == np.shape(q) and near(np.asarray(p), np.asarray(q)) for p, q in pairs)


def near(p: Array, q: Array) -> bool:
    # Float32 results may be summed in another order for another layout.
    fine = min(np.finfo(a.dtype).eps if a.dtype.kind == "f" else 0.0 for a in (p, q)) < 1e-10
    rtol = 1e-10 if fine else 1e-3 if p.dtype == np.float16 else 1e-5
    scale = float(np.abs(p[np.isfinite(p)]).max(initial=0)) if p.size else 0.0
    return bool(np.allclose(p, q, rtol=rtol, atol=1e-12 if fine else rtol * scale, equal_nan=True))


def used(layer: Any, xs: Sequence[Any], upstream: Array) -> list[Any]:
    """Forward on copies, backward on a copy: what a layer that may have been used before declares."""
    steady()
    layer.forward(*copies(xs))
    return copies(layer.backward(np.array(upstream)))


def form(p: Provoked) -> str | None:
    """One gradient per input, an array of its shape and dtype, finite."""
    if len(p.declared) != len(p.xs):
        return "count"
    for g, x in zip(p.declared, p.xs, strict=True):
        if g is None:
            continue
        if not isinstance(g, np.ndarray) and not np.isscalar(g):
            return "missing"
        if np.shape(g) != x.shape:
            return "shape"
        if np.asarray(g).dtype != x.dtype:
            return "dtype"
        if not np.isfinite(g).all():
            return "nonfinite"
    return None


def untouched(p: Provoked) -> str | None:
    """Inputs and upstream are as they were after forward and backward, read-only ones included."""
    mine, given, layer = copies(p.xs), p.upstream.copy(), p.case.make()
    steady()
    layer.forward(*mine)
    layer.backward(given)
    if not all(map(np.array_equal, mine, p.xs)):
        return "input changed"
    if not np.array_equal(given, p.upstream):
        return "upstream changed"
    return None


def read_only(p: Provoked) -> str | None:
    """A backward may not write into an upstream that cannot be written."""
    given = p.upstream.copy()
    given.setflags(write=False)
    try:
        return None if same(p.declares(given), p.declared) else "read-only upstream"
    except ValueError:
        return "read-only upstream"


def again(p: Provoked) -> str | None:
    """A second backward, and a second forward and backward, answer the same."""
    layer = p.case.make()
    states = generator_states(layer)
    first = used(layer, p.xs, p.upstream)
    try:
        if not same(copies(layer.backward(p.upstream.copy())), first):
            return "second backward"
    except Exception:
        pass  # a layer may free its cache after use, and say so
    restore(layer, states)
    steady()
    if not near(np.asarray(layer.forward(*copies(p.xs))), np.asarray(p.output)):
        return "forward not repeatable"
    return None


def other_calls(p: Provoked) -> str | None:
    """A layer that was used on other inputs, longer and shorter ones too, answers like a fresh one."""
    layer = p.case.make()
    states = generator_states(layer)
    used(layer, p.xs, p.upstream)
    for xs in [*p.draws[1:], *other_sizes(p.xs)]:
        try:
            fresh = p.case.make()
            steady()
            shape = np.shape(fresh.forward(*copies(xs)))
            upstream = np.asarray(np.random.default_rng(3).standard_normal(shape)).astype(p.upstream.dtype)
            alone = used(p.case.make(), xs, upstream)
        except Exception:  # a layer need not take other sizes
            continue
        restore(layer, states)
        try:
            if not same(used(layer, xs, upstream), alone):
                return "second call"
        except Exception:
            return "second call"
    restore(layer, states)
    return None if same(used(layer, p.xs, p.upstream), p.declared) else "second call"


def interleaved(p: Provoked) -> str | None:
    """Two layers used in turn do not see each other."""
    one, two = p.case.make(), p.case.make()
    steady()
    one.forward(*copies(p.xs))
    for xs in p.draws[1:2]:
        steady()
        two.forward(*copies(xs))
    return None if same(copies(one.backward(p.upstream.copy())), p.declared) else "another instance"


def fresh_copy(p: Provoked) -> str | None:
    """A deep copy taken before the first call answers the same."""
    try:
        layer = copy.deepcopy(p.case.make())
    except Exception:
        return None
    return None if same(used(layer, p.xs, p.upstream), p.declared) else "fresh copy"


def linear(p: Provoked) -> str | None:
    """Backward is linear in the upstream, zero for zero."""
    if not same(p.declares(np.zeros_like(p.upstream)), [0 * g for g in p.declared]):
        return "not zero for zero"
    other = np.asarray(np.random.default_rng(8).standard_normal(p.upstream.shape)).astype(p.upstream.dtype)
    mixed = p.declares(np.asarray(2 * p.upstream - 3 * other))
    wanted = [2 * a - 3 * b for a, b in zip(p.declared, p.declares(other), strict=True)]
    near_enough = all(
        np.allclose(a, b, rtol=1e-3, atol=1e-3 * np.abs(b).max(initial=1e-30))
        for a, b in zip(mixed, wanted, strict=True)
    )
    if not near_enough:
        return "not linear"
    for scale in (2.0**10, 2.0**-10):
        if not same(p.declares(np.asarray(p.upstream * p.upstream.dtype.type(scale))), [scale * g for g in p.declared]):
            return "not linear"
    return None


def layouts(p: Provoked) -> str | None:
    """Transposed, strided and repeated upstreams are read as what they hold."""
    if not p.upstream.ndim:
        return None
    padded = np.full((*p.upstream.shape[:-1], 2 * p.upstream.shape[-1]), np.pi, dtype=p.upstream.dtype)
    padded[..., ::2] = p.upstream
    for name, given in (("transposed", np.asfortranarray(p.upstream)), ("strided", padded[..., ::2])):
        try:
            fine = same(p.declares(given), p.declared)
        except Exception:
            fine = False
        if not fine:
            return f"{name} upstream"
    flat = np.broadcast_to(p.upstream.dtype.type(0.7), p.upstream.shape)
    if p.upstream.size and not same(p.declares(flat), p.declares(flat.copy())):
        return "repeated upstream"
    return None


def kept_output(p: Provoked) -> str | None:
    """The caller may overwrite the output it got."""
    layer = p.case.make()
    steady()
    output = layer.forward(*copies(p.xs))
    if isinstance(output, np.ndarray) and output.flags.writeable:
        output[...] = 0.123
    return None if same(copies(layer.backward(p.upstream.copy())), p.declared) else "output overwritten"


def coarse(p: Provoked) -> str | None:
    """A float64 layer moves for a relative 2^-36, unless it says that it computes in float32."""
    told = p.case.settings.keys() & {"precision", "domain", "accuracy"} or p.case.derivative_of
    if told or any(x.dtype != np.float64 for x in p.xs):
        return None
    moved = [outputs_at(p.case, [x * (1 + t) for x in p.xs]) for t in (2.0**-36, 1e-3)]
    output = np.asarray(p.output)
    single = np.array_equal(output, output.astype(np.float32).astype(np.float64), equal_nan=True)
    still = np.array_equal(moved[0], output, equal_nan=True) and not np.array_equal(moved[1], output, equal_nan=True)
    return "float32 inside" if single and still else None


CLAUSES: tuple[Clause, ...] = (
    untouched,
    read_only,
    again,
    other_calls,
    interleaved,
    fresh_copy,
    linear,
    layouts,
    kept_output,
    coarse,
)


def breach(case: Case, draws: Sequence[tuple[Array, ...]], rng: np.random.Generator) -> str | None:
    """The first clause that the case breaks, or None."""
    with np.errstate(all="ignore"):
        p = Provoked(case, draws, rng)
        if not isinstance(p.output, np.ndarray):
            return "output is no array"
        try:
            p.declared = list(gradients(case, p.xs, p.upstream.copy()))
        except Exception:
            return "backward raises"
        wrong_form = form(p)
        if wrong_form:
            return wrong_form
        # None says zero, and the comparison with the reference says whether zero is true.
        p.declared = [np.zeros_like(x) if g is None else np.array(g) for g, x in zip(p.declared, p.xs, strict=True)]
        return next((found for found in (clause(p) for clause in CLAUSES) if found), None)


def outputs_at(case: Case, xs: Sequence[Array]) -> Array:
    steady()
    return np.asarray(case.make().forward(*copies(xs)))


def other_sizes(xs: Sequence[Array]) -> Iterator[list[Array]]:
    """The inputs cut to half and doubled along their first axis."""
    yield [x[: max(1, len(x) // 2)] if x.ndim else x for x in xs]
    yield [np.concatenate([x, 0.5 * x]).astype(x.dtype) if x.ndim else x for x in xs]


def generators(layer: Any) -> list[Any]:
    """The random generators that a layer holds, one level of dicts down."""
    held = list(vars(layer).values()) if hasattr(layer, "__dict__") else []
    held += [v for d in held if isinstance(d, dict) for v in d.values()]
    return [v for v in held if isinstance(v, (np.random.Generator, np.random.RandomState))]


def generator_states(layer: Any) -> list[Any]:
    """Their states, as they are now."""
    return [copy.deepcopy(source_of(g).state) for g in generators(layer)]


def restore(layer: Any, states: list[Any]) -> None:
    """Put the states back."""
    # A layer may make further generators in its forward: those start anew by themselves.
    for generator, state in zip(generators(layer), states, strict=False):
        source_of(generator).state = copy.deepcopy(state)


def source_of(generator: Any) -> Any:
    """What holds the state of a Generator or of a RandomState."""
    return generator.bit_generator if isinstance(generator, np.random.Generator) else generator._bit_generator
