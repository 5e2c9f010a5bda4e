"""What the look-ups for one name may cost, however far those lead who are asked.

Who controls a name on the way (the customer behind a CNAME, say) decides which servers come next.
Without limits he could hold a run for as long as he likes, or have it ask a third party for
thousands of name servers that do not exist (NXNSAttack, CVE-2020-12662). The limits are of the kind
that resolvers have: Unbound asks for 64 name servers' names and sends 200 questions for one of its
own, BIND looks at 20 name servers of a zone. Honest zones stay far below: the root has 13 names
with 2 addresses each, a zone at Alibaba Cloud DNS 2 names with 8 or 16.
"""

from __future__ import annotations

#: Of one zone: names of name servers; addresses of each; and addresses in all.
MOST_NAMES = 16
MOST_ADDRESSES_OF_A_NAME = 16
MOST_ADDRESSES = 64

#: For one validation name: seconds; names of name servers that the resolver is asked for, where
#: those of two top-level domains are among them; and questions. Where servers fail for a moment,
#: honest ones take some two hundred questions.
_SECONDS = 60.0
_HOSTS = 100
_QUESTIONS = 500


class Budget:
    """What is left for one name.

    :ivar seconds: in which to find out
    :ivar zone: the zone whose name servers were asked last; empty before
    """

    def __init__(self) -> None:
        self.seconds = _SECONDS
        self.zone = ""
        self._hosts = _HOSTS
        self._questions = _QUESTIONS

    def take_host(self) -> bool:
        """Take the look-up of one name server's addresses; False if there is none left."""
        self._hosts -= 1
        return self._hosts >= 0

    def take_question(self) -> bool:
        """Take one question; False if there is none left."""
        self._questions -= 1
        return self._questions >= 0

    @property
    def is_spent(self) -> bool:
        """Whether more questions were wanted than there were."""
        return self._questions < 0

    def __str__(self) -> str:
        last = f", the last to name servers of {self.zone}" if self.zone else ""
        return f"looking it up takes more than {_QUESTIONS} questions{last}"
