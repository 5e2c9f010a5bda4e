"""The journal: what a dead run wrote there is removed by the next, and nothing in it is fatal."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.helpers import MakeWorld
from tests.world import EVERYTHING, Key, World, until, zone_policy
from tests.world.ram import Policy

from .moments import NAMES, clean_up_by_the_next_run, journals, while_waiting


def killed(world: World) -> Path:
    """A run that was killed when all its records stood; gives its journal."""
    run = while_waiting(world)
    run.send(signal.SIGKILL)
    run.wait(30)
    assert len(world.records.left()) == len(NAMES)
    (journal,) = journals(world)
    return journal


def planted(world: World, content: bytes) -> Path:
    folder = world.certbot.config_dir / "dns-aliyun"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    journal = folder / "planted.journal"
    journal.write_bytes(content)
    return journal


def test_it_is_there_before_the_record_and_gone_with_it(world: World) -> None:
    world.alidns.fault("hang", "AddDomainRecord", seconds=2)
    run = world.certbot.start(*world.certonly("example.com"))
    until(lambda: world.alidns.calls)
    (journal,) = journals(world)
    assert "_acme-challenge" in journal.read_text()
    assert stat.S_IMODE(journal.stat().st_mode) == 0o600
    assert stat.S_IMODE(journal.parent.stat().st_mode) == 0o700
    world.scan.check()
    outcome = run.wait(60)
    assert outcome.ok, str(outcome)
    assert not journals(world)


@pytest.mark.newest
@pytest.mark.parametrize("missing", [2, 20, 150])
def test_a_torn_end_costs_no_more_than_itself(world: World, missing: int) -> None:
    journal = killed(world)
    os.truncate(journal, journal.stat().st_size - missing)
    a_minute_ago = time.time() - 60
    os.utime(journal, (a_minute_ago, a_minute_ago))
    outcome = clean_up_by_the_next_run(world, set_aside=1)
    assert outcome.text.count(str(journal)) == 1, str(outcome)
    again = world.issue("again.example.com")
    assert str(journal) not in again.text, str(again)


@pytest.mark.newest
@pytest.mark.parametrize(
    "content",
    [b"hello\n", b"\x7fELF\x00\xff\n", b"[1, 2]\n", b'{"add": 1}\n', b"[" * 100_000, b"\n\n"],
    ids=["text", "binary", "list", "number", "deep", "blank"],
)
def test_what_is_no_journal_is_set_aside(world: World, content: bytes) -> None:
    journal = planted(world, content)
    outcome = world.issue("example.com")
    assert outcome.ok, str(outcome)
    assert not journal.exists()
    assert (str(journal) in outcome.text) == bool(content.strip()), str(outcome)
    assert "Traceback" not in outcome.text


@pytest.mark.newest
def test_what_is_no_file_is_set_aside(world: World) -> None:
    folder = planted(world, b"").parent
    (folder / "folder.journal").mkdir()
    (folder / "nowhere.journal").symlink_to("nowhere")
    (folder / "else.journal").symlink_to("/etc/hostname")
    os.mkfifo(folder / "fifo.journal")
    outcome = world.issue("example.com")
    assert outcome.ok, str(outcome)
    assert Path("/etc/hostname").exists()
    assert outcome.text.count("set aside unread") == 4, str(outcome)
    assert not journals(world)


def test_the_next_container_cleans_up_after_one_that_was_killed(world: World) -> None:
    """Of its folders the config folder alone is kept; images put the others into /tmp."""
    killed(world)
    shutil.rmtree(world.certbot.work_dir)
    outcome = clean_up_by_the_next_run(world)
    assert "Removed TXT records that an earlier run had left: _acme-challenge.n" in outcome.text


@pytest.mark.newest
def test_who_can_write_the_folder_cannot_have_anything_deleted(make_world: MakeWorld) -> None:
    """Not even what a key that may not list would delete by its id."""
    actions = ("AddDomainRecord", "DeleteDomainRecord")
    world = make_world(keys=[Key(zone_policy("example.com", actions=actions))])
    mail = world.records.add_stranger("example.com", "@", "mail.example.net", type="MX")
    spf = world.records.add_stranger("example.com", "@", "v=spf1 mx -all")
    lines = [
        {"add": ["example.com", "@", spf.value], "owner": ""},
        {"added": ["example.com", "@", spf.value], "id": spf.id},
        {"added": ["example.com", "@", "A" * 43], "id": mail.id},
    ]
    marks = ["", " " + "0" * 32]
    text = "".join(json.dumps(line) + mark + "\n" for line in lines for mark in marks)
    journal = planted(world, text.encode())
    folder = journal.parent
    folder.chmod(0o777)
    outcome = world.issue("example.com")
    assert outcome.ok, str(outcome)
    assert {call.action for call in world.alidns.calls} == set(actions)
    assert str(journal) in outcome.text
    assert "Others could write" in outcome.text, str(outcome)
    assert not journals(world)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.newest
@pytest.mark.parametrize(
    "others_may_write",
    [
        lambda journal: journal.chmod(0o666),
        lambda journal: os.chown(journal, 12345, 12345),
        lambda journal: os.chown(journal.parent, 12345, 12345),
    ],
    ids=["mode", "owner", "owner of the folder"],
)
def test_what_others_could_have_written_is_not_believed(
    world: World, others_may_write: Callable[[Path], None]
) -> None:
    journal = killed(world)
    others_may_write(journal)
    world.nameservers.delegations["example.com"][0].behaviour = "ok"
    outcome = world.issue("other.example.com")
    assert outcome.ok, str(outcome)
    assert str(journal.parent) in outcome.text, str(outcome)
    assert len(world.records.left()) == len(NAMES)
    world.leaves_records = True


@pytest.mark.newest
def test_a_zone_that_left_the_account_is_told_twice_and_then_no_more(
    make_world: MakeWorld,
) -> None:
    world = make_world(keys=[Key(EVERYTHING)])
    killed(world)
    left = world.records.left()
    del world.records.zones["example.com"]
    world.add_zone("example.org")
    runs = [world.issue(f"n{number}.example.org") for number in range(3)]
    assert [run.ok for run in runs] == [True] * 3, str(runs[0])
    for record in left:
        assert [record.value in run.text for run in runs] == [True, True, False]
        assert record.id in runs[0].text


@pytest.mark.newest
@pytest.mark.parametrize("policy", [EVERYTHING, zone_policy("example.org")], ids=["all", "one"])
def test_a_key_leaves_alone_what_it_may_not_touch(make_world: MakeWorld, policy: Policy) -> None:
    """The key of another account, for which the API says that our record does not exist."""
    mine, other = Key(zone_policy("example.com")), Key(policy, account="2")
    world = make_world(("example.com",), keys=[mine, other])
    world.add_zone("example.org", account="2")
    (journal, standing) = (killed(world), world.records.left("example.com"))

    world.nameservers.delegations["example.com"][0].behaviour = "ok"
    ini = world.credentials_ini(other, file="other.ini")
    outcome = world.certbot.run(*world.certonly("example.org", ini=ini))
    assert outcome.ok, str(outcome)
    assert world.records.left("example.com") == standing
    assert journal.exists()
    assert standing[0].value in outcome.text, str(outcome)

    clean_up_by_the_next_run(world)


@pytest.mark.newest
def test_a_key_that_may_not_list_removes_what_has_an_id(make_world: MakeWorld) -> None:
    actions = ("AddDomainRecord", "DeleteDomainRecord")
    world = make_world(keys=[Key(zone_policy("example.com", actions=actions))])
    killed(world)
    clean_up_by_the_next_run(world)


@pytest.mark.newest
def test_a_lost_reply_of_a_removal_by_id_warns_of_nothing(make_world: MakeWorld) -> None:
    actions = ("AddDomainRecord", "DeleteDomainRecord")
    world = make_world(keys=[Key(zone_policy("example.com", actions=actions))])
    killed(world)
    world.alidns.fault("close", "DeleteDomainRecord", moment="after")
    clean_up_by_the_next_run(world)


@pytest.mark.newest
@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_run_goes_on_without_a_journal(world: World, kind: str, tmp_path: Path) -> None:
    blocked, elsewhere = world.certbot.config_dir / "dns-aliyun", tmp_path / "elsewhere"
    blocked.parent.mkdir(parents=True)
    elsewhere.mkdir()
    if kind == "file":
        blocked.write_text("not a folder")
    else:
        blocked.symlink_to(elsewhere)
    outcome = world.issue(*NAMES)
    assert outcome.ok, str(outcome)
    assert outcome.text.count("No journal is kept") == 1, str(outcome)
    assert not list(elsewhere.iterdir())


@pytest.mark.newest
def test_a_full_disk_is_told_once_and_stops_nothing(world: World) -> None:
    folder = world.certbot.config_dir / "dns-aliyun"
    folder.mkdir(mode=0o700, parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k,mode=700", "none", folder], check=True)
    try:
        (folder / "filler").write_bytes(b"x" * 4096)
        outcome = world.issue(*NAMES)
    finally:
        subprocess.run(["umount", folder], check=True)
    assert outcome.ok, str(outcome)
    assert outcome.text.count("cannot be written") == 1, str(outcome)


@pytest.mark.newest
def test_a_disk_that_fills_up_under_way_is_told_once(world: World) -> None:
    """The journal is torn then, and the next run makes what it can of it."""
    folder = world.certbot.config_dir / "dns-aliyun"
    folder.mkdir(mode=0o700, parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12k,mode=700", "none", folder], check=True)
    try:
        (folder / "filler").write_bytes(b"x" * 4096)
        names = [f"a-name-that-takes-some-room-{number}.example.com" for number in range(20)]
        outcome = world.issue(*names)
        assert outcome.ok, str(outcome)
        assert outcome.text.count("cannot be written") <= 1, str(outcome)
        again = world.issue("again.example.com")
    finally:
        subprocess.run(["umount", folder], check=True)
    assert again.ok, str(again)
    assert "could not be removed" not in again.text, str(again)
