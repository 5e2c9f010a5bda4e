"""The reader of credentials files: what it reads as what, and that it never shows a value."""

from __future__ import annotations

import contextlib
import os
import traceback
from pathlib import Path

import pytest
from certbot import errors
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from certbot_dns_aliyun.credentials import settings
from tests.unit.fake_api import KEY_ID, SECRET

#: The most that is tried, of what users can do to a file.
FUZZ = 5 * hypothesis_settings.default.max_examples

SECRET_LINE = "dns_aliyun_access_key_secret = "
FIRST_LINE = f"dns_aliyun_access_key = {KEY_ID}\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "aliyun.ini"


def secret_of(path: Path, content: str | bytes) -> str:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return settings.load(str(path)).accounts[0].source.get().secret


def refusal(path: Path | str) -> str:
    with pytest.raises(errors.PluginError) as caught:
        settings.load(str(path))
    shown = "".join(traceback.format_exception(None, caught.value, caught.value.__traceback__))
    assert SECRET not in shown
    assert str(caught.value).endswith(".")
    return str(caught.value)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        pytest.param("a#b", "a#b", id="number sign within"),
        pytest.param("a,b", "a,b", id="comma"),
        pytest.param("100%", "100%", id="percent sign"),
        pytest.param("%(x)s", "%(x)s", id="interpolation of ConfigParser"),
        pytest.param("$HOME${x}", "$HOME${x}", id="dollar sign"),
        pytest.param("a=b==", "a=b==", id="equals sign"),
        pytest.param("a;b", "a;b", id="semicolon"),
        pytest.param("a:b", "a:b", id="colon"),
        pytest.param("[a]", "[a]", id="brackets"),
        pytest.param('"quoted"', "quoted", id="double quotes"),
        pytest.param("'quoted'", "quoted", id="single quotes"),
        pytest.param("'a#b'", "a#b", id="quoted number sign"),
        pytest.param('"a" # why', "a", id="comment after quotes"),
        pytest.param("a # why", "a", id="comment"),
        pytest.param("a\t# why", "a", id="comment after a tab"),
        pytest.param('it"s', 'it"s', id="one quote within"),
        pytest.param("\\n", "\\n", id="backslash"),
        pytest.param("  padded  ", "padded", id="blanks around"),
    ],
)
def test_a_value_is_read_as_it_was_meant(path: Path, written: str, read: str) -> None:
    assert secret_of(path, FIRST_LINE + SECRET_LINE + written + "\n") == read


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"\xef\xbb\xbf" + (FIRST_LINE + SECRET_LINE + SECRET).encode(), id="BOM"),
        pytest.param((FIRST_LINE + SECRET_LINE + SECRET).replace("\n", "\r\n"), id="CRLF"),
        pytest.param((FIRST_LINE + SECRET_LINE + SECRET).replace("\n", "\r"), id="CR"),
        pytest.param(f"\n\n{FIRST_LINE}\n  \n{SECRET_LINE}{SECRET}\n\n", id="empty lines"),
        pytest.param(f"# top\n{FIRST_LINE}; more\n{SECRET_LINE}{SECRET}", id="comment lines"),
        pytest.param(f"  {FIRST_LINE}\t{SECRET_LINE}{SECRET}", id="indented"),
        pytest.param(FIRST_LINE + SECRET_LINE.replace(" ", "") + SECRET, id="no blanks"),
        pytest.param(f"{FIRST_LINE}{SECRET_LINE}{SECRET}\n[other]\nx = 1\n", id="a section after"),
    ],
)
def test_a_file_may_be_written_in_any_usual_way(path: Path, content: str | bytes) -> None:
    assert secret_of(path, content) == SECRET


@pytest.mark.parametrize(
    ("content", "line", "what"),
    [
        (f"{FIRST_LINE}{SECRET}\n", 2, "key = value"),
        (f"{FIRST_LINE}dns_aliyun_access_key_secret: {SECRET}\n", 2, "key = value"),
        (f"{FIRST_LINE}\n\n= {SECRET}\n", 4, "key = value"),
        (f"{FIRST_LINE}{SECRET_LINE}{SECRET}\n{SECRET_LINE}{SECRET}\n", 3, "second time"),
        (f"{FIRST_LINE}[a]\nx = {SECRET}\n[a]\n", 4, "second time"),
    ],
)
def test_a_line_that_is_wrong_is_named_by_its_number(
    path: Path, content: str, line: int, what: str
) -> None:
    path.write_text(content, encoding="utf-8")
    sentence = refusal(path)
    assert f"Line {line} " in sentence
    assert what in sentence


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert "is a folder" in refusal(tmp_path)


def test_a_file_that_does_not_exist_is_refused(path: Path) -> None:
    assert "does not exist" in refusal(path)
    assert "--dns-aliyun-credentials" in refusal(path)


@pytest.mark.parametrize("content", [b"a = \0\1", b"\x7fELF\0\0", b"x" * 2**21])
def test_a_binary_or_a_huge_file_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert "is not a credentials file" in refusal(path)


@pytest.mark.parametrize("encoding", ["latin-1", "gbk"])
def test_another_encoding_is_refused(path: Path, encoding: str) -> None:
    path.write_bytes(("# 中文" if encoding == "gbk" else "# Schlüssel").encode(encoding))
    assert "UTF-8" in refusal(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_read_permission_is_refused(path: Path) -> None:
    path.write_text(FIRST_LINE, encoding="utf-8")
    path.chmod(0)
    assert "cannot be read" in refusal(path)


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000])
def test_what_cannot_be_a_path_is_refused(name: str) -> None:
    assert "cannot be read" in refusal(name)


ini_lines = st.one_of(
    st.text(max_size=30),
    st.text("=:#;\"[]'\\ \t%$,\r\x0b\x0c\x1c\x85\u2028", max_size=20),
    st.sampled_from(["dns_aliyun_access_key", "dns_aliyun_endpoint", "dns_aliyun_x", "[s]", "[]"]),
    st.builds("{} = {}".format, st.text(max_size=12), st.text(max_size=20)),
    st.builds("{}{}{}".format, st.text("= \t'\"[:#", max_size=4), st.just(SECRET), st.text()),
    st.just(SECRET_LINE + SECRET),
    st.just(FIRST_LINE.strip()),
)
ini_files = st.one_of(
    st.binary(max_size=200),
    st.lists(ini_lines, max_size=10).map(lambda lines: "\n".join(lines).encode("utf-8", "replace")),
)


@hypothesis_settings(max_examples=FUZZ)
@given(content=ini_files)
@example(content=b"[]")
@example(content=b"[\n]\n")
@example(content=b"= x")
@example(content=b"[top level]\n[DEFAULT]\nx = 1")
def test_any_file_is_read_or_refused_without_showing_what_is_in_it(
    tmp_path_factory: pytest.TempPathFactory, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed.ini"
    path.write_bytes(content)
    caplog.clear()
    with contextlib.suppress(errors.PluginError):
        try:
            settings.load(str(path))
        except Exception:
            assert SECRET not in traceback.format_exc()
            raise
    assert SECRET not in caplog.text
