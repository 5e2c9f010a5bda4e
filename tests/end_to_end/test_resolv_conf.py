"""/etc/resolv.conf as it is on machines: odd lines, options, resolvers that are gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.end_to_end.helpers import MakeWorld, assert_issued, screen
from tests.world import World, namespace
from tests.world.resolver import ADDRESS

pytestmark = pytest.mark.newest

WriteResolvConf = Callable[[bytes], None]
GOOD = f"nameserver {ADDRESS}\n".encode()


@pytest.fixture
def write_resolv_conf(own_network: None) -> Iterator[WriteResolvConf]:
    """Writes what is to stand in /etc/resolv.conf until the end of the test."""
    yield namespace.write_resolv_conf
    namespace.write_resolv_conf()


def assert_found(world: World) -> None:
    """The records were waited for at the name servers, which the resolver had to name."""
    outcome = world.issue("example.com")
    assert_issued(outcome, world, "example.com")
    assert "can be asked from here" not in screen(outcome)


@pytest.mark.parametrize(
    "line",
    [
        b"nameserver localhost",
        b"nameserver 192.0.2.1#53",
        b"nameserver 192.0.2.1:53",
        b"nameserver [2001:db8::1]",
        b"nameserver 999.0.2.1",
        b"nameserver",
        b"\xff\xfen\0a\0m\0e\0",
        "# dès que possible, größer\nnameserver größer".encode("latin-1"),
        b"options timeout:none attempts ndots:x no-such-option:1",
        b"\0\0\0\n[Resolve]\nDNS=192.0.2.1\n<html>",
    ],
    ids=lambda line: repr(line)[2:30],
)
def test_an_odd_line(
    make_world: MakeWorld, write_resolv_conf: WriteResolvConf, line: bytes
) -> None:
    write_resolv_conf(line + b"\n" + GOOD)
    assert_found(make_world())


@pytest.mark.parametrize(
    "lines",
    [
        b"nameserver 127.0.0.99\nnameserver ::1\n",
        b"nameserver 192.0.2.1\nnameserver fe80::1%lo\n",
        b"options timeout:1 rotate\nnameserver 127.0.0.99\n",
    ],
    ids=["closed", "out of reach", "in turns"],
)
def test_resolvers_that_are_gone(
    make_world: MakeWorld, write_resolv_conf: WriteResolvConf, lines: bytes
) -> None:
    write_resolv_conf(lines + GOOD)
    assert_found(make_world())


def test_a_file_that_names_no_resolver(
    make_world: MakeWorld, write_resolv_conf: WriteResolvConf
) -> None:
    """This machine is asked, as the C library does to find the API."""
    write_resolv_conf(b"search example.com\n")
    world = make_world()
    world.resolver.open_desk("127.0.0.1")
    assert_found(world)
    assert world.resolver.asked("example.com", "SOA", "127.0.0.1")


def test_tcp_alone(make_world: MakeWorld, write_resolv_conf: WriteResolvConf) -> None:
    write_resolv_conf(b"options use-vc\n" + GOOD)
    world = make_world()
    assert_found(world)
    asked = [query for query in world.resolver.queries if query.server == ADDRESS]
    assert {query.transport for query in asked} == {"tcp"}
