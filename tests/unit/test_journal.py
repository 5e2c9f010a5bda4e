"""The journal on disk: what it says after any end, and what it does not trust."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certbot_dns_aliyun.records import folder as folder_module
from certbot_dns_aliyun.records.folder import Folder, UntrustedError
from certbot_dns_aliyun.records.journal import Journal, RecordKey
from tests.unit.fake_time import Clock
from tests.unit.parts import digest, journals, kill, warnings

A = RecordKey("example.com", "_acme-challenge", digest("a"))
B = RecordKey("example.com", "@", digest("b"))
C = RecordKey("example.org", "_acme-challenge", digest("c"))


def of_this_run(config_dir: Path) -> Journal:
    return Journal.of_this_run(Folder(str(config_dir)))


def abandoned(config_dir: Path) -> list[Journal]:
    return list(Journal.abandoned(Folder(str(config_dir))))


def ids(journal: Journal) -> dict[RecordKey, str | None]:
    return {key: known.record_id for key, known in journal.open_records.items()}


def open_records(config_dir: Path) -> dict[RecordKey, str | None]:
    """What the next run finds; it lets go of the files again."""
    found: dict[RecordKey, str | None] = {}
    for journal in abandoned(config_dir):
        found.update(ids(journal))
        kill(journal)
    return found


def killed_run(config_dir: Path) -> Journal:
    journal = of_this_run(config_dir)
    journal.adding({A: "key", B: "key"})
    journal.added(A, "123")
    kill(journal)
    return journal


def test_a_killed_run_leaves_its_lines_with_the_ids_that_it_knew(tmp_path: Path) -> None:
    killed_run(tmp_path)
    assert open_records(tmp_path) == {A: "123", B: None}


def test_what_is_gone_is_not_listed(tmp_path: Path) -> None:
    journal = of_this_run(tmp_path)
    journal.adding({A: "", B: ""})
    journal.gone(A)
    kill(journal)
    assert open_records(tmp_path) == {B: None}


def test_what_journals_list_can_be_told_without_taking_them_over(tmp_path: Path) -> None:
    killed_run(tmp_path)
    going_on = of_this_run(tmp_path)
    going_on.adding({C: "key"})
    before = {path: path.read_bytes() for path in journals(tmp_path)}
    forged = min(before).with_name("0-forged.journal")
    forged.symlink_to(max(before))
    assert Journal.listed(str(tmp_path)) == {A, B, C}
    assert {path: path.read_bytes() for path in journals(tmp_path) if path != forged} == before
    assert forged.is_symlink(), "that is a run's to set aside"
    going_on.close()


def test_a_journal_that_goes_while_they_are_listed_keeps_no_other_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_run(tmp_path)
    names = Folder.journals
    monkeypatch.setattr(Folder, "journals", lambda folder: ["0-gone.journal", *names(folder)])
    assert Journal.listed(str(tmp_path)) == {A, B}


@pytest.mark.parametrize("may_come_again", [False, True])
def test_what_is_known_of_an_add_that_succeeded(tmp_path: Path, may_come_again: bool) -> None:
    journal = of_this_run(tmp_path)
    journal.adding({A: "key"}, zone_is_known=False)
    journal.adding({B: "key"})
    known_zones = {key: known.zone_is_known for key, known in journal.open_records.items()}
    assert known_zones == {A: False, B: True}
    journal.added(A, "123", *([True] if may_come_again else []))
    kill(journal)
    (again,) = abandoned(tmp_path)
    for known in (journal.open_records[A], again.open_records[A]):
        assert (known.record_id, known.zone_is_known) == ("123", True)
        assert known.may_come_again == may_come_again
    kill(again)


@pytest.mark.parametrize(("length", "is_listed"), [(511, True), (512, False)])
def test_a_name_is_no_longer_than_any_name_is(tmp_path: Path, length: int, is_listed: bool) -> None:
    journal = of_this_run(tmp_path)
    key = RecordKey("example.com", "a" * length, A.value)
    journal.adding({key: "key"})
    kill(journal)
    assert open_records(tmp_path) == ({key: None} if is_listed else {})


@pytest.mark.parametrize("seconds", [5.0, 24 * 3600.0])
def test_what_is_noted_in_an_earlier_runs_journal_is_no_call_of_that_run(
    tmp_path: Path, clock: Clock, seconds: float
) -> None:
    killed = of_this_run(tmp_path)
    killed.adding({A: "key"})
    kill(killed)
    clock.sleep(seconds)
    for _ in range(3):
        (journal,) = abandoned(tmp_path)
        left = journal.until_settled(journal.open_records[A])
        assert max(0.0, left) == pytest.approx(max(0.0, 20.0 - seconds), abs=0.1)
        journal.told(A)
        kill(journal)


def test_how_often_a_record_was_told_is_counted(tmp_path: Path) -> None:
    killed_run(tmp_path)
    (journal,) = abandoned(tmp_path)
    for times in (1, 2, 3):
        journal.told(A)
        assert journal.open_records[A].tellings == times
    kill(journal)
    (again,) = abandoned(tmp_path)
    assert {key: known.tellings for key, known in again.open_records.items()} == {A: 3, B: 0}
    kill(again)


def test_a_folder_that_is_none_lists_nothing(tmp_path: Path) -> None:
    assert Journal.listed(str(tmp_path)) == set()
    Folder(str(tmp_path)).path.write_text("no folder")
    assert Journal.listed(str(tmp_path)) == set()


def test_a_line_is_on_disk_before_adding_returns(tmp_path: Path) -> None:
    journal = of_this_run(tmp_path)
    journal.adding({A: ""})
    (path,) = journals(tmp_path)
    assert A.value in path.read_text(encoding="utf-8")
    journal.close()


def test_a_run_that_adds_nothing_makes_no_file(tmp_path: Path) -> None:
    journal = of_this_run(tmp_path)
    journal.adding({})
    journal.gone(A)
    journal.close()
    assert journals(tmp_path) == []


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    journal = of_this_run(tmp_path)
    journal.adding({A: ""})
    (path,) = journals(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    journal.close()


def test_the_file_goes_with_its_last_line(tmp_path: Path) -> None:
    journal = of_this_run(tmp_path)
    journal.adding({A: ""})
    journal.gone(A)
    journal.close()
    assert journals(tmp_path) == []


def test_a_run_does_not_take_the_journal_of_one_in_the_same_process(tmp_path: Path) -> None:
    living = of_this_run(tmp_path)
    living.adding({A: ""})
    assert abandoned(tmp_path) == []
    living.close()
    (journal,) = abandoned(tmp_path)
    assert ids(journal) == {A: None}
    kill(journal)


def test_a_journal_that_another_takes_for_an_empty_one_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the making of a file and its lock there is a moment."""
    lock, taken = fcntl.flock, []

    def take_it_first(file: int, operation: int) -> None:
        if not taken:
            taken.append(True)
            taken.extend(open_records(tmp_path))
        lock(file, operation)

    monkeypatch.setattr(fcntl, "flock", take_it_first)
    journal = of_this_run(tmp_path)
    journal.adding({A: ""})
    kill(journal)
    assert taken == [True]
    assert open_records(tmp_path) == {A: None}


