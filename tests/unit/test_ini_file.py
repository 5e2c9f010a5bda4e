"""The reader of credentials files: what it reads as what, and that it never shows a value."""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
import traceback
from pathlib import Path

import configobj
import pytest
from certbot import errors
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from certbot_dns_aliyun.credentials import settings
from tests.unit.fake_api import KEY_ID, SECRET
from tests.unit.fake_time import Clock

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
        pytest.param("a,b", "a,b", id="comma"),
        pytest.param("100%", "100%", id="percent sign"),
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
        pytest.param("a# why", "a", id="comment right behind the value"),
        pytest.param("a#", "a", id="empty comment"),
        pytest.param("'a' ; why", "a", id="semicolon after quotes"),
        pytest.param("'''a'''", "a", id="three single quotes"),
        pytest.param('"""a#b"""  # why', "a#b", id="three double quotes and a comment"),
        pytest.param('"""it"s"""', 'it"s', id="a quote within three"),
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
        pytest.param(
            f"'dns_aliyun_access_key' = {KEY_ID}\n\"dns_aliyun_access_key_secret\"={SECRET}",
            id="quoted keys",
        ),
        pytest.param(
            f"{FIRST_LINE}dns_aliyun_secret_key = {SECRET}", id="the name that a how-to has"
        ),
        pytest.param(
            f"{FIRST_LINE}{SECRET_LINE}{SECRET}\ndns_aliyun_security_token =\n"
            'dns_aliyun_endpoint = # none\ndns_aliyun_role_policy = ""',
            id="empty optional keys",
        ),
        pytest.param(
            f"[x] = y\n{FIRST_LINE}{SECRET_LINE}{SECRET}", id="brackets that open no section"
        ),
        pytest.param(
            f"other = '''\n{SECRET_LINE}wrong\n''' # end\n{FIRST_LINE}{SECRET_LINE}{SECRET}",
            id="another plugin's value of three lines",
        ),
        pytest.param(
            f'other = a#b %(x)s\nthird = "\n{FIRST_LINE}{SECRET_LINE}{SECRET}',
            id="another plugin's values",
        ),
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
        (f"{FIRST_LINE}{SECRET_LINE}{SECRET}\n'dns_aliyun_access_key' = x\n", 3, "second time"),
        (f"{FIRST_LINE}{SECRET_LINE}{SECRET}#b\n", 2, "# that may begin a comment"),
        (f"{FIRST_LINE}{SECRET_LINE}'{SECRET}\n", 2, "a quote that is not closed"),
        (f'{FIRST_LINE}{SECRET_LINE}"{SECRET}" x\n', 2, "a quote that is not closed"),
        (f"{FIRST_LINE}{SECRET_LINE}'''{SECRET}'''x\n", 2, "a quote that is not closed"),
        (f"{FIRST_LINE}{SECRET_LINE}'''{SECRET}\n\n", 2, "never closed"),
        (f"{FIRST_LINE}x = {SECRET}\n{SECRET_LINE}%(x)s\n", 3, "another key"),
        (f"{FIRST_LINE}{SECRET_LINE}{SECRET}\n[[a]\n", 3, "key = value"),
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


def written_into_a_pipe(path: Path, *parts: str) -> threading.Thread:
    """A pipe into which a thread writes these parts, one after the other."""
    os.mkfifo(path)

    def write() -> None:
        with path.open("w") as pipe:
            for part in parts:
                pipe.write(part)
                pipe.flush()
                time.sleep(0.1)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    return writer


def test_a_pipe_is_read_once_for_all(path: Path) -> None:
    """As ``<(…)`` of a shell makes them; Certbot asks for the credentials with every order."""
    writer = written_into_a_pipe(path, FIRST_LINE, SECRET_LINE, SECRET)
    for _ in range(2):
        assert settings.load(str(path)).accounts[0].source.get().secret == SECRET
    writer.join(10)


@pytest.mark.parametrize("name", ["aliyun.ini", "other.ini"])
def test_another_pipe_in_the_place_of_one_is_read_anew(path: Path, name: str) -> None:
    """As hooks make them; the inode is most often that of the one before."""
    other = path.with_name(name)
    for pipe, secret in ((path, "Before"), (other, "After")):
        writer = written_into_a_pipe(pipe, f"{FIRST_LINE}{SECRET_LINE}{secret}")
        for _ in range(2):
            assert settings.load(str(pipe)).accounts[0].source.get().secret == secret
        writer.join(10)
        pipe.unlink()


def test_a_pipe_that_is_written_into_again_is_read_anew(path: Path) -> None:
    os.mkfifo(path)
    reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a writer need not wait for us
    for secret in ("Before", "After"):
        time.sleep(0.05)  # file systems tell no shorter times apart
        path.write_text(f"{FIRST_LINE}{SECRET_LINE}{secret}", encoding="utf-8")
        for _ in range(2):
            assert settings.load(str(path)).accounts[0].source.get().secret == secret
    os.close(reading)


