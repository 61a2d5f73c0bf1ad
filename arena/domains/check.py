"""``check_domain`` holds a domain to the contract of ``arena.domains.base``.

It is to domains what ``check_env`` is to Gymnasium environments. The test suite runs it over every
registered domain; call it on yours.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final, get_args

from arena.domains.base import Domain, Executor, Rejected, Solution
from arena.domains.claims import Claim
from culture.edits import Kind
from culture.records import Form
from culture.seeds import generator

FORMS: Final[tuple[Form, ...]] = get_args(Form)
TARGETS: Final = (1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 21.0, 34.0)
HOSTILE: Final = (
    "",
    " ",
    "\n",
    "\x00",
    "=" * 2000,
    "(" * 5000,
    "9" * 20000,
    "R" * 20000 + "1",
    "\n" * 3000,
    "Answer:",
    "Answer: Answer:\nAnswer",
    "\u0663\u0664\uff11\u212a\u017f=\u00b2",
    "\ud800",
    "__import__('os').system('true')",
    "'; drop table problems; --",
)
"""Texts that break careless parsers: empty, deep, long, quadratic, Unicode digits, injected code."""


def check_domain(domain: Domain, sandbox: Executor | None = None, trials: int = 6) -> None:
    """Raise AssertionError, with what was expected and what was got, where ``domain`` breaks the contract.

    ``sandbox`` executes the programs; without one a sandbox is opened for the check. ``trials`` is the
    number of problems tried at each target difficulty.
    """
    if sandbox is None:
        from arena.sandbox import Sandbox

        with Sandbox() as opened:
            check_domain(domain, opened, trials)
        return
    _check_attributes(domain)
    drafts = _check_sampling(domain, trials)
    drafts += _check_mutation(domain, drafts)
    specs = _check_settling(domain, drafts, sandbox)
    solved = _check_solving(domain, specs, sandbox)
    _check_identities(domain, [spec for spec, _ in solved])
    _check_briefs(domain, specs[0])
    _check_difficulty(domain, solved)
    _check_posing(domain, solved, sandbox)
    _check_culture(domain, solved)
    _check_claims(domain, solved, sandbox)
    _check_hostile(domain, specs[0])
    _check_anchors(domain, sandbox)


def _expect(holds: bool, expected: str, got: object) -> None:
    # Not an assert statement, which python -O leaves out.
    if not holds:
        raise AssertionError(f"expected {expected}, got {got!r}")


def _in_alphabet(domain: Domain, text: object, what: str, more: str = "") -> None:
    _expect(isinstance(text, str), f"{what} to be text", text)
    foreign = sorted(set(str(text)) - set(domain.alphabet + more))
    _expect(not foreign, f"only characters of the alphabet in {what}", f"{''.join(foreign)} in {text}")


def _check_attributes(domain: Domain) -> None:
    _expect(isinstance(domain.name, str) and domain.name != "", "a name", domain.name)
    _expect(
        len(set(domain.alphabet)) == len(domain.alphabet),
        "each character once in alphabet",
        domain.alphabet,
    )
    _expect(len(domain.stop) == 1, "one stop character", domain.stop)
    _expect(domain.stop in domain.alphabet, "the stop character in the alphabet", domain.alphabet)
    known = len(domain.forms) > 0 and set(domain.forms) <= set(FORMS)
    _expect(known, f"forms among {', '.join(FORMS)}", domain.forms)


def _parses(domain: Domain, text: str, what: str) -> str:
    try:
        return domain.parse(text)
    except Rejected as rejected:
        raise AssertionError(f"expected {what} to parse, got {rejected} from {text!r}") from rejected


def _check_sampling(domain: Domain, trials: int) -> list[str]:
    specs = []
    for target in TARGETS:
        for trial in range(trials):
            stream = ("check_domain", "sample", str(target), trial)
            spec = domain.sample(generator(0, *stream), target)
            again = domain.sample(generator(0, *stream), target)
            _expect(spec == again, f"sample to be a function of its generator ({spec!r})", again)
            _check_written(domain, spec)
            specs.append(spec)
    _expect(len(set(specs)) > len(specs) // 4, "sample to give different specs", sorted(set(specs)))
    return specs


def _check_mutation(domain: Domain, specs: Iterable[str]) -> list[str]:
    mutants = []
    for i, spec in enumerate(specs):
        mutant = domain.mutate(spec, generator(0, "check_domain", "mutate", i))
        again = domain.mutate(spec, generator(0, "check_domain", "mutate", i))
        _expect(mutant == again, f"mutate to be a function of its generator ({mutant!r})", again)
        _expect(mutant != spec, f"mutate({spec!r}) to be another problem", mutant)
        found = _parses(domain, domain.write(mutant, domain.forms[0]), f"mutate({spec!r})")
        _expect(found == mutant, f"mutate({spec!r}) in canonical form, {found!r}", mutant)
        mutants.append(mutant)
    return mutants


def _check_written(domain: Domain, spec: str) -> None:
    for form in domain.forms:
        written = domain.write(spec, form)
        found = _parses(domain, written, f"write({spec!r}, {form!r})")
        _expect(found == spec, f"parse(write(spec, {form!r})) to be {spec!r}", found)
        if form == "terse":
            _in_alphabet(domain, written, f"write({spec!r}, 'terse')")


def _check_settling(domain: Domain, drafts: list[str], sandbox: Executor) -> list[str]:
    specs = []
    for draft, found in zip(drafts, domain.settle(drafts, sandbox), strict=True):
        if isinstance(found, Rejected):
            raise AssertionError(f"expected settle to give {draft!r} a spec, got {found}")
        _expect(not domain.is_draft(found), f"settle({draft!r}) to leave no draft", found)
        if not domain.is_draft(draft):
            _expect(found == draft, f"settle to leave the spec {draft!r} as it is", found)
        specs.append(found)
        _check_written(domain, found)
    again = domain.settle(specs, sandbox)
    _expect(again == specs, "settle to give the same of what it gave", again)
    return specs


def _check_solving(domain: Domain, specs: list[str], sandbox: Executor) -> list[tuple[str, Solution]]:
    first, second = domain.solve(specs, sandbox), domain.solve(specs, sandbox)
    _expect(len(first) == len(specs), f"solve to return {len(specs)} results", len(first))
    solved = []
    for spec, one, two in zip(specs, first, second, strict=True):
        if isinstance(one, Rejected):
            raise AssertionError(f"expected solve to give {spec!r} a solution, got {one}")
        _expect(one == two, f"solve({spec!r}) to give the same twice, {one!r}", two)
        if domain.one_step:
            _expect(one.answer != "", f"an answer to {spec!r}", one)
            _expect(
                one.worked[-1:] == (one.answer,),
                f"working of {spec!r} to end in {one.answer!r}",
                one.worked,
            )
            _expect(one.steps > 0, f"steps of {spec!r} above 0", one.steps)
        solved.append((spec, one))
    return solved


def _check_briefs(domain: Domain, parent: str) -> None:
    for form in domain.forms:
        for target, origin in ((None, None), (12.0, None), (None, parent), (12.0, parent)):
            brief = domain.brief(form, target, origin)
            _expect(isinstance(brief, str) and brief != "", f"brief({form!r}, {target}, {origin!r})", brief)
            if form == "terse":
                _in_alphabet(
                    domain, brief, f"brief('terse', {target}, {origin!r})", domain.request_characters
                )
        _expect(
            domain.brief(form, None, parent) != domain.brief(form, None, None),
            f"the {form} brief for a variation to differ from that for a fresh problem",
            domain.brief(form, None, parent),
        )


def _check_difficulty(domain: Domain, solved: list[tuple[str, Solution]]) -> None:
    found = []
    for spec, solution in solved:
        features = domain.features(spec, solution)
        missing = {"operations", "length", "steps"} - set(features)
        _expect(not missing, f"features of {spec!r} to have operations, length and steps", sorted(features))
        finite = all(isinstance(v, float) and math.isfinite(v) for v in features.values())
        _expect(finite, f"finite floats as features of {spec!r}", features)
        difficulty = domain.difficulty(features)
        _expect(math.isfinite(difficulty), f"a finite difficulty of {spec!r}", difficulty)
        found.append(difficulty)
    if domain.one_step:
        # The sampled specs come first, in the order of their targets; easiest against hardest quarter.
        quarter = len(found) // 2 // 4
        easy, hard = sum(found[:quarter]), sum(found[len(found) // 2 - quarter : len(found) // 2])
        _expect(hard > easy, f"samples for high targets harder than those for low ones ({easy})", hard)


def _check_posing(domain: Domain, solved: list[tuple[str, Solution]], sandbox: Executor) -> None:
    for form in domain.forms:
        _expect(
            domain.turn(solved[0][0], "", [""], form, sandbox).done,
            f"an empty {form} action to end the episode",
            False,
        )
        for spec, solution in solved:
            where = f"{spec!r} in {form} form"
            posed = domain.pose(spec, form)
            _expect(posed != "", f"a statement of {where}", posed)
            if form == "terse":
                _in_alphabet(domain, posed, f"the statement of {where}")
            turn = domain.turn(spec, solution.answer, [], form)
            _expect(not turn.done, f"{where} to be unfinished before any action", turn)
            _expect(
                turn.observation == posed, f"the first observation to be the statement of {where}", turn
            )
            _expect(
                turn == domain.turn(spec, solution.answer, [], form), f"turn to be pure for {where}", turn
            )
            longest = domain.longest(spec, form)
            _expect(longest >= len(posed), f"room for the statement in longest of {where}", longest)
            if domain.one_step:
                _check_key(domain, spec, solution, form, where, sandbox)
            else:
                _check_readable_key(domain, spec, form, posed, where)
                _check_sampled_notes(domain, spec, form, where)
                _check_trial(domain, spec, form, where)
    if domain.one_step:
        _check_wrong(domain, solved, sandbox)


def _check_wrong(domain: Domain, solved: list[tuple[str, Solution]], sandbox: Executor) -> None:
    """The keys of other problems are wrong; where several answers are right, some of them."""
    form = domain.forms[0]
    (spec, right), *others = solved
    wrong = [(s, found) for s, found in others if found.answer != right.answer]
    if not wrong:
        raise AssertionError(f"expected samples with different answers, got only {right.answer!r}")
    keys = [domain.key(other, found, form) for other, found in wrong]
    turns = [domain.turn(spec, right.answer, [key], form, sandbox) for key in keys]
    found_wrong = any(turn.verdict == "wrong" and turn.reward == 0 for turn in turns)
    _expect(found_wrong, f"{wrong[0][1].answer!r} to be wrong for {spec!r}", turns[0])


def _check_key(
    domain: Domain, spec: str, solution: Solution, form: Form, where: str, sandbox: Executor
) -> None:
    key = domain.key(spec, solution, form)
    if form == "terse":
        _in_alphabet(domain, key, f"the key of {where}")
        _expect(domain.stop not in key, f"no stop character in the key of {where}", key)
    read = domain.read_answer(key, form)
    _expect(read == solution.answer, f"{solution.answer!r} to be read from the key of {where}", read)
    ended = domain.read_answer(key + domain.stop, form)
    _expect(ended == read, f"the key of {where} to read the same with the stop character", ended)
    turn = domain.turn(spec, solution.answer, [key], form, sandbox)
    good = turn.done and turn.verdict == "correct" and turn.reward == 1.0
    _expect(good, f"the key of {where} to be correct", turn)


def _check_readable_key(domain: Domain, spec: str, form: Form, posed: str, where: str) -> None:
    key = domain.readable_key(spec, posed, form)
    if key is None:
        return
    if form == "terse":
        _in_alphabet(domain, key, f"the key of {where}")
        _expect(domain.stop not in key, f"no stop character in the key of {where}", key)
    turn = domain.turn(spec, "", [key], form)
    _expect(turn.verdict == "correct" and turn.reward == 1.0, f"the key of {where} to be correct", turn)


def _check_sampled_notes(domain: Domain, spec: str, form: Form, where: str) -> None:
    notes = domain.sample_notes(spec, generator(0, "notes", spec), form)
    _expect(bool(notes) == domain.pages, f"notes on {where} exactly where the domain has pages", notes)
    again = domain.sample_notes(spec, generator(0, "notes", spec), form)
    _expect(notes == again, f"sample_notes to draw from rng alone for {where}", again)
    for note in notes if form == "terse" else []:
        _in_alphabet(domain, note, f"a note on {where}")
        _expect("\n" not in note, f"a note on {where} in one line", note)


def _check_trial(domain: Domain, spec: str, form: Form, where: str) -> None:
    """What a script that knows nothing does at the first turn is an action."""
    if not domain.plays:
        return
    trial = domain.trial(spec, [], generator(0, "trial", spec), form)
    if trial is None:
        raise AssertionError(f"expected a trial at {where}, got None")
    again = domain.trial(spec, [], generator(0, "trial", spec), form)
    _expect(trial == again, f"trial to draw from rng alone for {where}", again)
    if form == "terse":
        _in_alphabet(domain, trial, f"the trial at {where}")
        _expect(domain.stop not in trial, f"no stop character in the trial at {where}", trial)
    turn = domain.turn(spec, "", [trial], form)
    _expect(turn.verdict != "malformed", f"the trial at {where} to be an action", turn)


def _check_identities(domain: Domain, specs: list[str]) -> None:
    found = set[str]()
    for spec in specs:
        identity, again = domain.identity(spec), domain.identity(spec)
        _expect(isinstance(identity, str) and identity != "", f"an identity of {spec!r}", identity)
        _expect(identity == again, f"identity to be a function of {spec!r}", again)
        found.add(identity)
    _expect(len(found) > 1, "samples that are not all one problem", sorted(found))


def _check_culture(domain: Domain, solved: list[tuple[str, Solution]]) -> None:
    for spec, solution in solved:
        for form in domain.forms:
            example, lesson = domain.example(spec, solution, form), domain.lesson(spec, solution, form)
            _expect(
                example != "" and lesson != "", f"an example and a lesson of {spec!r}", (example, lesson)
            )
            _expect(len(lesson) <= len(example), f"a lesson of {spec!r} no longer than its example", lesson)
            if form == "terse":
                _in_alphabet(domain, example, f"the example of {spec!r}")
                _in_alphabet(domain, lesson, f"the lesson of {spec!r}")
            _expect(domain.about(spec, form) != "", f"what notes on {spec!r} are about", "")
            if not domain.one_step:
                _check_account(domain, spec, form)


def _check_claims(domain: Domain, solved: list[tuple[str, Solution]], sandbox: Executor) -> None:
    """What a domain writes of an executed problem holds, where it can tell."""
    claims: list[Claim] = []
    for form in domain.forms:
        for spec, solution in solved:
            text = domain.example(spec, solution, form)
            example = domain.claims(text, form)
            lesson = domain.claims(domain.lesson(spec, solution, form), form)
            if example is None or lesson is None:
                continue
            if domain.one_step:
                whole = example.claims != () and not example.rest
                _expect(whole, f"nothing but claims in {text!r}", example)
            claims += [*example.claims, *lesson.claims]
    for claim, against in zip(claims, domain.refuted(claims, sandbox), strict=True):
        _expect(against is None, f"{claim} to hold", against)


def _check_account(domain: Domain, spec: str, form: Form) -> None:
    """What nothing but a key or nonsense was done for is recounted as that."""
    key = domain.readable_key(spec, domain.pose(spec, form), form)
    kinds: tuple[Kind, ...] = ("example", "lesson")
    for kind in kinds:
        told = domain.recount(spec, [""], kind, form)
        _expect(told is None, f"nothing to tell of an empty action for {spec!r}", told)
        told = None if key is None else domain.recount(spec, [key], kind, form)
        if told is not None:
            _expect(told.title != "" and told.body != "", f"a title and a body of {spec!r}", told)
            if form == "terse":
                _in_alphabet(domain, told.body, f"the {kind} that {spec!r} gave")
                _expect("\n" not in told.body, f"the {kind} that {spec!r} gave in one line", told)


def _check_action(domain: Domain, spec: str, text: str, form: Form) -> None:
    try:
        turn = domain.turn(spec, "", [text], form)
        domain.recount(spec, [text], "example", form)
    except Exception as error:
        raise AssertionError(f"expected a turn, got {error!r} for {text[:40]!r}") from error
    lasts = not turn.done or turn.verdict is not None
    _expect(lasts, f"a verdict where {text[:40]!r} ended an episode", turn)


def _check_hostile(domain: Domain, problem: str) -> None:
    for text in HOSTILE:
        try:
            spec = domain.parse(text)
        except Rejected as rejected:
            slug = rejected.reason
            _expect(slug != "" and not any(c.isspace() for c in slug), "a reason of one word", slug)
        except Exception as error:
            raise AssertionError(
                f"expected parse to raise Rejected, got {error!r} for {text[:40]!r}"
            ) from error
        else:
            written = domain.write(spec, domain.forms[0])
            _expect(domain.parse(written) == spec, f"what {text[:40]!r} parsed to to be canonical", spec)
        for form in domain.forms:
            if not domain.one_step:
                _check_action(domain, problem, text, form)
            try:
                domain.claims(text, form)
            except Exception as error:
                raise AssertionError(
                    f"expected claims of any text, got {error!r} for {text[:40]!r}"
                ) from error
            try:
                answer = domain.read_answer(text, form)
            except Exception as error:
                raise AssertionError(
                    f"expected an answer or None, got {error!r} for {text[:40]!r}"
                ) from error
            _expect(answer is None or isinstance(answer, str), "an answer or None", answer)


def _check_anchors(domain: Domain, sandbox: Executor) -> None:
    anchors = domain.anchors(2)
    _expect(anchors == domain.anchors(2), "the same anchors every time", "others")
    for what, values in (("ids", [a.anchor_id for a in anchors]), ("specs", [a.spec for a in anchors])):
        _expect(len(set(values)) == len(values), f"anchors with different {what}", values)
    cells = [a.cell for a in anchors]
    for cell in set(cells):
        _expect(cells.count(cell) == 2, f"2 anchors in cell {cell!r}", cells.count(cell))
    _expect(set(domain.core_cells) <= set(cells), f"cells {domain.core_cells}", sorted(set(cells)))
    for anchor, found in zip(anchors, domain.solve([a.spec for a in anchors], sandbox), strict=True):
        if isinstance(found, Rejected):
            raise AssertionError(f"expected anchor {anchor.spec!r} to have a solution, got {found}")
        _expect(
            found.answer == anchor.answer_key,
            f"anchor {anchor.spec!r} to have {found.answer!r}",
            anchor.answer_key,
        )
        _expect(
            found.worked == anchor.worked, f"anchor {anchor.spec!r} worked as {found.worked}", anchor.worked
        )
        features = domain.features(anchor.spec, found)
        _expect(
            features == anchor.features, f"anchor {anchor.spec!r} with features {features}", anchor.features
        )
