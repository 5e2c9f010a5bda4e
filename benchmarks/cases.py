"""What is measured: how many names of how many zones, against which API and name servers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

#: Name servers as those of Alibaba Cloud DNS are, seen from home and from abroad.
ADDRESSES = 8
RTTS = (0.03, 0.2)
LOSSES = (0.0, 0.01, 0.05)
USUAL_RTT, USUAL_LOSS = RTTS[0], LOSSES[1]


@dataclass(frozen=True)
class Case:
    """An order, and the world that it meets.

    :param names: 2 are a domain and its wildcard
    :param lags: seconds by which the two name servers are behind the API
    :param call: seconds that a call takes
    :param connect: seconds that a new connection takes
    :param one_write: whether a zone takes one write at a time
    :param addresses: how many each of the two name servers has
    :param rtt: seconds of a round trip to one of them
    :param lost: the share of the questions to them that get no answer
    :param throttled: seconds from the first call on in which the API refuses all as too frequent
    """

    names: int
    zones: int = 1
    lags: tuple[float, ...] = (1.0, 2.0)
    call: float = 0.08
    connect: float = 0.1
    one_write: bool = False
    addresses: int = 1
    rtt: float = 0.0
    lost: float = 0.0
    throttled: float = 0.0

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Case:
        """Read a case that was written as JSON."""
        return cls(**{**data, "lags": tuple(float(lag) for lag in data["lags"])})

    @property
    def apexes(self) -> list[str]:
        """The zones."""
        if self.zones == 1:
            return ["example.com"]
        return [f"zone{number:03d}.example" for number in range(self.zones)]

    @property
    def domains(self) -> list[str]:
        """The names that the certificate is for."""
        if self.names <= 2:
            return [self.apexes[0], f"*.{self.apexes[0]}"][: self.names]
        return [
            f"host{number:04d}.{self.apexes[number % self.zones]}" for number in range(self.names)
        ]

    @property
    def lag(self) -> float:
        """The slowest name server's, which nobody can be faster than."""
        return max(self.lags)

    @property
    def floor(self) -> Case:
        """The case whose floor is also this one's: what does nothing meets no API."""
        return Case(self.names, self.zones)

    @property
    def of_peers(self) -> Case:
        """The case in which others are measured: they ask no name server, however far it is."""
        return replace(self, rtt=USUAL_RTT, lost=USUAL_LOSS) if self.addresses > 1 else self

    @property
    def budget(self) -> int:
        """The questions that the plugin may ask the name servers, where none is lost."""
        addresses = len(self.lags) * self.addresses
        return round(1.3 * len(self.validation_names) * addresses) + 40 * addresses

    @property
    def validation_names(self) -> set[str]:
        """Where the CA looks for records: a domain and its wildcard share one name."""
        return {f"_acme-challenge.{name.replace('*.', '')}" for name in self.domains}

    @property
    def what(self) -> str:
        """The order."""
        names = {1: "1 name", 2: "apex and wildcard"}.get(self.names, f"{self.names} names")
        return names + (f" of {self.zones} zones" if self.zones > 1 else "")

    @property
    def where(self) -> str:
        """The world."""
        api = f"{1000 * self.call:.0f} ms a call, {1000 * self.connect:.0f} ms to connect"
        lags = " and ".join(f"{lag:g}" for lag in self.lags)
        writes = ", one write at a time" if self.one_write else ""
        behind = f"{api}{writes}; name servers {lags} s behind"
        if (self.addresses, self.rtt, self.lost) == (1, 0.0, 0.0):
            return behind
        many = f"{self.addresses} addresses a name" if self.addresses > 1 else "1 address a name"
        return f"{behind}, {many}; {self.distance}"

    @property
    def distance(self) -> str:
        """How far away the name servers are."""
        return f"{1000 * self.rtt:.0f} ms away, {100 * self.lost:.0f} % lost"


SIZES = [Case(1), Case(2), Case(10), Case(100), Case(100, zones=10)]
ONE_WRITE = [replace(case, one_write=True) for case in SIZES]
#: Name servers that are nearly as quick as the API, slow ones, and one slower than a fixed wait.
LAGS = [Case(2, lags=lags) for lags in ((0.1, 0.2), (4.0, 8.0), (40.0, 45.0))]
LATENCIES = [Case(2, call=0.03, connect=0.04), Case(2, call=0.4, connect=0.5)]

FAR = [
    replace(case, addresses=ADDRESSES, rtt=rtt, lost=lost)
    for case in SIZES
    if case.zones == 1
    for rtt in RTTS
    for lost in LOSSES
]
#: What a user meets.
USUAL = [case for case in FAR if case == case.of_peers]

#: By the number of zones; the largest orders take a minute each.
_GROWTH = {1: (1, 10, 100, 300, 1000), 10: (10, 100, 300), 100: (100, 1000)}
GROWTH = [
    Case(names, zones, addresses=ADDRESSES, rtt=USUAL_RTT, lost=USUAL_LOSS)
    for zones, orders in _GROWTH.items()
    for names in orders
]
THROTTLED = [
    replace(case, throttled=8.0) for case in GROWTH if (case.names, case.zones) == (100, 1)
]
