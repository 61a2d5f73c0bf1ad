"""Which server speaks for a policy: its address, where its key is found, and how hard it may be asked."""

from __future__ import annotations

import os
import re
from ipaddress import ip_address
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

__all__ = ["ServerConfig", "ServerError", "check_server", "is_loopback", "server_key"]


class ServerError(ValueError):
    """A server that could not be asked; the message says what to change and never carries a key."""


class ServerConfig(BaseModel):
    """A server with the OpenAI API: completions of models that others serve.

    The key is never part of it: ``key_env`` names the environment variable that holds one.
    """

    # An address with a password in it is refused; the refusal must not repeat it.
    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, hide_input_in_errors=True
    )

    url: str
    """Where the API is, up to and with its version: ``http://127.0.0.1:8000/v1``. No unit."""
    key_env: str = "OPENAI_API_KEY"
    """Name of the environment variable with the key, in capitals; a server on this machine needs none.
    No unit."""
    timeout: float = Field(default=60.0, gt=0, le=3600)
    """Longest silence of the server before a try is given up, in seconds."""
    retries: int = Field(default=4, ge=0, le=20)
    """Further tries of a request after a timeout, a lost connection, or status 408, 409, 429 or 5xx, each
    after a longer wait, or after the wait that the server asks for if that is two minutes or less; in
    tries."""
    concurrency: int = Field(default=16, ge=1, le=1000)
    """Requests under way at one time, in requests."""
    requests_per_minute: float | None = Field(default=None, gt=0)
    """Most tries in a minute, evenly spaced, repeated ones included; null is no limit. In requests per
    minute, of each engine."""
    chat: bool = True
    """Whether a prompt is sent as a user's message in a chat; false sends it as bare text to continue.
    No unit."""
    seeds: bool = True
    """Whether the seed of a request is sent: false for servers that refuse it, and then nothing can be
    repeated. No unit."""
    system: str | None = Field(default=None, min_length=1)
    """What the model is told before the prompt of a chat; null sends nothing. No unit."""
    extensions: bool = False
    """Whether the server is vLLM, so that token ids and patterns can be asked for; others refuse fields
    that they do not know. No unit."""

    @field_validator("url")
    @classmethod
    def _address(cls, url: str) -> str:
        try:
            parts = urlsplit(url)
            port_known = parts.port != 0
        except ValueError:
            raise ValueError("expected an address with a port from 1 to 65535 or none") from None
        if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
            raise ValueError(
                "expected an address without a user, password, query or fragment; write the key into the "
                "environment variable that key_env names"
            )
        if parts.scheme not in ("http", "https") or not parts.hostname or not port_known:
            raise ValueError(
                f"expected an address such as http://127.0.0.1:8000/v1 or https://api.openai.com/v1, "
                f"got {url!r}"
            )
        return url

    @field_validator("key_env")
    @classmethod
    def _name(cls, key_env: str) -> str:
        # Who writes the key itself here should not find it in a message.
        if not re.fullmatch("[A-Z_][A-Z0-9_]*", key_env):
            raise ValueError(
                f"expected the name of an environment variable in capitals, such as OPENAI_API_KEY, got "
                f"{len(key_env)} other characters; write the key into that variable, never here"
            )
        return key_env

    @model_validator(mode="after")
    def _told(self) -> ServerConfig:
        if self.system is not None and not self.chat:
            raise ValueError("expected system with chat: true only; write chat: true, or leave system out")
        return self


def is_loopback(url: str) -> bool:
    """Whether the host of ``url`` is this machine, by its name alone: nothing is looked up."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def server_key(config: ServerConfig) -> SecretStr | None:
    """The key from the environment; None where there is none and none is needed. Raises ServerError."""
    key = os.environ.get(config.key_env, "")
    if not key:
        if is_loopback(config.url):
            return None
        raise ServerError(
            f"expected a key for {config.url} in the environment variable {config.key_env}, got none; set "
            f"it (to any word if the server wants none), or name another variable as key_env"
        )
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ServerError(
            f"expected a key of printable ASCII characters without spaces in {config.key_env}, got "
            f"{len(key)} characters with others among them; set it anew"
        )
    return SecretStr(key)


def check_server(config: ServerConfig) -> None:
    """Whether requests could be made, without making one. Raises ServerError with what to change."""
    server_key(config)
