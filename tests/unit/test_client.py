"""Adding, finding and deleting through all that an unattended run meets."""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Callable

import pytest
import requests

from certbot_dns_aliyun.alidns.client import Added, Client
from certbot_dns_aliyun.credentials.access_key import AccessKey, KeySource
from certbot_dns_aliyun.errors import AlidnsError, Code, NotCalled, Verdict
from certbot_dns_aliyun.journeys import CONNECTIONS
from certbot_dns_aliyun.names import is_plain
from certbot_dns_aliyun.retrying import PATIENCE, RetryBudget
from certbot_dns_aliyun.unanswered import Lost
from tests.unit.fake_api import (
    KEY_ID,
    SECRET,
    FakeApi,
    Fault,
    error,
    html,
    lost,
    no_connection,
    no_reply,
    reply,
)

ZONE, RR, VALUE = "example.com", "_acme-challenge", "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0"
HOST = "alidns.aliyuncs.com"
ADD, DELETE, LIST = "AddDomainRecord", "DeleteDomainRecord", "DescribeDomainRecords"
DENIED, NOT_HERE = "Forbidden.RAM", "InvalidDomainName.NoExist"

UNCLEAR = [
    lost,
    no_reply,
    html,
    lambda: html(200),
    lambda: error("InternalError", 500),
    lambda: error("SignatureNonceUsed"),
]
NO_ID = [reply, lambda: reply(RecordId={"no": "id"})]
REPEATABLE = [
    lambda: error("Throttling.User"),
    lambda: error("LastOperationNotFinished"),
    lambda: error("Brandnew.Throttling", 503),
    no_connection,
]
Losing = Callable[[], "requests.Response | BaseException"]


@pytest.fixture
def client(api: FakeApi) -> Client:
    api.zones[ZONE] = []
    return Client(KeySource(AccessKey(KEY_ID, SECRET), "the tests"), HOST)


def add(client: Client, budget: RetryBudget | None = None) -> Added:
    return client.add(ZONE, RR, VALUE, budget or RetryBudget())


def test_adding_takes_one_call(api: FakeApi, client: Client) -> None:
    added = add(client)
    assert added == Added(api.zones[ZONE][0].id, ours=True)
    assert api.actions() == [ADD]


@pytest.mark.parametrize("instead", [*UNCLEAR, *NO_ID])
@pytest.mark.parametrize("acted", [False, True], ids=["before", "after"])
def test_a_reply_that_got_lost_leaves_one_record_and_its_id(
    api: FakeApi, client: Client, instead: Losing, acted: bool
) -> None:
    api.faults.append(Fault(instead, acted))
    added = add(client)
    assert [record.id for record in api.zones[ZONE]] == [added.record_id]
    assert added.ours
    assert api.actions() == ([ADD, LIST] if acted else [ADD, LIST, ADD])


@pytest.mark.parametrize("instead", REPEATABLE)
def test_what_the_server_says_it_has_not_done_is_done_again_without_a_look(
    api: FakeApi, client: Client, instead: Losing
) -> None:
    api.faults.extend([Fault(instead), Fault(instead)])
    assert add(client).ours
    assert api.actions() == [ADD, ADD, ADD]
    assert 0.05 < api.clock.elapsed < 30


@pytest.mark.parametrize(
    "code",
    [
        "SignatureDoesNotMatch",
        "QuotaExceeded.Record",
        "DomainRecordConflict",
        "Forbidden.RAM",
        "InvalidDomainName.NoExist",
        "Forbidden.DomainExpired",
        "InvalidTimeStamp.Expired",
    ],
)
def test_what_no_repetition_helps_is_not_repeated(api: FakeApi, client: Client, code: str) -> None:
    api.faults.append(Fault(lambda: error(code)))
    with pytest.raises(AlidnsError) as caught:
        add(client)
    assert caught.value.code == code
    assert not caught.value.maybe_done
    assert len(api.calls) == 1


@pytest.mark.parametrize("code", ["Throttling.User", "LastOperationNotFinished"])
def test_a_call_that_has_bad_luck_while_others_pass_is_made_again(
    api: FakeApi, client: Client, code: str
) -> None:
    """Sixty names at one call a second: each is tried once a minute, and may be refused."""
    budget = RetryBudget()

    def after_others() -> requests.Response:
        api.clock.sleep(50)
        budget.answered(HOST, ZONE)
        return error(code)

    api.faults.extend([Fault(after_others)] * 5)
    assert client.add(ZONE, RR, VALUE, budget).ours