def test_where_files_cannot_be_locked_a_journal_is_kept_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(file: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    killed_run(tmp_path)
    assert open_records(tmp_path) == {A: "123", B: None}


def test_a_recovery_that_is_killed_goes_on_in_the_next_run(tmp_path: Path) -> None:
    killed_run(tmp_path)
    (first,) = abandoned(tmp_path)
    first.gone(A)
    kill(first)
    assert open_records(tmp_path) == {B: None}


def test_a_torn_last_line_does_not_take_the_others_with_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = killed_run(tmp_path).path
    with path.open("ab") as file:
        file.write(b'{"add": ["example.com", "_acme-ch')
    (journal,) = abandoned(tmp_path)
    assert ids(journal) == {A: "123", B: None}
    for key in journal.open_records:
        journal.gone(key)
    journal.close()
    assert str(path) in caplog.text
    assert abandoned(tmp_path) == [], "it is read once"
    (aside,) = journals(tmp_path)
    assert f"it is set aside as {aside.name}." in caplog.text


def test_what_is_written_after_a_torn_line_can_be_read(tmp_path: Path) -> None:
    with killed_run(tmp_path).path.open("ab") as file:
        file.write(b'{"add": ["example.com", "_acme-ch')
    (journal,) = abandoned(tmp_path)
    journal.gone(A)
    kill(journal)
    assert open_records(tmp_path) == {B: None}


@pytest.mark.parametrize(
    "content",
    [
        b"\0" * 100,
        b"not a journal\n",
        b"[]\n42\nnull\n",
        b"[" * 100_000,
        b"\xff\xfe\n",
        json.dumps({"add": list(vars(A).values()), "owner": ""}).encode() + b"\n",
        json.dumps({"added": list(vars(A).values()), "id": "1"}).encode()
        + b" "
        + b"0" * 32
        + b"\n",
    ],
)
@pytest.mark.parametrize("has_secret", [True, False])
def test_what_nobody_with_the_secret_wrote_lists_nothing_and_is_set_aside(
    tmp_path: Path, content: bytes, has_secret: bool, caplog: pytest.LogCaptureFixture
) -> None:
    if has_secret:
        kill(killed_run(tmp_path))
        (path,) = journals(tmp_path)
    else:
        (tmp_path / "dns-aliyun").mkdir(0o700)
        path = tmp_path / "dns-aliyun" / "x.journal"
    path.write_bytes(content)
    (journal,) = abandoned(tmp_path)
    assert journal.open_records == {}
    journal.close()
    assert str(path) in caplog.text
    assert abandoned(tmp_path) == []
    assert path.with_suffix(".damaged").read_bytes().startswith(content)


#: What a run of ours would never write: the marks are good, what they are on is not.
@pytest.mark.parametrize(
    "entry",
    [
        {"add": ["z", "r"]},
        {"add": ["z", "r", 1]},
        {"add": ["z", "r", "v=spf1 -all"]},
        {"add": ["z", "r", "v" * 44]},
        {"remove": ["z", "r", digest("")]},
        {"added": ["z", "r", digest("")], "id": "../../etc"},
        {"added": ["z", "r", digest("")], "id": "\u0661\u0662"},
        {"added": ["z", "r", digest("")], "id": 12},
        {"added": ["z", "\x1b[31m", digest("")], "id": "12"},
        {"add": ["z", "r", digest("")], "gone": ["z", "r", digest("")]},
        {"id": "1"},
        [],
    ],
)
def test_a_line_of_nonsense_counts_for_nothing_even_with_a_mark(
    tmp_path: Path, entry: object
) -> None:
    journal = killed_run(tmp_path)
    text = json.dumps(entry).encode()
    journal.path.write_bytes(text + b" " + journal._folder.mark(text).encode() + b"\n")
    (found,) = abandoned(tmp_path)
    assert found.open_records == {}
    found.close()
    assert not found.path.exists()


@pytest.mark.parametrize("value", ["v=spf1 include:example.net -all", "v=DMARC1; p=reject", "v"])
def test_only_the_values_of_acme_are_ever_listed(tmp_path: Path, value: str) -> None:
    journal = of_this_run(tmp_path)
    journal.adding({RecordKey("example.com", "@", value): ""})
    kill(journal)
    assert open_records(tmp_path) == {}


def test_marks_of_another_host_prove_nothing(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for config_dir in (here, there):
        config_dir.mkdir()
        killed_run(config_dir)
    (theirs,), (ours,) = journals(there), journals(here)
    ours.write_bytes(theirs.read_bytes())
    assert open_records(here) == {}


def by_somebody_else(path: Path) -> None:
    os.chown(path, 12345, -1)


def by_anybody(path: Path) -> None:
    path.chmod(0o666)


def by_the_group(path: Path) -> None:
    path.chmod(0o620)


def under_another_name(path: Path) -> None:
    os.link(path, path.with_suffix(".other"))


def behind_a_link(path: Path) -> None:
    path.rename(path.with_suffix(".other"))
    path.symlink_to(path.with_suffix(".other"))


def as_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def as_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def behind_a_broken_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


is_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(by_somebody_else, marks=is_root),
        by_anybody,
        by_the_group,
        under_another_name,
        behind_a_link,
        behind_a_broken_link,
        as_a_folder,
        as_a_pipe,
    ],
)
def test_a_journal_that_others_could_have_written_is_set_aside_unread(
    tmp_path: Path, written: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    path = killed_run(tmp_path).path
    written(path)
    assert abandoned(tmp_path) == []
    assert str(path) in caplog.text
    assert not os.path.lexists(path)
    assert os.path.lexists(path.with_suffix(".damaged"))
    caplog.clear()
    assert abandoned(tmp_path) == []
    assert caplog.text == ""


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(by_somebody_else, marks=is_root),
        by_anybody,
        under_another_name,
        behind_a_link,
        lambda path: path.chmod(0o640),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"x" * 33),
        lambda path: path.unlink(),
    ],
)
def test_a_secret_that_others_could_know_proves_nothing_and_is_replaced(
    tmp_path: Path, written: Callable[[Path], None]
) -> None:
    killed_run(tmp_path)
    secret = tmp_path / "dns-aliyun" / "secret"
    old = secret.read_bytes()
    written(secret)
    assert open_records(tmp_path) == {}
    fresh = killed_run(tmp_path)
    assert open_records(tmp_path) == {A: "123", B: None}
    assert secret.read_bytes() != old
    assert stat.S_IMODE(secret.lstat().st_mode) == 0o600
    assert fresh.path.exists()


