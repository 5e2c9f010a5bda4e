"""A power cut at any moment: what was about to be added is in a journal that can be found."""

from __future__ import annotations

from random import Random

import pytest

from certbot_dns_aliyun.records.folder import Folder
from certbot_dns_aliyun.records.journal import Journal, RecordKey
from tests.unit.fake_disk import CONFIG_DIR, FakeDisk, Stopped
from tests.unit.parts import digest

A, B, C = (RecordKey("example.com", "_acme-challenge", digest(each)) for each in "abc")
#: More calls than one run makes.
STEPS = 60


class Run:
    """A run that adds two records, of which it removes one.

    :ivar standing: what is in the zone because of it
    """

    def __init__(self, disk: FakeDisk) -> None:
        self.standing: set[RecordKey] = set()
        self._disk = disk

    def until(self, steps: int) -> bool:
        """Go on for so many steps; returns whether that was all of it."""
        self._disk.steps = steps
        try:
            self._go()
        except Stopped:
            return False
        return True

    def _go(self) -> None:
        folder = Folder(str(CONFIG_DIR))
        for left in Journal.abandoned(folder):
            left.close()
        journal = Journal.of_this_run(folder)
        journal.adding({A: "key", B: "key"})
        self.standing |= {A, B}
        journal.added(A, "1")
        journal.adding({C: "key"}, zone_is_known=False)
        self.standing.add(C)
        self.standing.remove(A)
        journal.gone(A)
        journal.close()


def listed() -> set[RecordKey]:
    found: set[RecordKey] = set()
    for journal in Journal.abandoned(Folder(str(CONFIG_DIR))):
        found.update(journal.open_records)
    return found


@pytest.mark.parametrize("seed", range(20))
def test_what_stands_is_listed_wherever_the_power_is_cut(seed: int) -> None:
    luck = Random(seed)
    for steps in range(STEPS):
        with FakeDisk().in_place() as disk:
            run = Run(disk)
            is_complete = run.until(steps)
            disk.power_cut(luck)
            assert run.standing <= listed(), f"after {steps} calls"
    assert is_complete, "all of them were tried"


@pytest.mark.parametrize("seed", range(4))
def test_a_run_that_was_killed_before_takes_nothing_from_that(seed: int) -> None:
    """What it made, and had not synced, is there, and may yet get lost."""
    luck = Random(seed)
    for killed_after in range(STEPS):
        for steps in range(0, STEPS, 3):
            with FakeDisk().in_place() as disk:
                first, second = Run(disk), Run(disk)
                first.until(killed_after)
                disk.restart()
                second.until(steps)
                disk.power_cut(luck)
                assert first.standing | second.standing <= listed(), (killed_after, steps)
