"""The command `certbot-dns-aliyun` beside each Certbot that the plugin runs with."""

from __future__ import annotations

from tests.end_to_end.checking import check_lineages, found
from tests.end_to_end.helpers import assert_issued
from tests.world import World


def test_lineages_of_this_certbot_are_read_and_checked(world: World) -> None:
    names = ("example.com", "*.example.com")
    options = ["--dns-aliyun-wait-limit", 60]
    assert_issued(world.issue(*names, options=options), world, *names)
    checked = check_lineages(world, "--all", "--json")
    assert checked.ok, checked
    findings = found(checked)
    assert {"credentials", "add", "served", "remove", "values"} <= {check for _, check in findings}
    assert not world.records.left()

    world.key.active = False
    findings = found(check_lineages(world, "--all", "--json"))
    result, text = findings["example.com, *.example.com", "add"]
    assert result == "problem"
    assert "InvalidAccessKeyId.Inactive" in text
    assert not world.certbot.run("renew", "--force-renewal").ok
