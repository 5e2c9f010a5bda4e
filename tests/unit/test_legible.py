"""What is shown and logged, where terminal or log have few characters."""

from __future__ import annotations

import ast
import io
import locale
import logging
import sys
from pathlib import Path

import pytest
from certbot import errors
from hypothesis import given
from hypothesis import strategies as st

import certbot_dns_aliyun
from certbot_dns_aliyun.dns_aliyun import Authenticator
from certbot_dns_aliyun.legible import legible, legible_errors

PACKAGE = Path(certbot_dns_aliyun.__file__).parent


def machine(patch: pytest.MonkeyPatch, log: str, screen: str) -> None:
    patch.setattr(locale, "getpreferredencoding", lambda _: log)
    patch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), screen))


@pytest.mark.parametrize(
    ("log", "screen", "text"),
    [
        ("utf-8", "utf-8", "a 例子 é \\udce4"),
        ("utf-8", "iso-8859-1", "a \\u4f8b\\u5b50 é \\udce4"),
        ("gb18030", "utf-8", "a 例子 é \\udce4"),
        ("ANSI_X3.4-1968", "utf-8", "a \\u4f8b\\u5b50 \\xe9 \\udce4"),
        ("utf-8", "ascii", "a \\u4f8b\\u5b50 \\xe9 \\udce4"),
    ],
)
def test_what_is_lacking_is_escaped(
    monkeypatch: pytest.MonkeyPatch, log: str, screen: str, text: str
) -> None:
    machine(monkeypatch, log, screen)
    assert legible("a 例子 é \udce4") == text


def test_what_moves_a_cursor_is_escaped() -> None:
    assert legible("a\n\tb \x1b[2J \r \u202e \x9b") == "a\n\tb \\x1b[2J \\r \\u202e \\x9b"


def test_there_may_be_no_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert legible("a") == "a"


@given(st.text(), st.sampled_from(["ascii", "utf-8", "iso-8859-1", "gbk"]))
def test_any_text_can_be_written(text: str, encoding: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        machine(patch, encoding, "utf-8")
        shown = legible(text)
    assert shown.encode(encoding) or not text


def test_an_error_stays_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, "ascii", "ascii")
    error = errors.PluginError("/etc/例.ini is empty")
    with pytest.raises(errors.PluginError) as caught, legible_errors():
        raise error
    assert caught.value is error
    assert str(error) == "/etc/\\u4f8b.ini is empty"


def test_records_are_legible_when_certbots_handlers_get_them(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """They are set up long before."""
    machine(monkeypatch, "ascii", "ascii")
    logging.getLogger(f"{certbot_dns_aliyun.__name__}.a.b").warning("%s of %d", "例", 2)
    assert [record.getMessage() for record in caplog.records] == ["\\u4f8b of 2"]


def test_all_that_this_package_says_itself_is_ascii() -> None:
    """And so is its code, which stands in the tracebacks of Certbot's log; docstrings do not."""
    for file in sorted(PACKAGE.rglob("*.py")):
        source = file.read_text(encoding="utf-8")
        lines = source.splitlines()
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                lines[node.lineno - 1 : node.end_lineno] = [""] * (
                    (node.end_lineno or node.lineno) - node.lineno + 1
                )
        for number, line in enumerate(lines, 1):
            is_comment = line.lstrip().startswith("#")
            assert line.isascii() or is_comment, f"{file.name}, line {number}: {line}"


def test_what_certbot_shows_of_the_plugin_is_ascii() -> None:
    shown = [Authenticator.description, Authenticator.more_info(None)]  # type: ignore[arg-type]
    Authenticator.add_parser_arguments(lambda *names, **more: shown.append(more["help"]))
    assert all(text.isascii() for text in shown)
