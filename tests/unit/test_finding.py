"""Finding one record among those that a fuzzy search gives, however odd the pages are."""

from __future__ import annotations

from typing import Any

import pytest

from certbot_dns_aliyun.alidns.client import _PAGES, Client, Listed
from certbot_dns_aliyun.credentials.access_key import AccessKey, KeySource
from certbot_dns_aliyun.errors import AlidnsError
from certbot_dns_aliyun.retrying import RetryBudget
from tests.unit.fake_api import KEY_ID, SECRET, FakeApi, Fault, error, lost, reply

ZONE, RR, VALUE = "example.com", "_acme-challenge", "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0"


@pytest.fixture
def client(api: FakeApi) -> Client:
    api.zones[ZONE] = []
    return Client(KeySource(AccessKey(KEY_ID, SECRET), "the tests"), "alidns.aliyuncs.com")


def find(client: Client) -> str | None:
    return client.find(ZONE, RR, VALUE, RetryBudget())


def test_what_merely_resembles_the_record_is_not_taken_for_it(api: FakeApi, client: Client) -> None:
    api.add(ZONE, RR, VALUE.lower())
    api.add(ZONE, RR, f"{VALUE}x")
    api.add(ZONE, f"{RR}.www", VALUE)
    api.add(ZONE, f"x{RR}", VALUE)
    api.add(ZONE, RR, VALUE, kind="CNAME")
    assert find(client) is None
    record = api.add(ZONE, RR, VALUE)
    api.add(ZONE, f"y{RR}", VALUE)
    assert find(client) == record.id


def test_the_case_of_rr_and_type_does_not_matter(api: FakeApi, client: Client) -> None:
    record = {"RR": RR.upper(), "Type": "txt", "Value": VALUE, "RecordId": "12"}
    api.faults.append(Fault(lambda: reply(TotalCount=1, DomainRecords={"Record": [record]})))
    assert find(client) == "12"


def test_a_record_on_the_last_of_many_pages_is_found(api: FakeApi, client: Client) -> None:
    record = api.add(ZONE, RR, VALUE)
    for i in range(1200):
        api.add(ZONE, f"{RR}.host{i}", VALUE)
    assert find(client) == record.id
    assert [call.parameters["PageNumber"] for call in api.calls] == ["1", "2", "3"]


def test_nothing_on_any_page_costs_one_call_a_page(api: FakeApi, client: Client) -> None:
    for i in range(1000):
        api.add(ZONE, f"{RR}.host{i}", VALUE)
    assert find(client) is None
    assert len(api.calls) == 2


def test_pages_without_end_have_an_end(api: FakeApi, client: Client) -> None:
    other = {"RR": "other", "Type": "TXT", "Value": VALUE, "RecordId": "12"}
    api.faults.extend(
        Fault(lambda: reply(TotalCount=10**9, DomainRecords={"Record": [other]}))
        for _ in range(10_000)
    )
    assert find(client) is None
    assert len(api.calls) == _PAGES


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"TotalCount": "many"},
        {"TotalCount": 1},
        {"DomainRecords": None},
        {"DomainRecords": []},
        {"DomainRecords": {"Record": None}},
        {"DomainRecords": {"Record": {"RR": RR}}},
        {"DomainRecords": {"Record": [None, 1, "x", []]}},
        {"DomainRecords": {"Record": [{}]}, "TotalCount": True},
        {"DomainRecords": {"Record": [{"RR": [RR], "Type": 1, "Value": {}}]}, "TotalCount": 1},
        {"DomainRecords": {"Record": [{"RR": RR, "Type": "TXT", "Value": [VALUE]}]}},
    ],
    ids=str,
)
def test_a_reply_with_fields_missing_or_of_other_types_holds_nothing(
    api: FakeApi, client: Client, fields: dict[str, Any]
) -> None:
    api.faults.extend(Fault(lambda: reply(**fields)) for _ in range(100))
    assert find(client) is None
    assert len(api.calls) <= 50


@pytest.mark.parametrize("record_id", [None, "", "-1", "1e5", "٣", "9" * 99, [], {"id": 1}])
def test_an_id_that_is_none_is_not_used(api: FakeApi, client: Client, record_id: object) -> None:
    record = {"RR": RR, "Type": "TXT", "Value": VALUE, "RecordId": record_id}
    api.faults.append(Fault(lambda: reply(TotalCount=1, DomainRecords={"Record": [record]})))
    assert find(client) is None


def test_a_number_is_an_id_too(api: FakeApi, client: Client) -> None:
    record = {"RR": RR, "Type": "TXT", "Value": VALUE, "RecordId": 816015116722002944}
    api.faults.append(Fault(lambda: reply(TotalCount=1, DomainRecords={"Record": [record]})))
    assert find(client) == "816015116722002944"


