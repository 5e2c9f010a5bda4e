"""Alibaba Cloud's RPC style, as a server sees it: parameters, signature, replies, errors."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import escape

STATUS = {
    "InvalidAccessKeyId.NotFound": 404,
    "Forbidden.RAM": 403,
    "NoPermission": 403,
    "ServiceUnavailable": 503,
    "InternalError": 500,
}

MESSAGES = {
    "DomainRecordDuplicate": "The DNS record already exists.",
    "DomainRecordConflict": "The DNS record conflicts with an existing record.",
    "DomainRecordNotBelongToUser": "The DNS record does not exist in your account.",
    "InvalidDomainName.NoExist": "The specified domain name does not exist.",
    "InvalidDomainName.Format": "The format of the specified domain name is invalid.",
    "IncorrectDomainUser": "The domain name belongs to another user.",
    "Forbidden.DomainExpired": "The domain name has expired.",
    "Forbidden.DomainLocked": "The domain name is locked.",
    "QuotaExceeded.Record": "The number of records exceeds the quota.",
    "QuotaExceeded.TTL": "The TTL is below the minimum of the edition.",
    "InvalidAccessKeyId.NotFound": "Specified access key is not found.",
    "InvalidAccessKeyId.Inactive": "Specified access key is disabled.",
    "InvalidTimeStamp.Expired": "Specified time stamp or date value is expired.",
    "SignatureNonceUsed": "Specified signature nonce was used already.",
    "MissingSecurityToken": "SecurityToken is mandatory for this action.",
    "InvalidSecurityToken.Expired": "Specified SecurityToken is expired.",
    "InvalidSecurityToken.Malformed": "Specified SecurityToken is malformed.",
    "LastOperationNotFinished": "The last operation is not finished, please try again later.",
    "Throttling.User": "Request was denied due to user flow control.",
    "Throttling": "Request was denied due to request throttling.",
    "ServiceUnavailable": "The request has failed due to a temporary failure of the server.",
    "InternalError": "The request processing has failed due to some unknown error.",
    "Forbidden.RAM": "User not authorized to operate on the specified resource, "
    "or this API doesn't support RAM.",
}


class ApiError(Exception):
    def __init__(
        self,
        code: str,
        message: str | None = None,
        status: int | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.message = message or MESSAGES.get(code, f"The request failed: {code}.")
        self.status = status or STATUS.get(code, 400)
        self.extra = dict(extra or {})

    def body(self, request_id: str, host: str, product: str) -> dict[str, Any]:
        return {
            "RequestId": request_id,
            "HostId": host,
            "Code": self.code,
            "Message": self.message,
            "Recommend": f"https://api.aliyun.com/troubleshoot?q={self.code}"
            f"&product={product}&requestId={request_id}",
            **self.extra,
        }


def new_request_id() -> str:
    return str(uuid.uuid4()).upper()


def percent(text: str) -> str:
    return quote(text, safe="~")


def string_to_sign(method: str, params: Mapping[str, str]) -> str:
    pairs = sorted((key, value) for key, value in params.items() if key != "Signature")
    canonical = "&".join(f"{percent(key)}={percent(value)}" for key, value in pairs)
    return f"{method}&%2F&{percent(canonical)}"


def signature(method: str, params: Mapping[str, str], secret: str) -> str:
    digest = hmac.new(
        (secret + "&").encode(), string_to_sign(method, params).encode(), hashlib.sha1
    )
    return base64.b64encode(digest.digest()).decode()


def check_signature(method: str, params: Mapping[str, str], secret: str) -> None:
    expected = signature(method, params, secret)
    if not hmac.compare_digest(expected.encode(), params.get("Signature", "").encode()):
        raise ApiError(
            "SignatureDoesNotMatch",
            "Specified signature is not matched with our calculation. server string to sign is:"
            + string_to_sign(method, params),
        )


def check_clock(timestamp: str, offset: float = 0.0) -> None:
    """`offset` is how far the server's clock is ahead of this machine's."""
    try:
        told = datetime.strptime(timestamp, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    except ValueError:
        raise ApiError("InvalidTimeStamp.Format") from None
    behind = datetime.now(timezone.utc).timestamp() + offset - told.timestamp()
    if abs(behind) > 15 * 60:
        raise ApiError("InvalidTimeStamp.Expired")


def require(params: Mapping[str, str], *names: str) -> None:
    for name in names:
        if not params.get(name):
            raise ApiError(
                f"Missing{name}" if name in ("AccessKeyId", "Timestamp") else "MissingParameter",
                f"{name} is mandatory for this action.",
            )


def encode(body: Mapping[str, Any], form: str, root: str) -> tuple[str, bytes]:
    """The content type and bytes of a reply in the Format that was asked for."""
    if form.upper() == "JSON":
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        return "application/json;charset=utf-8", text.encode()
    inner = "".join(_xml(key, value) for key, value in body.items())
    text = f"<?xml version='1.0' encoding='UTF-8'?><{root}>{inner}</{root}>"
    return "text/xml;charset=utf-8", text.encode()


def _xml(tag: str, value: Any) -> str:
    if isinstance(value, list):
        return "".join(_xml(tag, item) for item in value)
    if isinstance(value, dict):
        inner = "".join(_xml(key, item) for key, item in value.items())
    elif isinstance(value, bool):
        inner = str(value).lower()
    else:
        inner = escape(str(value))
    return f"<{tag}>{inner}</{tag}>"
