"""The way to the name servers: how long it is, and what gets lost on it."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import dns.exception
import dns.message
import dns.query
import pytest

from tests.world import Server, World, name_server
from tests.world.nameservers import NEAR
from tests.world.resolver import FOR_THE_CA

from .clients import ask, packets, texts

MakeWorld = Callable[..., World]
NAME = "_acme-challenge.example.com"
FIRST = "127.0.1.1"


def add(world: World, value: str = "x") -> None:
    world.records.add_stranger("example.com", "_acme-challenge", value)


def seconds(ask: Callable[[], object]) -> float:
    began = time.monotonic()
    ask()
    return time.monotonic() - began


@pytest.fixture
def connection(make_world: MakeWorld) -> Iterator[socket.socket]:
    world = make_world({"example.com": [Server(lag=0.0, rtt=0.2)]})
    add(world)
    with socket.create_connection((FIRST, 53), timeout=5) as connection:
        yield connection


def test_one_name_server_has_many_addresses(make_world: MakeWorld) -> None:
    servers = [*name_server("dns1.hichina.com", 8), *name_server("dns2.hichina.com", 2, ipv6=True)]
    world = make_world({"example.com": servers})
    assert len(ask(FOR_THE_CA, "dns1.hichina.com", "A").answer[0]) == 8
    assert len(ask(FOR_THE_CA, "dns2.hichina.com", "AAAA").answer[0]) == 2
    assert len(ask(FOR_THE_CA, "example.com", "NS").answer[0]) == 2
    assert len({server.address for server in servers}) == 10
    assert world.nameservers.started[-1].name == "dns2.hichina.com"


def test_a_hundred_questions_at_once_take_one_round_trip(make_world: MakeWorld) -> None:
    world = make_world({"example.com": [Server(lag=0.0, rtt=0.2)]})
    add(world)
    with ThreadPoolExecutor(100) as pool:
        began = time.monotonic()
        answers = list(pool.map(lambda _: texts(FIRST, NAME), range(100)))
        took = time.monotonic() - began
    assert answers == [["x"]] * 100
    assert 0.2 <= took < 2


def test_jitter_adds_to_each_round_trip(make_world: MakeWorld) -> None:
    more = iter([0.0, 0.4])
    make_world({"example.com": [Server(lag=0.0, jitter=lambda: next(more))]})
    took = [seconds(lambda: ask(FIRST, NAME)) for _ in range(2)]
    assert took[0] < 0.3 < took[1]


def test_connecting_takes_a_round_trip_too(connection: socket.socket) -> None:
    question = dns.message.make_query(NAME, "TXT")
    took = []
    for _ in range(2):
        began = time.monotonic()
        dns.query.send_tcp(connection, question)
        dns.query.receive_tcp(connection, time.time() + 5)
        took.append(time.monotonic() - began)
    assert took[0] >= 0.4 > took[1] >= 0.2


def test_a_connection_carries_several_questions_at_once(connection: socket.socket) -> None:
    questions = [dns.message.make_query(NAME, "TXT") for _ in range(3)]
    for question in questions:
        dns.query.send_tcp(connection, question)
    replies = [dns.query.receive_tcp(connection, time.time() + 5)[0] for _ in questions]
    assert {reply.id for reply in replies} == {question.id for question in questions}


def test_a_question_that_comes_in_pieces_is_answered(connection: socket.socket) -> None:
    question = dns.message.make_query(NAME, "TXT")
    data = question.to_wire()
    for piece in (len(data).to_bytes(2, "big")[:1], len(data).to_bytes(2, "big")[1:], data):
        connection.sendall(piece)
        time.sleep(0.02)
    assert question.is_response(dns.query.receive_tcp(connection, time.time() + 5)[0])


def test_so_many_questions_are_lost(make_world: MakeWorld) -> None:
    world = make_world({"example.com": [Server(lag=0.0, loss=0.5)]})
    add(world)
    with ThreadPoolExecutor(50) as pool:
        got = list(pool.map(lambda _: len(packets(FIRST, NAME)), range(200)))
    assert set(got) == {0, 1}
    assert 50 < sum(got) < 150
    assert [query.rcode for query in world.nameservers.asked(NAME)].count(None) == 200 - sum(got)


def test_over_tcp_loss_costs_a_second(make_world: MakeWorld) -> None:
    make_world({"example.com": [Server(lag=0.0, loss=1.0)]})
    question = dns.message.make_query(NAME, "TXT")
    assert 1.0 <= seconds(lambda: dns.query.tcp(question, FIRST, timeout=5)) < 3


def test_the_ca_is_near(make_world: MakeWorld) -> None:
    servers = [Server(lag=0.0, rtt=9.0, loss=0.9), Server(lag=0.0, ipv6=True, rtt=9.0, loss=0.9)]
    world = make_world({"example.com": servers}, rtt=9.0, loss=0.9)
    add(world)
    for _ in range(8):
        world.resolver.forget()
        assert texts(FOR_THE_CA, NAME) == ["x"]
    asked = world.nameservers.asked(NAME)
    assert {query.source for query in asked} <= {NEAR, "fd54::54"}
    assert {query.server for query in asked} == {server.address for server in servers}


def test_a_world_may_be_far_away_as_a_whole(make_world: MakeWorld) -> None:
    make_world(rtt=0.3)
    for address in ("127.0.0.201", "127.0.0.202", FIRST):
        assert 0.3 <= seconds(lambda address=address: ask(address, "example.com", "NS")) < 2


def test_a_loss_of_everything_is_a_time_out(make_world: MakeWorld) -> None:
    make_world(loss=1.0)
    with pytest.raises(dns.exception.Timeout):
        ask("127.0.0.201", "com", "NS", timeout=0.3)


def test_a_world_starts_and_ends_quickly(make_world: MakeWorld) -> None:
    world = make_world(())
    began = time.monotonic()
    world.add_zone("example.com", name_server("dns1.hichina.com", 100))
    started = time.monotonic()
    world.nameservers.stop()
    assert started - began < 0.5
    assert time.monotonic() - started < 0.5
