"""The server's signature is the one that the SDK computes."""

from __future__ import annotations

import pytest

from tests.world.rpc import ApiError, check_signature, signature

COMMON = {
    "Format": "JSON",
    "RegionId": "cn-hangzhou",
    "SignatureMethod": "HMAC-SHA1",
    "SignatureNonce": "0123456789abcdef0123456789abcdef",
    "SignatureType": "",
    "SignatureVersion": "1.0",
    "Timestamp": "2026-01-02T03:04:05Z",
    "Version": "2015-01-09",
}
ADD = {
    **COMMON,
    "AccessKeyId": "testid",
    "Action": "AddDomainRecord",
    "DomainName": "example.com",
    "RR": "_acme-challenge",
    "TTL": "600",
    "Type": "TXT",
    "Value": "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0",
}
LIST = {
    **COMMON,
    "AccessKeyId": "STS.testid",
    "Action": "DescribeDomainRecords",
    "DomainName": "例子.com",
    "KeyWord": "a *+~/=@",
    "PageNumber": "1",
    "PageSize": "500",
    "SearchMode": "EXACT",
    "SecurityToken": "CAIS+/=tok~en",
}


@pytest.mark.parametrize(
    ("params", "expected"),
    [(ADD, "bvrATXq9ibNfo0DH1r/NkdTjfDg="), (LIST, "J7DqrjFkSZ/Sin50XP/Ix/VQflg=")],
)
def test_signature_vector(params: dict[str, str], expected: str) -> None:
    assert signature("POST", params, "testsecret") == expected
    check_signature("POST", {**params, "Signature": expected}, "testsecret")


def test_wrong_secret_is_refused_with_the_string_to_sign() -> None:
    signed = {**ADD, "Signature": signature("POST", ADD, "another")}
    with pytest.raises(ApiError) as refused:
        check_signature("POST", signed, "testsecret")
    assert refused.value.code == "SignatureDoesNotMatch"
    assert "AccessKeyId%3Dtestid" in refused.value.message
