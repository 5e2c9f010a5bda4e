"""Who is measured: a do-nothing plugin, ours, and those of others from PyPI."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from tests.world import Key, find_venv

CERTBOT = "5.8.0"
ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Contender:
    """A plugin, as a user would use it.

    :param name: its name on PyPI, and that of its virtual environment
    :param authenticator: what --authenticator takes
    :param ini: the credentials file, with {id} and {secret} for the access key
    """

    name: str
    authenticator: str
    ini: str = ""

    @property
    def venv(self) -> Path:
        """Its virtual environment, with Certbot in it."""
        if self.name == OURS or (self.name == FLOOR and not PLAIN.venv.exists()):
            return find_venv(CERTBOT)
        return venvs() / (PLAIN.name if self.name == FLOOR else self.name)

    @property
    def environment(self) -> dict[str, str]:
        """What it takes to be found by Certbot."""
        return {"PYTHONPATH": str(ROOT / "benchmarks" / "nothing")} if self.name == FLOOR else {}

    @property
    def pinned(self) -> str:
        """The version that is measured; empty for what is no release."""
        file = ROOT / "benchmarks" / "venvs" / f"{self.name}.txt"
        text = file.read_text() if file.exists() else ""
        found = re.search(rf"^{re.escape(self.name)}==(\S+)", text, re.MULTILINE)
        return found[1] if found else ""

    @property
    def why_not(self) -> str:
        """Why it cannot be measured; empty if it can."""
        if (self.venv / "bin" / "certbot").exists():
            return ""
        log = self.venv / "why-not"
        lines = log.read_text().strip().splitlines() if log.exists() else ["not installed"]
        return lines[-1]

    def options(self, ini: Path) -> list[str]:
        """Give the options that choose it."""
        words = ["--authenticator", self.authenticator]
        return [*words, f"--{self.authenticator}-credentials", str(ini)] if self.ini else words

    def credentials(self, key: Key) -> bytes:
        """Give the content of its credentials file."""
        return self.ini.format(id=key.id, secret=key.secret).encode()


def venvs() -> Path:
    """Give the folder with the virtual environments."""
    return Path(os.environ.get("BENCH_VENVS") or ROOT / "build" / "bench")


FLOOR = "nothing"
#: Certbot without any plugin.
PLAIN = Contender("certbot", "")
OURS = "certbot-dns-aliyun 3"
CONTENDERS = {
    contender.name: contender
    for contender in (
        Contender(FLOOR, "dns-nothing"),
        Contender(
            OURS,
            "dns-aliyun",
            "dns_aliyun_access_key = {id}\ndns_aliyun_access_key_secret = {secret}\n",
        ),
        Contender(
            "certbot-dns-aliyun",
            "dns-aliyun",
            "dns_aliyun_access_key = {id}\ndns_aliyun_access_key_secret = {secret}\n",
        ),
        Contender(
            "certbot-dns-aliyun-next",
            "dns-aliyun-next",
            "dns_aliyun_next_access_key_id = {id}\ndns_aliyun_next_access_key_secret = {secret}\n",
        ),
        Contender(
            "certbot-dns-alias",
            "dns-alias",
            "dns_alias_provider = aliyun\n"
            "dns_alias_aliyun_access_key_id = {id}\n"
            "dns_alias_aliyun_access_key_secret = {secret}\n",
        ),
        Contender(
            "certbot-dns-multi",
            "dns-multi",
            "dns_multi_provider = alidns\n"
            "ALICLOUD_ACCESS_KEY = {id}\n"
            "ALICLOUD_SECRET_KEY = {secret}\n",
        ),
    )
}
PEERS = [name for name in CONTENDERS if name not in (FLOOR, OURS)]
