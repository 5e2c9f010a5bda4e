"""The world that the tests run in: Alidns, name servers, a resolver and a CA on loopback.

`with World() as world: ...` enters a network namespace of its own; see world.World.
"""

from .certbot import Certbot, Outcome, find_venv
from .faults import Fault
from .nameservers import Server, name_server
from .questions import Query
from .ram import EVERYTHING, Key, zone_policy
from .records import Record, Zone
from .world import World, present_certificate, tls_context, until

__all__ = [
    "EVERYTHING",
    "Certbot",
    "Fault",
    "Key",
    "Outcome",
    "Query",
    "Record",
    "Server",
    "World",
    "Zone",
    "find_venv",
    "name_server",
    "present_certificate",
    "tls_context",
    "until",
    "zone_policy",
]