@pytest.mark.parametrize("mode", [0o755, 0o777])
def test_a_folder_that_was_opened_to_others_is_closed_again(tmp_path: Path, mode: int) -> None:
    folder = killed_run(tmp_path).path.parent
    folder.chmod(mode)
    assert open_records(tmp_path) == {A: "123", B: None}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "given_away", [pytest.param(by_somebody_else, marks=is_root), behind_a_link]
)
def test_a_folder_of_others_is_neither_read_nor_written(
    tmp_path: Path, given_away: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    folder = killed_run(tmp_path).path.parent
    files = {path.name for path in folder.iterdir()}
    given_away(folder)
    assert abandoned(tmp_path) == []
    journal = of_this_run(tmp_path)
    for key in (A, B):
        journal.adding({key: ""})
        journal.gone(key)
    journal.close()
    assert {path.name for path in folder.iterdir()} == files
    assert caplog.text.count("would be left behind") == 1
    assert str(folder) in caplog.text


@is_root
def test_who_owns_the_config_folder_is_trusted(tmp_path: Path) -> None:
    """A container that gives all of it to another user at each start (linuxserver/swag does)."""
    path = killed_run(tmp_path).path
    for each in (tmp_path, path.parent, *path.parent.iterdir()):
        os.chown(each, 911, 911)
    assert open_records(tmp_path) == {A: "123", B: None}


def test_the_config_folder_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "etc").symlink_to("data")
    killed_run(tmp_path / "etc")
    assert open_records(tmp_path / "etc") == {A: "123", B: None}