def test_a_call_that_is_always_one_too_many_ends_all_the_same(api: FakeApi, client: Client) -> None:
    """The looks in between are answered: the API is not dead."""
    api.faults.append(Fault(lost, action=ADD))
    api.faults.extend([Fault(lambda: error("Throttling.User"), action=ADD)] * 1000)
    with pytest.raises(AlidnsError) as caught:
        add(client)
    assert caught.value.verdict is Verdict.SLOW_DOWN
    assert PATIENCE < api.clock.elapsed < 2 * PATIENCE


def test_a_record_that_was_there_before_is_not_ours(api: FakeApi, client: Client) -> None:
    api.add(ZONE, RR, VALUE)
    assert add(client) == Added(None, ours=False)
    assert len(api.zones[ZONE]) == 1


def test_a_duplicate_after_a_lost_reply_is_ours(api: FakeApi, client: Client) -> None:
    # The look comes too early: the first add takes effect between the look and the second add.
    api.faults.append(Fault(lost))
    api.faults.append(Fault(lambda: reply(TotalCount=0, DomainRecords={"Record": []}), action=LIST))
    api.faults.append(Fault(lambda: (api.add(ZONE, RR, VALUE), error("DomainRecordDuplicate"))[1]))
    assert add(client) == Added(api.zones[ZONE][0].id, ours=True)


def test_a_key_that_may_not_list_takes_a_duplicate_for_done(api: FakeApi, client: Client) -> None:
    api.may_list = False
    api.faults.append(Fault(lost, acted=True))
    assert add(client) == Added(None, ours=True)
    assert len(api.zones[ZONE]) == 1
    assert not client.may_list(ZONE)
    assert api.actions() == [ADD, LIST, ADD]


def test_a_dead_api_ends_after_two_minutes_with_doubt_about_the_record(
    api: FakeApi, client: Client
) -> None:
    api.is_dead = True
    with pytest.raises(AlidnsError) as caught:
        add(client)
    assert caught.value.code == Lost.NO_REPLY
    assert caught.value.maybe_done
    assert PATIENCE <= api.clock.elapsed < PATIENCE + 30
    assert len(api.calls) < 60


def test_a_lost_reply_and_then_no_zone_leave_no_doubt(api: FakeApi, client: Client) -> None:
    api.faults.append(Fault(lost))
    with pytest.raises(AlidnsError) as caught:
        client.add("other.example", RR, VALUE, RetryBudget())
    assert caught.value.verdict is Verdict.NOT_HERE
    assert not caught.value.maybe_done


@pytest.mark.parametrize(
    ("tries", "is_late", "is_again"),
    [
        ([lost], False, False),
        ([lost, lost], False, False),
        ([no_reply], True, False),
        ([no_reply, no_reply], True, True),
        ([lost, no_reply], True, True),
        ([no_reply, reply], True, True),
        ([reply, lost], False, False),
    ],
)
def test_what_got_no_reply_may_be_done_late_and_a_second_one_even_if_it_is_found(
    api: FakeApi, client: Client, tries: list[Losing], is_late: bool, is_again: bool
) -> None:
    api.faults += [Fault(each, action=ADD) for each in tries]
    api.faults.append(Fault(lambda: error(DENIED), action=ADD))
    with pytest.raises(AlidnsError) as caught:
        add(client)
    assert caught.value.maybe_done
    assert (caught.value.maybe_late, caught.value.may_come_again) == (is_late, is_again)


def test_what_is_certainly_not_done_is_not_done_late(api: FakeApi, client: Client) -> None:
    api.faults += [Fault(no_reply), Fault(no_reply), Fault(lambda: error(NOT_HERE), action=ADD)]
    with pytest.raises(AlidnsError) as caught:
        add(client)
    facts = (caught.value.maybe_done, caught.value.maybe_late, caught.value.may_come_again)
    assert facts == (False, False, False)