def test_a_pipe_whose_writer_is_gone_already_is_read() -> None:
    reading, writing = os.pipe()
    os.write(writing, f"{FIRST_LINE}{SECRET_LINE}{SECRET}".encode())
    os.close(writing)
    path = f"/dev/fd/{reading}"
    for _ in range(2):
        assert settings.load(path).accounts[0].source.get().secret == SECRET
    os.close(reading)


def test_a_pipe_that_nobody_writes_into_is_given_up(path: Path, clock: Clock) -> None:
    os.mkfifo(path)
    assert "is a pipe that nobody wrote credentials into" in refusal(path)
    assert 10 <= clock.elapsed < 11


def test_a_pipe_that_is_not_closed_is_given_up(path: Path, clock: Clock) -> None:
    os.mkfifo(path)
    held = os.open(path, os.O_RDWR)
    os.write(held, f"{FIRST_LINE}{SECRET_LINE}{SECRET}".encode())
    assert "is a pipe that nobody wrote credentials into and closed" in refusal(path)
    os.close(held)


@pytest.mark.parametrize("device", ["/dev/null", "/dev/zero", "/dev/full"])
def test_a_device_is_refused(device: str) -> None:
    assert "is not a credentials file" in refusal(device)


def as_2_0_0_read(path: Path) -> tuple[str, str] | None:
    """The two keys of 2.0.0, by the reader that it used; None for a file that it did not take."""
    try:
        config = configobj.ConfigObj(str(path))
        names = ("dns_aliyun_access_key", "dns_aliyun_access_key_secret")
        key_id, secret = (config.get(name) for name in names)
    except Exception:
        return None
    both = isinstance(key_id, str) and isinstance(secret, str) and key_id and secret
    return (key_id, secret) if both else None


#: Pieces of which lines are made that the two readers might read in two ways.
pieces = st.sampled_from(
    [*"=#;[]'\"\\, \t%x", "'''", '"""', "%(x)s", "# ", " #", "; ", SECRET, "\x0b", "\x85", "\u200b"]
)
around = st.lists(pieces, max_size=4).map("".join)
quotes = st.sampled_from(["", "", "'", '"', "'''", '"""'])
names = st.sampled_from(
    ["dns_aliyun_access_key", "dns_aliyun_access_key_secret", "dns_aliyun_security_token", "x", "y"]
)


@st.composite
def lines_of_2_0_0(draw: st.DrawFn) -> str:
    of_key, of_value = draw(quotes), draw(quotes)
    value = draw(st.one_of(st.just(SECRET), around))
    behind = draw(st.one_of(st.just(""), st.just(" # note"), around))
    key = f"{of_key[:1]}{draw(names)}{of_key[:1]}"
    return f"{key} = {of_value}{value}{of_value}{behind}"


files_of_2_0_0 = st.tuples(
    st.just(FIRST_LINE.strip()) | lines_of_2_0_0(),
    st.lists(lines_of_2_0_0() | around, max_size=3),
    st.just(SECRET_LINE + SECRET) | lines_of_2_0_0(),
    st.lists(lines_of_2_0_0() | around | st.sampled_from(["[a]", "[a] # b]", "[[b]]"]), max_size=2),
).map(lambda parts: "\n".join([parts[0], *parts[1], parts[2], *parts[3]]))


@hypothesis_settings(max_examples=FUZZ)
@given(content=files_of_2_0_0)
@example(content=f"[x] = '''\n{FIRST_LINE}'''\n{FIRST_LINE}{SECRET_LINE}{SECRET}")
@example(content=f"; x = '''\n{FIRST_LINE}{SECRET_LINE}a\n'''\n{FIRST_LINE}{SECRET_LINE}{SECRET}")
@example(content=f'{FIRST_LINE}{SECRET_LINE}"a" ; "b"')
@example(content=f"{FIRST_LINE}{SECRET_LINE}'''a'''b'''")
@example(content=f"dns_aliyun_access_key = a\x0b;\n{SECRET_LINE}{SECRET}")
def test_what_2_0_0_read_is_read_the_same_or_refused_with_its_line(
    tmp_path_factory: pytest.TempPathFactory, content: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "of_2_0_0.ini"
    path.write_text(content, encoding="utf-8")
    before = as_2_0_0_read(path)
    said = ""
    try:
        key = settings.load(str(path)).account_for("example.com")
    except errors.PluginError as error:
        key = None
        said = str(error)
    if key is None:
        assert re.search(r"^Line \d+ |dns_aliyun_\w+", said)
        assert SECRET not in said
    elif before:
        now = key.source.get()
        assert (now.key_id, now.secret) == before


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
