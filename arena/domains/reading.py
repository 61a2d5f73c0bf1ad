"""``reading``: questions about a text, whose answers are spans of it.

A proposer reads a passage and asks: a question, its answer, and the quote that supports it. Rules decide,
and no model: the quote stands in a passage word for word, the answer in the quote, and the question does
not say it. A spec is ``question|answer|quote|n``, where ``n`` is how many sentences of the passage the
solver is shown, none at all with 0, closed book; a proposal that leaves it out has it drawn by hash. Where
the question is the quote with the answer left out, a cloze, the quote is empty: ``The mill has _
wheels.|nine||2``.

An answer is right where it is the span, or one of the variants ``nine / 9`` that the proposer gave, each a
span itself, after the normalisation of SQuAD (Rajpurkar et al. 2016, arXiv 1606.05250).
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from arena.domains.base import Anchor, Domain, Executor, Rejected, Solution, register
from arena.domains.grade import terse_request
from arena.domains.reading_text import (
    BLANK,
    Passage,
    characters,
    containing,
    held_out,
    holds,
    normalised,
    passages,
    place,
    tokens,
)
from culture.records import Form
from culture.seeds import generator, short_id

MAX_TEXT: Final = 4096
"""Characters of a proposal or an answer that are looked at."""
MAX_QUESTION: Final = 240
MAX_ANSWER: Final = 80
MAX_VARIANTS: Final = 3
CLOSED: Final = 256.0
"""Difficulty of a question whose passage is not shown, in words: as much as there may be to read."""
CORE_CELLS: Final = ("repeated", "shown1", "shown2", "shown4", "closed")

# Anchors and lots are the same in every run, so their streams are named by a constant.
_SEED: Final = 20261129
_CLOSED_SHARE: Final = 0.25
_TRIES: Final = 10_000
_FIELD: Final = re.compile(
    r"^[^\w\n]*(question|answer|quote|shown)[^\w\n]*:[ \t*]*(.*)$", re.IGNORECASE | re.MULTILINE
)
_ANSWER: Final = re.compile(r"^[^\w\n]*answer[^\w\n]*?:[ \t]*(.*)$", re.IGNORECASE | re.MULTILINE)
_LITTLE: Final = (
    "after also before behind could does from have into made more most never once only over same some such "
    "than that their them then there these they this through under until very were what when where which "
    "while whom will with your"
)
_STOPWORDS: Final = frozenset(_LITTLE.split())
"""Words of four letters or more with which no answer begins or ends; nor with any that are shorter."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One problem, taken apart."""

    question: str
    answers: tuple[str, ...]
    """The span and its variants, as they were written."""
    quote: str
    shown: int
    """Sentences of the passage that the solver sees; 0 with the book closed."""

    @property
    def cloze(self) -> bool:
        return self.question.replace(BLANK, self.answers[0]) == self.quote

    @property
    def spec(self) -> str:
        quote = "" if self.cloze else self.quote
        return f"{self.question}|{' / '.join(self.answers)}|{quote}|{self.shown}"


def read_spec(spec: str) -> Asked:
    """A canonical spec. Raises Rejected: ``syntax``."""
    fields = spec.split("|")
    if len(fields) != 4 or not fields[3].isdigit():
        raise Rejected("syntax", f"expected question|answer|quote|sentences, got {spec[:80]!r}")
    question, answer, quote, shown = fields
    answers = tuple(a.strip() for a in answer.split(" / "))
    return Asked(question, answers, quote or question.replace(BLANK, answers[0]), int(shown))