@pytest.mark.parametrize(
    ("tries", "may_come_again"),
    [
        ([lost], False),
        ([lost, reply], False),
        ([no_reply], False),
        ([no_reply, no_reply], True),
        ([no_reply, reply], True),
    ],
)
def test_what_is_found_accounts_for_one_of_the_tries_in_doubt(
    api: FakeApi, client: Client, tries: list[Losing], may_come_again: bool
) -> None:
    *before, last = tries
    api.faults += [Fault(each, action=ADD) for each in before]
    api.faults.append(Fault(last, acted=True, action=ADD))
    added = add(client)
    assert (added.ours, added.may_come_again) == (True, may_come_again)
    assert len(api.values(ZONE)) == 1


def test_replies_that_tell_no_id_are_told_as_what_they_are(api: FakeApi, client: Client) -> None:
    api.may_list = False
    api.faults += [Fault(reply, action=ADD)] * 100
    with pytest.raises(AlidnsError) as caught:
        add(client)
    told = caught.value
    assert (told.code, told.action) == (Lost.NO_REPLY_OF_THIS_KIND, ADD)
    assert (told.host, told.zone) == (HOST, ZONE)


IDN_RR = "_acme-challenge.xn--fsqu00a"
WRONG_FORM = "SubDomainInvalid.RR"


def test_an_rr_that_is_not_taken_in_a_labels_is_written_in_unicode(
    api: FakeApi, client: Client
) -> None:
    api.faults += [Fault(lambda: error(WRONG_FORM), action=ADD)]
    assert client.add(ZONE, IDN_RR, VALUE, RetryBudget()).ours
    assert [call.parameters["RR"] for call in api.calls] == [IDN_RR, "_acme-challenge.例子"]


def test_an_rr_that_is_taken_in_no_form_is_an_error(api: FakeApi, client: Client) -> None:
    api.faults += [Fault(lambda: error(WRONG_FORM), action=ADD)] * 9
    with pytest.raises(AlidnsError, match=WRONG_FORM):
        client.add(ZONE, IDN_RR, VALUE, RetryBudget())
    assert len(api.calls) == 2


@pytest.mark.parametrize(("rr", "code"), [(RR, WRONG_FORM), (IDN_RR, "DomainRecordConflict")])
def test_what_another_form_does_not_help_is_not_written_in_one(
    api: FakeApi, client: Client, rr: str, code: str
) -> None:
    api.faults += [Fault(lambda: error(code), action=ADD)] * 9
    with pytest.raises(AlidnsError, match=code):
        client.add(ZONE, rr, VALUE, RetryBudget())
    assert len(api.calls) == 1


def test_an_add_to_a_zone_that_stayed_busy_costs_no_call(api: FakeApi, client: Client) -> None:
    budget = RetryBudget(patience=3.0)
    api.faults += [Fault(lambda: error("LastOperationNotFinished"), action=ADD)] * 200
    with pytest.raises(AlidnsError):
        add(client, budget)
    calls = len(api.calls)
    with pytest.raises(AlidnsError) as caught:
        client.add(ZONE, "_acme-challenge.www", VALUE, budget)
    assert (caught.value.zone, caught.value.maybe_done) == (ZONE, False)
    assert len(api.calls) == calls


def test_a_zone_that_a_stranger_keeps_busy_is_not_one_that_takes_one_write_at_a_time(
    api: FakeApi, client: Client
) -> None:
    api.faults += [Fault(lambda: error("LastOperationNotFinished"), action=ADD)]
    add(client)
    assert not client._gates[ZONE]._one_at_a_time


def test_each_zone_has_a_gate_of_its_own(api: FakeApi, client: Client) -> None:
    api.zones["example.org"] = []
    add(client)
    client.add("example.org", RR, VALUE, RetryBudget())
    assert set(client._gates) == {ZONE, "example.org"}


def test_waits_grow_and_are_drawn_at_random(api: FakeApi, client: Client) -> None:
    for number in range(5):
        api.calls.clear()
        api.faults.extend(Fault(lambda: error("LastOperationNotFinished")) for _ in range(6))
        client.add(ZONE, RR, str(number), RetryBudget())
        times = [call.at for call in api.calls]
        gaps = [after - before - 0.05 for before, after in zip(times, times[1:])]
        for i, gap in enumerate(gaps):
            assert 0.1 * 2**i - 1e-6 <= gap <= 0.2 * 2**i + 1e-6
        assert len(set(gaps)) == len(gaps)


