"""The journal on disk: what it says after any end, and what it does not trust."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certbot_dns_aliyun.records.journal import Journal, Line
from tests.unit.parts import journals, kill

A, B = Line("example.com", "_acme-challenge", "a"), Line("example.com", "@", "b")


def abandoned(work_dir: Path) -> list[Journal]:
    return list(Journal.abandoned(str(work_dir)))


def open_lines(work_dir: Path) -> dict[Line, str | None]:
    """What the next run finds; it lets go of the files again."""
    found: dict[Line, str | None] = {}
    for journal in abandoned(work_dir):
        found.update(journal.open_lines)
        kill(journal)
    return found


def killed_run(work_dir: Path) -> Journal:
    journal = Journal.of_this_run(str(work_dir))
    journal.adding([A, B])
    journal.added(A, "123")
    kill(journal)
    return journal


def test_a_killed_run_leaves_its_lines_with_the_ids_that_it_knew(tmp_path: Path) -> None:
    killed_run(tmp_path)
    assert open_lines(tmp_path) == {A: "123", B: None}


def test_what_is_gone_is_not_listed(tmp_path: Path) -> None:
    journal = Journal.of_this_run(str(tmp_path))
    journal.adding([A, B])
    journal.gone(A)
    kill(journal)
    assert open_lines(tmp_path) == {B: None}


def test_a_line_is_on_disk_before_adding_returns(tmp_path: Path) -> None:
    journal = Journal.of_this_run(str(tmp_path))
    journal.adding([A])
    (path,) = journals(tmp_path)
    assert A.value in path.read_text(encoding="utf-8")
    journal.close()


def test_a_run_that_adds_nothing_makes_no_file(tmp_path: Path) -> None:
    journal = Journal.of_this_run(str(tmp_path))
    journal.adding([])
    journal.gone(A)
    journal.close()
    assert journals(tmp_path) == []


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    journal = Journal.of_this_run(str(tmp_path))
    journal.adding([A])
    (path,) = journals(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    journal.close()


def test_the_file_goes_with_its_last_line(tmp_path: Path) -> None:
    journal = Journal.of_this_run(str(tmp_path))
    journal.adding([A])
    journal.gone(A)
    journal.close()
    assert journals(tmp_path) == []


def test_a_living_run_keeps_its_file_to_itself(tmp_path: Path) -> None:
    living = Journal.of_this_run(str(tmp_path))
    living.adding([A])
    assert abandoned(tmp_path) == []
    living.close()


def test_two_runs_after_a_killed_one_do_not_both_take_its_lines(tmp_path: Path) -> None:
    killed_run(tmp_path)
    (first,) = abandoned(tmp_path)
    assert abandoned(tmp_path) == []
    first.gone(A)
    first.gone(B)
    first.close()
    assert journals(tmp_path) == []


def test_a_recovery_that_is_killed_goes_on_in_the_next_run(tmp_path: Path) -> None:
    killed_run(tmp_path)
    (first,) = abandoned(tmp_path)
    first.gone(A)
    kill(first)
    assert open_lines(tmp_path) == {B: None}


def test_a_torn_last_line_does_not_take_the_others_with_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = killed_run(tmp_path).path
    with path.open("ab") as file:
        file.write(b'{"add": ["example.com", "_acme-ch')
    (journal,) = abandoned(tmp_path)
    assert journal.open_lines == {A: "123", B: None}
    assert journal.is_damaged
    assert str(path) in caplog.text
    for line in journal.open_lines:
        journal.gone(line)
    journal.close()
    assert abandoned(tmp_path) == [], "it is read once"
    assert len(journals(tmp_path)) == 1, "and set aside"


def test_what_is_written_after_a_torn_line_can_be_read(tmp_path: Path) -> None:
    with killed_run(tmp_path).path.open("ab") as file:
        file.write(b'{"add": ["example.com", "_acme-ch')
    (journal,) = abandoned(tmp_path)
    journal.gone(A)
    kill(journal)
    assert open_lines(tmp_path) == {B: None}


@pytest.mark.parametrize(
    "content",
    [
        b"\0" * 100,
        b"not a journal\n",
        b"[]\n42\nnull\n",
        b'{"add": ["z", "r"]}\n',
        b'{"add": ["z", "r", 1]}\n',
        b'{"remove": ["z", "r", "v"]}\n',
        b'{"added": ["z", "r", "v"], "id": "../../etc"}\n',
        b'{"add": ["z", "r", "v"], "gone": ["z", "r", "v"]}\n',
        b'{"id": "1"}\n',
        b"[" * 100_000,
        b"\xff\xfe\n",
    ],
)
def test_a_foreign_file_lists_nothing_and_is_set_aside(tmp_path: Path, content: bytes) -> None:
    folder = tmp_path / "dns-aliyun"
    folder.mkdir()
    (folder / "x.journal").write_bytes(content)
    (journal,) = abandoned(tmp_path)
    assert journal.open_lines == {}
    journal.close()
    assert abandoned(tmp_path) == []


@pytest.mark.parametrize("kind", ["folder", "link", "broken link", "pipe"])
def test_what_is_no_file_is_not_read(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "dns-aliyun"
    folder.mkdir()
    path, target = folder / "x.journal", tmp_path / "target"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(target)
        if kind == "link":
            target.write_text(json.dumps({"add": ["z", "r", "v"]}), encoding="utf-8")
    for journal in abandoned(tmp_path):
        assert journal.open_lines == {}
        journal.close()


def test_other_files_beside_it_are_not_touched(tmp_path: Path) -> None:
    folder = tmp_path / "dns-aliyun"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine", encoding="utf-8")
    assert abandoned(tmp_path) == []
    assert (folder / "notes.txt").read_text(encoding="utf-8") == "mine"


def test_no_work_dir_no_journals(tmp_path: Path) -> None:
    assert abandoned(tmp_path / "nowhere") == []


def test_where_it_cannot_be_written_a_warning_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "dns-aliyun").write_text("a file in the folder's place", encoding="utf-8")
    journal = Journal.of_this_run(str(tmp_path))
    for line in (A, B):
        journal.adding([line])
        journal.added(line, "1")
        journal.gone(line)
    journal.close()
    assert len(caplog.records) == 1
    assert "journal" in caplog.text
    assert "left behind" in caplog.text


def test_a_full_disk_is_told_and_does_not_stop_the_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal.of_this_run(str(tmp_path))
    monkeypatch.setattr(os, "write", lambda file, data: len(data) // 2)
    journal.adding([A])
    monkeypatch.undo()
    journal.adding([B])
    assert "No space left" in caplog.text
    assert len(caplog.records) == 1
    journal.close()


lines = st.builds(
    Line,
    st.sampled_from(["example.com", "xn--fsqu00a.com"]),
    st.sampled_from(["@", "_acme-challenge"]),
    st.text("abc", min_size=1, max_size=2),
)
events = st.lists(
    st.tuples(st.sampled_from(["adding", "added", "gone"]), lines, st.integers(0).map(str))
)


@given(events=events, cut=st.integers(0, 2000))
def test_a_kill_at_any_byte_leaves_a_state_that_the_run_was_in(
    tmp_path_factory: pytest.TempPathFactory, events: list[tuple[str, Line, str]], cut: int
) -> None:
    work_dir = tmp_path_factory.mktemp("work")
    journal = Journal.of_this_run(str(work_dir))
    states: list[dict[Line, str | None]] = [{}]
    for event, line, record_id in events:
        if event == "adding":
            journal.adding([line])
        elif event == "added":
            journal.added(line, record_id)
        else:
            journal.gone(line)
        states.append(journal.open_lines)
    kill(journal)
    for path in journals(work_dir):
        os.truncate(path, min(cut, path.stat().st_size))
    assert open_lines(work_dir) in states


@given(content=st.one_of(st.binary(), st.lists(st.text(max_size=30)).map("\n".join)))
def test_any_file_is_read_without_an_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes | str
) -> None:
    folder = tmp_path_factory.getbasetemp() / "any" / "dns-aliyun"
    folder.mkdir(parents=True, exist_ok=True)
    data = content if isinstance(content, bytes) else content.encode("utf-8", "replace")
    (folder / "x.journal").write_bytes(data)
    for journal in abandoned(folder.parent):
        journal.close()
    assert abandoned(folder.parent) == []
