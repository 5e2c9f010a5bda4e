"""The tests hold where they run in the background: a shell starts such jobs with SIGINT ignored."""

from __future__ import annotations

import signal
import subprocess
import sys


def test_the_tests_of_interrupts_run_where_interrupts_are_ignored() -> None:
    chosen = ["tests/unit/test_interrupts.py", "tests/unit/test_run.py", "-k", "interrupt"]
    outcome = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *chosen],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    assert outcome.returncode == 0, outcome.stdout
