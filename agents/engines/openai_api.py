"""The engine for any server with the OpenAI API: frozen teachers, judges and proposers.

The policy stays as the server has it, so loading a version only makes its name known. The official client
does timeouts and retries. A prompt is sent as text, and a server reads control tokens that are spelled out
in it as such: whatever a model wrote must have gone through :func:`culture.quoting.quote`.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import openai
from pydantic import BaseModel, SecretStr, ValidationError

from agents.engines.base import Completion, Request, Sampling
from agents.engines.openai_config import ServerConfig, is_loopback, server_key

__all__ = ["OpenAIEngine", "Pace", "Usage"]

_CONNECT = 5.0
"""Longest wait for a connection, in seconds: a server that is up accepts at once, however busy it is."""
_SHOWN = 300
"""Characters of a server's message that a failure keeps."""
_NO_KEY = "none"
"""Sent as the key where none is needed: the client wants one."""
_FINISHES: dict[str | None, Literal["stop", "length"]] = {"stop": "stop", "length": "length"}


@dataclass(frozen=True, slots=True)
class Usage:
    """What an engine has used since it was made."""

    prompt_tokens: int
    completion_tokens: int
    requests: int
    """Tries that were sent, repeated ones included."""
    retries: int
    """Those of ``requests`` that repeated an earlier one."""


