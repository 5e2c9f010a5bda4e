"""One call: what is sent, and what each thing that can come back is taken for."""

from __future__ import annotations

import hashlib
import logging
import urllib.parse
import uuid
from typing import Any

import pytest
import requests

from certbot_dns_aliyun.alidns import call
from certbot_dns_aliyun.alidns.requests import add_record, delete_record, list_records
from certbot_dns_aliyun.credentials.access_key import AccessKey
from certbot_dns_aliyun.errors import AlidnsError, Verdict
from certbot_dns_aliyun.https import Reply
from certbot_dns_aliyun.unanswered import Lost, MaybeDoneError, NotSent, NotSentError
from tests.unit.fake_api import KEY_ID, SECRET, FakeApi, Fault, error, html, reply, response
from tests.unit.fake_time import Clock

KEY = AccessKey(KEY_ID, SECRET)
HOST = "alidns.aliyuncs.com"


def send(key: AccessKey = KEY) -> dict[str, Any]:
    return call.send(add_record("example.com", "_acme-challenge", "value"), key, HOST)


def failure(api: FakeApi, instead: requests.Response | BaseException) -> AlidnsError:
    """Sends a call that gets this reply, or none."""
    api.faults.append(Fault(lambda: instead))
    with pytest.raises(AlidnsError) as caught:
        send()
    # Certbot logs the context of an error with it, unless told not to.
    assert caught.value.__suppress_context__ or not caught.value.__context__
    for secret in (KEY_ID, SECRET, "Signature="):
        assert secret not in str(caught.value)
        assert secret not in repr(vars(caught.value))
    return caught.value


@pytest.fixture(autouse=True)
def _zone(api: FakeApi) -> None:
    api.zones["example.com"] = []


def test_the_nonce_is_a_uuid_of_its_own_and_no_md5(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In FIPS mode an MD5 is an error."""

    def forbidden(*_: object, **__: object) -> None:
        raise ValueError("[digital envelope routines] unsupported")

    monkeypatch.setattr(hashlib, "md5", forbidden)
    send()
    call.send(add_record("example.com", "www", "another"), KEY, HOST)
    nonces = [uuid.UUID(each.parameters["SignatureNonce"]) for each in api.calls]
    assert [nonce.version for nonce in nonces] == [4, 4]
    assert nonces[0] != nonces[1]


def test_a_call_is_signed_and_asks_for_json(api: FakeApi) -> None:
    send()
    sent = api.calls[0].parameters
    assert sent["Format"] == "JSON"
    assert sent["Version"] == "2015-01-09"
    assert sent["RegionId"] == "cn-hangzhou"
    assert sent["AccessKeyId"] == KEY_ID
    assert sent["SignatureMethod"] == "HMAC-SHA1"
    assert sent["Signature"]
    assert "SecurityToken" not in sent
    assert SECRET not in "".join(sent.values())
    assert (sent["RR"], sent["Type"], sent["Value"]) == ("_acme-challenge", "TXT", "value")
    assert sent["TTL"] == "600"


def test_the_token_of_a_temporary_key_goes_along(api: FakeApi) -> None:
    send(AccessKey(KEY_ID, SECRET, "CAIS+/=="))
    assert api.calls[0].parameters["SecurityToken"] == "CAIS+/=="


def test_each_call_has_a_nonce_of_its_own(api: FakeApi) -> None:
    api.faults.append(Fault(lambda: reply(RecordId="1")))
    send()
    send()
    assert len({c.parameters["SignatureNonce"] for c in api.calls}) == 2


def test_everything_goes_into_the_body_over_https(monkeypatch: pytest.MonkeyPatch) -> None:
    def exchange(method: str, url: str, *, body: bytes, headers: dict[str, str]) -> Reply:
        assert (method, url) == ("POST", f"https://{HOST}/")
        assert "Signature=" in body.decode("ascii")
        assert headers == {"Content-Type": "application/x-www-form-urlencoded"}
        return Reply(200, {}, b'{"RecordId": "1"}')

    monkeypatch.setattr(call, "exchange", exchange)
    send()


def test_a_zone_is_named_in_unicode_in_utf_8(api: FakeApi) -> None:
    api.zones["例子.com"] = []
    call.send(add_record("例子.com", "_acme-challenge", "value"), KEY, HOST)
    assert api.calls[0].parameters["DomainName"] == "例子.com"


def test_the_search_names_rr_type_and_value_and_no_search_mode(api: FakeApi) -> None:
    call.send(list_records("example.com", "_acme-challenge", "value", 3), KEY, HOST)
    sent = api.calls[0].parameters
    assert "SearchMode" not in sent
    assert "KeyWord" not in sent
    assert (sent["PageNumber"], sent["PageSize"]) == ("3", "500")


@pytest.mark.parametrize(
    ("code", "status", "verdict"),
    [
        ("Forbidden.RAM", 403, Verdict.DENIED),
        ("Forbidden.RAM", 400, Verdict.DENIED),
        ("InternalError", 400, Verdict.UNCLEAR),
        ("ServiceUnavailable", 503, Verdict.UNCLEAR),
        ("Throttling.User", 200, Verdict.SLOW_DOWN),
        ("SignatureDoesNotMatch", 400, Verdict.REFUSED),
        ("Brandnew", 599, Verdict.UNCLEAR),
    ],
)
def test_an_error_is_known_by_its_code(
    api: FakeApi, code: str, status: int, verdict: Verdict
) -> None:
    caught = failure(api, error(code, status))
    assert (caught.code, caught.verdict, caught.request_id) == (code, verdict, "0D5E-2")
    assert (caught.action, caught.zone, caught.host) == ("AddDomainRecord", "example.com", HOST)


@pytest.mark.parametrize(
    "instead",
    [
        pytest.param(html(502), id="HTML"),
        pytest.param(html(200), id="HTML, as if all were well"),
        pytest.param(response(200, b""), id="nothing"),
        pytest.param(response(200, b"{}"), id="an empty object"),
        pytest.param(response(200, b"\xff\xfe\xfd"), id="no text"),
        pytest.param(response(200, b"42"), id="a number"),
        pytest.param(response(200, b'["RecordId"]'), id="a list"),
        pytest.param(response(200, b"[" * 100_000), id="a deep list"),
        pytest.param(response(200, b'{"a":' * 100_000), id="a deep object"),
        pytest.param(response(200, b"1" * 10_000), id="a number of 10,000 digits"),
        pytest.param(response(200, b'{"RecordId": "1"'), id="half an object"),
        pytest.param(response(302, b"", Location="https://evil.example/"), id="a redirect"),
        pytest.param(response(500, b'{"Message": "no code"}'), id="an error without a code"),
        pytest.param(response(200, b'{"Code": "", "RecordId": "1"}'), id="success, and an error"),
        pytest.param(response(300, b'{"RecordId": "1"}'), id="success, and a choice of others"),
        pytest.param(response(404, b'{"RecordId": "1"}'), id="success, with an error's status"),
    ],
)
def test_what_is_no_reply_of_the_api_is_unclear(api: FakeApi, instead: requests.Response) -> None:
    caught = failure(api, instead)
    assert caught.code == Lost.NO_REPLY_OF_THIS_KIND
    assert caught.maybe_done


def test_who_stands_before_the_api_may_ask_to_wait_too(api: FakeApi) -> None:
    caught = failure(api, response(503, b"<html>", Retry_After="7"))
    assert (caught.status, caught.retry_after) == (503, 7.0)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry_After": "7"}, 7.0),
        ({"x_acs_retry_after": "1500"}, 1.5),
        ({"x_acs_retry_after": "1500", "Retry_After": "7"}, 1.5),
        ({"Retry_After": "Mon, 12 Jan 1970 13:47:00 GMT"}, 20.0),
        ({"Retry_After": "Mon, 12 Jan 1960 13:47:00 GMT"}, 0.0),
        ({"Retry_After": "-1"}, None),
        ({"Retry_After": "9" * 9}, 999_999_999.0),
        ({"Retry_After": "9" * 10}, None),
        ({"Retry_After": "9" * 400}, None),
        ({"Retry_After": "soon"}, None),
        ({"Retry_After": "Mon, 01 Jan 99999 00:00:00 GMT"}, None),
        ({"Retry_After": "٣"}, None),
    ],
)
def test_how_long_the_server_asks_to_wait(
    api: FakeApi, headers: dict[str, str], seconds: float | None
) -> None:
    api.clock.now = 1_000_000.0 - 0.05  # 12 January 1970, 13:46:40
    asked = failure(api, error("Throttling.User", **headers)).retry_after
    assert asked == (None if seconds is None else pytest.approx(seconds, abs=0.1))


@pytest.mark.parametrize(
    ("date", "offset"),
    [
        ("Mon, 12 Jan 1970 12:46:40 GMT", 3600),
        ("Mon, 12 Jan 1970 14:46:40 GMT", -3600),
        ("yesterday", None),
        ("Mon, 01 Jan 99999 00:00:00 GMT", None),
    ],
)
def test_how_far_the_clock_is_off_the_servers(
    api: FakeApi, date: str, offset: float | None
) -> None:
    caught = failure(api, error("InvalidTimeStamp.Expired", Date=date))
    assert caught.clock_offset == (None if offset is None else pytest.approx(offset, abs=1))


def test_the_time_is_asked_for_without_a_call(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exchange(method: str, url: str) -> Reply:
        assert (method, url) == ("GET", f"https://{HOST}/")
        return Reply(404, {"Date": "Mon, 12 Jan 1970 13:46:30 GMT"}, b"")

    monkeypatch.setattr(call, "exchange", exchange)
    assert call.clock_offset(HOST) == 10.0


def test_the_time_of_a_host_that_does_not_answer_is_not_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def exchange(method: str, url: str) -> Reply:
        raise NotSentError(NotSent.NO_CONNECTION)

    monkeypatch.setattr(call, "exchange", exchange)
    assert call.clock_offset(HOST) is None


@pytest.mark.parametrize("why", [*NotSent, *Lost])
def test_a_call_without_a_reply_may_be_done_if_it_was_sent(
    api: FakeApi, why: NotSent | Lost, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    if isinstance(why, Lost):
        caught = failure(api, MaybeDoneError(why, detail="OPENSSL_REASON"))
    else:
        caught = failure(api, NotSentError(why, "all_proxy", "OPENSSL_REASON"))
        assert caught.proxy == "all_proxy"
    assert caught.code is why
    assert caught.maybe_done == isinstance(why, Lost)
    assert caught.verdict in ({Verdict.UNCLEAR} if caught.maybe_done else NOTHING_DONE)
    state = "sent, may be done" if caught.maybe_done else "not sent"
    line = f"Alidns AddDomainRecord example.com: {why.value}, OPENSSL_REASON ({state}, 0.05 s)"
    assert [record.getMessage() for record in caplog.records] == [line]


NOTHING_DONE = {Verdict.RETRY, Verdict.REFUSED}


def test_nothing_secret_is_logged(api: FakeApi, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    send(AccessKey(KEY_ID, SECRET, "CAIStoken"))
    signature = api.calls[0].parameters["Signature"]
    assert "AddDomainRecord example.com: done" in caplog.text
    for secret in (KEY_ID, SECRET, "CAIStoken", signature, urllib.parse.quote(signature, "")):
        assert secret not in caplog.text


def test_deleting_names_nothing_but_the_id(api: FakeApi) -> None:
    record = api.add("example.com", "x", "y")
    call.send(delete_record(record.id), KEY, HOST)
    assert api.zones["example.com"] == []
    assert "RR" not in api.calls[0].parameters


def test_a_delete_that_fails_names_no_zone(api: FakeApi) -> None:
    api.faults.append(Fault(lambda: error("Forbidden.RAM", 403)))
    with pytest.raises(AlidnsError) as caught:
        call.send(delete_record("1"), KEY, HOST)
    assert caught.value.zone == ""