@register
class Reading(Domain):
    """Questions about the Markdown files of ``folder``, or about the texts that come with Ludus. Difficulty
    is the words there are to read, or :data:`CLOSED`.

    Raises ValueError where the folder has nothing to read.
    """

    name = "reading"
    request_characters = ""
    core_cells = CORE_CELLS
    copies = True

    def __init__(self, folder: str | None = None) -> None:
        self.folder = folder
        self.passages = passages(folder)
        plain = {*map(chr, range(32, 127))}
        found = characters(self.passages) | characters(held_out())
        self.alphabet = "".join(sorted(plain | found - {self.stop})) + self.stop

    def material(self) -> Sequence[str]:
        return [passage.text for passage in self.passages]

    # -- proposing ---------------------------------------------------------------------------------
    def brief(self, form: Form, target: float | None, parent: str | None) -> str:
        """With the longest passage there is, or that of ``parent``; see :meth:`ask`."""
        if parent is not None:
            asked = read_spec(parent)
            return self._request(form, self._passage(asked), asked.quote, target, parent)
        longest = max(self.passages, key=lambda p: (len(p.text), p.passage_id))
        return self._request(form, longest, max(longest.sentences, key=len), target, None)

    def ask(self, form: Form, target: float | None, parent: str | None, rng: np.random.Generator) -> str:
        """With a passage, in the terse form a sentence, that is drawn where there is no ``parent``."""
        if parent is not None:
            return self.brief(form, target, parent)
        passage = self.passages[int(rng.integers(len(self.passages)))]
        sentence = passage.sentences[int(rng.integers(len(passage.sentences)))]
        return self._request(form, passage, sentence, target, None)

    def hindsight(self, form: Form, target: float | None, spec: str) -> str:
        asked = read_spec(spec)
        return self._request(form, self._passage(asked), asked.quote, target, None)

    def _request(
        self, form: Form, passage: Passage, quote: str, target: float | None, parent: str | None
    ) -> str:
        if form == "terse":
            first, last = place(passage, quote)
            shown = " ".join(passage.sentences[first : last + 1])
            return terse_request(target, parent) if parent else f"{shown}\n{terse_request(target, None)}"
        sentence = passage.sentences[0].rstrip(".")
        word = max(sentence.split(), key=len)
        lines = [
            "Read this text and ask one question about it:",
            "",
            f"> {passage.text}",
            "",
            "The answer has to be words of the text, the question must not contain it, and the quote is the"
            " part of the text, word for word, in which the answer stands. For example:",
            f"Question: {sentence.replace(word, BLANK * 3)}",
            f"Answer: {word}",
            f"Quote: {sentence}",
        ]
        if parent is not None:
            lines.append(f"Ask something else than this: {read_spec(parent).question}")
        elif target is not None:
            lines.append(f"Whoever answers should have to read about {max(1, round(target))} words.")
        lines.append("Write these three lines and nothing else.")
        return "\n".join(lines)

    def pattern(self, form: Form, target: float | None) -> str:
        if form == "terse":
            return r"[^|\n]{8,160}\|[^|\n]{1,40}"
        return r"Question: [^|\n]{8,160}\nAnswer: [^|\n]{1,60}\nQuote: [^|\n]{10,240}"

    def parse(self, text: str) -> str:
        """Reasons: ``syntax``, ``too_long``, ``no_quote`` (it stands in no passage), ``no_span`` (the
        answer is not in the quote), ``told`` (the question says the answer), ``held_out``."""
        if len(text) > MAX_TEXT:
            raise Rejected("too_long", f"expected at most {MAX_TEXT} characters, got {len(text)}")
        question, answer, quote, shown = _fields(text)
        answers = tuple(dict.fromkeys(" ".join(a.split()) for a in answer.split(" / ")))
        if not question or not all(normalised(a) for a in answers):
            raise Rejected("syntax", f"expected a question and an answer, got {text[:80]!r}")
        if len(answers) > MAX_VARIANTS:
            raise Rejected("syntax", f"expected at most {MAX_VARIANTS} variants, got {len(answers)}")
        if len(question) > MAX_QUESTION or max(map(len, answers)) > MAX_ANSWER:
            raise Rejected("too_long", f"expected a shorter question or answer, got {text[:80]!r}")
        if not quote and question.count(BLANK) != 1:
            raise Rejected("no_quote", f"expected a quote, or one {BLANK} in the question, got neither")
        asked = Asked(question, answers, quote or question.replace(BLANK, answers[0]), 0)
        passage = self._supported(asked)
        first, last = place(passage, asked.quote)
        least, most = last - first + 1, len(passage.sentences)
        lot = generator(_SEED, "shown", asked.spec)
        drawn = 0 if lot.random() < _CLOSED_SHARE else int(lot.integers(least, most + 1))
        shown = drawn if shown is None else shown
        return Asked(question, answers, asked.quote, min(max(shown, least), most) if shown else 0).spec

    def _supported(self, asked: Asked) -> Passage:
        """The passage that supports a question. Raises Rejected."""
        passage = containing(self.folder, asked.quote)
        if passage is None:
            if any(asked.quote in p.text for p in held_out()):
                raise Rejected("held_out", "expected another passage, got one that is kept for anchors")
            raise Rejected("no_quote", f"expected a quote of the text, got {asked.quote[:80]!r}")
        if not all(holds(asked.quote, answer) for answer in asked.answers):
            raise Rejected("no_span", f"expected words of the quote, got {' / '.join(asked.answers)!r}")
        if any(holds(asked.question, answer) for answer in asked.answers):
            raise Rejected("told", "expected a question that does not say its answer")
        return passage

    def _canonical(self, asked: Asked | None) -> str | None:
        """The spec of a scripted question; None where there is none. Of words that stand in two passages it
        is about the first."""
        try:
            return None if asked is None else self.parse(asked.spec)
        except Rejected:
            return None

    def _passage(self, asked: Asked) -> Passage:
        """The passage of a problem or anchor. Raises Rejected where the text has changed."""
        found = containing(self.folder, asked.quote)
        found = found or next((p for p in held_out() if asked.quote in p.text), None)
        if found is None:
            raise Rejected(
                "no_quote",
                f"expected the text as it was when the problem was set, got none with {asked.quote!r}",
            )
        return found

    def program(self, spec: str) -> str:
        raise TypeError("expected a domain with programs, got reading: answers are looked up in the text")

    def solution(self, spec: str, value: object) -> Solution:
        raise TypeError("expected a domain with programs, got reading: answers are looked up in the text")

    def solve(self, specs: Sequence[str], sandbox: Executor) -> list[Solution | Rejected]:
        """The span, normalised."""
        found: list[Solution | Rejected] = []
        for spec in specs:
            try:
                asked = read_spec(spec)
                self._passage(asked)
                answer = normalised(asked.answers[0])
                found.append(Solution(answer, (answer,), max(1, self._words(asked))))
            except Rejected as rejected:
                found.append(rejected)
        return found

    def features(self, spec: str, solution: Solution) -> dict[str, float]:
        """``sentences`` shown and ``words`` in them (both 0 closed book), ``closed`` (1 or 0), ``cloze`` (1
        or 0), ``operations`` (words of the answer), ``steps`` (``words``, 1 at least), ``length``
        (characters of the terse statement)."""
        asked = read_spec(spec)
        words = self._words(asked)
        return {
            "operations": float(len(solution.answer.split())),
            "length": float(len(self.pose(spec, "terse"))),
            "steps": float(max(1, words)),
            "sentences": float(asked.shown),
            "words": float(words),
            "closed": float(asked.shown == 0),
            "cloze": float(asked.cloze),
        }

    def difficulty(self, features: dict[str, float]) -> float:
        return CLOSED if features["closed"] else features["words"]

    def write(self, spec: str, form: Form) -> str:
        if form == "terse":
            return spec
        asked = read_spec(spec)
        lines = [f"Question: {asked.question}", f"Answer: {' / '.join(asked.answers)}"]
        return "\n".join([*lines, f"Quote: {asked.quote}", f"Shown: {asked.shown}"])

    def mutate(self, spec: str, rng: np.random.Generator) -> str:
        """Another span of the same sentences, one sentence more or fewer, the book closed or opened, or
        another sentence of the passage."""
        asked = read_spec(spec)
        passage = self._passage(asked)
        first, last = place(passage, asked.quote)
        least, most = last - first + 1, len(passage.sentences)
        while True:
            move = rng.random()
            if move < 0.4:
                found = _cloze(passage, first, asked.shown, rng)
            elif move < 0.7 and asked.shown:
                more = asked.shown + (1 if rng.random() < 0.5 else -1)
                found = Asked(asked.question, asked.answers, asked.quote, min(max(more, least), most))
            elif move < 0.8:
                shown = 0 if asked.shown else int(rng.integers(least, most + 1))
                found = Asked(asked.question, asked.answers, asked.quote, shown)
            else:
                found = _cloze(passage, int(rng.integers(most)), asked.shown, rng)
            other = self._canonical(found)
            if other is not None and other != spec:
                return other

    def sample(self, rng: np.random.Generator, target: float) -> str:
        """A cloze of a passage drawn uniformly, with as many sentences as come nearest to ``target`` words;
        for targets beyond the middle between the longest and :data:`CLOSED` as often closed book."""
        for _ in range(_TRIES):
            passage = self.passages[int(rng.integers(len(self.passages)))]
            closed = target > (CLOSED + len(passage.text.split())) / 2 and rng.random() < 0.5
            places = [
                (abs(_read_words(passage, i, n) - target), float(rng.random()), i, n)
                for i in range(len(passage.sentences))
                for n in range(1, len(passage.sentences) + 1)
            ]
            _, _, sentence, shown = min(places)
            found = _cloze(passage, sentence, 0 if closed else shown, rng)
            spec = self._canonical(found)
            if spec is not None:
                return spec
        raise ValueError("reading.folder: expected sentences with words to ask for, got hardly any")

    # -- solving -----------------------------------------------------------------------------------
    def pose(self, spec: str, form: Form) -> str:
        """The sentences, in the terse form on one line, and the question."""
        asked = read_spec(spec)
        shown = self._shown(asked)
        if form == "terse":
            return f"{shown}\n{asked.question}=" if shown else f"{asked.question}="
        question = asked.question.replace(BLANK, BLANK * 4)
        lines = [f"Question: {question}"]
        if BLANK in asked.question:
            lines.append("What belongs in the blank?")
        lines.append("Answer with a word or a few words, on one line that begins with 'Answer:'.")
        head = ["Read this text:", "", f"> {shown}", ""] if shown else ["Answer from memory.", ""]
        return "\n".join([*head, *lines])

    def key(self, spec: str, solution: Solution, form: Form) -> str:
        answer = read_spec(spec).answers[0]
        return answer if form == "terse" else f"Answer: {answer}"

    def read_answer(self, completion: str, form: Form) -> str | None:
        """The first line; in the natural form what follows the last ``Answer:``, else the last line.
        Normalised; None where nothing is left of it."""
        text = completion[:MAX_TEXT]
        if form == "terse":
            text = text.partition(self.stop)[0]
        else:
            named = _ANSWER.findall(text)
            text = (named or text.strip().split("\n"))[-1]
        return normalised(text) or None

    def check(self, spec: str, answer_key: str, answer: str) -> bool:
        """Whether it is the span or one of its variants, normalised."""
        return answer in {normalised(a) for a in read_spec(spec).answers}

    def _shown(self, asked: Asked) -> str:
        if not asked.shown:
            return ""
        passage = self._passage(asked)
        first, last = place(passage, asked.quote)
        return " ".join(_window(passage, first, last, asked.shown))

    def _words(self, asked: Asked) -> int:
        return len(self._shown(asked).split())

    # -- culture -----------------------------------------------------------------------------------
    def example(self, spec: str, solution: Solution, form: Form) -> str:
        """The question with its answer, and what says so."""
        asked = read_spec(spec)
        if form == "terse":
            return f"{asked.question}={asked.answers[0]}"
        return f"Question: {asked.question}\nQuote: {asked.quote}\nAnswer: {asked.answers[0]}"

    def lesson(self, spec: str, solution: Solution, form: Form) -> str:
        """What says so alone, where that is shorter."""
        return min(read_spec(spec).quote, self.example(spec, solution, form), key=len)

    def about(self, spec: str, form: Form) -> str:
        return read_spec(spec).question.replace(BLANK, " ")

    # -- anchors -----------------------------------------------------------------------------------
    def anchors(self, per_cell: int) -> list[Anchor]:
        """``per_cell`` clozes in each cell, of passages that no problem is about, whatever the folder: of a
        word that stands elsewhere in the passage too (``repeated``, all of it shown), with 1, 2 or 4
        sentences shown, and closed book."""
        return [a for cell in CORE_CELLS for a in _anchors(cell)[:per_cell]]

    def frozen(self, cell: str, asked: Asked) -> Anchor:
        """A problem as an anchor."""
        answer = normalised(asked.answers[0])
        solution = Solution(answer, (answer,), max(1, self._words(asked)))
        features = self.features(asked.spec, solution)
        anchor_id = short_id("a", self.name, asked.spec)
        return Anchor(anchor_id, cell, asked.spec, answer, (answer,), features)


