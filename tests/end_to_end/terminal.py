"""A person at a terminal, who reads and types."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from pathlib import Path

from tests.world import World


class Terminal:
    """A command that runs at a terminal."""

    def __init__(self, world: World, *command: str) -> None:
        self.text = ""
        self._world = world
        self._ours, theirs = pty.openpty()
        self._process = subprocess.Popen(
            command, env=world.certbot._environment({}), stdin=theirs, stdout=theirs, stderr=theirs
        )
        os.close(theirs)

    def read_until(self, text: str, seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while text not in self._in_one_line():
            assert time.monotonic() < end, f"{text!r} did not come:\n{self.text}"
            if not self._read():
                break
        assert text in self._in_one_line(), self.text

    def _in_one_line(self) -> str:
        """Give what has come without the line breaks of Certbot, which depend on paths."""
        return " ".join(self.text.split())

    def type(self, line: str | Path) -> None:
        os.write(self._ours, f"{line}\n".encode())

    def wait(self, seconds: float = 60) -> int:
        end = time.monotonic() + seconds
        while time.monotonic() < end and self._read():
            pass
        status = self._process.wait(5)
        self._world.scan.check(self.text)
        return status

    def _read(self) -> bool:
        """Read what has come; False when nothing more will."""
        if not select.select([self._ours], [], [], 0.5)[0]:
            return self._process.poll() is None
        try:
            data = os.read(self._ours, 65536)
        except OSError:  # what Linux says when the other side was closed
            return False
        self.text += data.decode(errors="replace")
        return bool(data)


def certbot_at_a_terminal(world: World, *arguments: str) -> Terminal:
    """Start a certbot there, or the plugin's own command."""
    programs = world.certbot.venv / "bin"
    if arguments[0] == "certbot-dns-aliyun":
        return Terminal(world, str(programs / arguments[0]), *arguments[1:])
    command = [str(programs / "certbot"), *arguments]
    command += world.certbot._own_options(command, interactive=True)
    command.remove("--force-interactive")  # a terminal says so by itself
    return Terminal(world, *command)
