from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from curricula.ramp import LEAST, Outcome, edges, order, ramp

NEEDS = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"], "e": [], "f": ["c"]}
"""The truth of the simulation: ``e`` stands alone."""
TRUTH = {(before, after) for after, befores in NEEDS.items() for before in befores}


def learners(seed, n, *, problems=12, slip=0.05):
    """Each masters a skill with probability 0.7 where it has what that needs, and slips and guesses a
    little."""
    rng = np.random.default_rng(seed)
    found = []
    for learner in range(n):
        has: dict[str, bool] = {}
        for skill, needs in NEEDS.items():
            has[skill] = all(has[s] for s in needs) and rng.uniform() < 0.7
            p = 1 - slip if has[skill] else slip
            found.append(Outcome(f"l{learner}", skill, int(rng.binomial(problems, p)), problems))
    return found


def test_a_known_structure_is_found():
    graph = ramp(learners(0, 200))
    assert set(graph.edges) == TRUTH
    assert nx.is_directed_acyclic_graph(graph)
    found = order(graph)
    assert all(found.index(before) < found.index(after) for before, after in TRUTH)
    one = graph.edges["c", "f"]["edge"]
    assert one.without < 0.15 < 0.5 < one.with_
    assert one.low < one.ratio < one.high < 0.5 and one.q <= 0.05 and one.learners == 200
    assert {e.before for e in edges(graph)[:2]} == {"a"}
    assert graph.nodes["a"]["success"] > graph.nodes["d"]["success"]


def test_few_false_edges_and_no_cycle_over_many_samples():
    false = found = 0
    for seed in range(8):
        graph = ramp(learners(seed, 60))
        assert nx.is_directed_acyclic_graph(graph)
        closure = set(nx.transitive_closure(nx.DiGraph(list(TRUTH))).edges)
        false += len(set(graph.edges) - closure)
        found += len(set(graph.edges) & closure)
    assert found >= 20
    assert false <= 0.1 * found


def test_unrelated_skills_are_unrelated_however_hard_they_are():
    """Easy before hard is no order where who can do one is no more likely to do the other."""
    rng = np.random.default_rng(1)
    hard = {"easy": 0.9, "middle": 0.5, "hard": 0.1}
    rows = [
        Outcome(f"l{i}", skill, 12 * int(rng.uniform() < p), 12)
        for i in range(300)
        for skill, p in hard.items()
    ]
    graph = ramp(rows)
    assert not graph.edges
    assert order(graph) == ["easy", "middle", "hard"]


def test_equal_skills_have_no_order():
    """Whoever can do one can do the other: both ratios are small, and neither is smaller."""
    rows = []
    for i in range(100):
        for skill in ("one", "other"):
            rows.append(Outcome(f"l{i}", skill, 12 * (i % 2), 12))
    assert not ramp(rows).edges


def test_few_learners_say_nothing():
    rows = [
        Outcome(f"l{i}", skill, 12 * int(can), 12)
        for i in range(LEAST - 1)
        for skill, can in (("a", i > 1), ("b", i > 4))
    ]
    assert not ramp(rows).edges and set(ramp(rows).nodes) == {"a", "b"}
    # nor do many that never tried both
    rows = [Outcome(f"l{i}", "ab"[i % 2], 1, 1) for i in range(100)]
    assert not ramp(rows).edges
    assert len(ramp([])) == 0


def test_what_was_never_seen_is_not_certain():
    """Ten learners without a and none of them with b: the rule of three says up to 0.26, of P(b | a) =
    0.5."""
    counts = ((1, 1, 10), (1, 0, 10), (0, 0, 10))
    rows = [
        Outcome(f"{a}{b}{i}", skill, 40 * can, 40)
        for a, b, n in counts
        for i in range(n)
        for skill, can in (("a", a), ("b", b))
    ]
    (edge,) = edges(ramp(rows))
    assert (edge.before, edge.after) == ("a", "b")
    assert (edge.without, edge.with_) == (pytest.approx(0, abs=1e-6), pytest.approx(0.5))
    assert 0.25 < edge.high < 0.6 and edge.p > 1e-3


def test_a_middle_skill_takes_the_edge_over():
    """a before b before c: c presupposes a through b alone."""
    rng, rows = np.random.default_rng(2), []
    for i in range(150):
        steps = int(rng.integers(4))
        rows += [Outcome(f"l{i}", skill, 12 * (steps > at), 12) for at, skill in enumerate("abc")]
    assert set(ramp(rows).edges) == {("a", "b"), ("b", "c")}


def test_a_ratio_that_is_none_is_refused():
    with pytest.raises(ValueError, match="above 0 and at most 1, got far = 2"):
        ramp([], far=2)
