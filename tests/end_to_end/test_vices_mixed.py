"""Whatever name servers answer: a wait ends, in time, and never says "served" too early.

Real packets, and the product's own wait within this process. Hypothesis chooses what each address
does wrong, what gets lost on the way to it, and how far behind it is.
"""

from __future__ import annotations

import itertools
import random
import time
from typing import Any

import pytest
from certbot import errors
from certbot.display import util as display_util
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from certbot_dns_aliyun.propagation.live_line import LiveLine
from certbot_dns_aliyun.propagation.public_dns import PublicDns, Served
from certbot_dns_aliyun.propagation.wait import wait_until_served
from certbot_dns_aliyun.propagation.watch import Limits
from tests.end_to_end.helpers import NIGHTLY, MakeWorld
from tests.unit.parts import digest
from tests.world import Server, vices
from tests.world.questions import Question, Said, Vice

pytestmark = pytest.mark.newest

#: Each takes some ten seconds.
WAITS = 100 if NIGHTLY else 3
LONGEST = 12.0
SLOWEST = 3.0


def now_and_then(vice: Vice) -> Vice:
    def either(question: Question) -> Said:
        return vice(question) if random.random() < 0.3 else question.honest()

    return either


#: What no resolver minds for long: who does this is to be waited for.
BEARABLE: dict[str, Vice | None] = {
    "none": None,
    "forged id first": vices.first(vices.wrong_id),
    "another question first": vices.first(vices.wrong_question),
    "garbage first": vices.garbage_first,
    "its own question first": vices.first(vices.question_back),
    "everything twice": vices.twice,
    "other case": vices.wrong_case_of_name,
    "drops EDNS": vices.drops_edns,
    "refuses EDNS": vices.formerr_for_edns,
    "forgets EDNS": vices.forgets_edns,
    "truncates": vices.truncates,
    "UDP alone": vices.only_over("udp"),
    "TCP alone": vices.only_over("tcp"),
    "loses the first": vices.lose_first(3),
    "fails at first": vices.servfail_at_first(3),
    "fails now and then": vices.servfail_now_and_then(0.3),
    "slow": vices.slow(0.4),
    "silent now and then": now_and_then(vices.silent),
    "garbage now and then": now_and_then(vices.garbage),
    "cut off now and then": now_and_then(vices.cut_off),
    "wrong id now and then": now_and_then(vices.wrong_id),
}
#: What may have a server left out, for a while or for good.
UNBEARABLE: dict[str, Vice] = {
    "silent": vices.silent,
    "garbage": vices.garbage,
    "cut off": vices.cut_off,
    "wrong id": vices.wrong_id,
    "wrong question": vices.wrong_question,
    "no question": vices.no_question,
    "its own question": vices.question_back,
    "SERVFAIL": vices.says("servfail"),
    "REFUSED": vices.says("refused"),
    "without authority": vices.not_authoritative,
    "refers upwards": vices.referral_upwards,
    "refers to itself": vices.referral_to_itself,
    "for the parent": vices.answers_for_the_parent,
    "without authority now and then": now_and_then(vices.not_authoritative),
    "refers upwards now and then": now_and_then(vices.referral_upwards),
    "one long text": vices.one_long_text,
}
servers = st.lists(
    st.fixed_dictionaries(
        {
            "vice": st.sampled_from([*BEARABLE, *UNBEARABLE]),
            "lags": st.lists(st.floats(0, SLOWEST), min_size=1, max_size=3),
            "rtt": st.sampled_from([0.0, 0.03, 0.2]),
            "loss": st.sampled_from([0.0, 0.05, 0.2]),
        }
    ),
    min_size=3,
    max_size=3,
)


@pytest.mark.timeout(3600)
def test_a_wait_ends_in_time_and_never_too_early(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = [Server(name=f"dns{number}.hichina.com") for number in (7, 8, 9)]
    world = make_world({"example.com": own})
    numbers = itertools.count()
    said: list[str] = []
    monkeypatch.setattr(display_util, "notify", said.append)

    @settings(
        max_examples=WAITS,
        suppress_health_check=list(HealthCheck),
        deadline=None,
    )
    @given(chosen=servers, names=st.integers(1, 4))
    def waits(chosen: list[dict[str, Any]], names: int) -> None:
        said.clear()
        for server, each in zip(own, chosen):
            server.vice = {**BEARABLE, **UNBEARABLE}[each["vice"]]
            server.machines, server.rtt, server.loss = each["lags"], each["rtt"], each["loss"]
        owners = [f"_acme-challenge.n{next(numbers)}" for _ in range(names)]
        dns = PublicDns((), ())
        try:
            places = [dns.places(f"{owner}.example.com")[0] for owner in owners]
            added_at = time.monotonic()
            for owner in owners:
                world.records.zones["example.com"].add(owner, digest(owner))
            records = [
                Served(place, digest(owner), "example.com", added_at)
                for place, owner in zip(places, owners)
            ]
            limits = Limits(longest=LONGEST, blind=1.0, others=LONGEST)
            try:
                (watch,) = wait_until_served(dns, records, limits, LiveLine(False))
            except errors.PluginError as error:
                note(str(error))
                watch = None
            seconds = time.monotonic() - added_at
        finally:
            dns.close()
        note(f"{seconds:.2f} s; {said}")

        assert seconds < LONGEST + 10
        bearable = [s for s, each in zip(own, chosen) if each["vice"] in BEARABLE]
        if bearable:
            assert watch, "somebody serves it who can be asked"
        if watch and watch.served_since:
            complete = {server.address for server in watch.complete}
            assert complete
            for server in own:
                if server.address in complete:
                    assert seconds >= max(server.machines), server.name
                else:
                    assert server not in bearable, server.name

    waits()
