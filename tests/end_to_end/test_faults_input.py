"""Odd input, from the user and from the API: a certificate or a sentence, and never a traceback."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.helpers import MakeWorld, assert_issued, assert_refused, screen
from tests.world import EVERYTHING, Key, Outcome, Server, World

pytestmark = pytest.mark.newest

KEY, SECRET = "dns_aliyun_access_key", "dns_aliyun_access_key_secret"


def issue_with(world: World, data: bytes) -> Outcome:
    return world.certbot.run(*world.certonly("example.com", ini=world.write_ini(data)))


def ini(world: World) -> str:
    return f"{KEY} = {world.key.id}\n{SECRET} = {world.key.secret}\n"


WRITTEN: dict[str, Callable[[str], bytes]] = {
    "as Windows does": lambda text: b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode(),
    "close": lambda text: text.replace(" ", "").rstrip("\n").encode(),
    "quoted": lambda text: text.replace("= ", '= "').replace("\n", '"\n').encode(),
    "with comments": lambda text: (
        f"# of 云解析\n; too\n\n{text.replace('= ', '  =  ')}# end".encode()
    ),
}


@pytest.mark.parametrize("way", WRITTEN)
def test_a_file_may_be_written_in_many_ways(world: World, way: str) -> None:
    assert_issued(issue_with(world, WRITTEN[way](ini(world))), world, "example.com")


@pytest.mark.parametrize("secret", ["%c,$HOME,'d", "a=b==;c"])
def test_a_secret_may_hold_what_ini_files_give_a_meaning(
    make_world: MakeWorld, secret: str
) -> None:
    world = make_world(keys=[Key(EVERYTHING, secret=secret)])
    assert_issued(issue_with(world, ini(world).encode()), world, "example.com")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (f"{KEY} = LTAI1\n{KEY} = LTAI2\n{SECRET} = x\n".encode(), "Line 2"),
        (b"\x7fELF\x02\x01\x01\x00" + bytes(range(256)), "UTF-8"),
        (f"{KEY} = LTAI1\n{SECRET} = x\n".encode("utf-16"), "UTF-8"),
        (f"{KEY} = LTAI1\n{SECRET} = schlüssel\n".encode("latin-1"), "UTF-8"),
        (f"{KEY} = LTAI1\n{SECRET} = schlüssel\n".encode(), SECRET),
        (b"x" * 2_000_000, "UTF-8"),
        (b"[dns_aliyun]\n" * 2, "Line 2"),
    ],
    ids=["key twice", "binary", "UTF-16", "Latin-1", "umlaut", "2 MB", "section twice"],
)
def test_a_file_that_is_none_is_refused_in_a_sentence(world: World, data: bytes, says: str) -> None:
    outcome = issue_with(world, data)
    assert_refused(outcome, f"{world.folder}/ini/aliyun.ini", says)
    assert "LTAI" not in outcome.text + outcome.log_text.replace("EXAMPLE", "")
    assert not world.alidns.calls


def test_a_file_that_cannot_be_read(world: World) -> None:
    """Root reads everything but this: there is nothing at address 0."""
    outcome = world.certbot.run(*world.certonly("example.com", ini=Path("/proc/self/mem")))
    assert_refused(outcome, "/proc/self/mem cannot be read (Input/output error)")


def test_a_top_level_domain_is_in_no_account(world: World) -> None:
    outcome = world.issue("com")
    assert not outcome.ok
    assert "Traceback" not in outcome.text
    assert not [call for call in world.alidns.calls if call.zone == "com"]


RECORD: dict[str, Any] = {"RR": "_acme-challenge", "Type": "TXT", "RecordId": "1", "Value": "other"}
LISTS = {
    "no-records": {"TotalCount": 1},
    "text": {"DomainRecords": "none"},
    "object": {"DomainRecords": {"Record": {"RR": "x"}}},
    "null": {"DomainRecords": {"Record": None}, "TotalCount": None},
    "mixed": {"DomainRecords": {"Record": [None, 1, "x", [], {}]}, "TotalCount": "many"},
    "wrong-types": {"DomainRecords": {"Record": [{"RR": 1, "Type": [], "Value": {}}]}},
    "negative": {"DomainRecords": {"Record": []}, "TotalCount": -1},
    "deep": b"[" * 200_000 + b"]" * 200_000,
    "deep-object": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "many-digits": b'{"TotalCount":' + b"9" * 10_000 + b"}",
}
ADDS: dict[str, Any] = {
    "number": {"RecordId": 10**40},
    "path": {"RecordId": "../../etc"},
    "nothing": {"RecordId": None},
    "list-of-ids": {"RecordId": ["1"]},
    "not-a-number": b'{"RecordId": NaN}',
    "code-of-objects": {"Code": {"a": "b"}, "Message": []},
    "code-of-escapes": {"Code": "\x1b[2J\r\nPassword:", "RequestId": "\x1b]0;x\x07"},
}


def test_replies_of_no_sense_are_looked_through(make_world: MakeWorld) -> None:
    """Each in a zone of its own: lists after a lost add, and replies to adds that were done."""
    zones = [f"{word}.example" for word in [*LISTS, *ADDS]]
    servers = [Server(lag=0.2)]
    world = make_world(dict.fromkeys(zones, servers), keys=[Key(EVERYTHING)])
    for word, body in LISTS.items():
        zone = f"{word}.example"
        world.alidns.fault("reset", "AddDomainRecord", moment="after", zone=zone)
        world.alidns.fault("body", "DescribeDomainRecords", zone=zone, body=body)
    for word, body in ADDS.items():
        world.alidns.fault(
            "body", "AddDomainRecord", moment="after", zone=f"{word}.example", body=body
        )
    outcome = world.issue(*zones)
    assert outcome.ok, str(outcome)
    assert len(world.records.made()) == len(zones)
    assert "\x1b" not in outcome.text + outcome.log_text


def test_endless_pages_come_to_an_end(world: World) -> None:
    world.leaves_records = True
    world.alidns.fault("reset", "AddDomainRecord", moment="after")
    page = {"TotalCount": 10**9, "DomainRecords": {"Record": [RECORD] * 500}}
    endless = world.alidns.fault("body", "DescribeDomainRecords", times=None, body=json.dumps(page))
    outcome = world.issue("example.com")
    assert endless.played <= 200
    assert "Traceback" not in outcome.text
    (left,) = world.records.left()
    assert left.value in screen(outcome), str(outcome)
