"""`certbot renew` over many lineages in one process: the last is as well off as the second."""

from __future__ import annotations

import re

import pytest

from tests.end_to_end.helpers import MakeWorld, copy_lineage

pytestmark = pytest.mark.newest

#: What a hook tells of certbot, somewhere among its parents, after each lineage.
HOOK = """\
#!/bin/sh
certbot=$PPID
until grep -aq bin/certbot /proc/$certbot/cmdline; do
    certbot=$(sed -n 's/^PPid:[[:space:]]*//p' /proc/$certbot/status)
done
grep -E '^(Threads|VmRSS)' /proc/$certbot/status
echo "Files: $(ls /proc/$certbot/fd | wc -l)"
echo "Sockets: $(ls -l /proc/$certbot/fd | grep -c socket)"
"""


@pytest.mark.parametrize("lineages", [10, pytest.param(30, marks=pytest.mark.nightly)])
def test_many_renewals_leave_nothing_in_the_process(make_world: MakeWorld, lineages: int) -> None:
    world = make_world(lags=(0.05,))
    assert world.issue("example.com", "*.example.com").ok
    for number in range(1, lineages):
        copy_lineage(world, "example.com", f"lineage-{number:02}")
    connections, calls = world.alidns.connections, len(world.alidns.calls)
    report, hook = world.folder / "report", world.folder / "hook"
    hook.write_text(HOOK)
    hook.chmod(0o755)

    outcome = world.certbot.run(
        "renew", "--force-renewal", "--deploy-hook", f"{hook} >> {report}", timeout=170
    )

    assert outcome.ok, str(outcome)
    seen = {
        kind: [int(number) for number in re.findall(rf"^{kind}:\s+(\d+)", report.read_text(), re.M)]
        for kind in ("Threads", "VmRSS", "Files", "Sockets")
    }
    print(f"\n{outcome.seconds:.0f} s, {world.alidns.connections - connections} connections")
    print("\n".join(f"{kind:8} {numbers}" for kind, numbers in seen.items()))
    assert len(seen["Threads"]) == lineages
    assert seen["Threads"][-1] <= seen["Threads"][1]
    assert seen["Sockets"][-1] <= seen["Sockets"][1] + 1
    assert seen["Files"][-1] <= seen["Files"][1] + 1
    assert seen["VmRSS"][-1] <= seen["VmRSS"][1] + 8 * 1024, "kB"
    assert world.alidns.connections - connections <= 10
    assert len(world.alidns.calls) - calls <= 5 * lineages