def test_work_is_bounded_whatever_lies_in_the_folder(tmp_path: Path) -> None:
    path = killed_run(tmp_path).path
    for number in range(150):
        path.with_name(f"{number:03}.journal").touch(0o600)
    first = abandoned(tmp_path)
    assert len(first) == 100
    for journal in first:
        journal.close()
    assert len(abandoned(tmp_path)) == 51, "the others have their turn in the next run"


def test_of_a_huge_file_only_the_beginning_is_read(tmp_path: Path) -> None:
    path = killed_run(tmp_path).path
    line = path.read_bytes().splitlines(keepends=True)[0]
    with path.open("ab") as file:
        file.write(line * (5 * 1024 * 1024 // len(line)))
    (journal,) = abandoned(tmp_path)
    assert set(journal.open_records) == {A, B}
    kill(journal)


def test_other_files_beside_it_are_not_touched(tmp_path: Path) -> None:
    folder = tmp_path / "dns-aliyun"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine", encoding="utf-8")
    assert abandoned(tmp_path) == []
    assert (folder / "notes.txt").read_text(encoding="utf-8") == "mine"


def test_no_config_folder_no_journals(tmp_path: Path) -> None:
    assert abandoned(tmp_path / "nowhere") == []


def test_where_it_cannot_be_written_a_warning_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "dns-aliyun").write_text("a file in the folder's place", encoding="utf-8")
    journal = of_this_run(tmp_path)
    for key in (A, B):
        journal.adding({key: ""})
        journal.added(key, "1")
        journal.gone(key)
    journal.close()
    assert len(caplog.records) == 1
    assert "journal" in caplog.text
    assert "left behind" in caplog.text


def test_a_full_disk_is_told_and_does_not_stop_the_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = of_this_run(tmp_path)
    monkeypatch.setattr(os, "write", lambda file, data: len(data) // 2)
    journal.adding({A: ""})
    monkeypatch.undo()
    journal.adding({B: ""})
    assert "No space left" in caplog.text
    assert len(caplog.records) == 1
    journal.close()


keys = st.builds(
    RecordKey,
    st.sampled_from(["example.com", "xn--fsqu00a.com"]),
    st.sampled_from(["@", "_acme-challenge"]),
    st.sampled_from("abc").map(digest),
)
events = st.lists(
    st.tuples(
        st.sampled_from(["adding", "added", "gone"]),
        keys,
        st.integers(0, 10**32 - 1).map(str),
    )
)


@given(events=events, cut=st.integers(0, 2000))
def test_a_kill_at_any_byte_leaves_a_state_that_the_run_was_in(
    tmp_path_factory: pytest.TempPathFactory, events: list[tuple[str, RecordKey, str]], cut: int
) -> None:
    config_dir = tmp_path_factory.mktemp("work")
    journal = of_this_run(config_dir)
    states = [ids(journal)]
    for event, key, record_id in events:
        if event == "adding":
            journal.adding({key: ""})
        elif event == "added":
            journal.added(key, record_id)
        else:
            journal.gone(key)
        states.append(ids(journal))
    kill(journal)
    for path in journals(config_dir):
        os.truncate(path, min(cut, path.stat().st_size))
    assert open_records(config_dir) in states


@given(content=st.one_of(st.binary(), st.lists(st.text(max_size=30)).map("\n".join)))
def test_any_file_is_read_without_an_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes | str
) -> None:
    folder = tmp_path_factory.getbasetemp() / "any" / "dns-aliyun"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    data = content if isinstance(content, bytes) else content.encode("utf-8", "replace")
    (folder / "x.journal").write_bytes(data)
    for journal in abandoned(folder.parent):
        journal.close()
    assert abandoned(folder.parent) == []


def test_a_disk_that_is_full_is_told_once_with_the_journals_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, text: write(file, text) - (b"add" in text))
    journal = of_this_run(tmp_path)
    for key in (A, B):
        journal.adding({key: ""})
    (said,) = warnings(caplog)
    assert said.startswith(
        f"The journal {journal.path} cannot be written (No space left on device): "
    )
    journal.close()


