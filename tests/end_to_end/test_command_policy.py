"""What `certbot-dns-aliyun policy` prints is what RAM wants, and no more."""

from __future__ import annotations

import copy
import json
import subprocess

import pytest

from tests.end_to_end.delegating import SHOP, TARGET, add_foreign, alias
from tests.end_to_end.helpers import MakeWorld, assert_issued, screen
from tests.world import Key, World

pytestmark = pytest.mark.newest


def test_the_policy_is_enough_and_all_of_it_is_needed(make_world: MakeWorld) -> None:
    """For the zones of a sub-domain, of a wildcard, and of a name that a CNAME leads elsewhere."""
    world = make_world(["example.com", TARGET], keys=[Key({"Version": "1", "Statement": []})])
    add_foreign(world)
    alias(world, f"_acme-challenge.{SHOP}", f"_acme-challenge.{TARGET}")
    names = ["a.b.example.com", "*.example.com", SHOP]
    outcome = world.certbot.plugin("policy", "-d", ",".join(names[:2]), "-d", SHOP)
    assert outcome.ok, outcome
    policy = json.loads(outcome.stdout)
    (statement,) = policy["Statement"]
    assert statement["Resource"] == [f"acs:alidns:*:*:domain/{z}" for z in ("example.com", TARGET)]
    world.key.policy = policy
    world.alidns.fault("reset", "AddDomainRecord", moment="after")  # the id is lost, and found
    assert world.issue(*names).ok
    assert not world.records.left()
    world.leaves_records = True
    for number, action in enumerate(statement["Action"]):
        less = copy.deepcopy(policy)
        less["Statement"][0]["Action"].remove(action)
        world.key.policy = less
        world.alidns.fault("reset", "AddDomainRecord", moment="after")
        assert f"{action} on acs:alidns" in screen(world.issue(f"{number}.example.com"))


def test_add_and_delete_only(make_world: MakeWorld) -> None:
    world = make_world(keys=[Key({"Version": "1", "Statement": []})])
    outcome = world.certbot.plugin("policy", "--zone", "example.com", "--add-and-delete-only")
    assert not world.resolver.queries
    world.key.policy = json.loads(outcome.stdout)
    assert_issued(world.issue("example.com"), world, "example.com")


def test_each_account_gets_its_own(world: World) -> None:
    world.add_zone("example.org", account="2")
    other = world.add_key(Key({"Version": "1", "Statement": []}, account="2"))
    ini = world.credentials_ini()
    text = f"[example.org]\ndns_aliyun_access_key = {other.id}\n"
    text += f"dns_aliyun_access_key_secret = {other.secret}\n"
    both = world.write_ini(ini.read_bytes() + text.encode(), "both.ini")
    command = ["policy", "--credentials", both, "-d", "example.com,example.org"]
    outcome = world.certbot.plugin(*command)
    assert outcome.ok, outcome
    assert "For the account of section [example.org] of the file: example.org" in outcome.stderr
    report = json.loads(world.certbot.plugin(*command, "--json").stdout)
    assert [each["zones"] for each in report["policies"]] == [["example.com"], ["example.org"]]


def test_a_name_that_public_dns_does_not_know(world: World) -> None:
    outcome = world.certbot.plugin("policy", "-d", "nowhere.invalid", "-d", "example.com")
    assert outcome.returncode == 1
    assert "Name it with --zone" in screen(outcome)
    assert json.loads(outcome.stdout)["Statement"][0]["Resource"].endswith("/example.com")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["policy"],
        ["policy", "-d", "localhost"],
        ["policy", "-d", "a b.example.com"],
        ["policy", "--zone", "x" * 64 + ".com"],
        ["policy", "--resolvers", "nobody.invalid", "-d", "example.com"],
        ["policy", "--credentials", "/nowhere/aliyun.ini", "-d", "example.com"],
        ["policy", "--cred", "x", "--zone", "example.com"],
        ["check"],
        ["check", "-d", "example.com", "--wait-limit", "-1"],
        ["check", "-d", "example.com", "--name-servers", "nobody.invalid"],
        ["stale"],
        ["stale", "--zone", "example.com"],
        ["stale", "--zone", "example.com", "--older-than", "many"],
    ],
)
def test_wrong_usage(world: World, arguments: list[str]) -> None:
    outcome = world.certbot.plugin(*arguments)
    assert outcome.returncode == 2, outcome
    assert outcome.stderr
    assert "Traceback" not in outcome.text


def test_help_is_complete_and_has_an_example(world: World) -> None:
    for command in ([], ["check"], ["policy"], ["stale"]):
        outcome = world.certbot.plugin(*command, "--help")
        assert outcome.ok
        assert "exit status:" in outcome.stdout
        assert not command or f"example:\n  certbot-dns-aliyun {command[0]} " in outcome.stdout


def test_it_is_a_module_too(world: World) -> None:
    python = world.certbot.venv / "bin" / "python"
    command = [python, "-m", "certbot_dns_aliyun", "policy", "--zone", "例子.com"]
    done = subprocess.run(command, capture_output=True, check=True, env={"LC_ALL": "C"})
    assert "acs:alidns:*:*:domain/xn--fsqu00a.com" in done.stdout.decode("ascii")
