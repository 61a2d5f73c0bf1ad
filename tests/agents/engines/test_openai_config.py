"""What may be written about a server, and what is said about it where that is wrong."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from agents.engines.openai_config import ServerConfig, ServerError, check_server, is_loopback

KEY = "sk-proj-this-is-the-secret-42"


def test_a_key_is_needed_elsewhere_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEACHER_KEY", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)  # the key of another server does not count
    check_server(ServerConfig(url="http://127.0.0.1:8000/v1", key_env="TEACHER_KEY"))
    elsewhere = ServerConfig(url="https://api.example.org/v1", key_env="TEACHER_KEY")
    with pytest.raises(
        ServerError, match=r"a key for https://api\.example\.org/v1 .* TEACHER_KEY, got none"
    ):
        check_server(elsewhere)
    monkeypatch.setenv("TEACHER_KEY", "word")
    check_server(elsewhere)


def test_a_key_that_cannot_be_a_header_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong in (f"{KEY}\n", f"{KEY} x", f"{KEY}ü"):
        monkeypatch.setenv("OPENAI_API_KEY", wrong)
        with pytest.raises(ServerError, match="expected a key of printable ASCII") as raised:
            check_server(ServerConfig(url="https://api.example.org/v1"))
        assert KEY[:12] not in str(raised.value)


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:8000/v1", "ftp://a/v1", "http:///v1", "http://a:99999/v1", "http://a:0/v1"]
)
def test_a_bad_address_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="expected an address"):
        ServerConfig(url=url)


@pytest.mark.parametrize("url", [f"http://me:{KEY}@a/v1", f"http://a/v1?key={KEY}", f"http://a/v1#{KEY}"])
def test_an_address_with_a_secret_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ValidationError, match="write the key into the environment") as raised:
        ServerConfig(url=url)
    assert KEY not in str(raised.value)


@pytest.mark.parametrize("key", [KEY, "hf_abcdefgh", ""])
def test_the_key_in_the_place_of_its_name_is_not_shown(key: str) -> None:
    with pytest.raises(ValidationError, match="expected the name of an environment variable") as raised:
        ServerConfig(url="https://api.example.org/v1", key_env=key)
    assert not key or key not in str(raised.value)


def test_a_system_prompt_needs_a_chat() -> None:
    with pytest.raises(ValidationError, match="expected system with chat: true only"):
        ServerConfig(url="http://localhost/v1", chat=False, system="Be brief.")


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://localhost:1/v1", True),
        ("http://127.1.2.3/v1", True),
        ("http://[::1]:8000/v1", True),
        ("http://10.0.0.1/v1", False),
        ("http://localhost.example.org/v1", False),
    ],
)
def test_what_is_loopback(url: str, here: bool) -> None:
    assert is_loopback(url) is here


def test_every_setting_says_what_it_is() -> None:
    assert [name for name, field in ServerConfig.model_fields.items() if not field.description] == []