def test_the_wait_that_the_server_asks_for_is_kept(api: FakeApi, client: Client) -> None:
    api.faults.append(Fault(lambda: error("Throttling.User", Retry_After="17")))
    add(client)
    assert api.clock.elapsed >= 17


def test_a_server_cannot_ask_for_an_endless_wait(api: FakeApi, client: Client) -> None:
    api.faults.append(Fault(lambda: error("Throttling.User", Retry_After="99999999")))
    add(client)
    assert api.clock.elapsed < PATIENCE


@pytest.mark.parametrize(
    "call",
    [
        lambda client, budget: add(client, budget),
        lambda client, budget: client.find(ZONE, RR, VALUE, budget),
        lambda client, budget: client.everything(ZONE, budget),
        lambda client, budget: client.delete(ZONE, "1", budget),
    ],
    ids=["add", "find", "everything", "delete"],
)
def test_a_run_called_off_makes_no_further_call(
    api: FakeApi, client: Client, call: Callable[[Client, RetryBudget], object]
) -> None:
    budget = RetryBudget()
    budget.call_off()
    with pytest.raises(AlidnsError, match="called off"):
        call(client, budget)
    assert not api.calls


def test_a_run_called_off_while_a_reply_is_lost_keeps_the_doubt(
    api: FakeApi, client: Client
) -> None:
    budget = RetryBudget()

    def call_off_and_lose() -> BaseException:
        budget.call_off()
        return lost()

    api.faults.append(Fault(call_off_and_lose, acted=True))
    with pytest.raises(AlidnsError) as caught:
        add(client, budget)
    assert caught.value.maybe_done


def test_deleting_takes_one_call(api: FakeApi, client: Client) -> None:
    record = api.add(ZONE, RR, VALUE)
    client.delete(ZONE, record.id, RetryBudget())
    assert api.zones[ZONE] == []
    assert api.actions() == [DELETE]


@pytest.mark.parametrize("instead", [*UNCLEAR, *REPEATABLE])
@pytest.mark.parametrize("acted", [False, True], ids=["before", "after"])
def test_a_delete_whose_reply_was_lost_is_repeated(
    api: FakeApi, client: Client, instead: Losing, acted: bool
) -> None:
    record, other = api.add(ZONE, RR, VALUE), api.add(ZONE, RR, "a stranger's")
    api.faults.append(Fault(instead, acted))
    client.delete(ZONE, record.id, RetryBudget())
    assert api.zones[ZONE] == [other]


def test_deleting_what_is_not_there_is_success(api: FakeApi, client: Client) -> None:
    client.delete(ZONE, "900000000000000099", RetryBudget())
    assert api.actions() == [DELETE]


def test_one_refused_add_forbids_no_delete_in_the_zone(api: FakeApi, client: Client) -> None:
    records = [api.add(ZONE, RR, value) for value in ("a", "b")]
    api.faults.append(Fault(lambda: error("Forbidden.RAM", 403), action=ADD))
    with pytest.raises(AlidnsError):
        add(client)
    assert client.delete(ZONE, records[0].id, RetryBudget())
    api.faults.append(Fault(lambda: error("Forbidden.RAM", 403), action=DELETE))
    with pytest.raises(AlidnsError) as caught:
        client.delete(ZONE, records[1].id, RetryBudget())
    assert "alidns:DeleteDomainRecord" in caught.value.because()[0]
    assert client.delete(ZONE, records[1].id, RetryBudget()), "one refused delete forbids no other"


@pytest.mark.parametrize("code", ["Forbidden.RAM", "InvalidDomainName.NoExist"])
def test_a_zone_that_refused_an_add_is_asked_for_no_other(
    api: FakeApi, client: Client, code: str
) -> None:
    api.faults.append(Fault(lambda: error(code, 403)))
    seen = []
    for value in ("a", "b"):
        with pytest.raises(AlidnsError) as caught:
            client.add(ZONE, RR, value, RetryBudget())
        seen.append(caught.value)
    assert api.actions() == [ADD]
    assert seen[0] is not seen[1]
    assert vars(seen[0]) == vars(seen[1])


