"""The OpenAI engine against a small server on loopback that does what each test tells it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from agents.engines import openai_api
from agents.engines.base import Completion, Request, Sampling
from agents.engines.check import check_engine
from agents.engines.openai_api import OpenAIEngine, Pace, Usage
from agents.engines.openai_config import ServerConfig, ServerError

VERSION = "teacher@0"
SAMPLING = Sampling(8, 0.7, "")
KEY = "sk-proj-this-is-the-secret-42"

Reply = tuple[int, dict[str, str], Any]
"""Status, headers, and the body: bytes as they are, anything else as JSON."""


class Asked:
    """A request as the server got it."""

    def __init__(self, number: int, path: str, headers: dict[str, str], body: dict[str, Any]) -> None:
        self.number, self.path, self.headers, self.body = number, path, headers, body

    @property
    def prompt(self) -> str:
        return str(self.body["messages"][-1]["content"] if "messages" in self.body else self.body["prompt"])


class Server(ThreadingHTTPServer):
    """Answers with ``answer``; keeps what was asked and how much of it at one time."""

    request_queue_size = 128
    answer: Callable[[Asked], Reply | None]

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = echo
        self.asked: list[Asked] = []
        self.busy = self.busiest = 0
        self.lock = threading.Lock()
        self.over = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            asked = Asked(
                len(self.server.asked), self.path, {k.lower(): v for k, v in self.headers.items()}, body
            )
            self.server.asked.append(asked)
            self.server.busy += 1
            self.server.busiest = max(self.server.busiest, self.server.busy)
        reply = self.server.answer(asked)
        with self.server.lock:
            self.server.busy -= 1
        if reply is None:
            self.close_connection = True
            return
        status, headers, said = reply
        raw = said if isinstance(said, bytes) else json.dumps(said).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.over.set()
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def chat(text: str | None, finish: str | None = "stop", **more: Any) -> dict[str, Any]:
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text},
        "finish_reason": finish,
        **more,
    }
    return {"choices": [choice], "usage": {"prompt_tokens": 5, "completion_tokens": 2}}


def echo(asked: Asked) -> Reply:
    return 200, {}, chat(f"you said {asked.prompt}")


def error(status: int, message: str, **headers: str) -> Reply:
    # retries come at once, so that nothing waits
    return status, {"retry-after-ms": "1", **headers}, {"error": {"message": message, "type": "x"}}


def engine_of(server: Server, **settings: Any) -> OpenAIEngine:
    made = OpenAIEngine("smol", ServerConfig(url=server.url, **settings))
    made.load(VERSION, Path("nowhere"))
    return made


def ask(engine: OpenAIEngine, *prompts: str, sampling: Sampling = SAMPLING) -> list[Completion]:
    return engine.generate(VERSION, [Request(p, i) for i, p in enumerate(prompts)], sampling)


def test_what_is_sent_to_a_chat(server: Server) -> None:
    engine = engine_of(server, system="Be brief.")
    engine.generate(VERSION, [Request("2+2?", 2**40 + 7)], Sampling(8, 0.5, "\n"))
    (asked,) = server.asked
    assert asked.path == "/v1/chat/completions"
    assert asked.body == {
        "model": "smol",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "2+2?"}],
        "max_tokens": 8,
        "temperature": 0.5,
        "stop": ["\n"],
        "seed": 7,
        "logprobs": True,
    }


def test_what_is_sent_as_plain_text(server: Server) -> None:
    server.answer = lambda _: (
        200,
        {},
        {
            "choices": [
                {"text": "4", "finish_reason": "length", "logprobs": {"token_logprobs": [-0.5]}},
            ],
            "usage": {"prompt_tokens": 3, "prompt_tokens_details": {"cached_tokens": 2}},
        },
    )
    engine = engine_of(server, chat=False, seeds=False)
    (done,) = engine.generate(VERSION, [Request("2+2=", 9)], Sampling(1, 0.0, ""))
    (asked,) = server.asked
    assert asked.path == "/v1/completions"
    assert asked.body == {
        "model": "smol",
        "prompt": "2+2=",
        "max_tokens": 1,
        "temperature": 0.0,
        "logprobs": 1,
    }
    assert done == Completion("4", [], [-0.5], 3, VERSION, "length", cached_tokens=2, completion_tokens=0)


def test_what_is_asked_of_vllm(server: Server) -> None:
    content = [{"token": "4", "logprob": -0.25}, {"token": "<end>", "logprob": -1.5}]
    server.answer = lambda _: (200, {}, chat("4", token_ids=[33, 2], logprobs={"content": content}))
    engine = engine_of(server, extensions=True)
    (done,) = engine.generate(VERSION, [Request("2+2?", 0, r"[0-9]+")], Sampling(8, 1.0, ""))
    sent = server.asked[0].body
    assert sent["return_token_ids"] is True
    assert sent["structured_outputs"] == {"regex": "[0-9]+"}
    assert (sent["top_p"], sent["top_k"], sent["min_p"], sent["repetition_penalty"]) == (1, 0, 0, 1)
    assert done == Completion("4", [33, 2], [-0.25, -1.5], 5, VERSION, "stop", completion_tokens=2)
    ask(engine, "2+2?")
    assert "structured_outputs" not in server.asked[1].body


def test_a_pattern_is_refused_where_the_server_takes_none(server: Server) -> None:
    with pytest.raises(ValueError, match=r"expected no pattern .* write extensions: true"):
        engine_of(server).generate(VERSION, [Request("2+2?", 0, "[0-9]+")], Sampling(8, 1.0, ""))
    assert server.asked == []


def test_order_is_kept(server: Server) -> None:
    def slower_first(asked: Asked) -> Reply:
        time.sleep(0.02 * (5 - int(asked.prompt)))
        return echo(asked)

    server.answer = slower_first
    done = ask(engine_of(server, concurrency=6), *"012345")
    assert [c.text for c in done] == [f"you said {i}" for i in range(6)]
    assert ask(engine_of(server)) == []


def test_as_many_at_one_time_as_configured(server: Server) -> None:
    together = threading.Barrier(3)

    def crowd(asked: Asked) -> Reply:
        together.wait(10)  # fails unless three are here
        time.sleep(0.02)  # room for a fourth to be noticed
        return echo(asked)

    server.answer = crowd
    done = ask(engine_of(server, concurrency=3), *map(str, range(9)))
    assert [c.finish for c in done] == ["stop"] * 9
    assert server.busiest == 3


def test_calls_from_several_threads_share_the_bound(server: Server) -> None:
    def slow(asked: Asked) -> Reply:
        time.sleep(0.02)
        return echo(asked)

    server.answer = slow
    engine = engine_of(server, concurrency=1)
    with ThreadPoolExecutor(2) as threads:
        both = list(threads.map(lambda name: ask(engine, f"{name}1", f"{name}2"), ["a", "b"]))
    assert [[c.text[-2:] for c in done] for done in both] == [["a1", "a2"], ["b1", "b2"]]
    assert server.busiest == 1


def test_it_works_inside_an_event_loop(server: Server) -> None:
    engine = engine_of(server)

    async def actor() -> list[Completion]:
        return ask(engine, "a", "b")

    assert [c.text for c in asyncio.run(actor())] == ["you said a", "you said b"]
    assert [c.text for c in ask(engine, "c")] == ["you said c"]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_that_recovers_is_asked_again(server: Server, status: int) -> None:
    server.answer = lambda asked: error(status, "not now") if asked.number < 2 else echo(asked)
    engine = engine_of(server)
    (done,) = ask(engine, "a")
    assert done.text == "you said a"
    assert [a.body for a in server.asked] == [server.asked[0].body] * 3
    assert engine.usage == Usage(prompt_tokens=5, completion_tokens=2, requests=3, retries=2)


@pytest.mark.parametrize(
    ("status", "failure"), [(429, "rate_limited: 429 not now"), (500, "refused: 500 not now")]
)
def test_a_server_that_does_not_recover(server: Server, status: int, failure: str) -> None:
    server.answer = lambda _: error(status, "not now")
    engine = engine_of(server, retries=2)
    assert ask(engine, "a") == [Completion("", [], [], 0, VERSION, "error", failure)]
    assert engine.usage == Usage(0, 0, requests=3, retries=2)


def test_a_refused_request_leaves_the_others_alone(server: Server) -> None:
    server.answer = lambda asked: error(400, "too\nlong") if asked.prompt == "bad" else echo(asked)
    engine = engine_of(server)
    good, bad, other = ask(engine, "good", "bad", "other")
    assert (good.text, other.text) == ("you said good", "you said other")
    assert bad == Completion("", [], [], 0, VERSION, "error", "refused: 400 too long")
    assert engine.usage == Usage(10, 4, requests=3, retries=0)


@pytest.mark.parametrize(
    ("said", "failure"), [(b"<html>" + b"x" * 999, "refused: 404 <html>xxx"), (b"", "without a message")]
)
def test_a_refusal_in_other_words_is_shown_in_part(server: Server, said: bytes, failure: str) -> None:
    server.answer = lambda _: (404, {}, said)
    (done,) = ask(engine_of(server), "a")
    assert done.failure is not None
    assert failure in done.failure
    assert len(done.failure) < 310


def test_a_silent_server(server: Server) -> None:
    def silent(asked: Asked) -> Reply | None:
        if asked.prompt != "a":
            return echo(asked)
        server.over.wait(30)
        return None

    server.answer = silent
    done = ask(engine_of(server, timeout=0.2, retries=0), "a", "b")
    assert done[0].failure == f"timeout: no answer from {server.url} in 0.2 s, tries: 1 (ReadTimeout)"
    assert done[1].text == "you said b"


def test_a_silent_server_is_asked_again(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.001)

    def silent(asked: Asked) -> Reply | None:
        if asked.number:
            return echo(asked)
        server.over.wait(30)
        return None

    server.answer = silent
    engine = engine_of(server, timeout=0.2, retries=1)
    assert ask(engine, "a")[0].text == "you said a"
    assert engine.usage.retries == 1


def test_no_server() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    engine = OpenAIEngine("smol", ServerConfig(url=f"http://127.0.0.1:{port}/v1", retries=0))
    engine.load(VERSION, Path("nowhere"))
    done = ask(engine, "a", "b")
    failure = f"unreachable: no connection with http://127.0.0.1:{port}/v1, tries: 1 (ConnectError)"
    assert done == [Completion("", [], [], 0, VERSION, "error", failure)] * 2


def test_a_server_that_takes_no_connections() -> None:
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for other in (first, second):
            other.setblocking(False)
            other.connect_ex(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}/v1"
        engine = OpenAIEngine("smol", ServerConfig(url=url, retries=0, timeout=0.2))
        engine.load(VERSION, Path("nowhere"))
        (done,) = ask(engine, "a")
    assert done.failure == f"unreachable: no connection with {url}, tries: 1 (ConnectTimeout)"


def test_a_connection_that_breaks(server: Server) -> None:
    server.answer = lambda asked: None if asked.prompt == "a" else echo(asked)
    done = ask(engine_of(server, retries=0), "a", "b")
    assert done[0].failure is not None
    assert done[0].failure.startswith("unreachable: ")
    assert done[1].text == "you said b"


@pytest.mark.parametrize(
    ("reply", "failure"),
    [
        (b"<html>", "malformed: expected a completion from {url}, got: Invalid JSON"),
        ({"choices": []}, "malformed: expected one choice, got 0"),
        ({"usage": None}, "malformed: expected a completion from {url}, got: Field required at choices"),
        (chat("x", "content_filter"), "filtered: "),
        (chat("x", "tool_calls"), "malformed: expected to stop by stop or length, got 'tool_calls'"),
        (chat("x", None), "malformed: expected to stop by stop or length, got None"),
        (
            chat("x", token_ids=[1, 2], logprobs={"content": [{"logprob": -1.0}]}),
            "malformed: expected a log-probability a token, got 1 for 2",
        ),
    ],
)
def test_an_answer_that_is_no_completion(server: Server, reply: Any, failure: str) -> None:
    server.answer = lambda _: (200, {}, reply)
    (done,) = ask(engine_of(server), "a")
    assert done == Completion("", [], [], 0, VERSION, "error", done.failure)
    assert (done.failure or "").startswith(failure.format(url=server.url))


def test_an_answer_without_text_or_usage(server: Server) -> None:
    server.answer = lambda _: (200, {}, {"choices": chat(None, "length")["choices"]})
    nothing = Completion("", [], [], 0, VERSION, "length", completion_tokens=0)
    assert ask(engine_of(server), "a") == [nothing]


def test_a_redirect_is_not_followed(server: Server) -> None:
    server.answer = lambda _: (307, {"Location": f"{server.url}/elsewhere"}, b"")
    (done,) = ask(engine_of(server), "a")
    assert done.failure == "refused: 307 without a message"
    assert len(server.asked) == 1


def test_a_proxy_is_not_asked_for_this_machine(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert ask(engine_of(server, retries=0), "a")[0].text == "you said a"


def test_a_prompt_that_is_no_text(server: Server) -> None:
    server.answer = lambda asked: echo(asked) if asked.number else error(500, "not now")
    engine = engine_of(server)
    bad, good = ask(engine, "a\ud800b", "ü")
    assert bad.failure == "unreadable: expected a prompt of Unicode text, got surrogates not allowed"
    assert good.text == "you said ü"
    assert engine.usage == Usage(5, 2, requests=2, retries=1)


def test_it_conforms(server: Server) -> None:
    def written(asked: Asked) -> Reply:
        seed = asked.body["seed"] if asked.body["temperature"] else 0
        digest = hashlib.sha256(f"{asked.prompt}/{seed}".encode()).digest()
        ids = list(digest[: 1 + digest[-1] % 16])
        content = [{"token": str(i), "logprob": -i / 256} for i in ids]
        text, finish = " ".join(map(str, ids)), "length" if len(ids) == 16 else "stop"
        return 200, {}, chat(text, finish, token_ids=ids, logprobs={"content": content})

    server.answer = written
    engine = engine_of(server, extensions=True)
    check_engine(engine, VERSION, prompts=["a", "b", "c"], unreadable=["\ud800"])
    with pytest.raises(AssertionError, match="expected seeds to matter"):
        unseeded = engine_of(server, extensions=True)
        server.answer = lambda asked: written(Asked(0, "", {}, {**asked.body, "seed": 1}))
        check_engine(unseeded, VERSION, prompts=["a", "b", "c"])


class Clock:
    """A clock that sleeping moves on; it keeps when each sleeper was woken."""

    def __init__(self) -> None:
        self.now = 100.0
        self.woken: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        at = self.now + seconds
        self.woken.append(at)
        await asyncio.sleep(0)
        self.now = max(self.now, at)


def test_pace_spaces_the_turns() -> None:
    clock = Clock()
    pace = Pace(30, clock=clock, sleep=clock.sleep)

    async def all_at_once() -> None:
        await asyncio.gather(*(pace.turn() for _ in range(4)))

    asyncio.run(all_at_once())
    assert clock.woken == [102.0, 104.0, 106.0]
    clock.now = 500.0  # what was not used is not saved up
    asyncio.run(all_at_once())
    assert clock.woken[3:] == [502.0, 504.0, 506.0]


def test_no_pace_waits_for_nothing() -> None:
    clock = Clock()
    pace = Pace(None, clock=clock, sleep=clock.sleep)
    for _ in range(3):
        asyncio.run(pace.turn())
    assert clock.woken == []


def test_the_rate_limit_counts_every_try(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(openai_api, "Pace", lambda rate: Pace(rate, clock=clock, sleep=clock.sleep))
    server.answer = lambda asked: error(429, "slow down") if asked.number == 1 else echo(asked)
    engine = engine_of(server, requests_per_minute=60)
    done = [*ask(engine, "a", "b", "c"), *ask(engine, "d")]  # the limit holds across calls
    assert [c.finish for c in done] == ["stop"] * 4
    assert len(server.asked) == 5
    assert clock.woken == [101.0, 102.0, 103.0, 104.0]


def test_the_key_is_sent_and_never_shown(
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TEACHER_KEY", KEY)

    def tells_it(asked: Asked) -> Reply:
        told = f"{'x' * 260} {asked.headers['authorization']} is wrong"  # also where the text is cut
        return echo(asked) if asked.prompt == "good" else error(int(asked.prompt), told)

    server.answer = tells_it
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, "openai"):
        engine = engine_of(server, key_env="TEACHER_KEY", retries=1)
        done = ask(engine, "good", "401", "400", "429", "500")
    assert [a.headers["authorization"] for a in server.asked] == [f"Bearer {KEY}"] * len(server.asked)
    assert [c.finish for c in done] == ["stop", *["error"] * 4]
    assert "Bearer [key]" in (done[1].failure or "")
    assert "HTTP Request" in caplog.text
    config = engine.config
    seen = [caplog.text, *capfd.readouterr(), repr(done), repr(engine), repr(vars(engine)), repr(config)]
    seen += [str(engine.usage), config.model_dump_json()]
    assert not [text for text in seen if KEY[:12] in text]


def test_a_key_is_needed_elsewhere_only(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(engine_of(server), "a")
    assert server.asked[0].headers["authorization"] == "Bearer none"
    elsewhere = ServerConfig(url="https://api.example.org/v1", key_env="TEACHER_KEY")
    monkeypatch.delenv("TEACHER_KEY", raising=False)
    with pytest.raises(ServerError, match="TEACHER_KEY, got none"):
        OpenAIEngine("large", elsewhere)
