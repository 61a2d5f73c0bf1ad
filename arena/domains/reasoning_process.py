"""The process in which generators of ``reasoning-gym`` run and score answers.

The library is not written for hostile answers: some of its scorers evaluate them, others take for ever, and
some generators draw from streams that a whole process shares. So it runs here, in a child that may be lost
at any moment, with limits on time, memory and files:

- ``eval`` is taken away from the modules whose scorers apply it to an answer; what it decides there is how
  much an answer in a wrong format is worth, never whether one is right;
- sympy's parser, which evaluates what it reads, is given arithmetic alone: numbers, operators, letters for
  variables and a few functions by name;
- an answer that speaks of ``nan`` or ``inf`` is wrong where the key does not, since some scorers take the
  distance to it for none;
- strings are hashed alike in every process, the streams of ``random`` and ``numpy`` are seeded for every
  item, and today is always the same day.

The protocol is lines of JSON. In: ``{"name", "levels", "seed", "seconds"}``, and ``"answer"`` to have it
scored; ``seconds`` is what it may take of the processor's time, whatever else the machine is doing. Out:
first ``{"ready": true}``, then one of ``{"question", "answer"}``, ``{"score"}``, ``{"failure", "detail"}``.
"""

from __future__ import annotations

import contextlib
import datetime
import importlib
import json
import os
import random  # noqa: TID251  (of the library, which has to be seeded)
import re
import resource
import signal
import sys
import warnings
from collections import OrderedDict
from typing import Any, BinaryIO, Final

LOADING_SECONDS: Final = 30.0
"""Longest that a dataset may take to be made ready, in seconds of the processor's time."""
PATIENCE: Final = 60.0
"""Longest that a request may take on the wall clock, as a multiple of its seconds on the processor."""
MEMORY: Final = 4 << 30
"""Address space, in bytes; the libraries alone take up much of it."""
KEPT_DATASETS: Final = 32
KEPT_ITEMS: Final = 256
"""Datasets and items that are kept ready, the latest used."""

MODULES_THAT_EVALUATE: Final = (
    "reasoning_gym.algorithmic.binary_matrix",
    "reasoning_gym.algorithmic.spiral_matrix",
    "reasoning_gym.algorithmic.string_insertion",
    "reasoning_gym.games.n_queens",
)
MODULES_THAT_PARSE: Final = (
    "sympy",
    "reasoning_gym.games.countdown",
    "reasoning_gym.games.puzzle24",
)
WHOLE_RANGES: Final = frozenset({"letter_jumble", "spell_backward"})
"""Generators that come to nothing on the highest part of a range alone."""
_FUNCTIONS: Final = frozenset(
    "sin cos tan sec csc cot asin acos atan sinh cosh tanh exp log ln sqrt Abs pi".split()  # noqa: SIM905
)
_TOKEN: Final = re.compile(r"\s+|(?:\d+(?:\.\d*)?|\.\d+)|[A-Za-z]+|\*\*|[-+*/()^,]")
_DIGITS: Final = re.compile(r"\d{200}")
_POWER: Final = re.compile(r"\*\*\s*\(?\s*[-+]?\s*(?:\d{4}|[^-+\d\s(])|\*\*[^-+*/]*\*\*|\^")
_LATE: Final = (signal.SIGPROF, signal.SIGALRM)
_NO_NUMBER: Final = re.compile(r"\b(?:nan|inf|infinity)\b", re.IGNORECASE)
# where the library keeps a right answer of problems that have several
_EXAMPLES: Final = ("possible_answer", "example_answer", "example_correct_answer")

Levels = dict[str, int]


