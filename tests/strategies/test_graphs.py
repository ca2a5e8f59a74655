"""The engine's own proof, on random graphs; and the strategy that makes them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pytest_gradcheck import engine
from pytest_gradcheck.engine import OPERATIONS, Graph, Node, gradient, jacobian
from pytest_gradcheck.errors import InvalidInput
from pytest_gradcheck.strategies import GraphExample, graphs

PROOF = settings(
    max_examples=150, database=None, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck)
)


def numeric(graph: Graph, inputs: tuple[Any, ...], upstream: Any, which: int) -> tuple[Any, Any]:
    """Central differences extrapolated once, entry by entry, and an error bar: their distance plus the rounding."""
    value, bar = np.zeros(inputs[which].shape), np.zeros(inputs[which].shape)
    for index in np.ndindex(inputs[which].shape):

        def difference(h: float, index: tuple[int, ...] = index) -> Any:
            moved = [x.copy() for x in inputs]
            moved[which][index] += h
            up = graph.forward(*moved)
            moved[which][index] -= 2 * h
            return (upstream * (up - graph.forward(*moved))).sum() / (2 * h)

        coarse, fine = difference(2e-4), difference(1e-4)
        value[index] = (4 * fine - coarse) / 3
        size = np.abs(upstream * graph.forward(*inputs)).sum()
        bar[index] = abs(fine - coarse) + 1e-11 * (1 + size)
    return value, bar


def mismatch(example: GraphExample, seed: int = 3) -> float:
    """The largest difference between declared and numeric gradients over its bar."""
    graph, inputs = example
    output = graph.forward(*inputs)
    upstream = np.random.default_rng(seed).uniform(0.5, 1.5, output.shape)
    declared = graph.backward(upstream)
    worst = 0.0
    for which, gradient_ in enumerate(declared):
        value, bar = numeric(graph, inputs, upstream, which)
        worst = max(worst, float((np.abs(gradient_ - value) / bar).max(initial=0)))
    return worst


@PROOF
@given(graphs())
def test_gradients_equal_the_numeric_ones(example: Any) -> None:
    assert mismatch(example) <= 1, example


@pytest.mark.parametrize(("name", "argument"), [("multiply", "y"), ("tanh", "x"), ("index", "x"), ("divide", "y")])
def test_a_wrong_rule_in_random_graphs_does_not_equal_them(name: Any, argument: Any) -> None:
    right = OPERATIONS[name].rules[argument]
    assert right is not None
    wrong = OPERATIONS[name].with_rule(argument, lambda *a, **k: 1.01 * right(*a, **k))
    caught = []

    @settings(PROOF, phases=[Phase.generate])
    @given(graphs(operations={"add": OPERATIONS["add"], name: wrong}))
    def search(example: GraphExample) -> None:
        caught.append(mismatch(example) > 1)

    search()
    assert any(caught)


@PROOF
@given(graphs())
def test_two_backward_passes_agree(example: Any) -> None:
    graph, inputs = example
    upstream = np.ones_like(graph.forward(*inputs))
    first, second = graph.backward(upstream), graph.backward(upstream)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    third = Graph(graph.output).run().backward(upstream)
    assert all(np.array_equal(third[node], a) for node, a in zip(graph.inputs, first, strict=True))


@PROOF
@given(graphs(), st.data())
def test_the_chain_rule_holds_for_jacobians(example: Any, data: Any) -> None:
    # Cut at all nodes of one moment: the Jacobian of the whole is the sum, over those nodes, of both parts' product.
    graph, _ = example
    x = data.draw(st.sampled_from(graph.inputs))
    operations = [n for n in graph.nodes if n.operation is not None and n.dtype.kind == "f"]
    place = data.draw(st.integers(0, len(operations) - 1))
    early = set(graph.inputs) | set(operations[:place])
    frontier = [n for n in dict.fromkeys(o for late in operations[place:] for o in late.operands) if n in early]
    deciders = [n for n in graph.nodes if n.dtype.kind == "b"]
    frontier += [n for n in dict.fromkeys(o for d in deciders for o in d.operands) if n in early and n not in frontier]
    late = Graph(graph.output, frontier).run()
    total = np.zeros((graph.output.size, x.size))
    for row in range(graph.output.size):
        unit = np.zeros(graph.output.shape)
        unit.flat[row] = 1
        found = late.backward(unit)
        for node in frontier:
            total[row] += found[node].ravel() @ (jacobian(node, x) if node is not x else np.eye(x.size))
    assert np.allclose(total, jacobian(graph.output, x), rtol=1e-10, atol=1e-10)


@PROOF
@given(graphs(), st.randoms(use_true_random=False))
def test_the_order_of_independent_nodes_changes_nothing(example: Any, random: Any) -> None:
    graph, _ = example
    upstream = np.linspace(0.5, 1.5, graph.output.size).reshape(graph.output.shape)
    ready = [n for n in graph.nodes if n.operation is None]
    twin: dict[Node, Node] = {
        n: engine.constant(n.value) if n.is_constant else engine.source(n.value, n.name) for n in ready
    }
    waiting = [n for n in graph.nodes if n.operation is not None]
    while waiting:
        # Any node whose operands exist may be built next.
        node = random.choice([n for n in waiting if all(o in twin for o in n.operands)])
        waiting.remove(node)
        twin[node] = node.operation(*(twin[o] for o in node.operands), **node.parameters)
    original = gradient(graph.output, list(graph.inputs), upstream)
    shuffled = gradient(twin[graph.output], [twin[n] for n in graph.inputs], upstream)
    for a, b in zip(original, shuffled, strict=True):
        assert np.allclose(a, b, rtol=1e-12, atol=1e-12 * np.abs(a).max(initial=1))


def test_every_operation_occurs_and_some_nodes_fan_out() -> None:
    seen: Counter[str] = Counter()
    deciders = ["greater", "greater_equal", "less", "less_equal"]
    fans: Counter[int] = Counter()
    sizes = []

    @settings(PROOF, max_examples=700, phases=[Phase.generate])
    @given(graphs())
    def look(example: GraphExample) -> None:
        nodes = example.graph.nodes
        seen.update({n.operation.name for n in nodes if n.operation is not None})
        uses = Counter(o for n in nodes for o in n.operands)
        fans[max(uses.values())] += 1
        sizes.append(sum(n.operation is not None for n in nodes))
        for value, node in zip(example.inputs, example.graph.inputs, strict=True):
            assert np.array_equal(value, node.value)

    look()

    @settings(PROOF, max_examples=300, phases=[Phase.generate])
    @given(graphs(operations=["where", "add", *deciders]))
    def look_at_decisions(example: GraphExample) -> None:
        seen.update({n.operation.name for n in example.graph.nodes if n.operation is not None})

    # Comparisons come with `where` alone, so that among all operations each of them is rare.
    look_at_decisions()
    assert set(seen) == set(OPERATIONS)
    assert max(fans) >= 4
    assert max(sizes) >= 6


def test_the_lines_of_an_example_rebuild_it() -> None:
    @settings(PROOF, max_examples=60)
    @given(graphs())
    def rebuild(example: GraphExample) -> None:
        names: dict[str, Any] = {**vars(engine), "np": np}
        exec(repr(example), names)
        last = repr(example).splitlines()[-1].split(" = ")[0]
        assert np.array_equal(names[last].value, example.graph.output.value)

    rebuild()


def test_operations_can_be_chosen_and_unknown_ones_are_refused() -> None:
    @settings(PROOF, max_examples=30)
    @given(graphs(operations=["add", "tanh"], max_operations=3))
    def look(example: GraphExample) -> None:
        kinds = {n.operation.name for n in example.graph.nodes if n.operation is not None}
        assert kinds <= {"add", "tanh"}

    look()
    with pytest.raises(InvalidInput, match="operations has 'conv', which the engine lacks"):
        graphs(operations=["conv"])
    with pytest.raises(InvalidInput, match="give a list of names"):
        graphs(operations="add")
