from __future__ import annotations

import pytest
import typer

from arena.run_names import Wrong
from arena.telling import told


def test_what_a_message_quotes_is_nothing_to_obey(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit), told():
        raise Wrong("could not convert 'red\x1b[31m\x07\u202e'\n\tto a number")
    assert capsys.readouterr().err == "could not convert 'red\\x1b[31m\\x07\\u202e'\n\tto a number\n"