def test_calls_that_follow_when_the_api_was_given_up_are_not_made(
    api: FakeApi, client: Client
) -> None:
    api.is_dead = True
    budget = RetryBudget(20.0)
    calls = [lambda: client.delete(ZONE, "1", budget), lambda: add(client, budget)]
    for call in calls * 25:
        with pytest.raises(AlidnsError) as caught:
            call()
        assert caught.value.code == Lost.NO_REPLY
        assert caught.value.zone == ZONE
    assert len(api.calls) < 10
    assert api.clock.elapsed < 40


@pytest.mark.parametrize(
    "call",
    [lambda client, budget: add(client, budget), lambda client, b: client.delete(ZONE, "1", b)],
    ids=["add", "delete"],
)
def test_who_waits_for_a_turn_while_the_api_is_given_up_makes_no_call(
    api: FakeApi, client: Client, call: Callable[[Client, RetryBudget], object]
) -> None:
    budget, gate = RetryBudget(), client._gate(ZONE)
    with ThreadPoolExecutor(20) as pool:
        with gate.turn(budget):
            waiting = [pool.submit(call, client, budget) for _ in range(20)]
            while gate._waiting < len(waiting):
                time.sleep(0.01)
            for _ in range(2):
                budget.failed(AlidnsError(Lost.NO_REPLY, ADD, host=HOST, zone="example.org"))
                api.clock.sleep(PATIENCE)
        failures = [each.exception() for each in waiting]
    assert not api.calls
    for failure in failures:
        assert isinstance(failure, AlidnsError)
        facts = (failure.code, failure.zone, failure.maybe_done)
        assert facts == (Lost.NO_REPLY, ZONE, False)


def test_two_minutes_without_a_call_are_no_dead_api(api: FakeApi, client: Client) -> None:
    record, budget = api.add(ZONE, RR, VALUE), RetryBudget()
    client.delete(ZONE, "1", budget)
    api.clock.sleep(2 * PATIENCE)
    api.faults.extend(Fault(lost) for _ in range(5))
    assert client.delete(ZONE, record.id, budget)


@pytest.mark.parametrize("code", ["", "QuotaExceeded.Record", "LastOperationNotFinished"])
def test_who_takes_or_refuses_a_call_has_answered(api: FakeApi, client: Client, code: str) -> None:
    """It is the zone, if any, that has not done what it was asked for; the API is not dead."""
    budget = RetryBudget(patience=30.0)
    budget.failed(AlidnsError(Lost.NO_REPLY, ADD, host=HOST, zone="example.org"))
    budget.failed(AlidnsError(NotCalled.CREDENTIALS_NOT_YET, origin="the tests"))
    api.clock.sleep(29.0)
    if code:
        api.faults.extend([Fault(lambda: error(code))] * 100)
        with pytest.raises(AlidnsError) as caught:
            add(client, budget)
        assert caught.value.code == code
    else:
        add(client, budget)
    api.clock.sleep(2.0)
    assert budget.given_up(HOST, "the tests") is None


def test_a_zone_that_takes_a_write_is_busy_no_more(api: FakeApi, client: Client) -> None:
    budget = RetryBudget(patience=30.0)
    budget.failed(AlidnsError("LastOperationNotFinished", ADD, host=HOST, zone=ZONE))
    api.clock.sleep(29.0)
    add(client, budget)
    api.clock.sleep(2.0)
    assert budget.given_up(ZONE) is None


@pytest.mark.parametrize(
    ("action", "code"),
    [
        (ADD, "DomainRecordDuplicate"),
        (ADD, "DomainRecordConflict"),
        (ADD, "QuotaExceeded.Record"),
        (DELETE, "DomainRecordNotBelongToUser"),
        (DELETE, DENIED),
    ],
)
def test_a_zone_that_refuses_a_write_for_another_reason_is_busy_no_more(
    api: FakeApi, client: Client, action: str, code: str
) -> None:
    budget = RetryBudget(patience=30.0)
    api.faults += [Fault(lambda: error("LastOperationNotFinished")), Fault(lambda: error(code))]
    with contextlib.suppress(AlidnsError):
        add(client, budget) if action == ADD else client.delete(ZONE, "1", budget)
    assert api.actions() == [action, action]
    api.clock.sleep(31.0)
    assert budget.given_up(ZONE) is None


