"""Each fault does to a client what its name says, before or after the server acts."""

from __future__ import annotations

import contextlib
import threading
import time

import pytest
import requests
import trustme

from tests.world import World, odd_http, present_certificate, until

from .clients import Client


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("kind", ["reset", "close", "hang", *odd_http.BREAKS])
def test_no_reply_comes(world: World, kind: str, moment: str) -> None:
    world.alidns.fault(kind, "AddDomainRecord", moment=moment, seconds=1)
    client = Client(world)
    with pytest.raises(requests.RequestException):
        client.send(client.signed("AddDomainRecord", **RECORD))
    assert len(world.records.made()) == (moment == "after")
    assert world.alidns.calls[0].acted == (moment == "after")
    world.leaves_records = True


RECORD = {"DomainName": "example.com", "RR": "a", "Type": "TXT", "Value": "x"}


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(
    ("kind", "status", "start"),
    [
        ("html", 502, b"<html>"),
        ("empty", 200, b""),
        ("not_utf8", 200, b'{"Code":"\xff'),
        ("scalar", 200, b"42"),
        ("redirect", 302, b""),
        ("huge", 200, b'{"RequestId":"AAAA'),
        ("body", 200, b'{"odd":[]}'),
        ("code", 503, b'{"RequestId":'),
    ],
)
def test_another_reply_comes(
    world: World, kind: str, status: int, start: bytes, moment: str
) -> None:
    world.alidns.fault(kind, moment=moment, code="ServiceUnavailable", body={"odd": []})
    client = Client(world)
    reply = client.send(client.signed("AddDomainRecord", **RECORD))
    assert reply.status_code == status
    assert reply.content.replace(b" ", b"").startswith(start)
    assert len(world.records.made()) == (moment == "after")
    assert "RecordId" in client.add("b", "y"), "a fault hits once"
    world.leaves_records = True


def test_a_code_may_carry_headers(world: World) -> None:
    world.alidns.fault("code", code="Throttling.User", headers={"Retry-After": "3"})
    client = Client(world)
    reply = client.send(client.signed("AddDomainRecord", **RECORD))
    assert (reply.status_code, reply.headers["Retry-After"]) == (400, "3")
    assert reply.json()["Code"] == "Throttling.User"


def test_a_slow_reply_drips(world: World) -> None:
    world.alidns.fault("slow", moment="after", seconds=1)
    started = time.monotonic()
    Client(world).values()
    assert 0.8 < time.monotonic() - started < 30


@pytest.mark.parametrize("kind", odd_http.ENDLESS)
def test_what_never_ends_passes_each_time_out(world: World, kind: str) -> None:
    world.alidns.fault(kind, "AddDomainRecord", moment="after")
    client = Client(world)

    def send() -> None:
        with contextlib.suppress(requests.RequestException):  # at the end of the world
            client.send(client.signed("AddDomainRecord", **RECORD))

    sending = threading.Thread(target=send, daemon=True)
    sending.start()
    until(lambda: world.records.made())
    sending.join(max(2.0, 10 * odd_http.PAUSE))
    assert sending.is_alive()
    world.leaves_records = True


def test_faults_hit_the_named_call_after_some_that_pass(world: World) -> None:
    world.alidns.fault("code", "AddDomainRecord", rr="b", skip=1, times=2)
    client = Client(world)
    codes = [client.add(rr, f"v{n}").get("Code") for n, rr in enumerate("abbbb")]
    assert codes == [None, None, "Throttling.User", "Throttling.User", None]
    world.leaves_records = True


def test_refused_connections_and_a_black_hole(world: World) -> None:
    client = Client(world)
    client.values()
    world.alidns.refuse_connections()
    with pytest.raises(requests.ConnectionError):
        client.values()
    world.alidns.black_hole()
    with pytest.raises(requests.Timeout):
        client.send(client.signed("AddDomainRecord", **RECORD), timeout=0.5)
    world.alidns.listen()
    assert client.values() == []


def test_another_certificate_is_shown(world: World) -> None:
    client = Client(world)
    present_certificate(world.alidns.tls, "alidns.aliyuncs.com", authority=trustme.CA())
    with pytest.raises(requests.exceptions.SSLError):
        client.values()
    present_certificate(world.alidns.tls, "another.example")
    with pytest.raises(requests.exceptions.SSLError):
        client.values()
