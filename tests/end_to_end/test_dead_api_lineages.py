"""`certbot renew` over several lineages while the API is dead: two minutes of patience, once."""

from __future__ import annotations

import re

import pytest

from tests.end_to_end.helpers import MakeWorld, screen
from tests.world import until

pytestmark = [pytest.mark.newest, pytest.mark.nightly, pytest.mark.timeout(300)]

LINEAGES = ("a.example.com", "b.example.com", "c.example.com")


def test_three_lineages_wait_for_a_dead_api_once_and_say_so(make_world: MakeWorld) -> None:
    world = make_world(lags=(0.05,))
    for name in LINEAGES:
        assert world.issue(name).ok
    world.alidns.black_hole()

    run = world.certbot.start("renew", "--force-renewal")
    until(lambda: "Calls are being repeated" in run.screen(), 40)
    outcome = run.wait(200)

    assert not outcome.ok
    assert 110 < outcome.seconds < 180, outcome
    (told,) = re.findall(r"Calls are being repeated.*", outcome.text)
    assert re.match(r"Calls are being repeated since \d\d:\d\d:\d\d: alidns\.aliyuncs\.com ", told)
    for name in LINEAGES:
        assert f"The TXT record _acme-challenge.{name} could not be added" in screen(outcome)
    assert "Traceback" not in outcome.text

    world.alidns.listen()
    again = world.certbot.run("renew", "--force-renewal")
    assert again.ok, again
    assert "repeated" not in again.text
