"""Wait until the world can see the records, and tell the person who waits how far that is."""

from __future__ import annotations

import concurrent.futures
import logging
import time
from collections.abc import Iterable, Iterator

from certbot import errors
from certbot.display import util as display_util

from certbot_dns_aliyun.propagation.public_dns import PublicDns, Served
from certbot_dns_aliyun.propagation.question import NameServer
from certbot_dns_aliyun.propagation.watch import Limits, ZoneWatch

logger = logging.getLogger(__name__)

#: Seconds between two lines of progress.
_PROGRESS = 30.0
#: Seconds after which it is said that no name server can be asked.
_BLIND_AFTER = 6.0
#: Seconds after which an unserved value gives reason to doubt that the zone is served by Alidns.
_DOUBT_AFTER = 3.0
#: Seconds after which another provider's name servers are said to be what is waited for.
_OTHERS_AFTER = 10.0


def wait_until_served(
    public_dns: PublicDns, records: Iterable[Served], limits: Limits
) -> list[ZoneWatch]:
    """Wait until all name servers serve all records, or as long as the limits allow.

    :returns: what was seen of each zone
    :raises errors.PluginError: if a value is served nowhere when the time is up
    :raises concurrent.futures.CancelledError: if public DNS is closed meanwhile
    """
    watches, end = public_dns.watch(records, limits)
    zones = [watch.zone for watch in watches]
    display_util.notify(f"Waiting until the name servers of {_some(zones)} serve the TXT records")
    started, lines = time.monotonic(), 0
    told: set[str] = set()
    while not end.done():
        concurrent.futures.wait([end], timeout=0.25)
        if end.cancelled():
            break
        waited = time.monotonic() - started
        for notice in (n for watch in watches for n in _notices(watch, waited, end.done(), limits)):
            if notice not in told:
                told.add(notice)
                display_util.notify(notice)
        if waited >= _PROGRESS * (lines + 1) and not end.done():
            lines += 1
            if not all(watch.is_blind for watch in watches):
                display_util.notify(f"After {waited:.0f} seconds, {_progress(watches)}")
    end.result()
    for watch in watches:
        _conclude(watch, time.monotonic() - started)
    _warn_of_incomplete(watches)
    return watches


def _notices(watch: ZoneWatch, waited: float, ended: bool, limits: Limits) -> Iterator[str]:
    """Give what a person should know about the wait so far."""
    if watch.is_blind and watch.is_absent and not watch.servers:
        yield (
            f"Public DNS knows no zone {watch.zone}: the domain may not be registered, not be "
            f"activated, or have expired. Waiting {limits.blind:.0f} seconds all the same"
        )
    elif watch.is_blind and (not watch.servers or waited >= _BLIND_AFTER or ended):
        yield (
            f"No name server of {watch.zone} can be asked from here (is port 53 closed?); "
            f"waiting {limits.blind:.0f} seconds instead"
        )
    if watch.added_to and not watch.switched:
        yield (
            f"Public DNS has a zone {watch.zone} of its own (at {_names(watch.servers)}), which is "
            f"not in the account; the TXT record stands in {watch.added_to}, where nobody may look "
            "for it"
        )
    if waited < _DOUBT_AFTER or watch.is_blind:
        return
    if watch.is_foreign and not watch.complete:
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


def _names(servers: Iterable[NameServer]) -> str:
    return ", ".join(sorted({server.name for server in servers}))


def _progress(watches: list[ZoneWatch]) -> str:
    seeing = [watch for watch in watches if not watch.is_blind]
    complete = sum(len(watch.complete) for watch in seeing)
    lacking = [f"{server} {what}" for w in seeing for server, what in w.incomplete.items()]
    more = [f"and {len(lacking) - 3} more"] if len(lacking) > 3 else []
    of = f"{complete} of {complete + len(lacking)} name server addresses serve all TXT records"
    return "; ".join([of, *lacking[:3], *more])


def _conclude(watch: ZoneWatch, waited: float) -> None:
    """Say what the end of the wait for one zone means.

    :raises errors.PluginError: if name servers answered, and a value was served by none of them
    """
    if watch.is_blind:
        logger.warning(
            "Whether the world can see the TXT records in %s is not known: "
            "none of its name servers could be asked.",
            watch.zone,
        )
        return
    if watch.unserved:
        raise errors.PluginError(
            f"The TXT record {min(watch.unserved)} was added, but no name server of {watch.zone} "
            f"served it within {waited:.0f} seconds ({watch.lacking}); check that the domain is "
            "delegated to the name servers that the Alibaba Cloud DNS console shows for it, "
            "or raise --dns-aliyun-wait-limit."
        )
    logger.info(
        "%d addresses of the name servers of %s serve the TXT records, after %.1f seconds",
        len(watch.complete),
        watch.zone,
        waited,
    )


def _warn_of_incomplete(watches: list[ZoneWatch]) -> None:
    """Name the addresses that the run goes on without, once for all zones that lack the same."""
    alike: dict[str, list[str]] = {}
    for watch in watches:
        if watch.lacking and not watch.is_blind:
            alike.setdefault(watch.lacking, []).append(watch.zone)
    for lacking, zones in alike.items():
        logger.warning(
            "Going on although not all name servers of %s serve the TXT records: %s.",
            _some(zones),
            lacking,
        )


def _some(zones: list[str]) -> str:
    more = f" and {len(zones) - 3} more zones" if len(zones) > 3 else ""
    return ", ".join(zones[:3]) + more
