"""Whether a TXT record may be added where CNAMEs lead: whoever sets a CNAME chooses the name.

Two things are not theirs to choose, unless the credentials file lists the name: a name that is in
use for something else, and a zone whose credentials are for another party than theirs.
"""

from __future__ import annotations

from certbot_dns_aliyun.credentials.kinds import PREFIX
from certbot_dns_aliyun.credentials.settings import TARGETS, Account, Settings
from certbot_dns_aliyun.propagation.delegation import Place
from certbot_dns_aliyun.propagation.target import Use, is_meant
from certbot_dns_aliyun.refusals import OneNameError


class Rule:
    """The rule, for the accounts of one credentials file."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def refuse_section(self, place: Place, zone: str) -> None:
        """Refuse a zone of one section to a name of another.

        :param zone: the zone that is to take the record, or a name in it
        :raises OneNameError: if the section of the zone does not list the place's name
        """
        own, other = self._account_of(place.chain[0]), self._account_of(zone)
        if not own or not other or not own.zone or not other.zone or own == other:
            return
        if not other.lists(place.name):
            cname, who, line = _cname(place), _who(place), _line(place, other)
            raise OneNameError(
                f"{cname}, in a zone of [{other.zone}], and {place.chain[0]} is in one of "
                f"[{own.zone}]: {who} must not choose what is written with the credentials of "
                f"another section, so nothing is added there. {line}; if not, let it lead to a "
                "name elsewhere, or remove it."
            )

    def needs_use(self, place: Place, zone: str) -> bool:
        """Tell whether it matters, for a zone that may take it, what a place's name is used for."""
        account = self._account_of(zone)
        return place.is_led and not (account and account.lists(place.name))

    def refuse_use(self, place: Place, zone: str, use: Use) -> None:
        """Refuse a name that is in use for something else.

        :raises OneNameError: if it is, and the account of the zone does not list it
        """
        objection = _objection(place, use)
        if objection and self.needs_use(place, zone):
            cname, who, line = _cname(place), _who(place), _line(place, self._account_of(zone))
            raise OneNameError(
                f"{cname}, {objection}: {who} must not choose which name of yours gets a record, "
                f"so nothing is added there. {line}; if not, let it lead to a name that is used "
                "for nothing else, or remove it."
            )

    def way_out(self, place: Place, zone: str) -> str:
        """Say what helps where nobody tells what a place's name is used for."""
        line = _line(place, self._account_of(zone))
        return f"What {place.name} is used for could not be seen either. {line}."

    def _account_of(self, name: str) -> Account | None:
        return self._settings.account_for(name)


def _objection(place: Place, use: Use) -> str:
    if use.hides:
        return f"which would hide the wildcard record that answers for {use.hides}"
    if is_meant(place.name):
        return ""
    if use.is_wild:
        return "which would hide the wildcard record that answers for it"
    return f"where other records stand ({', '.join(use.kinds)})" if use.kinds else ""


def _cname(place: Place) -> str:
    """Say where CNAMEs lead; the last one is what there is to correct."""
    chain = " -> ".join(place.chain)
    says = ", as the resolver of this machine says" if place.is_hearsay else ""
    return f"The CNAME record at {place.chain[-2]} leads to {place.name} ({chain}{says})"


def _who(place: Place) -> str:
    """Say who has set the last CNAME."""
    if place.is_hearsay:
        return "that resolver, or who controls the CNAME,"
    return f"who controls {place.led_by or place.chain[-2]}"


def _line(place: Place, account: Account | None) -> str:
    """Say which line of which file allows it."""
    line = f"`{PREFIX}{TARGETS} = {place.name}`"
    if not account or not account.where:
        return f"If that is meant, use a credentials file and add {line} to it"
    return f"If that is meant, add {line} to {account.where}"
