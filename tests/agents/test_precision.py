"""Tests of the precision that a machine computes in."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from agents import precision
from agents.config import EngineConfig, LearnerConfig


@pytest.mark.parametrize("here", ["float32", "bfloat16"])
def test_auto_is_settled_when_it_is_read(monkeypatch: pytest.MonkeyPatch, here: str) -> None:
    monkeypatch.setattr(precision, "native", lambda: here)
    assert EngineConfig.model_validate({"dtype": "auto"}).dtype == here
    written = LearnerConfig.model_validate({"dtype": "auto"}).model_dump()
    monkeypatch.setattr(precision, "native", lambda: "other")
    assert LearnerConfig.model_validate(written).dtype == here


def test_what_is_given_stays() -> None:
    assert EngineConfig.model_validate({"dtype": "bfloat16"}).dtype == "bfloat16"
    assert precision.native() in ("float32", "bfloat16")


def test_others_are_refused_and_auto_is_in_the_schema() -> None:
    with pytest.raises(ValidationError, match="'float32' or 'bfloat16'"):
        EngineConfig.model_validate({"dtype": "float16"})
    assert EngineConfig.model_json_schema()["properties"]["dtype"]["enum"][0] == "auto"