_MOST_ANCHORS: Final = 64
_SHOWN: Final = {"shown1": 1, "shown2": 2, "shown4": 4, "closed": 0}
"""Sentences that the anchors of a cell show; others show all, or all but one."""


@lru_cache(maxsize=8)
def _anchors(cell: str) -> tuple[Anchor, ...]:
    """As many as any run may use, drawn from the held-out passages."""
    domain = Reading()
    rng = generator(_SEED, "anchors", cell)
    found: dict[str, Anchor] = {}
    for _ in range(200 * _MOST_ANCHORS):
        passage = held_out()[int(rng.integers(len(held_out())))]
        sentence = int(rng.integers(len(passage.sentences)))
        shown = _SHOWN.get(cell, len(passage.sentences) - int(rng.integers(2)))
        asked = _cloze(passage, sentence, shown, rng, repeated=cell == "repeated")
        if asked is not None and asked.spec not in found:
            found[asked.spec] = domain.frozen(cell, asked)
        if len(found) == _MOST_ANCHORS:
            return tuple(found.values())
    raise RuntimeError(f"expected {_MOST_ANCHORS} anchors in the cell {cell}, got {len(found)}")


def _fields(text: str) -> tuple[str, str, str, int | None]:
    """Question, answer, quote and sentences shown of a proposal; empty, or None, where they are missing."""
    told = {name.lower(): value for name, value in _FIELD.findall(text)}
    if "question" in told:
        parts = [told["question"], told.get("answer", ""), told.get("quote", ""), told.get("shown", "")]
        parts[2] = parts[2].strip('"')
    else:
        parts = text.strip().split("|")
        parts += [""] * (4 - len(parts))
    if len(parts) != 4 or any("|" in part for part in parts):
        raise Rejected("syntax", f"expected a question, an answer and a quote, got {text[:80]!r}")
    question, answer, quote, shown = (" ".join(part.split()) for part in parts)
    if shown and not re.fullmatch(r"[0-9]{1,3}", shown, re.ASCII):
        raise Rejected("syntax", f"expected a number of sentences, got {shown[:20]!r}")
    return re.sub(rf"{BLANK}+", BLANK, question), answer, quote, int(shown) if shown else None


