"""The policy that a key needs: what the documentation shows is what the function makes."""

from __future__ import annotations

import json
import re
import textwrap
from pathlib import Path

import pytest

from certbot_dns_aliyun.alidns.policy import ADD_AND_DELETE, ADD_DELETE_AND_LIST, policy_for

CHECKOUT = Path(__file__).parents[2]


def documented(page: str) -> list[object]:
    """The policies about records that a page gives to paste."""
    text = (CHECKOUT / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^( *)\.\. code-block:: json\n\n((?:\1 +.*\n|\n)+)", text, re.MULTILINE)
    found = [json.loads(textwrap.dedent(block)) for _, block in blocks]
    return [policy for policy in found if "alidns:" in json.dumps(policy)]


def test_the_pages_show_what_the_function_makes() -> None:
    assert documented("docs/ram-policy.rst") == [
        policy_for(["example.com"]),
        policy_for(["example.com", "example.org"]),
        policy_for(["example.com"], ADD_AND_DELETE),
    ]
    assert documented("README.rst") == [policy_for(["example.com"])]


def test_an_internationalized_zone_is_spelled_in_both_ways() -> None:
    both = ["acs:alidns:*:*:domain/例子.com", "acs:alidns:*:*:domain/xn--fsqu00a.com"]
    for spelling in ("例子.com", "xn--fsqu00a.com", "XN--FSQU00A.COM."):
        (statement,) = policy_for([spelling])["Statement"]
        assert statement["Resource"] == both


def test_a_zone_that_is_named_twice_stands_there_once() -> None:
    assert policy_for(["example.com", "EXAMPLE.com."]) == policy_for(["example.com"])


def test_a_policy_names_its_zones_and_the_actions_and_nothing_else() -> None:
    zones = ["example.com", "example.org"]
    resources = [f"acs:alidns:*:*:domain/{zone}" for zone in zones]
    actions = ["alidns:AddDomainRecord", "alidns:DeleteDomainRecord"]
    for given, resource in ((zones, resources), (zones[:1], resources[0])):
        statement = {"Effect": "Allow", "Action": actions, "Resource": resource}
        assert policy_for(given, ADD_AND_DELETE) == {"Version": "1", "Statement": [statement]}


def test_no_letter_of_a_zone_is_lost_with_its_final_dot() -> None:
    assert policy_for(["example.XX."]) == policy_for(["example.xx"])


def test_a_policy_without_a_zone_would_allow_nothing() -> None:
    with pytest.raises(ValueError, match="one zone at least"):
        policy_for([])


def test_listing_is_what_the_longer_one_adds() -> None:
    assert set(ADD_DELETE_AND_LIST) - set(ADD_AND_DELETE) == {"alidns:DescribeDomainRecords"}
