"""``program``: small Python functions. What do they give, for which input do they give it, which is it?

The three kinds of problem are those of the Absolute Zero Reasoner (Zhao et al. 2025, arXiv 2505.03335): see
``arena.domains.program_problem`` for how one is written. Functions run in the sandbox and nowhere else, a
proposer's as well as a solver's, and values are compared as parsed literals outside it.

Any input that gives the output is right, and so is any function that gives all outputs, those that its
author was not shown among them.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np

from arena.domains import program_answers as answers
from arena.domains.base import Anchor, Domain, Executor, Rejected, Solution, register
from arena.domains.claims import Claim, Stated
from arena.domains.grade import terse_request
from arena.domains.program_anchors import CORE, cells, frozen
from arena.domains.program_answers import facts_of, read_answer, trace_lines
from arena.domains.program_edits import edited, tweaked
from arena.domains.program_execution import Call, calls, counted, depth, nodes, operations, reading
from arena.domains.program_language import (
    ALPHABET,
    read_compact,
    read_values,
    shown,
    written,
)
from arena.domains.program_pattern import pattern
from arena.domains.program_problem import (
    KINDS,
    LEAST_EXAMPLES,
    MOST_EXAMPLES,
    Kind,
    Problem,
    held_out,
    read,
)
from arena.domains.program_scripts import scripted
from culture.records import Form

_TRIES: Final = 64


@lru_cache(maxsize=8192)
def _read(spec: str) -> Problem:
    return read(spec)


@register
class Program(Domain):
    """Functions to follow, to turn round and to find. Difficulty is nodes read and steps executed."""

    name = "program"
    alphabet = "".join(sorted({*ALPHABET, *"?>"})) + "\n"
    core_cells = tuple(name for name, _, _ in cells(CORE))

    # -- proposing ---------------------------------------------------------------------------------
    def brief(self, form: Form, target: float | None, parent: str | None) -> str:
        """Terse: ``?h>`` (see ``arena.domains.grade``), ``?>`` or, for a variation, the parent and ``>``.

        ``parent`` wins over ``target``.
        """
        if form == "terse":
            return terse_request(target, parent)
        lines = [
            "Write one problem: its kind, a small Python function f, and calls of it. The kinds are",
            "- deduction: what does the call give?",
            "- abduction: for which input does f give what the call gives?",
            f"- induction: which function is it? Write {LEAST_EXAMPLES} to {MOST_EXAMPLES} calls.",
            "Use integers, strings and lists, loops and conditions, and no import. For example:",
            "deduction\ndef f(a):\n    return a + 3\nf(4)",
        ]
        if parent is not None:
            lines.append(
                f"Change this problem a little, to make a new one:\n{self.write(parent, 'natural')}"
            )
        elif target is not None:
            lines.append(
                f"Words of the function and steps of a call should be about {max(3, round(target))}."
            )
        lines.append("Answer with the problem only.")
        return "\n".join(lines)

    def pattern(self, form: Form, target: float | None) -> str:
        """A few statements on integers, strings or lists, as many as the target has room for."""
        return pattern(form, target)

    def parse(self, text: str) -> str:
        """The canonical problem, a draft where it states no outputs.

        Reasons: those of ``program_problem.read`` and ``program_language.read_plain``, and ``held_out``:
        one function in eight is kept for the anchors.
        """
        problem = read(text)
        if held_out(problem.function):
            raise Rejected("held_out", "expected another function, got one that is kept for anchors")
        return problem.spec()

    def is_draft(self, spec: str) -> bool:
        problem = _read(spec)
        return problem.kind != "deduction" and not problem.outputs

    def settle(self, drafts: Sequence[str], sandbox: Executor) -> list[str | Rejected]:
        """With the outputs that the function gives, whatever outputs a proposal states."""
        found: list[str | Rejected] = []
        for draft, made in zip(drafts, self._called(drafts, sandbox), strict=True):
            if isinstance(made, Rejected):
                found.append(made)
            else:
                problem = _read(draft)
                outputs = tuple(call.output for call in made)
                found.append(Problem(problem.kind, problem.function, problem.inputs, outputs).spec())
        return found

    def program(self, spec: str) -> str:
        problem = _read(spec)
        return counted(problem.function, problem.inputs)

    def solution(self, spec: str, value: object) -> Solution:
        raise TypeError(f"expected solve, which reads what the calls of {spec!r} gave")

    def solve(self, specs: Sequence[str], sandbox: Executor) -> list[Solution | Rejected]:
        """Deduction: the output, worked by what every assignment gave. Abduction: the input. Induction: the
        function, with the steps of a call on average."""
        found: list[Solution | Rejected] = []
        for spec, made in zip(specs, self._called(specs, sandbox), strict=True):
            found.append(made if isinstance(made, Rejected) else _solution(_read(spec), made))
        return found

    def _called(self, specs: Sequence[str], sandbox: Executor) -> list[list[Call] | Rejected]:
        found: list[list[Call] | Rejected] = []
        for spec, ran in zip(specs, sandbox.run_many([self.program(s) for s in specs]), strict=True):
            try:
                found.append(calls(ran, len(_read(spec).inputs)))
            except Rejected as rejected:
                found.append(rejected)
        return found

    def features(self, spec: str, solution: Solution) -> dict[str, float]:
        """``nodes``, ``depth``, ``reading`` and ``steps`` as ``program_execution`` counts them,
        ``operations`` in the text, ``length`` of the compact function, its ``loops`` and ``conditions``,
        characters of the ``input``, ``examples``, and 1 for its kind."""
        problem = _read(spec)
        body = problem.function.body
        walked = [node for statement in body for node in ast.walk(statement)]
        found = {
            "operations": float(
                sum(operations(s) for s in walked if isinstance(s, ast.stmt | ast.ListComp))
            ),
            "length": float(len(problem.function.compact())),
            "steps": float(solution.steps),
            "nodes": float(sum(map(nodes, body))),
            "depth": float(max(map(depth, body))),
            "reading": float(reading(body)),
            "loops": float(sum(isinstance(n, ast.For | ast.While | ast.ListComp) for n in walked)),
            "conditions": float(sum(isinstance(n, ast.If | ast.IfExp) for n in walked)),
            "input": float(len(written(problem.inputs[0]))),
            "examples": float(len(problem.inputs)),
        }
        return found | {kind: float(kind == problem.kind) for kind in KINDS}

    def difficulty(self, features: dict[str, float]) -> float:
        """Nodes of the syntax tree, each as often as it is nested, and steps of a call.

        How much harder it is to turn a function round, or to find it, only attempts show.
        """
        return features["reading"] + features["steps"]

    def write(self, spec: str, form: Form) -> str:
        return spec if form == "terse" else _read(spec).natural()

    def mutate(self, spec: str, rng: np.random.Generator) -> str:
        """Another input or kind in one case of three; else an edit of the syntax tree.

        Those that make work are as likely as all other edits together. What is not deduction is a draft.
        """
        problem = _read(spec)
        for _ in range(_TRIES):
            move = rng.random()
            if move < 0.2:
                found = _other_input(problem, rng)
            elif move < 0.33:
                found = _other_kind(problem, KINDS[int(rng.integers(len(KINDS)))], rng)
            else:
                function = edited(problem.function, problem.inputs[0], rng)
                found = Problem(problem.kind, function, problem.inputs)
            if found.spec() != Problem(
                problem.kind, problem.function, problem.inputs
            ).spec() and not held_out(found.function):
                return found.spec()
        return _other_input(problem, rng).spec()

    def sample(self, rng: np.random.Generator, target: float) -> str:
        """A scripted problem of any kind; a draft where it is not deduction."""
        kind = KINDS[int(rng.integers(len(KINDS)))]
        while True:
            problem = scripted(kind, rng, target)
            if not held_out(problem.function):
                return problem.spec()

    # -- solving -----------------------------------------------------------------------------------
    def pose(self, spec: str, form: Form) -> str:
        """Terse: ``D:return a+3|4=``, ``A:return a+3|?=7``, and for induction the first half of the
        examples and ``?``: ``I:1=2|5=10|?``."""
        problem = _read(spec)
        if self.is_draft(spec):
            raise ValueError(f"expected a settled spec, got the draft {spec!r}; call settle first")
        if form == "terse":
            return answers.terse_statement(problem)
        return answers.statement(problem)

    def key(self, spec: str, solution: Solution, form: Form) -> str:
        """Deduction: ``b=1;b=3;3`` with what every assignment gave, then the answer; else the answer."""
        if form == "terse":
            return ";".join(solution.worked)
        kind = _read(spec).kind
        if kind == "induction":
            return _read(spec).function.plain()
        answer = shown(read_values(solution.answer))
        return "\n".join([*trace_lines(solution.worked[:-1]), f"Answer: {answer}"])

    def read_answer(self, completion: str, form: Form) -> str | None:
        """Values or the body of a function, in compact form; None where neither can be read.

        Terse: the first line, what follows its last ``;`` where that is a value. Natural: the last
        ``Answer:`` line with a value, else the last function, else a value on the last line.
        """
        return read_answer(completion, form)

    def check(self, spec: str, answer_key: str, answer: str) -> bool:
        """For deduction alone; see :meth:`judge`."""
        return self.judge(spec, answer_key, answer, None)

    def judge(self, spec: str, answer_key: str, answer: str, sandbox: Executor | None) -> bool:
        """Deduction: whether the value is the same. Else by executing the function on the input, or the
        answer on all inputs."""
        problem = _read(spec)
        if problem.kind == "deduction":
            return answer == answer_key
        if sandbox is None:
            raise ValueError(f"expected a sandbox to judge {problem.kind} in, got None")
        inputs = problem.inputs
        try:
            if problem.kind == "abduction":
                function, given = problem.function, read_values(answer)
                inputs = (given,)
                if len(given) != function.parameters:
                    return False
            else:
                function = read_compact(answer, problem.function.parameters, use_all=False)
            (ran,) = sandbox.run_many([counted(function, inputs)])
            found = calls(ran, len(inputs))
        except Rejected:
            return False
        gave = [written((call.output,)) for call in found]
        return gave == [written((output,)) for output in problem.outputs]

    # -- culture -----------------------------------------------------------------------------------
    def example(self, spec: str, solution: Solution, form: Form) -> str:
        """What the function gives: with the working for deduction, for every input for induction."""
        problem = _read(spec)
        if problem.kind == "deduction":
            between = "" if form == "terse" else "\n"
            return f"{self.pose(spec, form)}{between}{self.key(spec, solution, form)}"
        if form == "terse":
            return spec
        if problem.kind == "abduction":
            return f"{self.pose(spec, form)}\n{self.key(spec, solution, form)}"
        return "\n".join([problem.function.plain(), *problem.facts()])

    def lesson(self, spec: str, solution: Solution, form: Form) -> str:
        """What the function gives for one input, without working."""
        problem = _read(spec)
        output = solution.answer if problem.kind == "deduction" else written(problem.outputs[:1])
        if form == "terse":
            return f"D:{problem.function.compact()}|{written(problem.inputs[0])}={output}"
        fact = f"f({shown(problem.inputs[0])}) == {shown(read_values(output))}"
        return f"{problem.function.plain()}\n{fact}"

    def about(self, spec: str, form: Form) -> str:
        return answers.terse_statement(_read(spec)) if form == "terse" else answers.statement(_read(spec))

    def claims(self, body: str, form: Form) -> Stated:
        """What functions give for inputs, in the words of :meth:`example` and :meth:`lesson`."""
        claims: list[Claim] = []
        facts, rest = facts_of(body, form)
        for function, values, output, worked in facts:
            spec = Problem("deduction", function, (values,)).spec()
            claims.append(Claim(spec, output, (*worked, output) if worked else ()))
        return Stated(tuple(claims), rest)

    # -- anchors -----------------------------------------------------------------------------------
    def anchors(self, per_cell: int) -> list[Anchor]:
        """``per_cell`` scripted problems in each cell ``{kind}-{difficulty}``, the 12 ``core_cells`` first,
        easiest first; those of 100 and 400 lie beyond a small model. Their functions are in no proposal.
        A smaller ``per_cell`` gives the first problems of a larger one."""
        return frozen(self, per_cell)


def _solution(problem: Problem, made: Sequence[Call]) -> Solution:
    steps = max(1, round(sum(call.steps for call in made) / len(made)))
    if problem.kind == "induction":
        body = problem.function.compact()
        return Solution(body, (body,), steps)
    if problem.kind == "abduction":
        values = written(problem.inputs[0])
        return Solution(values, (values,), steps)
    output = written((made[0].output,))
    return Solution(output, (*made[0].trace, output), steps)


def _other_input(problem: Problem, rng: np.random.Generator) -> Problem:
    inputs = list(problem.inputs)
    at = int(rng.integers(len(inputs)))
    known = {written(values) for values in inputs}
    values = list(inputs[at])
    while written(tuple(values)) in known:
        place = int(rng.integers(len(values)))
        values[place] = tweaked(values[place], rng)
    if problem.kind == "induction" and len(inputs) < MOST_EXAMPLES and rng.random() < 0.5:
        inputs.append(tuple(values))
    else:
        inputs[at] = tuple(values)
    return Problem(problem.kind, problem.function, tuple(inputs))


def _other_kind(problem: Problem, kind: Kind, rng: np.random.Generator) -> Problem:
    found = Problem("induction", problem.function, problem.inputs)
    if kind != "induction":
        return Problem(kind, problem.function, problem.inputs[:1])
    known = {written(values): values for values in problem.inputs}
    while len(known) < LEAST_EXAMPLES:
        values = list(problem.inputs[0])
        for _ in range(1 + int(rng.integers(3))):
            place = int(rng.integers(len(values)))
            values[place] = tweaked(values[place], rng)
        known.setdefault(written(tuple(values)), tuple(values))
    return Problem("induction", found.function, tuple(known.values()))