class Refused(Exception):
    """There is no such item; the reason is a slug."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def arithmetic(text: str) -> str:
    """``text`` where it is arithmetic that is safe to give to sympy. Raises ValueError where it is not."""
    at = 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None or (token[0].isalpha() and len(token[0]) > 1 and token[0] not in _FUNCTIONS):
            raise ValueError(f"expected arithmetic, got {text[at : at + 20]!r}")
        at = token.end()
    if _DIGITS.search(text) or _POWER.search(text):
        raise ValueError("expected smaller numbers and powers")
    return text


class Library:
    """Items and scores, by generator, levels and seed."""

    def __init__(self) -> None:
        from reasoning_gym import factory

        self._factory = factory
        self._datasets: OrderedDict[str, Any] = OrderedDict()
        self._items: OrderedDict[str, dict[str, Any]] = OrderedDict()
        _guard()

    def item(self, name: str, levels: Levels, seed: int) -> tuple[Any, dict[str, Any]]:
        """The dataset and its item.

        The library seeds item ``i`` of dataset ``s`` with ``s + i``, so that of dataset 0 at ``seed`` is
        the first of dataset ``seed``, without loading that anew."""
        dataset = self.dataset(name, levels)
        key = json.dumps([name, levels, seed])
        found = self._items.get(key)
        if found is None:
            self._seed(seed)
            found = self._items[key] = dataset[seed]
            if len(self._items) > KEPT_ITEMS:
                self._items.popitem(last=False)
        return dataset, found

    def dataset(self, name: str, levels: Levels) -> Any:
        """The dataset of a generator at such levels. Raises Refused where they do not go together."""
        place = json.dumps([name, levels])
        found = self._datasets.get(place)
        if found is None:
            found = self._datasets[place] = self._dataset(name, levels)
            if len(self._datasets) > KEPT_DATASETS:
                self._datasets.popitem(last=False)
        self._datasets.move_to_end(place)
        return found

    def texts(self, name: str, levels: Levels, seed: int) -> dict[str, str]:
        """Question and key of an item, without spaces at their ends."""
        _, item = self.item(name, levels, seed)
        question, answer = str(item["question"]).strip(), _key(item)
        return {"question": question, "answer": answer}

    def score(self, name: str, levels: Levels, seed: int, answer: str) -> float:
        """What the library's own scorer gives for an answer, from 0 to 1."""
        dataset, item = self.item(name, levels, seed)
        if _NO_NUMBER.search(answer) and not _NO_NUMBER.search(_key(item)):
            return 0.0
        self._seed(seed)
        return float(dataset.score_answer(answer, item))

    def _dataset(self, name: str, levels: Levels) -> Any:
        from reasoning_gym.coaching.base_curriculum import DefaultCurriculumContext, RangeAttributeMode

        curriculum = self._factory.create_curriculum(name)
        for attribute, level in levels.items():
            _extend(curriculum.attributes[attribute].levels, level)
            curriculum.set_attr_level(attribute, level)
        # of a range only its highest part, or what is easy would come at every level
        mode = RangeAttributeMode.INCLUSIVE if name in WHOLE_RANGES else RangeAttributeMode.UPPER_BOUND
        try:
            defaults = {"seed": 0, "size": 1}
            config = curriculum.generate_configuration(defaults, DefaultCurriculumContext(mode))
            return self._factory.DATASETS[name][0](config)
        except AssertionError as error:
            raise Refused("levels", f"the generator refuses these levels together: {error}") from error

    def _seed(self, seed: int) -> None:
        import numpy

        # Streams that belong to nobody: some generators draw from them.
        random.seed(seed)
        numpy.random.seed(seed)  # noqa: NPY002


def _extend(levels: list[Any], level: int) -> None:
    """Goes on with the levels of an attribute as they ended, up to ``level``."""
    whole = all(type(value) is int for value in levels) and len(levels) > 1
    while whole and len(levels) <= level and levels[-1] != levels[-2]:
        levels.append(2 * levels[-1] - levels[-2])


def _key(item: dict[str, Any]) -> str:
    answer = item["answer"]
    if answer is None:
        metadata = item["metadata"]
        answer = next((metadata[name] for name in _EXAMPLES if metadata.get(name) is not None), "")
    return (answer if isinstance(answer, str) else json.dumps(answer)).strip()


