"""Prints what a certificate costs, side by side in one run: seconds, API calls, connections.

    build/venv/bin/python -m benchmarks.figures

- the floor: the same run with an authenticator that does nothing, and a CA that believes it;
- the plugin as it stands here;
- certbot-dns-aliyun 2.0.0, fetched from PyPI into a virtual environment of its own;
- the CPU time of `certbot plugins` with this plugin installed and without it.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.world import EVERYTHING, Certbot, Key, Outcome, Server, World, find_venv, namespace

ROOT = Path(__file__).resolve().parents[1]
#: 2.0.0 works beside this; where it is made, if it is not there yet.
PREDECESSOR = "certbot-dns-aliyun==2.0.0"
PREDECESSOR_VENV = Path(os.environ.get("CERTBOT_2_0_0") or ROOT / "build" / "predecessor")

PAIR = ["example.com", "*.example.com"]
HUNDRED = [f"host{number:02d}.example.com" for number in range(100)]
LAGS = (1.0, 2.0)
NETWORK = {"call_seconds": 0.08, "connect_seconds": 0.1}

DO_NOTHING = """
from certbot.plugins import dns_common


class Authenticator(dns_common.DNSAuthenticator):
    description = "Does nothing."

    @classmethod
    def add_parser_arguments(cls, add):
        super().add_parser_arguments(add, default_propagation_seconds=0)

    def more_info(self):
        return self.description

    def _setup_credentials(self):
        pass

    def _perform(self, domain, validation_name, validation):
        pass

    def _cleanup(self, domain, validation_name, validation):
        pass

    def perform(self, achalls):
        return [achall.response(achall.account_key) for achall in achalls]