# What an odd disk, or another run at the same moment, does


def test_a_journal_that_was_just_removed_is_not_taken_over(tmp_path: Path) -> None:
    path = killed_run(tmp_path).path
    folder = Folder(str(tmp_path))
    file = folder.open(path.name)
    path.unlink()
    assert not folder.take_over(file)
    os.close(file)


@pytest.mark.parametrize(("code", "is_error"), [(errno.EINVAL, False), (errno.EIO, True)])
def test_a_file_system_that_cannot_sync_folders_is_borne(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, is_error: bool
) -> None:
    folder = Folder(str(tmp_path))
    os.close(folder.create("a.journal"))

    def fsync(file: int) -> None:
        raise OSError(code, "no")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match="no") if is_error else contextlib.nullcontext():
        folder.sync()


def test_a_file_system_that_sets_no_times_is_borne(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "utime", failing)
    killed_run(tmp_path)
    monkeypatch.undo()
    assert open_records(tmp_path) == {A: "123", B: None}


def test_what_is_no_folder_keeps_no_journal_and_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = Folder(str(tmp_path)).path
    folder.write_text("no folder")
    journal = of_this_run(tmp_path)
    for key in (A, B):
        journal.adding({key: ""})
    (said,) = warnings(caplog)
    assert said.startswith(
        f"No journal is kept in {folder}, as it is no folder, or a link to one: "
    )