def test_only_records_that_contain_rr_type_and_value_are_asked_for(
    api: FakeApi, client: Client
) -> None:
    find(client)
    asked = [api.calls[0].parameters[f"{what}KeyWord"] for what in ("RR", "Type", "Value")]
    assert asked == [RR, "TXT", VALUE]


def test_a_record_without_an_rr_is_at_no_name(api: FakeApi, client: Client) -> None:
    record = {"Type": "TXT", "Value": VALUE, "RecordId": "12"}
    api.faults.append(Fault(lambda: reply(TotalCount=1, DomainRecords={"Record": [record]})))
    assert client.find(ZONE, "none", VALUE, RetryBudget()) is None


def test_a_page_that_got_lost_is_asked_for_again(api: FakeApi, client: Client) -> None:
    record = api.add(ZONE, RR, VALUE)
    api.faults.extend([Fault(lost), Fault(lambda: error("Throttling"))])
    assert find(client) == record.id
    assert len(api.calls) == 3


def test_a_key_that_may_not_list_is_told_so_once(api: FakeApi, client: Client) -> None:
    api.may_list = False
    assert find(client) is None
    assert find(client) is None
    assert not client.may_list(ZONE)
    assert client.may_list("other.example")
    assert len(api.calls) == 1


def test_a_zone_of_another_account_is_an_error(api: FakeApi, client: Client) -> None:
    api.no_zone = "IncorrectDomainUser"
    with pytest.raises(AlidnsError):
        client.find("other.example", RR, VALUE, RetryBudget())


@pytest.mark.parametrize(
    ("odd", "is_listed"),
    [
        ({}, True),
        ({"Type": "txt"}, True),
        ({"RR": "@"}, True),
        ({"Type": "A"}, False),
        ({"Type": None}, False),
        ({"RR": None}, False),
        ({"Value": 1}, False),
        ({"RecordId": "none"}, False),
        ({"RecordId": "9" * 32}, True),
        ({"RecordId": "9" * 33}, False),
    ],
)
def test_a_list_of_txt_records_has_those_that_are_whole(
    api: FakeApi, client: Client, odd: dict[str, Any], is_listed: bool
) -> None:
    record = {"RecordId": "7", "RR": RR, "Type": "TXT", "Value": VALUE, **odd}
    api.faults.append(Fault(lambda: reply(TotalCount=1, DomainRecords={"Record": [record]})))
    listed = client.list_txt(ZONE, RR, RetryBudget())
    expected = [Listed(str(record["RecordId"]), str(record["RR"]), VALUE, None)]
    assert listed == (expected if is_listed else [])
    assert api.calls[0].parameters["RRKeyWord"] == RR


@pytest.mark.parametrize(
    ("times", "changed_at"),
    [
        ({}, None),
        ({"CreateTimestamp": 1_700_000_000_500}, 1_700_000_000.5),
        ({"CreateTimestamp": "1700000000500"}, 1_700_000_000.5),
        ({"CreateTimestamp": 1000, "UpdateTimestamp": 3000}, 3.0),
        ({"CreateTimestamp": 3000, "UpdateTimestamp": 1000}, 3.0),
        ({"UpdateTimestamp": 3000}, None),
        ({"CreateTimestamp": "yesterday", "UpdateTimestamp": 3000}, None),
        ({"CreateTimestamp": 10**14}, 10.0**11),
        ({"CreateTimestamp": 10**15}, None),
        ({"CreateTimestamp": -1000}, None),
        ({"CreateTimestamp": "٣"}, None),
    ],
)
def test_a_record_is_as_old_as_its_last_change(
    api: FakeApi, client: Client, times: dict[str, Any], changed_at: float | None
) -> None:
    record = {"RecordId": "7", "RR": RR, "Type": "TXT", "Value": VALUE, **times}
    api.faults.append(Fault(lambda: reply(TotalCount=1, DomainRecords={"Record": [record]})))
    (listed,) = client.list_txt(ZONE, RR, RetryBudget())
    assert listed.changed_at == changed_at


def test_a_record_that_is_on_two_pages_is_listed_once(api: FakeApi, client: Client) -> None:
    """Somebody adds one meanwhile, and all others move."""
    api.page_limit = 1
    first = {"RecordId": "7", "RR": RR, "Type": "TXT", "Value": VALUE}
    for page in ([first], [first], [{**first, "RecordId": "8"}], []):
        body = reply(DomainRecords={"Record": page})
        api.faults.append(Fault(lambda body=body: body))  # type: ignore[misc]
    listed = client.list_txt(ZONE, RR, RetryBudget(), VALUE)
    assert [record.record_id for record in listed] == ["7", "8"]
    assert [call.parameters["PageNumber"] for call in api.calls] == ["1", "2", "3", "4"]
    assert {call.parameters["ValueKeyWord"] for call in api.calls} == {VALUE}