def test_deletes_that_follow_in_a_zone_that_stayed_busy_cost_no_call(
    api: FakeApi, client: Client
) -> None:
    api.faults.extend([Fault(lambda: error("LastOperationNotFinished"))] * 1000)
    budget = RetryBudget(20.0)
    with pytest.raises(AlidnsError):
        client.delete(ZONE, "1", budget)
    calls = len(api.calls)
    with pytest.raises(AlidnsError) as caught:
        client.delete(ZONE, "2", budget)
    assert caught.value.verdict is Verdict.BUSY
    with pytest.raises(AlidnsError):
        client.find(ZONE, RR, VALUE, budget)
    assert len(api.calls) == calls


def test_everything_in_a_zone_is_told_by_the_names_of_dns(api: FakeApi, client: Client) -> None:
    for rr, value, kind in (
        ("@", "192.0.2.1", "A"),
        ("*", "192.0.2.2", "a"),
        ("bücher", "dns.example.org", "CNAME"),
        ("xn--bcher-kva.www", "text", "TXT"),
        ("\N{FULLWIDTH COMMERCIAL AT}\udcff", "in no zone", "TXT"),
    ):
        api.add(ZONE, rr, value, kind)
    assert sorted(client.everything(ZONE, RetryBudget())) == [
        ("", "TXT", "in no zone"),
        ("*.example.com", "A", "192.0.2.2"),
        ("example.com", "A", "192.0.2.1"),
        ("xn--bcher-kva.example.com", "CNAME", "dns.example.org"),
        ("xn--bcher-kva.www.example.com", "TXT", "text"),
    ]


def test_a_zone_that_cannot_be_read_leaves_no_doubt_about_any_record(
    api: FakeApi, client: Client
) -> None:
    api.is_dead = True
    with pytest.raises(AlidnsError) as caught:
        client.everything(ZONE, RetryBudget(1.0))
    assert caught.value.maybe_done is False
    assert caught.value.zone == ZONE
    assert caught.value.action == LIST


def test_a_record_without_rr_and_type_has_neither(api: FakeApi, client: Client) -> None:
    records = [{"Value": "192.0.2.1"}, {"RR": "www", "Type": "A"}]
    api.faults.append(Fault(lambda: reply(TotalCount=2, DomainRecords={"Record": records})))
    ((name, kind, value),) = client.everything(ZONE, RetryBudget())
    assert not is_plain(name)
    assert (kind, value) == ("", "192.0.2.1")


def test_a_refused_delete_names_the_zone(api: FakeApi, client: Client) -> None:
    api.faults.append(Fault(lambda: error("Forbidden.RAM", 403)))
    with pytest.raises(AlidnsError) as caught:
        client.delete(ZONE, "1", RetryBudget())
    assert caught.value.zone == ZONE
    assert caught.value.action == DELETE


def test_a_zone_that_is_not_there_is_asked_for_once(api: FakeApi, client: Client) -> None:
    for value in ("a", "b", "c"):
        with pytest.raises(AlidnsError) as caught:
            client.add("other.example", RR, value, RetryBudget())
        assert caught.value.zone == "other.example"
    assert len(api.calls) == 1


def test_internationalized_zones_are_asked_for_in_unicode(api: FakeApi, client: Client) -> None:
    api.zones["例子.com"] = []
    added = client.add("xn--fsqu00a.com", RR, VALUE, RetryBudget())
    assert client.find("xn--fsqu00a.com", RR, VALUE, RetryBudget()) == added.record_id
    client.delete("xn--fsqu00a.com", str(added.record_id), RetryBudget())
    assert api.zones["例子.com"] == []


def test_a_zone_that_is_known_by_its_a_labels_alone_is_found_out_once(
    api: FakeApi, client: Client
) -> None:
    api.zones["xn--fsqu00a.com"] = []
    added = client.add("xn--fsqu00a.com", RR, VALUE, RetryBudget())
    client.add("xn--fsqu00a.com", RR, "another", RetryBudget())
    assert client.find("xn--fsqu00a.com", RR, VALUE, RetryBudget()) == added.record_id
    assert [call.parameters["DomainName"] for call in api.calls] == [
        "例子.com",
        *["xn--fsqu00a.com"] * 3,
    ]


