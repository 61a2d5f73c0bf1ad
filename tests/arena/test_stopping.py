from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from arena.stopping import SIGNALS, stoppable

TWICE = """
import time
from arena.stopping import stoppable
with stoppable():
    try:
        print("ready", flush=True)
        time.sleep(60)
    except KeyboardInterrupt:
        print("stopping", flush=True)
        time.sleep(60)
"""


@pytest.mark.parametrize("sent", SIGNALS)
def test_the_first_signal_raises_and_is_noted(sent: signal.Signals) -> None:
    before = [signal.getsignal(each) for each in SIGNALS]
    with pytest.raises(KeyboardInterrupt), stoppable() as stop:
        assert stop.signal is None
        os.kill(os.getpid(), sent)
    assert stop.signal == sent
    assert stop.exit_code == 128 + sent
    assert [signal.getsignal(each) for each in SIGNALS] == before


def test_the_second_ends_the_process_at_once() -> None:
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", TWICE], cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "stopping\n"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGINT
