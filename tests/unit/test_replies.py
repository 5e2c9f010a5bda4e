"""Replies of every shape: each is a reply or an error that we know, never anything else."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import requests
from hypothesis import example, given, settings
from hypothesis import strategies as st

from certbot_dns_aliyun.alidns import call
from certbot_dns_aliyun.alidns.client import Client
from certbot_dns_aliyun.alidns.requests import add_record
from certbot_dns_aliyun.credentials.access_key import AccessKey, KeySource
from certbot_dns_aliyun.errors import AlidnsError, sentence
from certbot_dns_aliyun.retrying import RetryBudget
from tests.unit.fake_api import KEY_ID, SECRET, FakeApi, Fault, response
from tests.unit.fake_time import Clock

FUZZ = 5 * settings.default.max_examples
KEY = AccessKey(KEY_ID, SECRET)
SOURCE = KeySource(KEY, "the tests")

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["1", "TXT", "_acme-challenge", "value", "Throttling.User"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
known_names = ("RequestId", "RecordId", "Code", "TotalCount", "PageSize", "HostId")
records = st.fixed_dictionaries(
    {},
    optional={
        "RR": anything | st.sampled_from(["_acme-challenge", "_ACME-challenge"]),
        "Type": anything | st.just("TXT"),
        "Value": anything | st.just("value"),
        "RecordId": anything | st.integers(0).map(str),
    },
)
replies = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(known_names, anything),
        "Message": anything | st.just(f"Specified signature of {KEY_ID}"),
        "DomainRecords": anything
        | st.fixed_dictionaries({}, optional={"Record": anything | st.lists(records | anything)}),
    },
)
bodies = st.one_of(
    st.binary(max_size=60),
    anything.map(lambda value: json.dumps(value).encode()),
    replies.map(lambda value: json.dumps(value).encode()),
    replies.map(lambda value: json.dumps(value).encode("utf-16")),
    st.integers(1, 3000).map(lambda depth: b'{"DomainRecords":' * depth + b"1" + b"}" * depth),
)
header_texts = st.one_of(
    st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=30),
    st.integers().map(str),
    st.builds(
        "Mon, {} Jan {} {}:00:00 {}".format,
        st.integers(0, 99),
        st.integers(0, 99999),
        st.integers(0, 99),
        st.sampled_from(["GMT", "+0000", "-9999", "+99999999999", "XYZ"]),
    ),
)
headers = st.dictionaries(
    st.sampled_from(["Retry_After", "x_acs_retry_after", "Date"]), header_texts
)
statuses = st.sampled_from([200, 200, 200, 204, 302, 400, 403, 404, 429, 500, 503, 599])
responses = st.builds(lambda s, b, h: (s, b, h), statuses, bodies, headers)


def as_response(parts: Any) -> requests.Response:
    status, body, more = parts
    return response(status, body, **more)


@contextlib.contextmanager
def an_api() -> Any:
    clock = Clock()
    with clock.in_place(), FakeApi(clock).in_place() as api:
        api.zones["example.com"] = []
        yield api


@settings(max_examples=FUZZ)
@given(responses)
@example((400, b'{"Code": "Throttling"}', {"Retry_After": "Mon, 01 Jan 99999 00:00:00 GMT"}))
@example((400, b'{"Code": "InvalidTimeStamp.Expired"}', {"Date": "Mon, 01 Jan 99999 00:00:00 GMT"}))
def test_any_reply_to_one_call_is_an_object_or_an_error_with_a_sentence(parts: Any) -> None:
    with an_api() as api:
        api.faults.append(Fault(lambda: as_response(parts)))
        try:
            reply = call.send(add_record("example.com", "_acme-challenge", "value"), KEY, "h")
        except AlidnsError as error:
            said = sentence("It failed", error)
        else:
            assert isinstance(reply, dict)
            said = "It failed."
    assert said.endswith(".")
    assert KEY_ID not in said


@given(st.lists(responses, min_size=1, max_size=4))
def test_whatever_comes_back_adding_ends(some: list[Any]) -> None:
    with an_api() as api:
        api.faults.extend(Fault(lambda parts=parts: as_response(parts)) for parts in some)
        client = Client(SOURCE, "h")
        with contextlib.suppress(AlidnsError):
            added = client.add("example.com", "_acme-challenge", "value", RetryBudget())
            assert added.record_id is None or added.record_id.isdigit()
        assert api.clock.elapsed < 300


@given(responses)
def test_whatever_comes_back_always_looking_for_a_record_ends(parts: Any) -> None:
    with an_api() as api:
        api.faults.extend(Fault(lambda: as_response(parts)) for _ in range(300))
        client = Client(SOURCE, "h")
        with contextlib.suppress(AlidnsError):
            record_id = client.find("example.com", "_acme-challenge", "value", RetryBudget())
            assert record_id is None or record_id.isdigit()
        assert len(api.calls) < 300
        assert api.clock.elapsed < 300