@pytest.mark.parametrize("is_there", [True, False])
def test_a_delete_does_not_find_it_out(api: FakeApi, client: Client, is_there: bool) -> None:
    """It names no zone, so nothing that is said of it is about the name."""
    api.zones["xn--fsqu00a.com"] = []
    record = api.add("xn--fsqu00a.com", RR, VALUE)
    if not is_there:
        api.faults.append(Fault(lambda: error("Forbidden.RAM", 403)))
    with contextlib.nullcontext() if is_there else pytest.raises(AlidnsError):
        client.delete("xn--fsqu00a.com", record.id, RetryBudget())
    assert api.actions() == [DELETE]
    assert client.add("xn--fsqu00a.com", RR, "another", RetryBudget()).ours


def test_a_list_finds_it_out_as_well(api: FakeApi, client: Client) -> None:
    """A later run, which removes what was left, begins with that."""
    api.zones["xn--fsqu00a.com"] = []
    record = api.add("xn--fsqu00a.com", RR, VALUE)
    assert client.find("xn--fsqu00a.com", RR, VALUE, RetryBudget()) == record.id
    assert client.find("xn--fsqu00a.com", RR, VALUE, RetryBudget()) == record.id
    assert len(api.calls) == 3


def test_a_zone_that_is_known_by_neither_form_is_asked_for_once_by_each(
    api: FakeApi, client: Client
) -> None:
    for value in ("a", "b"):
        with pytest.raises(AlidnsError) as caught:
            client.add("xn--fsqu00a.com", RR, value, RetryBudget())
        assert caught.value.verdict is Verdict.NOT_HERE
        assert caught.value.zone == "xn--fsqu00a.com"
    assert [call.parameters["DomainName"] for call in api.calls] == ["例子.com", "xn--fsqu00a.com"]


def test_a_form_that_the_policy_does_not_spell_is_not_the_last_word(
    api: FakeApi, client: Client
) -> None:
    """RAM judges by the name as it was sent, before anybody looks whether there is such a zone."""
    api.zones["xn--fsqu00a.com"] = []
    api.faults.append(Fault(lambda: error("Forbidden.RAM", 403)))
    assert client.add("xn--fsqu00a.com", RR, VALUE, RetryBudget()).ours


@pytest.mark.parametrize("codes", [(DENIED, DENIED), (DENIED, NOT_HERE), (NOT_HERE, DENIED)])
def test_of_two_forms_a_forbidden_one_is_told(
    api: FakeApi, client: Client, codes: tuple[str, str]
) -> None:
    api.faults.extend(Fault(functools.partial(error, code)) for code in codes)
    with pytest.raises(AlidnsError) as caught:
        client.add("xn--fiqs8s.com", RR, VALUE, RetryBudget())
    assert (caught.value.code, caught.value.zone) == (DENIED, "xn--fiqs8s.com")


@pytest.mark.parametrize("listed", ["_acme-challenge.例子", "_acme-challenge.XN--fsqu00a"])
def test_a_list_may_spell_an_rr_in_either_form(api: FakeApi, client: Client, listed: str) -> None:
    api.zones[ZONE] = []
    record = api.add(ZONE, listed, VALUE)
    assert client.find(ZONE, "_acme-challenge.xn--fsqu00a", VALUE, RetryBudget()) == record.id


class Renewable(KeySource):
    """Gives a new key each time that the last one was rejected, as long as there are some."""

    def __init__(self, keys: int) -> None:
        super().__init__(AccessKey("key-1", SECRET), "the tests")
        self.left = keys - 1

    def renew(self, rejected: AccessKey) -> bool:
        if self._key == rejected and self.left:
            self.left -= 1
            self._key = AccessKey(f"{rejected.key_id}x", SECRET)
        return self._key != rejected


