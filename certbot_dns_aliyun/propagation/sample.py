"""How many good answers show what all machines behind one address of a name server serve.

Each question comes from a fresh source port, and so perhaps to another machine. Of k machines, n
questions miss one that is late with a chance of (1 - 1/k)^n: 0.1 % for four machines and the usual
24. What they show of one zone says nothing of another, as each is copied by itself; so the zones at
an address that have been seen at about the same time share one sample, of which each gets its part.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Good answers in a row, and how many times as many once machines were seen to disagree.
_ANSWERS = 24
_DISAGREEMENT = 3


@dataclass
class Sample:
    """The sample that some zones share.

    :ivar began: when the first of them joined
    :ivar zones: how many there are; 0 as long as others may join
    """

    began: float
    zones: int = 0

    def answers(self, disagree: bool, restraint: int) -> int:
        """Give how many good answers in a row about one of the zones are wanted.

        :param disagree: whether machines behind the address were seen to differ
        :param restraint: how many times that is halved
        """
        of_all = _ANSWERS * (_DISAGREEMENT if disagree else 1)
        return -(-of_all // (self.zones << restraint))  # rounded up
