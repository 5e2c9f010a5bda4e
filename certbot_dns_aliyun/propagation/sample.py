"""How many good answers show what all machines behind one address of a name server serve.

Each question comes from a fresh source port, and so perhaps to another machine. Of k machines, n
questions miss one that is late with a chance of (1 - 1/k)^n: 0.1 % for four machines and the usual
24. What they show of one zone says nothing of another, as each is copied by itself; so the zones at
an address that have been seen at about the same time share one sample, of which each gets its part.
It is good for all of them or for none: the part of one zone alone is too small to show anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

#: Good answers in a row, and how many times as many once machines were seen to disagree.
_ANSWERS = 24
_DISAGREEMENT = 3


class Following(Protocol):
    """Who follows an address, for one zone.

    :ivar sample: the sample that is under way, or shows that the address serves everything; None if
        there is none
    """

    sample: Sample | None

    def is_out(self) -> bool:
        """Tell whether nobody need wait for its answers."""

    def start_over(self) -> None:
        """Count anew, in another sample if this one is under way: an answer lacked a value."""

    def stir(self) -> None:
        """Let it see whether there is something to do now."""


@dataclass(eq=False)
class Sample:
    """The sample that some zones share.

    :ivar began: when the first of them joined
    :ivar zones: how many there are; 0 as long as others may join
    :ivar unfinished: those of them that do not have their part yet
    """

    began: float
    zones: int = 0
    unfinished: list[Following] = field(default_factory=list)

    def answers(self, disagree: bool, restraint: int) -> int:
        """Give how many good answers in a row about one of the zones are wanted.

        :param disagree: whether machines behind the address were seen to differ
        :param restraint: how many times that is halved
        """
        of_all = _ANSWERS * (_DISAGREEMENT if disagree else 1)
        return -(-of_all // (self.zones << restraint))  # rounded up
