"""The product's parts, put together for tests as Run puts them together."""

from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path
from typing import Callable

import pytest
from certbot.display import util as display_util

from certbot_dns_aliyun.accounts import Clients
from certbot_dns_aliyun.credentials.access_key import AccessKey, KeySource
from certbot_dns_aliyun.credentials.settings import Account, Settings
from certbot_dns_aliyun.propagation.delegation import Place
from certbot_dns_aliyun.records.journal import Journal
from certbot_dns_aliyun.records.ledger import Ledger
from tests.unit.fake_api import KEY_ID, SECRET

ZoneOf = Callable[[str], "str | None"]


def settings(key_id: str = KEY_ID) -> Settings:
    return Settings([Account("", KeySource(AccessKey(key_id, SECRET), "credentials.ini"))])


def unknown(name: str) -> str | None:
    """What public DNS says of a name's zone when it says nothing."""
    return None


def make_ledger(config_dir: Path, zone_of: ZoneOf = unknown, key_id: str = KEY_ID) -> Ledger:
    def find_places(name: str) -> list[Place]:
        return [Place(name, zone_of(name), (), (name,))]

    return Ledger(
        Clients(settings(key_id)), find_places, str(config_dir), notify=display_util.notify
    )


def digest(of: str) -> str:
    """Gives a value as ACME has it: the journal lists no other."""
    return base64.urlsafe_b64encode(hashlib.sha256(of.encode()).digest()).decode().rstrip("=")


def journals(config_dir: Path) -> list[Path]:
    """Lists the files, of whatever kind, where journals are kept, but for the secret."""
    found = sorted(path for path in config_dir.rglob("*") if path.is_file())
    return [path for path in found if path.name != "secret"]


def kill(journal: Journal) -> None:
    """Does to a run's journal what a kill does: its file is closed, and stays as it is."""
    if journal._file is not None:
        os.close(journal._file)
        journal._file = None
    journal._writable = False


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Gives what was logged as a warning, as an operator reads it."""
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
