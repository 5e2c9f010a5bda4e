"""Error codes: what each makes the product do, and that each sentence is one for a user."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certbot_dns_aliyun.errors import (
    MEANINGS,
    PASSING,
    AlidnsError,
    Code,
    NotCalled,
    Verdict,
    clean_code,
    clean_request_id,
    meaning_of,
    sentence,
)
from certbot_dns_aliyun.unanswered import Lost, NotSent

WHAT = "The TXT record _acme-challenge.example.com could not be added"

#: Every code that the notes on the API list as one that a user can meet (A.3), and the reaction.
EXPECTED = {
    "DomainRecordDuplicate": Verdict.DUPLICATE,
    "DomainRecordConflict": Verdict.CONFLICT,
    "DomainRecordNotBelongToUser": Verdict.GONE,
    "InvalidRR.NoExist": Verdict.GONE,
    "InvalidDomainName.NoExist": Verdict.NOT_HERE,
    "InvalidDomainName.Format": Verdict.NOT_HERE,
    "IncorrectDomainUser": Verdict.NOT_HERE,
    "InvalidDomainName.Unregistered": Verdict.NOT_HERE,
    "DomainAddedByOthers": Verdict.NOT_HERE,
    "DomainForbidden": Verdict.REFUSED,
    "Forbidden.DomainExpired": Verdict.REFUSED,
    "Forbidden.DomainLocked": Verdict.REFUSED,
    "Forbidden.DomainType": Verdict.REFUSED,
    "Forbidden.RecordLocked": Verdict.REFUSED,
    "DomainRecordLocked": Verdict.REFUSED,
    "QuotaExceeded.Record": Verdict.REFUSED,
    "QuotaExceeded.TTL": Verdict.REFUSED,
    "SubDomainInvalid.RR": Verdict.REFUSED,
    "SubDomainInvalid.Value": Verdict.REFUSED,
    "LastOperationNotFinished": Verdict.BUSY,
    "RecordForbidden.DNSChange": Verdict.BUSY,
    "RecordForbidden.BlackHole": Verdict.REFUSED,
    "Forbidden.RAM": Verdict.DENIED,
    "NoPermission": Verdict.DENIED,
    "Forbidden.AuthType": Verdict.DENIED,
    "InvalidAccessKeyId.NotFound": Verdict.RENEW,
    "InvalidAccessKeyId": Verdict.RENEW,
    "InvalidAccessKeyId.Inactive": Verdict.RENEW,
    "SignatureDoesNotMatch": Verdict.REFUSED,
    "IncompleteSignature": Verdict.REFUSED,
    "InvalidTimeStamp.Expired": Verdict.REFUSED,
    "SignatureNonceUsed": Verdict.UNCLEAR,
    "MissingSecurityToken": Verdict.REFUSED,
    "InvalidSecurityToken.Expired": Verdict.RENEW,
    "InvalidSecurityToken.Malformed": Verdict.RENEW,
    "InvalidSecurityToken.MismatchWithAccessKey": Verdict.RENEW,
    "Throttling": Verdict.SLOW_DOWN,
    "Throttling.User": Verdict.SLOW_DOWN,
    "Throttling.Api": Verdict.SLOW_DOWN,
    "Rejected.Throttling": Verdict.SLOW_DOWN,
    "ServiceUnavailable": Verdict.UNCLEAR,
    "InternalError": Verdict.UNCLEAR,
    "UnKnownError": Verdict.UNCLEAR,
    "MissingParameter": Verdict.REFUSED,
    "InvalidAction": Verdict.REFUSED,
}


@pytest.mark.parametrize(("code", "verdict"), EXPECTED.items(), ids=list(EXPECTED))
def test_a_code_that_users_meet_has_its_reaction(code: str, verdict: Verdict) -> None:
    assert meaning_of(code, 400).verdict is verdict


@pytest.mark.parametrize("code", EXPECTED)
def test_the_http_status_does_not_change_a_known_code(code: str) -> None:
    if code in MEANINGS:
        assert meaning_of(code, 503) == meaning_of(code, 400) == meaning_of(code, 200)


@pytest.mark.parametrize(
    ("code", "status", "verdict"),
    [
        ("Throttling.Whatever", 400, Verdict.SLOW_DOWN),
        ("Rejected.UserThrottling", 503, Verdict.SLOW_DOWN),
        ("FlowControl", 400, Verdict.SLOW_DOWN),
        ("TooManyRequests", 400, Verdict.SLOW_DOWN),
        ("Brandnew", 429, Verdict.SLOW_DOWN),
        ("Brandnew", 500, Verdict.UNCLEAR),
        ("Brandnew", 504, Verdict.UNCLEAR),
        ("Brandnew", 400, Verdict.REFUSED),
        ("InvalidAccessKeyId.Brandnew", 400, Verdict.RENEW),
        ("InvalidSecurityToken.Brandnew", 400, Verdict.RENEW),
        ("Forbidden.Brandnew", 403, Verdict.REFUSED),
        ("NoPermission.Brandnew", 403, Verdict.DENIED),
        ("QuotaExceeded.Brandnew", 400, Verdict.REFUSED),
    ],
)
def test_an_unknown_code_is_judged_by_what_it_resembles(
    code: str, status: int, verdict: Verdict
) -> None:
    assert meaning_of(code, status).verdict is verdict


def test_what_may_have_been_done_is_told_apart_from_what_was_not() -> None:
    assert AlidnsError(Lost.CONNECTION_LOST).maybe_done
    assert AlidnsError(Lost.NO_REPLY).maybe_done
    assert AlidnsError("InternalError", status=500).maybe_done
    assert not AlidnsError(NotSent.NO_CONNECTION).maybe_done
    assert not AlidnsError("Throttling.User").maybe_done
    assert not AlidnsError("LastOperationNotFinished").maybe_done


def test_an_error_is_a_value_from_which_others_are_made() -> None:
    error = error_of("Forbidden.RAM")
    with pytest.raises(AttributeError, match="zone"):
        error.zone = "example.org"
    other = error.with_(zone="example.org", maybe_done=True)
    assert (other.zone, other.maybe_done, other.code) == ("example.org", True, error.code)
    assert (error.zone, error.maybe_done) == ("example.com", False)
    assert vars(other).keys() == vars(error).keys()


def test_no_other_verdict_is_retried() -> None:
    permanent = {
        Verdict.REFUSED,
        Verdict.RENEW,
        Verdict.DENIED,
        Verdict.NOT_HERE,
        Verdict.DUPLICATE,
        Verdict.GONE,
    }
    assert not permanent & PASSING


def error_of(code: Code) -> AlidnsError:
    return AlidnsError(
        code,
        "AddDomainRecord",
        host="alidns.aliyuncs.com",
        zone="example.com",
        status=400,
        request_id="0D5E-1",
        clock_offset=-3601.4,
        origin="the variables",
        detail="AuthenticationFail",
    )


@pytest.mark.parametrize("code", [*MEANINGS, "Brandnew", "Throttling.New"])
def test_each_code_makes_one_whole_sentence(code: Code) -> None:
    text = sentence(WHAT, error_of(code))
    assert text.startswith(f"{WHAT}: ")
    assert not re.search(r"[{}]|None", text)
    assert text.endswith(".")
    assert not text.endswith("..")
    assert "  " not in text
    assert "\n" not in text
    # One sentence: nothing before the end looks like the end of another.
    assert not re.search(r"\. [A-Z]", text)
    # The reason, and the advice.
    assert len(text[len(WHAT) :].split("; ")) >= 2


@pytest.mark.parametrize("code", [code for code in MEANINGS if isinstance(code, str)])
def test_a_sentence_names_the_code_and_the_request_for_the_support(code: str) -> None:
    assert f"({code}, request id 0D5E-1)" in sentence(WHAT, error_of(code))


@pytest.mark.parametrize("code", [code for code in MEANINGS if not isinstance(code, str)])
def test_what_we_call_a_failure_is_no_code_of_the_api(code: NotCalled | NotSent | Lost) -> None:
    assert "(request id 0D5E-1)" in sentence(WHAT, error_of(code))
    assert meaning_of(code.value, 400) != MEANINGS[code], "a server said it"


@pytest.mark.parametrize("code", [*MEANINGS, "Brandnew"])
def test_a_sentence_reads_well_where_nothing_more_is_known(code: Code) -> None:
    known = {"host": "h.example", "zone": "z.example", "origin": "credentials.ini"}
    text = sentence(WHAT, AlidnsError(code, "AddDomainRecord", **known))
    assert not re.search(r"[{}]|None|\(\)|\( | ,| ;| \.|  ", text)


def test_a_missing_permission_is_named_as_a_policy_writes_it() -> None:
    text = sentence(WHAT, error_of("Forbidden.RAM"))
    assert "alidns:AddDomainRecord on acs:alidns:*:*:domain/example.com" in text


def test_a_wrong_clock_is_told_by_how_much() -> None:
    assert "by 3601 seconds" in sentence(WHAT, error_of("InvalidTimeStamp.Expired"))


def test_an_unreachable_host_is_told_with_its_port() -> None:
    text = sentence(WHAT, AlidnsError(NotSent.NO_CONNECTION, host="api.example:8443"))
    assert "api.example cannot be reached on port 8443" in text


@given(st.one_of(st.none(), st.integers(), st.text(), st.binary(), st.lists(st.text())))
def test_what_comes_over_the_wire_cannot_dress_up_as_a_sentence(text: object) -> None:
    code, request_id = clean_code(text), clean_request_id(text)
    assert re.fullmatch(r"[A-Za-z][A-Za-z0-9._-]{0,79}|", code, re.ASCII)
    assert re.fullmatch(r"[A-Za-z0-9-]{0,64}", request_id, re.ASCII)
    assert sentence(WHAT, AlidnsError(code, request_id=request_id)).endswith(".")


@given(
    code=st.one_of(st.text(), *map(st.sampled_from, (NotCalled, NotSent, Lost))),
    status=st.integers(0, 999),
)
def test_every_code_and_status_has_a_meaning(code: Code, status: int) -> None:
    meaning = meaning_of(code, status)
    assert isinstance(meaning.verdict, Verdict)
    assert meaning.reason
    assert meaning.advice
