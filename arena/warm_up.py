"""What ``spark`` learns before the first round: trivial problems, what a proposal is, how to read a note.

A language model would know these from pre-training. ``spark`` is made from nothing, so the run teaches it
the bottom rung by scripted examples no harder than the easiest anchors, none of which is among them.
Proposals reach further, and come without answers.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from transformers import LlamaForCausalLM

from agents import spark
from agents.config import LearnerConfig, PolicyConfig, WarmUpConfig
from agents.learning.learner import train_rows
from agents.learning.trainee import Trainee, new_optimizer
from arena.config import MOST_ANCHORS
from arena.domains.base import Domain, Executor, Rejected, Solution
from culture.records import BatchRow, Form, Role
from culture.seeds import derive, generator

_POOL = 4000
"""Problems of each kind that are executed at a time."""
_PRACTICE = 0.9
"""Share of copying in the first rows that teach to solve, for a domain with pages."""
_PRACTICE_AFTER = 0.05
"""The same once it is learned."""
_LEARNED = 1.0
"""Mean loss at which it is, in nats a token; that of other rows is in it."""
_PRACTICE_UNTIL = 0.5
"""Share of the warm-up after which it ends however little was learned."""
_PRACTICE_LENGTH = (4, 60)
"""Characters that are copied, log-uniform: drawn uniformly, few of them are short, and whoever has learned
nothing yet learns from short ones."""
_MUTATIONS = 100
"""Tries at a mutation that is no anchor: of a small domain all can be."""


class _Problems:
    """Scripted problems of one domain up to ``warm_up.NAME_target``, with solutions, drawn by seed."""

    def __init__(
        self,
        domain: Domain,
        name: str,
        config: WarmUpConfig,
        sandbox: Executor,
        banned: set[str],
        form: Form,
        seed: int,
    ) -> None:
        top = float(getattr(config, f"{name}_target"))
        rng = generator(seed, "warm_up", domain.name, name)
        # Between uniform and log-uniform: every grade of difficulty is seen, the harder ones more often.
        drafts = [domain.sample(rng, top ** math.sqrt(rng.random())) for _ in range(_POOL)]
        specs = [s for s in domain.settle(drafts, sandbox) if isinstance(s, str)]
        solved = zip(specs, domain.solve(specs, sandbox), strict=True)
        self.items: list[tuple[str, Solution]] = []
        for spec, found in solved:
            if isinstance(found, Rejected) or spec in banned:
                continue
            if domain.difficulty(domain.features(spec, found)) > top:
                continue
            # Of problems of several steps those with a page are to be read, those without to be tried; and
            # what is proposed is what has to be found out, since a page is for practice.
            told = domain.pages and domain.readable_key(spec, domain.pose(spec, form), form) is not None
            if not domain.pages or told == (name == "read"):
                self.items.append((spec, found))
        if not self.items:
            raise ValueError(
                f"expected {domain.name} to have problems of difficulty {top:g} or less, got none; raise "
                f"warm_up.{name}_target"
            )
        self._rng = rng

    def draw(self) -> tuple[str, Solution]:
        return self.items[int(self._rng.integers(len(self.items)))]


class _Lessons:
    """Rows of one domain."""

    def __init__(
        self,
        domain: Domain,
        config: WarmUpConfig,
        roles: Collection[Role],
        form: Form,
        sandbox: Executor,
        seed: int,
    ) -> None:
        self.domain, self.config, self.form = domain, config, form
        # Without a key to teach, all start with knowing what to propose.
        proposing = config.propose_share if "proposer" in roles else 0.0
        solving = "solver" in roles and (domain.one_step or domain.pages or domain.plays)
        self.propose_share = proposing if solving else 1.0
        self.rng = generator(seed, "warm_up", domain.name)
        self.banned = {anchor.spec for anchor in domain.anchors(MOST_ANCHORS)}
        kinds = ["propose"] if self.propose_share > 0 else []
        if self.propose_share < 1:
            kinds += ["solve"] if domain.plays else ["read", "solve"]
        self.pools = {
            kind: _Problems(domain, kind, config, sandbox, self.banned, form, seed) for kind in kinds
        }

    def row(self, *, practice: bool) -> tuple[str, str, str]:
        """Role, prompt and completion of a row; with ``practice`` mostly copying, where pages are read."""
        if self.rng.random() < self.propose_share:
            return self._proposal()
        copies = self.domain.pages or self.domain.copies
        if copies and self.rng.random() < (_PRACTICE if practice else _PRACTICE_AFTER):
            return self._copying()
        if self.domain.plays:
            return self._playing()
        if not self.domain.one_step:
            return self._of_several_steps()
        if self.rng.random() < self.config.read_share:
            return self._reading()
        spec, solution = self.pools["solve"].draw()
        notes = [self._note(self.pools["read"].draw())] if self.rng.random() < 0.2 else []
        prompt = "\n".join([*notes, self.domain.pose(spec, self.form)])
        return "solver", prompt, self.domain.key(spec, solution, self.form)

    def _note(self, item: tuple[str, Solution]) -> str:
        return self.domain.example(*item, self.form)

    def _reading(self) -> tuple[str, str, str]:
        """A problem whose own worked example is among the notes, so that the answer can be read."""
        spec, solution = self.pools["read"].draw()
        notes = [self._note((spec, solution))]
        if self.rng.random() < 0.5:
            notes.insert(int(self.rng.integers(2)), self._note(self.pools["read"].draw()))
        prompt = "\n".join([*notes, self.domain.pose(spec, self.form)])
        return "solver", prompt, self.domain.key(spec, solution, self.form)

    def _copying(self) -> tuple[str, str, str]:
        """Letters and digits in random order, none of them twice, to be written once more.

        To look something up is to find where it stood and copy what followed, which a model learns late
        and all at once (induction heads: Olsson et al. 2022, arXiv 2209.11895). A row of a page asks for
        that a few times, such a row at every character.
        """
        letters = [c for c in self.domain.alphabet if c.isalnum()]
        low, high = _PRACTICE_LENGTH
        size = round(math.exp(self.rng.uniform(math.log(low), math.log(high))))
        few = self.rng.choice(letters, int(self.rng.integers(4, 32)), replace=False)
        text = "".join(self.rng.choice(few, size))
        return "solver", f"{text}\n", text

    def _playing(self) -> tuple[str, str, str]:
        """A turn of an episode in which everybody acts as a script that knows nothing."""
        domain, form = self.domain, self.form
        spec, _ = self.pools["solve"].draw()
        actions: list[str] = []
        shown = domain.pose(spec, form)
        while True:
            action = domain.trial(spec, actions, self.rng, form, shown) or ""
            turn = domain.turn(spec, "", [*actions, action], form)
            # every turn of an episode is as likely, long ones have more
            if turn.done or self.rng.random() < 1 / 3:
                return "solver", shown, action
            actions.append(action)
            shown = turn.observation

    def _of_several_steps(self) -> tuple[str, str, str]:
        """A page read, that of another problem above it now and then; notes read; or something tried."""
        domain, form = self.domain, self.form
        if self.rng.random() < self.config.read_share:
            spec, _ = self.pools["read"].draw()
            notes = [self._note(self.pools["read"].draw())] if self.rng.random() < 0.2 else []
            prompt = "\n".join([*notes, domain.pose(spec, form)])
            return "solver", prompt, domain.readable_key(spec, prompt, form) or ""
        spec, _ = self.pools["solve"].draw()
        notes = domain.sample_notes(spec, self.rng, form) if self.rng.random() < 0.7 else []
        actions: list[str] = []
        if self.rng.random() < 0.5:
            posed = "\n".join([*notes, domain.pose(spec, form)])
            actions.append(domain.trial(spec, [], self.rng, form, posed) or "")
        turn = domain.turn(spec, "", actions, form)
        observation, actions = (domain.pose(spec, form), []) if turn.done else (turn.observation, actions)
        prompt = "\n".join([*notes, observation])
        key = domain.readable_key(spec, prompt, form)
        return "solver", prompt, key or domain.trial(spec, actions, self.rng, form, prompt) or ""

    def _proposal(self) -> tuple[str, str, str]:
        spec, solution = self.pools["propose"].draw()
        if self.rng.random() >= 0.75:
            for _ in range(_MUTATIONS):
                child = self.domain.mutate(spec, self.rng)
                if child not in self.banned:
                    asked = self.domain.brief(self.form, None, spec)
                    return "proposer", asked, self.domain.write(child, self.form)
        target = self.domain.difficulty(self.domain.features(spec, solution))
        shown = target if self.rng.random() < 0.9 else None
        asked = self.domain.hindsight(self.form, shown, spec)
        return "proposer", asked, self.domain.write(spec, self.form)


def warm_up(
    policy: PolicyConfig,
    config: WarmUpConfig,
    learner: LearnerConfig,
    *,
    roles: Collection[Role],
    domains: Sequence[Domain],
    form: Form,
    sandbox: Executor,
    seed: int,
) -> LlamaForCausalLM:
    """A new ``spark`` that has been taught ``config.tokens`` tokens of scripted examples.

    ``roles`` are those that the policy plays: what only the other one needs is left out.
    """
    model = spark.new_model(
        derive(seed, "spark") % 2**32,
        layers=policy.layers,
        width=policy.width,
        heads=policy.heads,
        rope_theta=policy.rope_theta,
    )
    lessons = [_Lessons(domain, config, roles, form, sandbox, seed) for domain in domains]
    trainee = Trainee("warm_up", model, new_optimizer(model, learner), 0)
    trained, step = 0, 0
    practice = True
    while trained < config.tokens:
        rows = [_row(*lessons[i % len(lessons)].row(practice=practice), i) for i in range(2048)]
        rows.sort(key=lambda r: len(r.prompt) + len(r.token_ids))
        batches: list[list[BatchRow]] = []
        for row in rows:
            size = len(row.prompt) + len(row.token_ids)
            if not batches or (len(batches[-1]) + 1) * size > learner.micro_batch_tokens:
                batches.append([])
            batches[-1].append(row)
        losses: list[float] = []
        for i in lessons[0].rng.permutation(len(batches)):
            step += 1
            # linear warm-up over the first steps, then linear decay to a tenth
            share = min(1.0, trained / max(1, config.tokens))
            rate = config.learning_rate * min(1.0, step / 20) * (1 - 0.9 * share)
            outcome = train_rows(trainee, batches[i], learner, rate)
            trained += outcome.tokens
            losses.append(outcome.loss)
            if trained >= config.tokens:
                break
        learned = sum(losses) / len(losses) < _LEARNED
        practice = practice and not learned and trained < _PRACTICE_UNTIL * config.tokens
    return model


def _row(role: str, prompt: str, completion: str, index: int) -> BatchRow:
    return BatchRow(
        batch_id="warm_up",
        round=0,
        row=index,
        role=role,
        objective="answer_key",
        source_kind="problem",
        source_id="scripted",
        group_id="",
        prompt=prompt,
        completion=completion,
        token_ids=spark.encode(completion + spark.EOS),
        logprobs=[],
        weight=1.0,
        advantage=1.0,
    )
