import itertools

import numpy as np
import pytest

from curricula import CurriculumConfig, Fresh, Mutate, Replay, make_strategy, registered
from curricula.check import Nonconformance, check_strategy
from curricula.learnability import Learnability
from tests.curricula.strategies import configured

DOMAINS = ["a", "b"]
CONFIG = CurriculumConfig.model_validate({"learnability": {"buffer_size": 30}})


VARIANTS = {
    "azr, code": ("azr", {"azr": {"variant": "code"}}),
    "triangle, quadratic": ("triangle", {"triangle": {"form": "quadratic"}}),
    "r_zero, BLEU": ("r_zero", {"r_zero": {"similarity": "bleu", "memory": 20}}),
    "population_regret, policies": ("population_regret", {"population_regret": {"by": "policy"}}),
    "poet, solvers": ("poet", {"poet": {"novelty": "solvers", "population": 12, "admitted": 4}}),
    "alp_gmm, small window": ("alp_gmm", {"alp_gmm": {"window": 20, "memory": 30}}),
    "bandit of regrets": ("bandit", {"bandit": {"strategies": ["hint_regret", "population_regret"]}}),
    "mixture of regrets": ("hint_regret", {"by_domain": {"b": "population_regret"}}),
    "bandit of many": (
        "bandit",
        {"bandit": {"strategies": ["azr", "irt_targeted", "ladder", "poet", "plr"]}},
    ),
    "mixture": ("plr", {"by_domain": {"b": "learning_progress"}}),
    "mixture with a bandit": ("ladder", {"by_domain": {"a": "bandit"}}),
    "small buffers": ("triangle", {"asking": {"buffer_size": 5}}),
    "no targets": ("accel", {"asking": {"targeted": False}}),
}


@pytest.mark.parametrize("name", registered())
def test_every_registered_strategy_conforms(name):
    config = configured(name)
    check_strategy(lambda: make_strategy(config, DOMAINS), DOMAINS)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_conforms(variant):
    name, sections = VARIANTS[variant]
    config = configured(name, **sections)
    check_strategy(lambda: make_strategy(config, DOMAINS), DOMAINS, seed=1, rounds=6, n=12)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 4))
@pytest.mark.parametrize("name", registered())
def test_every_registered_strategy_conforms_on_other_seeds(name, seed):
    config = configured(name)
    check_strategy(lambda: make_strategy(config, DOMAINS), DOMAINS, seed=seed, rounds=30)


def test_a_small_buffer_and_many_rounds_conform():
    check_strategy(lambda: Learnability(CONFIG, DOMAINS), DOMAINS, rounds=40, n=30)


class Nameless(Learnability):
    name = ""


class OneShort(Learnability):
    def request(self, n, rng):
        return super().request(n, rng)[1:]


class NotAList(Learnability):
    def request(self, n, rng):
        return tuple(super().request(n, rng))


class UnknownDomain(Learnability):
    def request(self, n, rng):
        return [Fresh("c", 3.0)] * n


class NoTarget(Learnability):
    def request(self, n, rng):
        return [Fresh("a", 0.0)] * n


class NumpyTarget(Learnability):
    def request(self, n, rng):
        return [Fresh("a", np.float64(3.0))] * n


class UnknownParent(Learnability):
    def request(self, n, rng):
        return [Mutate("a", "nobody")] * n


class OtherDomainsParent(Learnability):
    def request(self, n, rng):
        swap = {"a": "b", "b": "a"}
        return [
            Mutate(swap[r.domain], r.parent_id) if isinstance(r, Mutate) else r
            for r in super().request(n, rng)
        ]


class ReplaysTwice(Learnability):
    def request(self, n, rng):
        found = super().request(n, rng)
        again = [r for r in found if isinstance(r, Replay)][:1]
        return [*again, *found][:n]


class OwnNotion(Learnability):
    def request(self, n, rng):
        return ["something hard"] * n


class Impatient(Learnability):
    """Draws from a generator of its own that no seed fixes."""

    def request(self, n, rng):
        return super().request(n, np.random.default_rng())


CALLS = itertools.count()


class SharedClock(Learnability):
    """Depends on something that all instances share."""

    def request(self, n, rng):
        return [Fresh("a", 1.0 + next(CALLS)) for _ in range(n)]


