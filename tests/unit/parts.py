"""The product's parts, put together for tests as Run puts them together."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Callable

from certbot_dns_aliyun.alidns.clients import Clients
from certbot_dns_aliyun.credentials.access_key import AccessKey, KeySource
from certbot_dns_aliyun.credentials.settings import Account, Settings
from certbot_dns_aliyun.propagation.delegation import Place
from certbot_dns_aliyun.records.journal import Journal
from certbot_dns_aliyun.records.ledger import Ledger
from tests.unit.fake_api import KEY_ID, SECRET

ZoneOf = Callable[[str], "str | None"]


def settings() -> Settings:
    return Settings([Account("", KeySource(AccessKey(KEY_ID, SECRET), "credentials.ini"))])


def unknown(name: str) -> str | None:
    """What public DNS says of a name's zone when it says nothing."""
    return None


def make_ledger(work_dir: Path, zone_of: ZoneOf = unknown) -> Ledger:
    def find_places(name: str) -> list[Place]:
        return [Place(name, zone_of(name), (), (name,))]

    return Ledger(Clients(settings()), find_places, str(work_dir))


def journals(work_dir: Path) -> list[Path]:
    """Lists the files, of whatever kind, where journals are kept."""
    return sorted(path for path in work_dir.rglob("*") if path.is_file())


def kill(journal: Journal) -> None:
    """Does to a run's journal what a kill does: its file is closed, and stays as it is."""
    if journal._file is not None:
        os.close(journal._file)
        journal._file = None
    journal._writable = False