class Pace:
    """Lets one try after another go, at least ``60 / per_minute`` seconds apart; None lets all go."""

    def __init__(
        self,
        per_minute: float | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._gap = 60.0 / per_minute if per_minute else 0.0
        self._clock, self._sleep = clock, sleep
        self._free = 0.0

    async def turn(self) -> None:
        """Return when it is the caller's turn; turns are given in the order of the calls."""
        now = self._clock()
        at = max(now, self._free)
        self._free = at + self._gap
        if at > now:
            await self._sleep(at - now)


class OpenAIEngine:
    """Completions of ``model`` from a server with the OpenAI API.

    A request that fails becomes a completion with ``finish`` "error" whose ``failure`` starts with what
    went wrong: ``timeout``, ``unreachable``, ``rate_limited``, ``refused`` (with the status and the
    server's message), ``filtered``, ``malformed`` or ``unreadable`` (the prompt is no Unicode text). It
    never carries the key or a header.

    ``token_ids`` are [] unless the server is vLLM and the configuration says so, so that nothing can be
    trained on such a completion; ``logprobs`` are [] where the server gives none. vLLM gives them at
    temperature 1, whatever was sampled at, unless it is started with ``--logprobs-mode
    processed_logprobs``; with a pattern they are among the tokens that it allows.

    Calls from several threads take turns. Raises ServerError where there is no key and one is needed.
    """

    def __init__(self, model: str, config: ServerConfig) -> None:
        server_key(config)
        self.model, self.config = model, config
        self._pace = Pace(config.requests_per_minute)
        self._turn = threading.Lock()
        self._versions: set[str] = set()
        self._prompt_tokens = self._completion_tokens = self._sent = self._asked = 0

    @property
    def usage(self) -> Usage:
        """Totals so far. Tokens are those that the server says it used."""
        return Usage(
            self._prompt_tokens, self._completion_tokens, self._sent, max(0, self._sent - self._asked)
        )

    def load(self, policy_version: str, path: Path) -> None:
        """Make the name known; ``path`` is not read, since the server has the weights."""
        self._versions.add(policy_version)

    def forget(self, keep: set[str]) -> None:
        """Nothing: the server holds the weights."""

    def generate(
        self, policy_version: str, requests: Sequence[Request], sampling: Sampling
    ) -> list[Completion]:
        """Completions in the order of ``requests``.

        Raises KeyError for a version not loaded, ValueError for a pattern where the server takes none, and
        ServerError where the key has gone.
        """
        if policy_version not in self._versions:
            raise KeyError(f"expected a loaded policy version, got {policy_version!r}; call load() first")
        held = next((r.pattern for r in requests if r.pattern is not None), None)
        if held is not None and not self.config.extensions:
            raise ValueError(
                f"expected no pattern for {self.config.url}, since only vLLM takes one, got {held!r}; "
                "write extensions: true if the server is vLLM"
            )
        with self._turn:
            return _run(self._all(policy_version, requests, sampling, server_key(self.config)))

    async def _all(
        self, policy_version: str, requests: Sequence[Request], sampling: Sampling, key: SecretStr | None
    ) -> list[Completion]:
        slots = asyncio.Semaphore(self.config.concurrency)

        async def one(request: Request) -> Completion:
            async with slots:
                try:
                    return await self._complete(client, policy_version, request, sampling)
                except (openai.APIError, ValidationError, _Failed, UnicodeEncodeError) as error:
                    failure = self._failure(error, key)
                    return Completion("", [], [], 0, policy_version, "error", failure)

        local, tls = is_loopback(self.config.url), urlsplit(self.config.url).scheme == "https"
        timeout = openai.Timeout(self.config.timeout, connect=min(_CONNECT, self.config.timeout))
        # A proxy is not the way to this machine, and a redirect would take prompts to who knows whom.
        http = openai.DefaultAsyncHttpxClient(
            event_hooks={"request": [self._sending]},
            follow_redirects=False,
            trust_env=not local,
            # Reading the usual certificates takes longer than asking; without TLS none are needed.
            verify=tls or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        )
        async with openai.AsyncOpenAI(
            api_key=_NO_KEY if key is None else key.get_secret_value(),
            base_url=self.config.url,
            timeout=timeout,
            max_retries=self.config.retries,
            http_client=http,
        ) as client:
            return await asyncio.gather(*(one(r) for r in requests))

    async def _sending(self, _request: object) -> None:
        """Called by the client before every try."""
        await self._pace.turn()
        self._sent += 1

    async def _complete(
        self, client: openai.AsyncOpenAI, policy_version: str, request: Request, sampling: Sampling
    ) -> Completion:
        body = self._body(request, sampling)
        request.prompt.encode()  # what cannot be sent is not counted as asked
        self._asked += 1
        text = await client.post(
            "/chat/completions" if self.config.chat else "/completions", cast_to=str, body=body
        )
        reply = _Reply.model_validate_json(text)
        used = reply.usage or _Usage()
        self._prompt_tokens += used.prompt_tokens
        self._completion_tokens += used.completion_tokens
        if len(reply.choices) != 1:
            raise _Failed(f"malformed: expected one choice, got {len(reply.choices)}")
        choice = reply.choices[0]
        if choice.finish_reason == "content_filter":
            raise _Failed("filtered: the server's content filter stopped the completion")
        if choice.finish_reason not in _FINISHES:
            raise _Failed(f"malformed: expected to stop by stop or length, got {choice.finish_reason!r}")
        ids, logprobs = choice.token_ids or [], choice.token_logprobs()
        if ids and logprobs and len(ids) != len(logprobs):
            raise _Failed(
                f"malformed: expected a log-probability a token, got {len(logprobs)} for {len(ids)}"
            )
        return Completion(
            choice.written(),
            ids,
            logprobs,
            used.prompt_tokens,
            policy_version,
            _FINISHES[choice.finish_reason],
            cached_tokens=used.cached(),
            completion_tokens=used.completion_tokens,
        )

    def _body(self, request: Request, sampling: Sampling) -> dict[str, Any]:
        """What is sent, without fields that the server may not know."""
        config = self.config
        body: dict[str, Any] = {
            "model": self.model,
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
        }
        if config.chat:
            told = [] if config.system is None else [{"role": "system", "content": config.system}]
            body["messages"] = [*told, {"role": "user", "content": request.prompt}]
            body["logprobs"] = True
        else:
            body["prompt"] = request.prompt
            body["logprobs"] = 1
        if sampling.stop:
            body["stop"] = [sampling.stop]
        if config.seeds:
            # Many servers keep a seed in 32 bits with a sign.
            body["seed"] = request.seed % 2**31
        if config.extensions:
            body["return_token_ids"] = True
            # Otherwise vLLM samples by what the model's generation_config.json recommends.
            body |= {"top_p": 1.0, "top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0}
            if request.pattern is not None:
                body["structured_outputs"] = {"regex": request.pattern}
        return body

    def _failure(self, error: Exception, key: SecretStr | None) -> str:
        """One line that says what went wrong, without the key even where the server repeats it."""
        where, cause = self.config.url, type(error.__cause__).__name__
        tried = f"tries: {self.config.retries + 1} ({cause})"
        match error:
            case _Failed():
                said = str(error)
            case UnicodeEncodeError():
                said = f"unreadable: expected a prompt of Unicode text, got {error.reason}"
            case ValidationError():
                first = error.errors(include_input=False, include_url=False)[0]
                at = ".".join(str(part) for part in first["loc"])
                said = (
                    f"malformed: expected a completion from {where}, got: {first['msg']} at {at or 'top'}"
                )
            case openai.APITimeoutError() if cause != "ConnectTimeout":
                said = f"timeout: no answer from {where} in {self.config.timeout:g} s, {tried}"
            case openai.RateLimitError():
                said = f"rate_limited: {error.status_code} {_message(error)}"
            case openai.APIStatusError():
                said = f"refused: {error.status_code} {_message(error)}"
            case _:
                # The message of the cause is left out: it may quote what was sent.
                said = f"unreachable: no connection with {where}, {tried}"
        if key is not None:
            said = said.replace(key.get_secret_value(), "[key]")
        said = " ".join(said.split())
        return said if len(said) <= _SHOWN else said[:_SHOWN] + "…"


def _run(work: Coroutine[Any, Any, list[Completion]]) -> list[Completion]:
    """Run to the end from anywhere, also from inside an event loop, as in an async Ray actor."""
    try:
        asyncio.get_running_loop()
        inside = True
    except RuntimeError:
        inside = False
    if inside:
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, work).result()
    return asyncio.run(work)


def _message(error: openai.APIStatusError) -> str:
    """What the server said, without the client's words around it."""
    body = error.body
    if isinstance(body, dict) and isinstance(body.get("message"), str):
        return str(body["message"])
    return str(body) if body else "without a message"


class _Failed(Exception):
    """An answer that is no completion; the message is the failure."""


class _PromptTokens(BaseModel):
    cached_tokens: int | None = None


class _Usage(BaseModel):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: _PromptTokens | None = None

    def cached(self) -> int:
        details = self.prompt_tokens_details
        return 0 if details is None else details.cached_tokens or 0


class _Token(BaseModel):
    logprob: float


class _Logprobs(BaseModel):
    """Of a chat under ``content``, of plain completions under ``token_logprobs``."""

    content: list[_Token] | None = None
    token_logprobs: list[float] | None = None


class _Message(BaseModel):
    content: str | None = None


class _Choice(BaseModel):
    finish_reason: str | None
    message: _Message | None = None
    text: str | None = None
    logprobs: _Logprobs | None = None
    token_ids: list[int] | None = None

    def written(self) -> str:
        """The text of a chat or of a plain completion; empty where a model wrote none."""
        return (self.message.content if self.message is not None else self.text) or ""

    def token_logprobs(self) -> list[float]:
        if self.logprobs is None:
            return []
        if self.logprobs.content is not None:
            return [t.logprob for t in self.logprobs.content]
        return self.logprobs.token_logprobs or []


class _Reply(BaseModel):
    """The parts of an answer that are used; servers add others."""

    choices: list[_Choice]
    usage: _Usage | None = None