def _window(passage: Passage, first: int, last: int, shown: int) -> Sequence[str]:
    """``shown`` sentences with those from ``first`` to ``last`` among them, at a place drawn by hash."""
    most = len(passage.sentences)
    earliest, latest = max(0, last + 1 - shown), min(first, most - shown)
    lot = generator(_SEED, "window", passage.passage_id, first, shown)
    start = int(lot.integers(earliest, max(earliest, latest) + 1))
    return passage.sentences[start : start + shown]


def _read_words(passage: Passage, sentence: int, shown: int) -> int:
    return sum(len(s.split()) for s in _window(passage, sentence, sentence, shown))


def _cloze(
    passage: Passage, sentence: int, shown: int, rng: np.random.Generator, *, repeated: bool = False
) -> Asked | None:
    """A cloze of one to three words of a sentence that are not all little ones; None where the draw gives
    none.

    With ``repeated`` of one word that stands in another of the sentences that are shown, too.
    """
    text = passage.sentences[sentence]
    words = [(m.start(), m.end()) for m in re.finditer(r"[^\s.,;:!?\"()]+", text)]
    size = 1 if repeated else 1 + int(rng.integers(3))
    at = int(rng.integers(len(words)))
    span = words[at : at + size]
    if len(span) < size:
        return None
    start, end = span[0][0], span[-1][1]
    answer = text[start:end]
    # neither "candles and" nor "at Ashby"
    ends = tokens(answer.split()[0])[-1:] + tokens(answer.split()[-1])[-1:]
    if (
        len(ends) < 2
        or any(len(w) < 4 or w in _STOPWORDS for w in ends)
        or set(string.punctuation) & set(answer) - set("'-")
    ):
        return None
    question = f"{text[:start]}{BLANK}{text[end:]}"
    if holds(question, answer) or question.replace(BLANK, answer) != text:
        return None
    shown = min(shown, len(passage.sentences))
    others = [s for s in _window(passage, sentence, sentence, shown) if s != text]
    if repeated and not any(holds(s, answer) for s in others):
        return None
    return Asked(question, (answer,), text, shown)
