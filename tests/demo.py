"""What `make demo` shows: a wildcard certificate issued and renewed, on one screen.

Everything is real (certbot, the plugin, the CA) or speaks like the real thing (the API, the name
servers), and all of it lives in a network of its own on this machine.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from tests.world import Outcome, Server, World, namespace
from tests.world.alidns import Call
from tests.world.records import Record
from tests.world.resolver import FOR_THE_CA

ZONE = "example.com"
NAMES = [ZONE, f"*.{ZONE}"]
RECORD = f"_acme-challenge.{ZONE}"
STRANGERS_VALUE = "put-here-by-somebody-else"
LAGS = {"dns1.hichina.com": 1.0, "dns2.hichina.com": 2.0}
COMMAND = "certbot certonly -a dns-aliyun --dns-aliyun-credentials aliyun.ini"


@dataclass(order=True)
class Event:
    """One line of what happened."""

    at: float
    who: str
    what: str


def main() -> int:
    """Show it; the exit status tells whether all was as it should be."""
    why_not = namespace.explain_unavailable()
    if why_not:
        print(f"The demo needs a network of its own: {why_not}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="demo-") as folder:
        world = World(
            {ZONE: [Server(lag=lag, name=name) for name, lag in LAGS.items()]},
            folder=Path(folder),
            call_seconds=0.08,
            connect_seconds=0.1,
        )
        try:
            with world:
                faults = list(show(world))
        except AssertionError as error:
            faults = [str(error)]
    for fault in faults:
        print(paint(f"NOT AS IT SHOULD BE: {fault}", "31"))
    return 1 if faults else 0


def show(world: World) -> Iterator[str]:
    """Show one issuance and one renewal; gives what was not as it should be."""
    world.records.add_stranger(ZONE, "_acme-challenge", STRANGERS_VALUE)
    world.ca  # noqa: B018, starts the CA before the clock runs
    title("certbot-dns-aliyun: TLS certificates, wildcards too, for zones at Alibaba Cloud DNS")
    print("In this demo's own network: the Alidns API (80 ms a call), two name servers 1 s and 2 s")
    print(f"behind it, and a CA. Somebody else's TXT record stands at {RECORD}.")

    command(f"{COMMAND} \\\n      -d {ZONE} -d '*.{ZONE}'")
    began = time.monotonic()
    issued = world.issue(*NAMES)
    yield from report(world, began, issued)
    if not issued.ok:
        return
    first = world.certbot.certificate(ZONE)
    describe(world, first)

    command("certbot renew --force-renewal")
    began = time.monotonic()
    renewed = world.certbot.run("renew", "--force-renewal")
    yield from report(world, began, renewed)
    if not renewed.ok:
        return
    second = world.certbot.certificate(ZONE)
    describe(world, second)
    if second.serial_number == first.serial_number:
        yield "the renewed certificate is the old one"

    yield from aftermath(world)


def report(world: World, began: float, outcome: Outcome) -> Iterator[str]:
    """Show one run of certbot, and check it."""
    calls = [call for call in world.alidns.calls if call.started >= began]
    made = [record for record in world.records.made() if record.added_at >= began]
    ca_asked = [
        query.at for query in world.resolver.asked(RECORD, "TXT", FOR_THE_CA) if query.at >= began
    ]
    events = [Event(began + outcome.seconds, "certbot", "ends: " + last_word(outcome))]
    for call in calls:
        events.append(Event(call.started, "to the API", told(call, world)))
    if len(made) == len(NAMES):
        events += [seen_by(name, lag, made) for name, lag in LAGS.items()]
    if ca_asked:
        asks = f"asks for {RECORD} TXT and finds its values"
        events.append(Event(min(ca_asked), "the CA", asks if outcome.ok else "asks"))
    for event in sorted(events):
        seconds = paint(f"{event.at - began:7.2f} s", "2")
        print(f"{seconds}  {event.who:<16}  {event.what}")

    yield from check(outcome, len(calls), made, ca_asked)


def check(outcome: Outcome, calls: int, made: list[Record], ca_asked: list[float]) -> Iterator[str]:
    """Give what one run did not do as it should."""
    if not outcome.ok:
        yield f"certbot failed:\n{outcome}"
    if calls > 5:
        yield f"{calls} calls for two names"
    served = [record.added_at + max(LAGS.values()) for record in made]
    if ca_asked and served and min(ca_asked) < max(served):
        yield "the CA was called before all name servers were ready"
    if any(record.alive for record in made):
        yield "a record was left behind"


def told(call: Call, world: World) -> str:
    """Say what a call did: `+` for a record that came, `-` for one that went."""
    record = world.records.find(call.params.get("RecordId", ""))
    value = record.value if record else call.params.get("Value", "")
    sign = {"AddDomainRecord": "+", "DeleteDomainRecord": "-"}.get(call.action, " ")
    milliseconds = 1000 * ((call.ended or call.started) - call.started)
    return f"{call.action:<19} {sign} TXT {value[:20]}...  {call.code}, {milliseconds:.0f} ms"


def seen_by(name: str, lag: float, made: list[Record]) -> Event:
    """Tell when a name server began to serve the records."""
    at = max(record.added_at for record in made) + lag
    return Event(at, name, f"serves both values, {lag:.1f} s behind the API")


def last_word(outcome: Outcome) -> str:
    """Say how a run ended."""
    return "success" if outcome.ok else f"failure, exit status {outcome.returncode}"


def describe(world: World, certificate: x509.Certificate) -> None:
    """Show what a user cares about in a certificate."""
    names = ", ".join(reversed(world.certbot.names(ZONE)))
    after = certificate.not_valid_after_utc
    before = certificate.not_valid_before_utc
    print(
        f"{paint('Certificate', '1')}  {names}, serial {certificate.serial_number:x},\n"
        f"             valid {before:%Y-%m-%d %H:%M:%S} to {after:%Y-%m-%d %H:%M:%S} UTC"
    )


def aftermath(world: World) -> Iterator[str]:
    """Show what is in the zone now, and what it took."""
    there = [record.value for record in world.records.zones[ZONE].beside("_acme-challenge")]
    title("\nAfterwards")
    print(f"{RECORD} TXT is {', '.join(there)}: nothing of ours, everything of theirs.")
    print(
        f"{len(world.alidns.calls)} API calls over {world.alidns.connections} connections made both"
        " certificates; the access key may do nothing but add,\n"
        "list and delete records of this zone. Each wait ended when the slower name server was\n"
        f"ready ({max(LAGS.values()):.0f} s); version 2.0.0 always waited 30 s."
    )
    if there != [STRANGERS_VALUE]:
        yield f"what stands at {RECORD} is {there}"


def title(text: str) -> None:
    """Print a line that stands out."""
    print(paint(text, "1"))


def command(text: str) -> None:
    """Print what a user would type."""
    print(paint(f"\n$ {text}", "1;36"), flush=True)


def paint(text: str, style: str) -> str:
    """Colour, for people who look at a terminal."""
    if not sys.stdout.isatty() or "NO_COLOR" in os.environ:
        return text
    return f"\033[{style}m{text}\033[0m"


if __name__ == "__main__":
    sys.exit(main())
