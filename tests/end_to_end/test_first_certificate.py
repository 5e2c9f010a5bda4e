"""Who knows the page "The first certificate" alone gets one: its lines are pasted.

The domain is the page's own; the access key is put in place of the page's, as it says. What comes
from a package index, and the link to what it brought, `make distributions` pastes.
"""

from __future__ import annotations

import html
import json
import os
import re
from pathlib import Path

import pytest

from tests.end_to_end.helpers import MakeWorld
from tests.end_to_end.terminal import Terminal
from tests.world import Key, World

pytestmark = pytest.mark.newest

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r'<div class="highlight-(\w+) notranslate">.*?<pre>(.*?)</pre>', re.DOTALL)
PAGES_INI = "/etc/letsencrypt/aliyun.ini"
#: Certbot's folders, on the page and in the world.
FOLDERS = {
    "/etc/letsencrypt": "config",
    "/var/lib/letsencrypt": "work",
    "/var/log/letsencrypt": "logs",
}


def blocks(language: str) -> list[tuple[str, str]]:
    """What the page has to paste, each with its kind."""
    page = ROOT / "build" / "docs" / language / "first-certificate.html"
    if not page.exists():
        missing = "the site is not built (make docs)"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    found = BLOCK.findall(page.read_text(encoding="utf-8"))
    return [(kind, html.unescape(re.sub("<[^>]+>", "", text))) for kind, text in found]


class Shell:
    """Root's shell on a machine that has Certbot, and the page's INI file."""

    def __init__(self, world: World, ini: str) -> None:
        self._world = world
        self.ini = world.write_ini(ini.encode(), mode=0o644)
        self._programs = world.folder / "programs"
        self._programs.mkdir()
        self.hook_calls = world.folder / "hook-calls"
        systemctl = self._programs / "systemctl"
        systemctl.write_text(f'#!/bin/sh\necho "$@" >> {self.hook_calls}\n')
        systemctl.chmod(0o755)

    def paste(self, text: str) -> Terminal:
        """Give the terminal at which some lines run."""
        home = self._world.certbot.home
        # What is on this machine stays as it is, below other file systems.
        etc = home / "etc"
        lines = ["set -e", f"test -e {etc} || cp -a /etc {etc} 2> /dev/null || true"]
        lines += [f"mkdir -p {etc}/letsencrypt", f"mount --bind {etc} /etc"]
        lines += [f"mount -t tmpfs none {each}" for each in ("/var/lib", "/var/log")]
        for path, folder in FOLDERS.items():
            (home / folder).mkdir(parents=True, exist_ok=True)
            lines += [f"mkdir -p {path}", f"mount --bind {home / folder} {path}"]
        lines += [f"touch {PAGES_INI}", f"mount --bind {self.ini} {PAGES_INI}"]
        path = f"{self._programs}:{self._world.certbot.venv / 'bin'}:$PATH"
        lines += [f"export PATH={path}", text]
        return Terminal(self._world, "unshare", "--mount", "sh", "-c", "\n".join(lines))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_lines_of_the_page_end_in_a_certificate_and_its_renewal(
    make_world: MakeWorld, language: str
) -> None:
    kinds, texts = zip(*blocks(language))
    assert kinds == ("sh", "json", "sh", "ini", "sh", "sh")
    install, policy, protect, ini, obtain, try_renewal = texts
    assert "pip install certbot 'certbot-dns-aliyun>=3'" in install
    world = make_world(keys=[Key(json.loads(policy))])
    assert world.letsencrypt
    key = ini.replace("LTAI5tExample", world.key.id).replace("ExampleSecret", world.key.secret)
    shell = Shell(world, key)

    assert shell.paste(protect).wait() == 0
    assert shell.ini.stat().st_mode & 0o777 == 0o600
    terminal = shell.paste(obtain)
    terminal.read_until("mail")
    terminal.type("someone@example.com")
    terminal.read_until("(Y)es/(N)o")
    terminal.type("Y")
    terminal.read_until("Electronic Frontier Foundation")
    terminal.type("N")
    assert terminal.wait() == 0, terminal.text
    assert "Successfully received certificate." in terminal.text
    assert shell.hook_calls.read_text() == "reload nginx\n"
    names = world.certbot.names("example.com")
    assert names == ["*.example.com", "example.com"]

    renewal = shell.paste(try_renewal)
    assert renewal.wait(120) == 0, renewal.text
    assert "all simulated renewals succeeded" in renewal.text
    assert not world.records.left()
