"""/etc/resolv.conf is read as glibc reads it, whatever stands there."""

from __future__ import annotations

import ipaddress
import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certbot_dns_aliyun.propagation.resolv_conf import ResolvConf, parse, read

#: A line after each that makes no sense must still count.
GOOD = "nameserver 192.0.2.9"


@pytest.mark.parametrize(
    ("line", "address"),
    [
        ("nameserver 192.0.2.1", "192.0.2.1"),
        ("nameserver\t192.0.2.1", "192.0.2.1"),
        ("nameserver \t 192.0.2.1 \t", "192.0.2.1"),
        ("nameserver 192.0.2.1 # the router", "192.0.2.1"),
        ("nameserver 192.0.2.1 192.0.2.2", "192.0.2.1"),
        ("nameserver 127.1", "127.0.0.1"),
        ("nameserver 0xc0000201", "192.0.2.1"),
        ("nameserver 2001:db8::1", "2001:db8::1"),
        ("nameserver 2001:db8::1%lo", "2001:db8::1"),
        ("nameserver fe80::1%lo", "fe80::1%lo"),
        ("nameserver fe80::1%1", "fe80::1%1"),
        ("nameserver fe80::1%4294967295", "fe80::1%4294967295"),
        ("nameserver fe80::1%4294967296", "fe80::1"),
        ("nameserver fe80::1%", "fe80::1"),
        ("nameserver fe80::1%no-such-link", "fe80::1"),
        ("nameserver fe80::1%0", "fe80::1"),
        ("nameserver 0.0.0.0", "127.0.0.1"),
        ("nameserver ::", "::1"),
    ],
)
def test_an_address(line: str, address: str) -> None:
    assert parse(f"{line}\n{GOOD}\n").servers == (address, "192.0.2.9")


@pytest.mark.parametrize(
    "line",
    [
        "nameserver localhost",
        "nameserver 192.0.2.1#53",
        "nameserver 192.0.2.1:53",
        "nameserver [2001:db8::1]",
        "nameserver [2001:db8::1]:53",
        "nameserver 192.0.2.1,192.0.2.2",
        "nameserver 192.0.2.256",
        "nameserver 192.0.2.1\r",
        "nameserver tls://192.0.2.1",
        "nameserver äöü",
        "nameserver 192.0.2.1\xa0",
    ],
)
def test_a_line_without_an_address_takes_no_other_away(line: str) -> None:
    conf = parse(f"{line}\n{GOOD}\n")
    assert conf.servers == ("192.0.2.9",)
    assert conf.passed_over == (line[len("nameserver ") :],)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "# nameserver 192.0.2.1",
        "; nameserver 192.0.2.1",
        " nameserver 192.0.2.1",
        "nameserver",
        "nameserver ",
        "nameserver192.0.2.1",
        "nameservers 192.0.2.1",
        "NAMESERVER 192.0.2.1",
        "domain example.com",
        "search example.com example.net",
        "sortlist 192.0.2.0/24",
        "options",
        "\0nameserver 192.0.2.1",
        "\ufeffnameserver 192.0.2.1",
    ],
)
def test_a_line_that_names_no_resolver(line: str) -> None:
    assert parse(f"{line}\n{GOOD}\n") == ResolvConf(servers=("192.0.2.9",))


def test_three_count() -> None:
    text = "".join(f"nameserver 192.0.2.{number}\n" for number in range(1, 6))
    assert parse(text).servers == ("192.0.2.1", "192.0.2.2", "192.0.2.3")


@pytest.mark.parametrize("text", ["", "search example.com\n", "nameserver localhost\n"])
def test_this_machine_is_asked_where_the_file_names_nobody(text: str) -> None:
    assert parse(text).servers == ("127.0.0.1",)


@pytest.mark.parametrize(
    ("options", "timeout", "attempts"),
    [
        ("timeout:2 attempts:3", 2, 3),
        ("timeout:31 attempts:6", 30, 5),
        ("timeout:30 attempts:5", 30, 5),
        ("timeout:0 attempts:0", 1, 1),
        ("timeout:-1 attempts:-1", 1, 1),
        ("timeout: attempts:x", 1, 1),
        ("timeout:2s attempts:3.5", 2, 3),
        ("timeout:999999999999999999999", 30, 2),
        ("timeout attempts", 5, 2),
        ("timeout=2", 5, 2),
        ("ndots:2 timeout:2\tno-such-option:7 attempts:1", 2, 1),
        ("timeout:2 timeout:3", 3, 2),
    ],
)
def test_timeout_and_attempts(options: str, timeout: int, attempts: int) -> None:
    conf = parse(f"options {options}\n{GOOD}")
    assert (conf.timeout, conf.attempts) == (timeout, attempts)


def test_options_without_a_number() -> None:
    conf = parse("options edns0 trust-ad rotate\noptions use-vc single-request\n")
    assert (conf.rotate, conf.use_vc) == (True, True)
    conf = parse("options edns0 trust-ad norotate\n# options use-vc\n")
    assert (conf.rotate, conf.use_vc) == (False, False)


def test_the_environment_has_the_last_word() -> None:
    conf = parse("options timeout:2 attempts:3\n", "timeout:4 use-vc")
    assert (conf.timeout, conf.attempts, conf.use_vc) == (4, 3, True)


def test_the_file_is_read_with_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "resolv.conf"
    path.write_bytes(b"# caf\xe9 \xff\nnameserver 192.0.2.1\n")
    conf = read(path, {"RES_OPTIONS": "rotate"})
    assert (conf.servers, conf.rotate) == (("192.0.2.1",), True)


@pytest.mark.parametrize("name", ["missing", "", "link"])
def test_a_file_that_cannot_be_read_says_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / "link").symlink_to("link")
    assert read(tmp_path / name, {}) == ResolvConf()


def test_what_was_passed_over_is_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "resolv.conf"
    path.write_text("nameserver localhost\nnameserver 192.0.2.1#53\n")
    with caplog.at_level(logging.DEBUG):
        read(path, {})
    assert "'localhost', '192.0.2.1#53'" in caplog.text


FRAGMENTS = st.sampled_from(
    [
        *("nameserver", "options", "search", "#", ";", " ", "\t", "\n", "\r", "\0", "%", ":"),
        *("192.0.2.1", "fe80::1", "%lo", "timeout:", "attempts:", "9", "-", "rotate", "use-vc"),
    ]
)
TEXTS = st.one_of(st.text(), st.lists(FRAGMENTS).map("".join))


@given(text=TEXTS, more=TEXTS)
def test_anything_is_read(text: str, more: str) -> None:
    conf = parse(text, more)
    assert 1 <= len(conf.servers) <= 3
    for address in conf.servers:
        ipaddress.ip_address(address.partition("%")[0])
    assert 1 <= conf.timeout <= 30
    assert 1 <= conf.attempts <= 5


@given(lines=st.lists(TEXTS.filter(lambda text: "nameserver" not in text)))
def test_no_line_takes_a_resolver_away(lines: list[str]) -> None:
    assert parse("\n".join([*lines, GOOD, *lines])).servers == ("192.0.2.9",)