"""


@dataclass(frozen=True)
class Figures:
    """What one run took."""

    seconds: float
    calls: int
    connections: int


def floor(names: Sequence[str]) -> Figures:
    """A run with an authenticator that does nothing."""
    with _world(ca_validates=False) as world:
        outcome = _run(world.certbot, "do-nothing", names, env=do_nothing(world.folder))
        return _figures(world, outcome)


def ours(names: Sequence[str]) -> Figures:
    """A run with this plugin."""
    with _world() as world:
        ini = world.credentials_ini()
        outcome = _run(world.certbot, "dns-aliyun", names, "--dns-aliyun-credentials", ini)
        world.check()
        return _figures(world, outcome)


def predecessor(names: Sequence[str]) -> Figures:
    """A run with 2.0.0, with its default wait. It needs a key for the whole account."""
    with _world(keys=[Key(EVERYTHING)]) as world:
        certbot = Certbot(
            PREDECESSOR_VENV,
            world.folder / "home",
            world.ca.url,
            world.ca.bundle,
            lambda outcome: None,  # it does write signed URLs into its log
        )
        ini = world.credentials_ini()
        outcome = _run(certbot, "dns-aliyun", names, "--dns-aliyun-credentials", ini)
        return _figures(world, outcome)


def do_nothing(folder: Path) -> dict[str, str]:
    """Make an authenticator that does nothing; gives the environment in which Certbot finds it."""
    info = folder / "do-nothing" / "do_nothing-1.0.dist-info"
    info.mkdir(parents=True)
    (info.parent / "do_nothing.py").write_text(DO_NOTHING)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: do-nothing\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[certbot.plugins]\ndo-nothing = do_nothing:Authenticator\n"
    )
    return {"PYTHONPATH": str(info.parent)}


def cpu_of_plugins(runs: int = 20) -> tuple[float, float]:
    """The CPU seconds of `certbot plugins` with this plugin and without it, medians, taken in turn.

    Without it means: from a copy of the environment's folder of packages that lacks the plugin.
    """
    venv = find_venv()
    with tempfile.TemporaryDirectory(prefix="figures-") as folder:
        without = copy_without_us(venv, Path(folder) / "venv")
        times: dict[Path, list[float]] = {venv: [], without: []}
        for python in times:
            _cpu_of_one(python, folder)  # writes what Python caches
        for _ in range(runs):
            for python, taken in times.items():
                taken.append(_cpu_of_one(python, folder))
    return statistics.median(times[venv]), statistics.median(times[without])


def copy_without_us(venv: Path, target: Path) -> Path:
    """Make an environment that has all that another has, but for this plugin."""
    command = [str(venv / "bin" / "python"), "-m", "venv", "--without-pip", str(target)]
    subprocess.run(command, check=True)
    (packages,) = (venv / "lib").glob("python3*/site-packages")
    (own,) = (target / "lib").glob("python3*/site-packages")
    for entry in packages.iterdir():
        if "certbot_dns_aliyun" not in entry.name and not (own / entry.name).exists():
            (own / entry.name).symlink_to(entry)
    script = (venv / "bin" / "certbot").read_text().split("\n", 1)[1]
    (target / "bin" / "certbot").write_text(f"#!{target}/bin/python\n{script}")
    (target / "bin" / "certbot").chmod(0o755)
    return target


def _cpu_of_one(venv: Path, folder: str) -> float:
    command = [str(venv / "bin" / "certbot"), "plugins"]
    for kind in ("config", "work", "logs"):
        command += [f"--{kind}-dir", f"{folder}/{kind}"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@contextmanager
def _world(keys: Sequence[Key] = (), ca_validates: bool = True) -> Iterator[World]:
    with tempfile.TemporaryDirectory(prefix="figures-") as folder:
        servers = {"example.com": [Server(lag=lag) for lag in LAGS]}
        world = World(servers, keys, folder=Path(folder), ca_validates=ca_validates, **NETWORK)
        world.__enter__()
        try:
            world.ca  # noqa: B018, starts the CA before the clock runs
            yield world
        finally:
            world.stop()


def _run(
    certbot: Certbot,
    authenticator: str,
    names: Sequence[str],
    *options: object,
    env: dict[str, str] | None = None,
) -> Outcome:
    words = [word for name in names for word in ("-d", name)]
    command = ["certonly", "-a", authenticator, *map(str, options), *words]
    outcome = certbot.run(*command, env=env, timeout=600)
    if not outcome.ok:
        raise RuntimeError(str(outcome))
    return outcome


def _figures(world: World, outcome: Outcome) -> Figures:
    return Figures(outcome.seconds, len(world.alidns.calls), world.alidns.connections)


def make_predecessor() -> None:
    """Fetch 2.0.0, once."""
    if (PREDECESSOR_VENV / "bin" / "certbot").exists():
        return
    print(f"Fetching {PREDECESSOR} ...", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", str(PREDECESSOR_VENV)], check=True)
    pip = [str(PREDECESSOR_VENV / "bin" / "python"), "-m", "pip", "-q", "install"]
    subprocess.run([*pip, PREDECESSOR, "certbot"], check=True)


def main() -> int:
    """Measure and print."""
    make_predecessor()
    namespace.enter()
    print("80 ms a call, 100 ms a connection, name servers 1 s and 2 s behind the API\n")
    print(f"{'':40} {'seconds':>8} {'above':>8} {'API calls':>10} {'connections':>12}")
    for title, names in (("apex and wildcard", PAIR), ("100 names of one zone", HUNDRED)):
        least = floor(names)
        ground = least.seconds + max(LAGS)
        _row(f"{title}: floor + slowest server", Figures(ground, 0, 0), ground)
        _row(f"{title}: this plugin", ours(names), ground)
        _row(f"{title}: 2.0.0", predecessor(names), ground)
    with_us, without_us = cpu_of_plugins()
    print(
        f"\nCPU time of `certbot plugins`: {1000 * with_us:.0f} ms with this plugin, "
        f"{1000 * without_us:.0f} ms without (medians of 20, in turn)"
    )
    return 0


def _row(title: str, figures: Figures, ground: float) -> None:
    above = figures.seconds - ground
    print(
        f"{title:40} {figures.seconds:8.2f} {above:8.2f} {figures.calls:10} "
        f"{figures.connections:12}",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
