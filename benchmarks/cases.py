"""What is measured: how many names of how many zones, against which API and name servers."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Case:
    """An order, and the world that it meets.

    :param names: 2 are a domain and its wildcard
    :param lags: seconds by which the two name servers are behind the API
    :param call: seconds that a call takes
    :param connect: seconds that a new connection takes
    :param one_write: whether a zone takes one write at a time
    """

    names: int
    zones: int = 1
    lags: tuple[float, ...] = (1.0, 2.0)
    call: float = 0.08
    connect: float = 0.1
    one_write: bool = False

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
        return f"{api}{writes}; name servers {lags} s behind"


SIZES = [Case(1), Case(2), Case(10), Case(100), Case(100, zones=10)]
ONE_WRITE = [replace(case, one_write=True) for case in SIZES]
#: Name servers that are nearly as quick as the API, slow ones, and one slower than a fixed wait.
LAGS = [Case(2, lags=lags) for lags in ((0.1, 0.2), (4.0, 8.0), (40.0, 45.0))]
LATENCIES = [Case(2, call=0.03, connect=0.04), Case(2, call=0.4, connect=0.5)]

GROWTH = [
    Case(names, zones)
    for zones in (1, 10, 100)
    for names in (1, 10, 100, 300, 1000)
    if names >= zones and (zones == 1 or names != 300)
]