class Forgetful(Learnability):
    """Keeps something that matters out of its state."""

    def __init__(self, config, domains):
        super().__init__(config, domains)
        self.rounds = 0

    def observe(self, problems, attempts):
        super().observe(problems, attempts)
        self.rounds += 1

    def request(self, n, rng):
        return [Fresh("a", 1.0 + self.rounds)] * n


class Lossy(Learnability):
    """Loads less than it saves."""

    def load_state_dict(self, state):
        super().load_state_dict(state)
        self._now = None


class NotJson(Learnability):
    def state_dict(self):
        return {**super().state_dict(), "count": np.int64(3)}


class NanState(Learnability):
    def state_dict(self):
        return {**super().state_dict(), "mean": float("nan")}


class View(Learnability):
    def __init__(self, config, domains):
        super().__init__(config, domains)
        self.log = []

    def observe(self, problems, attempts):
        super().observe(problems, attempts)
        self.log.append(len(attempts))

    def state_dict(self):
        return {**super().state_dict(), "log": self.log}

    def load_state_dict(self, state):
        super().load_state_dict(state)
        self.log = list(state["log"])


class Unsure(Learnability):
    def score(self, candidates):
        return np.full(len(candidates), np.nan)


class Unpaid(Learnability):
    def pay(self, candidates):
        return np.full(len(candidates), np.nan)


class Infinite(Learnability):
    def pay(self, candidates):
        return np.full(len(candidates), np.inf)


class WrongShape(Learnability):
    def score(self, candidates):
        return super().score(candidates)[:, None]


class WrongType(Learnability):
    def score(self, candidates):
        return super().score(candidates).astype(np.float32)


class ScoresAsList(Learnability):
    def score(self, candidates):
        return [0.0] * len(candidates)


class FirstComeFirstServed(Learnability):
    def pay(self, candidates):
        return np.arange(float(len(candidates)))


class ScoringTeaches(Learnability):
    def score(self, candidates):
        self._now = (self._now or 0) + 1
        return super().score(candidates)


class HiddenPay(Learnability):
    """Pays by something that a copy does not know."""

    def __init__(self, config, domains):
        super().__init__(config, domains)
        self.rounds = 0

    def observe(self, problems, attempts):
        super().observe(problems, attempts)
        self.rounds += 1

    def pay(self, candidates):
        return np.full(len(candidates), float(self.rounds))


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (Nameless, "expected a name"),
        (OneShort, "expected 24 requests, got 23"),
        (NotAList, "expected a list from request, got tuple"),
        (UnknownDomain, "expected a domain among a, b, got 'c'"),
        (NoTarget, "expected a finite float above 0 or None as target, got 0.0"),
        (NumpyTarget, "expected a finite float above 0 or None as target"),
        (UnknownParent, "expected a problem of 'a' that was observed, got 'nobody'"),
        (OtherDomainsParent, "that was observed"),
        (ReplaysTwice, "expected each problem replayed once"),
        (OwnNotion, "expected Fresh, Mutate or Replay, got str"),
        (Impatient, "expected a strategy told the same to request the same"),
        (SharedClock, "expected a strategy told the same to request the same"),
        (Forgetful, "expected a copy through JSON to request the same"),
        (Lossy, "expected state_dict after load_state_dict to be what was loaded"),
        (NotJson, "expected plain JSON values from state_dict"),
        (NanState, "expected plain JSON values from state_dict"),
        (View, "expected state_dict to be a copy"),
        (Unsure, "expected a number from score after 4 attempts"),
        (Unpaid, "expected a number from pay after 4 attempts"),
        (Infinite, "expected finite numbers or NaN from pay"),
        (WrongShape, "from score, got float64 of"),
        (WrongType, "from score, got float32 of"),
        (ScoresAsList, "expected an array from score, got list"),
        (FirstComeFirstServed, "expected pay of a candidate not to depend on the order"),
        (ScoringTeaches, "expected score to change no state"),
        (HiddenPay, "expected a copy through JSON to give the same pay"),
    ],
)
def test_broken_strategies_are_caught(broken, message):
    with pytest.raises(Nonconformance, match=message):
        check_strategy(lambda: broken(CONFIG, DOMAINS), DOMAINS)
