"""Who has a plain access key does not pay for the other kinds: nothing of the extra is imported."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.end_to_end.helpers import assert_issued
from tests.end_to_end.kinds import a_profile, issue, prepared_for
from tests.world import Outcome, World
from tests.world.cloud import Cloud

pytestmark = pytest.mark.newest

#: Makes Python tell each import on stderr.
TELL_IMPORTS = {"PYTHONPROFILEIMPORTTIME": "1"}
PACKAGES_OF = """
import importlib.metadata as m, re
def closure(name, seen):
    for line in m.requires(name) or []:
        if 'extra ==' not in line:
            needed = re.match(r'[\\w.-]+', line)[0].lower().replace('_', '-')
            if needed not in seen:
                seen.add(needed)
                try: closure(needed, seen)
                except m.PackageNotFoundError: pass
    return seen
more = closure('alibabacloud-credentials', {'alibabacloud-credentials'})
less = closure('certbot-dns-aliyun', set())
tops = m.packages_distributions()
only = more - less
print(*(top for top, of in tops.items() if {n.lower().replace('_', '-') for n in of} <= only))
"""


def packages_of_the_extra(world: World) -> set[str]:
    """The top-level packages that only the extra brings, in the environment under test."""
    python = world.certbot.venv / "bin" / "python"
    told = subprocess.run([python, "-c", PACKAGES_OF], capture_output=True, text=True, check=True)
    return set(told.stdout.split())


def imported(outcome: Outcome) -> set[str]:
    modules = re.findall(r"^import time: .*\| +([\w.]+)$", outcome.stderr, re.MULTILINE)
    return {module.partition(".")[0] for module in modules}


def test_a_run_with_a_plain_key_imports_none_of_it(world: World) -> None:
    extra = packages_of_the_extra(world)
    assert {"alibabacloud_credentials", "Tea", "aiohttp", "apscheduler"} <= extra
    outcome = issue(world, key_settings(world), "example.com", env=TELL_IMPORTS)
    assert_issued(outcome, world, "example.com")
    assert "certbot_dns_aliyun" in imported(outcome)
    assert not imported(outcome) & extra
    outcome = world.certbot.run("renew", "--force-renewal", env=TELL_IMPORTS)
    assert outcome.ok
    assert not imported(outcome) & extra


def test_starting_certbot_imports_none_of_it(world: World) -> None:
    outcome = world.certbot.run("plugins", env=TELL_IMPORTS)
    assert outcome.ok
    assert "certbot_dns_aliyun" in imported(outcome)
    assert not imported(outcome) & packages_of_the_extra(world)


def test_another_kind_imports_it(world: World) -> None:
    """The measure measures something."""
    settings = prepared_for(Cloud(world), a_profile).settings
    outcome = issue(world, settings, "example.com", env=TELL_IMPORTS)
    assert "alibabacloud_credentials" in imported(outcome)


def key_settings(world: World) -> dict[str, str]:
    return {"access_key": world.key.id, "access_key_secret": world.key.secret}
