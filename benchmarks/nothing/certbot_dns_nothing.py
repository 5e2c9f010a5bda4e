"""An authenticator that does nothing, for a CA that believes everything.

This folder on PYTHONPATH is all the installation that it needs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Callable

from acme import challenges
from certbot import achallenges, interfaces
from certbot.plugins import common


class Authenticator(common.Plugin, interfaces.Authenticator):
    """What Certbot and the CA take by themselves is what remains with this."""

    description = "Do nothing, for measurements."

    @classmethod
    def add_parser_arguments(cls, add: Callable[..., None]) -> None:
        """Have no options."""

    def prepare(self) -> None:
        """Do nothing."""

    def more_info(self) -> str:
        """See :meth:`certbot.interfaces.Plugin.more_info`."""
        return self.description

    def get_chall_pref(self, domain: str) -> Iterable[type[challenges.Challenge]]:
        """Take what the others take."""
        return [challenges.DNS01]

    def perform(
        self, achalls: list[achallenges.AnnotatedChallenge]
    ) -> list[challenges.ChallengeResponse]:
        """Claim that all is done."""
        return [achall.response(achall.account_key) for achall in achalls]

    def cleanup(self, achalls: list[achallenges.AnnotatedChallenge]) -> None:
        """Do nothing."""
