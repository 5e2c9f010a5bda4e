"""Where the validation record of a name will stand, as a command tells it."""

from __future__ import annotations

from collections.abc import Sequence

from certbot import errors

from certbot_dns_aliyun.propagation.delegation import BadChainError, Place
from certbot_dns_aliyun.propagation.esa import refuse_esa
from certbot_dns_aliyun.propagation.public_dns import PublicDns


def place_of(dns: PublicDns, name: str) -> Place:
    """Give the place that takes the record of a validation name, with its zone.

    :raises errors.PluginError: if there is none, or its zone is not known
    """
    place = possible_place(dns, name)
    if place.zone is None:
        raise errors.PluginError(f"{why_unknown(place)} Name it with --zone.")
    return place


def why_unknown(place: Place) -> str:
    """Say why the zone of a place is not known."""
    why = place.unread or "public DNS knows no such domain"
    return f"The zone of {place.name} cannot be told: {why}."


def possible_place(dns: PublicDns, name: str, insists: bool = False) -> Place:
    """Give the place that takes the record of a validation name; its zone may not be known.

    :param insists: whether it is added even where nobody would see it
    :raises errors.PluginError: if there is none in which anybody would see it
    """
    try:
        place = _likeliest(dns.places(name))
    except BadChainError as error:
        raise errors.PluginError(error.advice) from None
    if not insists:
        refuse_esa(place)
    return place


def _likeliest(places: Sequence[Place]) -> Place:
    """Where a wildcard's CNAME answers, the name itself is a place as well as its target."""
    ours = [place for place in places if place.zone and not place.is_elsewhere]
    return ours[0] if ours else places[0]
