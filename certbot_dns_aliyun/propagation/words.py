"""What a person is told about the wait: while it lasts, at its end, and when the CA says no."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator

from certbot_dns_aliyun.propagation.listing import listed
from certbot_dns_aliyun.propagation.question import NameServer, Outcome
from certbot_dns_aliyun.propagation.watch import Limits, ZoneWatch
from certbot_dns_aliyun.refusals import OneNameError

logger = logging.getLogger(__name__)

#: Seconds after which it is said that no name server can be asked.
_BLIND_AFTER = 6.0
#: Seconds after which an unserved value gives reason to doubt that the zone is served by Alidns.
_DOUBT_AFTER = 3.0
#: Seconds after which another provider's name servers are said to be what is waited for.
_OTHERS_AFTER = 10.0


def notices(watch: ZoneWatch, waited: float, ended: bool, limits: Limits) -> Iterator[str]:
    """Give what a person should know about the wait for one zone so far."""
    if watch.is_blind:
        yield from _about_blindness(watch, waited, ended, limits)
    if watch.added_to and not watch.switched:
        yield (
            f"Public DNS has a zone {watch.zone} of its own (at {_names(watch.servers)}), which is "
            f"not in the account; the TXT record stands in {watch.added_to}, where nobody may look "
            "for it"
        )
    if waited < _DOUBT_AFTER or watch.is_blind:
        return
    if watch.is_elsewhere and not watch.complete:
        yield (
            f"None of the name servers of {watch.zone} ({_names(watch.servers)}) looks like one of "
            "Alibaba Cloud DNS (such as dns1.hichina.com or ns1.alidns.com): if the domain is "
            "delegated to another provider, nobody will ever see the TXT record"
        )
    if watch.switched:
        yield (
            f"The resolver of this machine names other name servers of {watch.zone} than the "
            f"domain's registry does; asking those of the registry ({_names(watch.servers)})"
        )
    others = [server for server in watch.incomplete if not server.is_alidns]
    if waited >= _OTHERS_AFTER and others and any(s.is_alidns for s in watch.complete):
        yield (
            f"The name servers of Alibaba Cloud DNS serve the TXT records of {watch.zone}, another "
            f"provider's ({_names(others)}) do not; --dns-aliyun-wait-for alidns would not wait "
            "for those"
        )
    yield from _about_caps(watch)


def _about_blindness(watch: ZoneWatch, waited: float, ended: bool, limits: Limits) -> Iterator[str]:
    instead = f"waiting {limits.blind:.0f} seconds instead"
    outcomes = {follower.outcome for follower in watch.followers}
    if watch.is_absent and not watch.servers:
        yield (
            f"Public DNS knows no zone {watch.zone}: the domain may not be registered, not be "
            f"activated, or have expired. Waiting {limits.blind:.0f} seconds all the same"
        )
    elif Outcome.INTERCEPTED in outcomes:
        yield (
            f"Something between this machine and the name servers of {watch.zone} answers in their "
            "place (a router, a VPN or a proxy that intercepts port 53), and would remember that "
            f"there is no TXT record yet; it is not asked, {instead}"
        )
    elif watch.servers and waited < _BLIND_AFTER and not ended:
        return
    elif outcomes <= {Outcome.SILENT, Outcome.UNREACHABLE, None}:
        yield (
            f"No name server of {watch.zone} can be asked from here (is port 53 closed?); {instead}"
        )
    else:
        yield (
            f"No name server of {watch.zone} answers with authority for it ({watch.lacking}); "
            f"{instead}"
        )


def _about_caps(watch: ZoneWatch) -> Iterator[str]:
    for name, cap in watch.caps.items():
        yield (
            f"The name servers of {watch.zone} give only {cap.size} of at least {len(cap.known)} "
            f"TXT values at {name}, so a CA may never see the one that it looks for; if several "
            "names lead there by CNAME, give each a target of its own, and remove old values"
        )


def progress(watches: list[ZoneWatch]) -> str:
    """Say how many addresses serve everything, and which do not."""
    complete, lacking = _counted(watches)
    some = [f"{server} {what}" for server, what in lacking]
    of = f"{complete} of {complete + len(lacking)} name server addresses serve all TXT records"
    return "; ".join([of, *([listed(some, between="; ")] if some else [])])


def progress_line(watches: list[ZoneWatch], waited: float) -> str:
    """Say the same in less than eighty columns, with the name server that lacks most."""
    complete, lacking = _counted(watches)
    left = [f for watch in watches for f in watch.followers if not f.is_complete]
    slowest = max(left, key=lambda f: len(f.missing), default=None)
    by_name = f", waiting for {slowest.server.name}" if slowest else ""
    addresses = f"{complete} of {complete + len(lacking)} addresses"
    return f"{addresses} serve all records, {waited:.1f} s{by_name}"


def _counted(watches: list[ZoneWatch]) -> tuple[int, list[tuple[NameServer, str]]]:
    seeing = [watch for watch in watches if not watch.is_blind]
    lacking = [each for watch in seeing for each in watch.incomplete.items()]
    return sum(len(watch.complete) for watch in seeing), lacking


def _unserved(watch: ZoneWatch, name: str, waited: float) -> OneNameError:
    """Say that a value at a name was served by nobody."""
    cap = watch.caps.get(name)
    if cap:
        return OneNameError(
            f"The TXT record {name} was added, but the name servers of {watch.zone} give only "
            f"{cap.size} of at least {len(cap.known)} values at that name; remove old values "
            "there, and if several names lead there by CNAME, give each a target of its own."
        )
    or_else = "raise --dns-aliyun-wait-limit"
    if watch.is_elsewhere:
        or_else = "name these by --dns-aliyun-name-servers if they are its own"
    return OneNameError(
        f"The TXT record {name} was added, but no name server of {watch.zone} "
        f"served it within {waited:.0f} seconds ({watch.lacking}); check that the domain is "
        "delegated to the name servers that the Alibaba Cloud DNS console shows for it, "
        f"or {or_else}."
    )


def conclude(watch: ZoneWatch, waited: float) -> list[OneNameError]:
    """Say what the end of the wait for one zone means.

    :returns: the names of which a value was served by none of the name servers that answered
    """
    if watch.is_blind:
        logger.warning(
            "Whether the world can see the TXT records in %s is not known: "
            "none of its name servers could be asked.",
            watch.zone,
        )
        return []
    if watch.unserved:
        return [_unserved(watch, name, waited) for name in sorted(watch.unserved)]
    logger.info(
        "%d addresses of the name servers of %s serve the TXT records, after %.1f seconds",
        len(watch.complete),
        watch.zone,
        waited,
    )
    return []


def warn_of_incomplete(watches: list[ZoneWatch]) -> None:
    """Name the addresses that the run goes on without, once for all zones that lack the same."""
    alike: dict[str, list[str]] = {}
    for watch in watches:
        if watch.lacking and not watch.is_blind:
            alike.setdefault(watch.lacking, []).append(watch.zone)
    for lacking, zones in alike.items():
        logger.warning(
            "Going on although not all name servers of %s serve the TXT records: %s.",
            some_of(zones),
            lacking,
        )


def hint(watch: ZoneWatch, from_elsewhere: bool = False) -> str:
    """Say what was seen, for somebody who wonders why the CA saw something else.

    :param from_elsewhere: whether the CA did so from some of its places alone
    """
    where = f"the name servers of {watch.zone}"
    if watch.is_blind:
        return (
            f"None of {where} could be asked from here, so the TXT records may not have been "
            "visible yet; raise --dns-aliyun-propagation-seconds."
        )
    complete = listed(map(str, watch.complete), 8)
    if watch.served_since is None or watch.lacking:
        return (
            f"Of {where} these served the TXT records: {complete}; but these did not, and the "
            f"CA may have asked one of them: {watch.lacking}."
        )
    if from_elsewhere:
        return (
            f"Only from some of its places the CA saw something else: {complete} of {watch.zone} "
            f"have served the TXT records since {watch.served_since:%Y-%m-%d %H:%M:%S} UTC. Run "
            "the same command again; a firewall may keep parts of the world from those servers."
        )
    return (
        f"All of {where} that can be reached have served the TXT records since "
        f"{watch.served_since:%Y-%m-%d %H:%M:%S} UTC ({complete}); if the CA says otherwise, "
        "check that the domain's registry delegates it to these servers."
    )


def hint_without_wait() -> str:
    """Say the same where no name server was asked."""
    return (
        "No name server was asked for the TXT records before the CA looked; raise "
        "--dns-aliyun-propagation-seconds, or leave --dns-aliyun-wait-for out."
    )


def some_of(zones: list[str]) -> str:
    """List the first of many zones."""
    more = f" and {len(zones) - 3} more zones" if len(zones) > 3 else ""
    return ", ".join(zones[:3]) + more


def _names(servers: Iterable[NameServer]) -> str:
    return listed(sorted({server.name for server in servers}), 8)