def _guard() -> None:
    def no_eval(*_: object) -> object:
        raise ValueError("answers are not evaluated")

    for name in MODULES_THAT_EVALUATE:
        # a global comes before a builtin of the same name
        vars(importlib.import_module(name))["eval"] = no_eval
    parse_expr = importlib.import_module("sympy.parsing.sympy_parser").parse_expr

    def guarded(text: str, *arguments: Any, **options: Any) -> Any:
        return parse_expr(arithmetic(text), *arguments, **options)

    for name in MODULES_THAT_PARSE:
        vars(importlib.import_module(name))["parse_expr"] = guarded

    class Today(datetime.date):
        @classmethod
        def today(cls) -> Today:
            return cls(2000, 1, 1)

    vars(importlib.import_module("reasoning_gym.arithmetic.time_intervals"))["date"] = Today


def _limit(seconds: float) -> None:
    # The default action of both signals ends the process, although scorers catch every exception.
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE * seconds)


def _loaded(library: Library, asked: dict[str, Any]) -> dict[str, object] | None:
    """Why the dataset of a request cannot be had; None where it is ready."""
    try:
        library.dataset(asked["name"], asked["levels"])
    except Refused as refused:
        return {"failure": refused.reason, "detail": str(refused)}
    except Exception as error:  # a generator may fail in any way
        return {"failure": "exception", "detail": f"{type(error).__name__}: {error}"[:300]}
    return None


def answered(library: Library, asked: dict[str, Any]) -> dict[str, object]:
    """The reply to one request."""
    try:
        name, levels, seed = asked["name"], asked["levels"], asked["seed"]
        if "answer" in asked:
            return {"score": library.score(name, levels, seed, asked["answer"])}
        return {**library.texts(name, levels, seed)}
    except Exception as error:  # a generator or scorer may fail in any way
        return {"failure": "exception", "detail": f"{type(error).__name__}: {error}"[:300]}


def serve(requests: BinaryIO, replies: BinaryIO) -> None:
    """Answers requests until there are no more, each within its limits."""
    library = Library()
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for line in requests:
        asked = json.loads(line)
        # What a generator reads once for all is not the item's doing.
        _limit(LOADING_SECONDS)
        found = _loaded(library, asked)
        if found is None:
            _limit(asked["seconds"])
            found = answered(library, asked)
        _limit(0)
        _write(replies, found)


class _Child:
    """A copy of this process, with the library in it, that serves and may be lost."""

    def __init__(self) -> None:
        inner_requests, self._requests = _pipe()
        self._replies, inner_replies = _pipe()
        self._pid = os.fork()
        if self._pid == 0:
            self._requests.close()
            self._replies.close()
            try:
                serve(inner_requests, inner_replies)
            finally:
                os._exit(0)
        inner_requests.close()
        inner_replies.close()

    def ask(self, line: bytes) -> tuple[dict[str, object], bool]:
        """The reply to a request, and whether the child has outlived it."""
        with contextlib.suppress(BrokenPipeError):
            self._requests.write(line)
            self._requests.flush()
        reply = self._replies.readline()
        if reply.endswith(b"\n"):
            return json.loads(reply), True
        _, status = os.waitpid(self._pid, 0)
        for pipe in (self._requests, self._replies):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) in _LATE:
            return {"failure": "timeout", "detail": "expected an end in time, got none"}, False
        return {"failure": "crash", "detail": f"expected a reply, got exit status {status}"}, False


def _pipe() -> tuple[BinaryIO, BinaryIO]:
    read, write = os.pipe()
    return os.fdopen(read, "rb"), os.fdopen(write, "wb")


def _write(replies: BinaryIO, message: object) -> None:
    replies.write(json.dumps(message).encode() + b"\n")
    replies.flush()


def manage(requests: BinaryIO, replies: BinaryIO) -> None:
    """Passes requests on to a child, which is replaced when it is lost: the library is imported once."""
    importlib.import_module("reasoning_gym")
    importlib.import_module("sympy")
    _write(replies, {"ready": True})
    child: _Child | None = None
    for line in requests:
        child = child or _Child()
        reply, lives = child.ask(line)
        child = child if lives else None
        _write(replies, reply)


def main() -> None:
    """Serves on standard input and output."""
    for late in _LATE:
        signal.signal(late, signal.SIG_DFL)
    warnings.simplefilter("ignore")
    # Replies have a descriptor of their own: generators print.
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        manage(sys.stdin.buffer, replies)
    except BrokenPipeError:
        return


if __name__ == "__main__":
    main()