@pytest.mark.parametrize("code", ["InvalidSecurityToken.Expired", "InvalidAccessKeyId.NotFound"])
def test_a_key_that_ran_out_is_renewed_once(api: FakeApi, code: str) -> None:
    api.zones[ZONE] = []
    api.faults.append(Fault(lambda: error(code)))
    assert add(Client(Renewable(2), "h")).ours
    assert [call.parameters["AccessKeyId"] for call in api.calls] == ["key-1", "key-1x"]


def test_a_key_that_runs_out_again_at_once_is_an_error(api: FakeApi) -> None:
    api.zones[ZONE] = []
    api.faults.extend(Fault(lambda: error("InvalidSecurityToken.Expired")) for _ in range(9))
    with pytest.raises(AlidnsError) as caught:
        add(Client(Renewable(9), "h"))
    assert caught.value.verdict is Verdict.RENEW
    assert caught.value.host == "h"
    assert len(api.calls) == 2


@pytest.mark.parametrize(
    ("code", "told"),
    [(DENIED, DENIED), ("InvalidSecurityToken.Expired", NotCalled.NO_CREDENTIALS)],
)
def test_what_is_denied_is_told_though_no_other_key_can_be_got(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch, code: str, told: Code
) -> None:
    def renew(self: Renewable, rejected: AccessKey) -> bool:
        raise AlidnsError(NotCalled.NO_CREDENTIALS)

    monkeypatch.setattr(Renewable, "renew", renew)
    api.faults.append(Fault(lambda: error(code, 403)))
    with pytest.raises(AlidnsError) as caught:
        add(Client(Renewable(2), HOST))
    assert (caught.value.code, caught.value.origin) == (told, "the tests")


def test_many_threads_add_many_records_one_each(api: FakeApi, client: Client) -> None:
    lock = threading.Lock()
    post = api.post
    under_way: list[int] = [0, 0]

    def one_at_a_time(url: str, data: bytes, **options: object) -> requests.Response:
        with lock:
            under_way[0] += 1
            under_way[1] += under_way[0] > 1 and b"AddDomainRecord" in data
            busy = under_way[0] > 1
        try:
            return error("LastOperationNotFinished") if busy else post(url, data, **options)
        finally:
            with lock:
                under_way[0] -= 1

    api.post = one_at_a_time  # type: ignore[method-assign]
    values = [f"value-{i}" for i in range(30)]
    with ThreadPoolExecutor(30) as pool:
        budget = RetryBudget()
        added = list(pool.map(lambda value: client.add(ZONE, RR, value, budget), values))
    assert sorted(api.values(ZONE)) == sorted(values)
    assert len({one.record_id for one in added}) == len(values)


@pytest.mark.parametrize(
    ("zones", "each"),
    [(1, CONNECTIONS), (3, CONNECTIONS // 3), (4, CONNECTIONS // 4), (CONNECTIONS + 1, 1)],
)
def test_zones_with_work_share_the_connections(client: Client, zones: int, each: int) -> None:
    client._gate("idle.example")
    with contextlib.ExitStack() as stack:
        for number in range(zones):
            stack.enter_context(client._gate(f"{number}.example").turn(RetryBudget()))
        assert client._share() == each


class Silent(KeySource):
    """A source whose service does not reply, always or so many times."""

    times = 1_000

    def get(self) -> AccessKey:
        if self.times:
            self.times -= 1
            raise AlidnsError(Lost.NO_REPLY)
        return super().get()


def test_a_source_of_keys_that_does_not_reply_leaves_no_doubt_about_the_record(
    api: FakeApi,
) -> None:
    api.zones[ZONE] = []
    source = Silent(AccessKey(KEY_ID, SECRET), "the tests")
    source.times = 1
    added = add(Client(source, HOST))
    assert added.ours
    assert not added.may_come_again
    assert api.actions() == [ADD]


def test_a_source_of_keys_that_never_replies_is_given_up_by_its_name(api: FakeApi) -> None:
    budget = RetryBudget()
    source = Silent(AccessKey(KEY_ID, SECRET), "the tests")
    client = Client(source, HOST)
    with pytest.raises(AlidnsError) as caught:
        add(client, budget)
    assert caught.value.origin == "the tests"
    assert budget.given_up("the tests")
    assert budget.given_up(HOST) is None
    left = source.times
    with pytest.raises(AlidnsError):
        add(client, budget)
    assert source.times == left, "it is not asked again in this phase"