def test_a_new_journal_that_another_run_removes_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was empty for a moment, and locked by nobody."""
    lock = folder_module._lock
    removed: list[Path] = []

    def late(file: int, flag: int = 0) -> bool:
        if not removed:
            (path,) = Folder(str(tmp_path)).path.glob("*.journal")
            path.unlink()
            removed.append(path)
        return lock(file, flag)

    monkeypatch.setattr(folder_module, "_lock", late)
    journal = killed_run(tmp_path)
    assert removed == [journal.path]
    assert open_records(tmp_path) == {A: "123", B: None}


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("elsewhere")])
def test_what_is_no_file_is_set_aside_unread(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, make: Callable[[Path], object]
) -> None:
    path = killed_run(tmp_path).path
    path.unlink()
    make(path)
    assert abandoned(tmp_path) == []
    assert ".damaged, because it is no plain file;" in caplog.text


def test_a_mark_takes_a_secret(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    assert folder.mark(b"text") == ""
    os.close(folder.create("a.journal"))
    assert re.fullmatch("[0-9a-f]{32}", folder.mark(b"text"))
    assert folder.mark(b"text") != folder.mark(b"another")


def test_the_names_of_journals_sort_by_age(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_module.time, "time", lambda: 1_795_717_422.744)
    assert re.fullmatch(r"1795717422744-[0-9a-f]{8}\.journal", Folder(str(tmp_path)).new_name())


def test_after_its_end_nothing_is_listed(tmp_path: Path) -> None:
    journal = of_this_run(tmp_path)
    journal.adding({A: ""})
    journal.gone(A)
    journal.close()
    journal.adding({B: ""})
    assert journals(tmp_path) == []


def test_a_call_before_any_line_makes_no_file(tmp_path: Path) -> None:
    journal = of_this_run(tmp_path)
    journal.calling()
    journal.close()
    assert journals(tmp_path) == []


def test_a_journal_that_others_may_write_is_set_aside_with_the_reason(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = killed_run(tmp_path).path
    path.chmod(0o666)
    assert abandoned(tmp_path) == []
    (aside,) = journals(tmp_path)
    assert aside != path
    why = f"is set aside unread as {aside.name}, because others may write to it: its mode is 0666;"
    assert f"The journal {path} {why}" in caplog.text


def failing(*_: object, **__: object) -> bytes:
    raise OSError(errno.EIO, "the disk fails")


@pytest.mark.parametrize("what", [(Folder, "open"), (Journal, "_read")], ids=["opened", "read"])
def test_a_journal_that_cannot_be_read_now_is_left_to_a_later_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: tuple[type, str]
) -> None:
    path = killed_run(tmp_path).path
    before = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(*what, failing)
        assert abandoned(tmp_path) == []
    assert path.read_bytes() == before
    assert open_records(tmp_path) == {A: "123", B: None}


def test_to_read_a_whole_journal_changes_nothing_in_it(tmp_path: Path) -> None:
    path = killed_run(tmp_path).path
    before = path.read_bytes()
    assert open_records(tmp_path) == {A: "123", B: None}
    assert path.read_bytes() == before


def test_a_torn_journal_is_read_on_a_full_disk_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with killed_run(tmp_path).path.open("ab") as file:
        file.write(b'{"add": ["example.com", "_acme-ch')
    monkeypatch.setattr(os, "write", failing)
    assert open_records(tmp_path) == {A: "123", B: None}


def test_what_was_never_listed_may_be_gone(tmp_path: Path) -> None:
    killed = killed_run(tmp_path)
    lines = killed.path.read_bytes().splitlines(keepends=True)
    (journal,) = abandoned(tmp_path)
    journal.gone(B)
    kill(journal)
    last = killed.path.read_bytes().splitlines(keepends=True)[-1]
    killed.path.write_bytes(last + lines[0])
    assert open_records(tmp_path) == {A: None}


@pytest.mark.parametrize(
    ("uid", "mode", "names", "why"),
    [
        (0, stat.S_IFREG | 0o600, 1, ""),
        (1000, stat.S_IFREG | 0o600, 1, ""),
        (1001, stat.S_IFREG | 0o601, 1, ""),
        (1001, stat.S_IFDIR | 0o755, 2, ""),
        (1002, stat.S_IFREG | 0o600, 1, "it belongs to another user"),
        (0, stat.S_IFREG | 0o620, 1, "others may write to it: its mode is 0620"),
        (0, stat.S_IFREG | 0o602, 1, "others may write to it: its mode is 0602"),
        (0, stat.S_IFREG | 0o600, 2, "it has another name, too"),
    ],
)
def test_whose_files_are_trusted(
    monkeypatch: pytest.MonkeyPatch, uid: int, mode: int, names: int, why: str
) -> None:
    """Root's, ours (1000), and those of whoever owns Certbot's folder (1001)."""
    of = SimpleNamespace(st_uid=uid, st_mode=mode, st_nlink=names)
    with monkeypatch.context() as patch, contextlib.ExitStack() as stack:
        patch.setattr(os, "geteuid", lambda: 1000)
        patch.setattr(os, "fstat", lambda file: of)
        if why:
            stack.enter_context(pytest.raises(UntrustedError, match=f"^{why}$"))
        folder_module._check(3, 1001)
