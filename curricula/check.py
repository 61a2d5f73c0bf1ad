"""The conformance check of strategies: run it on yours before a school depends on it.

``check_strategy(lambda: MyStrategy(config, ["a", "b"]), ["a", "b"])`` drives a strategy through
simulated rounds, in which solvers improve and collapse, and raises :class:`Nonconformance` at the
first thing that the contract in :class:`curricula.base.Strategy` does not allow.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Sequence

import numpy as np

from culture.records import Attempt, Json, Problem
from culture.seeds import generator
from curricula.base import Candidate, Fresh, Mutate, Replay, Request, Strategy, compared, tally
from curricula.simulate import Simulation, wandering


class Nonconformance(AssertionError):
    """A strategy that breaks its contract; the message says where and what was expected."""


Known = dict[str, set[str]]
"""Ids of admitted problems by domain."""


def _require(holds: bool, where: str, message: str) -> None:
    if not holds:
        raise Nonconformance(f"{where}: {message}")


def _snapshot(strategy: Strategy, where: str) -> str:
    state: object = strategy.state_dict()
    _require(isinstance(state, dict), where, f"expected a dict from state_dict, got {type(state).__name__}")
    try:
        return json.dumps(state, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise Nonconformance(
            f"{where}: expected plain JSON values from state_dict, got {error}; "
            "write int(...) or float(...) for NumPy numbers and null for NaN"
        ) from error


def _restore(factory: Callable[[], Strategy], text: str, where: str) -> Strategy:
    restored = factory()
    state: Json = json.loads(text)
    restored.load_state_dict(state)
    again = _snapshot(restored, where)
    _require(
        again == text, where, "expected state_dict after load_state_dict to be what was loaded, got another"
    )
    return restored


def check_requests(requests: object, n: int, known: Known, where: str) -> list[Request]:
    """Requests of one call, held to the contract. Raises :class:`Nonconformance`."""
    if not isinstance(requests, list):
        raise Nonconformance(f"{where}: expected a list from request, got {type(requests).__name__}")
    _require(len(requests) == n, where, f"expected {n} requests, got {len(requests)}")
    replayed: set[str] = set()
    for r in requests:
        if not isinstance(r, Fresh | Mutate | Replay):
            raise Nonconformance(f"{where}: expected Fresh, Mutate or Replay, got {type(r).__name__}")
        _require(r.domain in known, where, f"expected a domain among {', '.join(known)}, got {r.domain!r}")
        if isinstance(r, Fresh):
            fine = r.target is None or (
                type(r.target) is float and math.isfinite(r.target) and r.target > 0
            )
            _require(fine, where, f"expected a finite float above 0 or None as target, got {r.target!r}")
        else:
            asked = r.parent_id if isinstance(r, Mutate) else r.problem_id
            _require(
                asked in known[r.domain], where,
                f"expected a problem of {r.domain!r} that was observed, got {asked!r}",
            )  # fmt: skip
        if isinstance(r, Replay):
            _require(
                r.problem_id not in replayed, where,
                f"expected each problem replayed once in one call, got {r.problem_id!r} twice",
            )  # fmt: skip
            replayed.add(r.problem_id)
    return requests


def check_values(
    strategy: Strategy, values: object, candidates: Sequence[Candidate], what: str, where: str
) -> None:
    """Scores or payments of one call: shape, type, and where they may be NaN."""
    if not isinstance(values, np.ndarray):
        raise Nonconformance(f"{where}: expected an array from {what}, got {type(values).__name__}")
    _require(
        values.shape == (len(candidates),) and values.dtype == np.float64, where,
        f"expected float64 of shape ({len(candidates)},) from {what}, got {values.dtype} of {values.shape}",
    )  # fmt: skip
    _require(not np.isinf(values).any(), where, f"expected finite numbers or NaN from {what}, got infinity")
    for c, value in zip(candidates, values, strict=True):
        _require(
            not (c.tried >= 2 and compared(strategy, c) and math.isnan(value)), where,
            f"expected a number from {what} after {c.tried} attempts on {c.problem_id!r}, got NaN",
        )  # fmt: skip


def _check_judgements(
    strategy: Strategy, candidates: list[Candidate], rng: np.random.Generator, where: str
) -> None:
    before = _snapshot(strategy, where)
    order = rng.permutation(len(candidates))
    for what, judge in (("score", strategy.score), ("pay", strategy.pay)):
        check_values(strategy, judge([]), [], what, where)
        values = judge(candidates)
        check_values(strategy, values, candidates, what, where)
        moved = judge([candidates[i] for i in order])
        _require(
            np.array_equal(moved, values[order], equal_nan=True), where,
            f"expected {what} of a candidate not to depend on the order of candidates, got another",
        )  # fmt: skip
        _require(
            _snapshot(strategy, where) == before, where, f"expected {what} to change no state, got a change"
        )


def _candidates(problems: Sequence[Problem], attempts: Sequence[Attempt]) -> list[Candidate]:
    """Candidates with all, one and none of their attempts: each case of what may be known."""
    first = list({a.problem_id: a for a in attempts}.values())
    return [*tally(problems, attempts), *tally(problems, first), *tally(problems, [])]


def check_strategy(
    factory: Callable[[], Strategy],
    domains: Collection[str],
    *,
    rounds: int = 12,
    n: int = 24,
    seed: int = 0,
) -> None:
    """Drive strategies from ``factory`` through ``rounds`` of ``n`` requests.

    ``factory`` makes a new strategy for ``domains`` each time it is called. Raises
    :class:`Nonconformance` for: wrong types or shapes; NaN where two attempts are known, and some of each
    side that is compared; requests for problems that were never observed; judgements that depend on order
    or change state; behaviour that differs between two strategies told the same, or between one and its
    copy through JSON; a state that later calls change.
    """
    names = sorted(domains)
    strategy, twin = factory(), factory()
    name: object = getattr(strategy, "name", None)
    _require(isinstance(name, str) and name != "", "class", f"expected a name, got {name!r}")
    _require(
        _snapshot(strategy, "new") == _snapshot(twin, "new"), "new", "expected equal states, got different"
    )
    simulation = Simulation(seed)
    known: Known = {d: set() for d in names}
    copies: list[Strategy] = []
    for round, ability in enumerate(wandering(seed, names, rounds)):
        where = f"round {round}"
        check_requests(strategy.request(0, generator(seed, "none", round)), 0, known, where)
        twin.request(0, generator(seed, "none", round))
        text = _snapshot(strategy, where)
        # A copy from every third round lives on, so that what a state leaves out has time to tell.
        if round % 3 == 1:
            copies.append(_restore(factory, text, where))
        copies = [*copies[-3:], _restore(factory, text, where)]
        requests = check_requests(strategy.request(n, generator(seed, "request", round)), n, known, where)
        for other, which in [
            (twin, "a strategy told the same"),
            *((c, "a copy through JSON") for c in copies),
        ]:
            _require(
                other.request(n, generator(seed, "request", round)) == requests, where,
                f"expected {which} to request the same, got other requests; draw from rng alone, "
                "iterate over nothing unordered, and put all that matters into state_dict",
            )  # fmt: skip
        problems, attempts = simulation.play(round, requests, ability)
        for p in problems:
            known[p.domain].add(p.problem_id)
        held: Json = strategy.state_dict()
        frozen = json.dumps(held)
        for s in (strategy, twin, *copies):
            s.observe(problems, attempts)
            s.observe([], [])
        _require(
            json.dumps(held) == frozen, where, "expected state_dict to be a copy, got a view that changed"
        )
        candidates = _candidates(problems, attempts)
        _check_judgements(strategy, candidates, generator(seed, "order", round), where)
        after = _snapshot(strategy, where)
        for other, which in [
            (twin, "a strategy told the same"),
            *((c, "a copy through JSON") for c in copies),
        ]:
            _require(
                _snapshot(other, where) == after,
                where,
                f"expected {which} to be in the same state, got another",
            )
            for what in ("score", "pay"):
                same = np.array_equal(
                    getattr(other, what)(candidates), getattr(strategy, what)(candidates), equal_nan=True
                )
                _require(same, where, f"expected {which} to give the same {what}, got another")
