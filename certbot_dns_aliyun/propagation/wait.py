"""Wait until the world can see the records, and tell the person who waits how far that is."""

from __future__ import annotations

import concurrent.futures
import time
from collections.abc import Iterable

from certbot.display import util as display_util

from certbot_dns_aliyun.propagation import words
from certbot_dns_aliyun.propagation.live_line import LiveLine
from certbot_dns_aliyun.propagation.public_dns import PublicDns, Served
from certbot_dns_aliyun.propagation.watch import Limits, ZoneWatch
from certbot_dns_aliyun.refusals import go_on_without

#: Seconds between two lines of progress, where they cannot be written over.
_PROGRESS = 30.0


def wait_until_served(
    public_dns: PublicDns,
    records: Iterable[Served],
    limits: Limits,
    line: LiveLine,
    allows_subset: bool = False,
) -> list[ZoneWatch]:
    """Wait until all name servers serve all records, or as long as the limits allow.

    :param line: the line at a terminal that shows progress, if there is one
    :param allows_subset: whether a name that is served nowhere is left out if others are served
    :returns: what was seen of each zone
    :raises OneNameError: if a value is served nowhere when the time is up
    :raises concurrent.futures.CancelledError: if public DNS is closed meanwhile
    """
    watches, end = public_dns.watch(records, limits)
    zones = words.some_of([watch.zone for watch in watches])
    display_util.notify(f"Waiting until the name servers of {zones} serve the TXT records")
    started, lines = time.monotonic(), 0
    told: set[str] = set()
    try:
        while not end.done():
            concurrent.futures.wait([end], timeout=0.25)
            if end.cancelled():
                break
            waited = time.monotonic() - started
            for watch in watches:
                for notice in words.notices(watch, waited, end.done(), limits):
                    if notice not in told:
                        told.add(notice)
                        line.clear()
                        display_util.notify(notice)
            if all(watch.is_blind for watch in watches):
                continue
            if line.is_shown:
                line.write(words.progress_line(watches, waited))
            elif waited >= _PROGRESS * (lines + 1) and not end.done():
                lines += 1
                display_util.notify(f"After {waited:.0f} seconds, {words.progress(watches)}")
    finally:
        line.end()
    end.result()
    waited = time.monotonic() - started
    unserved = [error for watch in watches for error in words.conclude(watch, waited)]
    is_subset = not all(watch.is_in_vain for watch in watches)
    if unserved and not (allows_subset and is_subset):
        raise unserved[0]
    for error in unserved:
        go_on_without(error)
    words.warn_of_incomplete(watches)
    return watches
