"""The Alidns server does what alidns.md says, seen by the SDK's own signing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from aliyunsdkalidns.request.v20150109.DescribeDomainRecordsRequest import (
    DescribeDomainRecordsRequest,
)
from aliyunsdkcore.acs_exception.exceptions import ServerException
from aliyunsdkcore.client import AcsClient

from tests.world import EVERYTHING, Key, World, zone_policy
from tests.world.ca import certificates

from .clients import Client

MakeWorld = Callable[..., World]


def test_a_record_is_added_listed_and_deleted(world: World) -> None:
    client = Client(world)
    added = client.add("_acme-challenge", "one")
    assert client.values() == ["one"]
    assert client.delete(added["RecordId"])["RecordId"] == added["RecordId"]
    assert client.values() == []
    assert world.alidns.connections == 1
    assert [call.code for call in world.alidns.calls] == ["OK"] * 4
    assert {call.sni for call in world.alidns.calls} == {"alidns.aliyuncs.com"}
    assert not any(call.in_query for call in world.alidns.calls)


def test_the_sdk_itself_is_understood(world: World) -> None:
    bundle = world.folder / "sdk-ca.pem"
    certificates().cert_pem.write_to_path(str(bundle))
    client = AcsClient(world.key.id, world.key.secret, "cn-hangzhou", verify=str(bundle))
    request = DescribeDomainRecordsRequest()
    request.set_protocol_type("https")
    request.set_DomainName("example.com")
    assert b'"TotalCount":0' in client.do_action_with_exception(request)
    request = DescribeDomainRecordsRequest()
    request.set_protocol_type("https")
    request.set_DomainName("example.net")
    with pytest.raises(ServerException, match=r"Forbidden\.RAM"):
        client.do_action_with_exception(request)


def test_without_format_the_answer_is_xml(world: World) -> None:
    client = Client(world)
    body = client.signed("DescribeDomainRecords", Format=None, DomainName="example.com")
    assert client.send(body).text.startswith("<?xml")


def test_a_nonce_counts_once(world: World) -> None:
    client = Client(world)
    body = client.signed("DescribeDomainRecords", DomainName="example.com")
    assert client.send(body).status_code == 200
    assert client.send(body).json()["Code"] == "SignatureNonceUsed"


@pytest.mark.parametrize(
    ("key", "code"),
    [
        (Key(active=False), "InvalidAccessKeyId.Inactive"),
        (Key(id="LTAI5tUnknownUnknown"), "InvalidAccessKeyId.NotFound"),
        (Key.temporary(seconds=-1), "InvalidSecurityToken.Expired"),
        (Key(secret="anotherSecret"), "SignatureDoesNotMatch"),
    ],
)
def test_keys_that_do_not_work(world: World, key: Key, code: str) -> None:
    if code != "InvalidAccessKeyId.NotFound":
        world.add_key(key)
    client = Client(world, key)
    if code == "SignatureDoesNotMatch":
        client.key = Key(id=key.id)
    reply = client.call("DescribeDomainRecords", DomainName="example.com")
    assert reply["Code"] == code
    assert set(reply) >= {"RequestId", "HostId", "Message", "Recommend"}


def test_a_temporary_key_needs_its_token(world: World) -> None:
    key = world.add_key(Key.temporary(policy=zone_policy("example.com")))
    assert Client(world, key).values() == []
    without = Key(id=key.id, secret=key.secret)
    reply = Client(world, without).call("DescribeDomainRecords", DomainName="example.com")
    assert reply["Code"] == "MissingSecurityToken"


def test_a_clock_that_is_off_is_refused(world: World) -> None:
    world.alidns.clock_offset = 16 * 60
    reply = Client(world).call("DescribeDomainRecords", DomainName="example.com")
    assert reply["Code"] == "InvalidTimeStamp.Expired"


@pytest.mark.parametrize(
    ("zone", "code"),
    [
        ("nowhere.example", "InvalidDomainName.NoExist"),
        ("xn--fsqu00a.com", "InvalidDomainName.NoExist"),
        ("theirs.com", "IncorrectDomainUser"),
        ("com", "InvalidDomainName.Format"),
        ("_acme-challenge.example.com", "InvalidDomainName.Format"),
        ("expired.com", "Forbidden.DomainExpired"),
        ("locked.com", "Forbidden.DomainLocked"),
        ("例子.com", None),
        ("EXAMPLE.com", None),
    ],
)
def test_zones(make_world: MakeWorld, zone: str, code: str | None) -> None:
    world = make_world(["example.com", "例子.com"], keys=[Key(EVERYTHING)])
    world.add_zone("theirs.com", account="2")
    world.add_zone("expired.com", expired=True)
    world.add_zone("locked.com", locked=True)
    client = Client(world)
    reply = client.add("a", "one", zone)
    assert reply.get("Code") == code
    if code is None:
        client.delete(reply["RecordId"])


@pytest.mark.parametrize(
    ("record", "code"),
    [
        ({"RR": "a", "Value": "there"}, "DomainRecordDuplicate"),
        ({"RR": "A", "Value": "there"}, "DomainRecordDuplicate"),
        ({"RR": "alias", "Value": "x"}, "DomainRecordConflict"),
        ({"RR": "a", "Value": "x.example", "Type": "CNAME"}, "DomainRecordConflict"),
        ({"RR": "full", "Value": "x"}, "QuotaExceeded.Record"),
        ({"RR": "a", "Value": "x", "TTL": 60}, "QuotaExceeded.TTL"),
        ({"RR": "a", "Value": "x", "TTL": 0}, "InvalidTTL"),
        ({"RR": "a b", "Value": "x"}, "SubDomainInvalid.RR"),
        ({"RR": "a", "Value": "x" * 512}, "SubDomainInvalid.Value"),
        ({"RR": "a"}, "MissingParameter"),
    ],
)
def test_adds_that_are_refused(world: World, record: dict[str, Any], code: str) -> None:
    world.records.add_stranger("example.com", "a", "there")
    world.records.add_stranger("example.com", "alias", "elsewhere.example", "CNAME")
    world.records.add_strangers("example.com", [("full", f"v{n}") for n in range(90)])
    wanted = {"DomainName": "example.com", "Type": "TXT", **record}
    assert Client(world).call("AddDomainRecord", **wanted)["Code"] == code


def test_an_unknown_record_cannot_be_deleted(world: World) -> None:
    assert Client(world).delete("1")["Code"] == "DomainRecordNotBelongToUser"


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ({}, "dcba"),
        ({"Direction": "ASC"}, "abcd"),
        ({"RRKeyWord": "WWW"}, "cba"),
        ({"RRKeyWord": "www", "SearchMode": "ADVANCED"}, "cba"),
        ({"RRKeyWord": "www", "SearchMode": "COMBINATION"}, "a"),
        ({"RRKeyWord": "www", "SearchMode": "EXACT"}, "dcba"),
        ({"RRKeyWord": "www", "SearchMode": "LIKE", "KeyWord": "a"}, "a"),
        ({"KeyWord": "www"}, "cba"),
        ({"KeyWord": "www", "SearchMode": "EXACT"}, "a"),
        ({"TypeKeyWord": "a"}, "d"),
        ({"ValueKeyWord": "b", "TypeKeyWord": "TXT"}, "b"),
        ({"PageSize": 3, "PageNumber": 2}, "a"),
        ({"Status": "Enable"}, "dcba"),
    ],
)
def test_search(world: World, search: dict[str, Any], found: str) -> None:
    world.records.add_strangers("example.com", [("www", "a"), ("www2", "b"), ("my.www", "c")])
    world.records.add_stranger("example.com", "@", "127.0.0.9", "A")
    names = {"127.0.0.9": "d"}
    values = Client(world).values(**search)
    assert "".join(names.get(value, value) for value in values) == found


def test_pages_have_a_largest_size(world: World) -> None:
    client = Client(world)
    for size, code in ((500, None), (501, "InvalidParameter"), (0, "InvalidParameter")):
        reply = client.call("DescribeDomainRecords", DomainName="example.com", PageSize=size)
        assert reply.get("Code") == code


def test_the_policy_is_enforced_for_each_call(make_world: MakeWorld) -> None:
    narrow = Key(zone_policy("example.com", actions=["AddDomainRecord"]))
    world = make_world(["example.com", "example.net"], keys=[narrow, Key(EVERYTHING)])
    client = Client(world)
    record_id = client.add("a", "one")["RecordId"]
    assert client.add("a", "one", "example.net")["Code"] == "Forbidden.RAM"
    assert client.delete(record_id)["Code"] == "Forbidden.RAM"
    reply = client.call("DescribeDomains")
    assert reply["Code"] == "Forbidden.RAM"
    assert reply["AccessDeniedDetail"]["AuthAction"] == "alidns:DescribeDomains"
    everything = Client(world, world.keys[1])
    assert everything.call("DescribeDomains")["TotalCount"] == 2
    everything.delete(record_id)


def test_one_write_at_a_time_in_a_zone(make_world: MakeWorld) -> None:
    world = make_world(call_seconds=0.2, one_write_at_a_time=True)
    clients = [Client(world) for _ in range(3)]
    replies: list[dict[str, Any]] = []

    def add(client: Client, value: str) -> None:
        replies.append(client.add("a", value))

    threads = [
        threading.Thread(target=add, args=(client, f"v{number}"))
        for number, client in enumerate(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    codes = sorted(reply.get("Code", "OK") for reply in replies)
    assert codes == ["LastOperationNotFinished", "LastOperationNotFinished", "OK"]
    world.leaves_records = True


def test_more_calls_than_allowed_are_throttled(make_world: MakeWorld) -> None:
    world = make_world(calls_per_second=2)
    client = Client(world)
    replies = [client.call("DescribeDomainRecords", DomainName="example.com") for _ in range(4)]
    assert [reply.get("Code") for reply in replies] == [None, None] + ["Throttling.User"] * 2
