"""Send one signed call to the API, once, and turn whatever comes back into a reply or an error.

The SDK builds and signs the request; its own way of sending is not used: it defaults to plain HTTP,
sends no SNI on newer Pythons, puts the signature into the URL, and logs what must stay secret.
Everything goes into the body of a POST instead (https://help.aliyun.com/document_detail/29744.html).
"""

from __future__ import annotations

import email.utils
import functools
import json
import logging
import time
from collections.abc import Mapping
from typing import Any

from certbot_dns_aliyun.credentials.access_key import AccessKey
from certbot_dns_aliyun.errors import AlidnsError, clean_code, clean_request_id
from certbot_dns_aliyun.https import exchange
from certbot_dns_aliyun.unanswered import Lost, NotSentError, UnansweredError

logger = logging.getLogger(__name__)

#: Alidns is one service for the whole world; the region is part of the form only.
_REGION = "cn-hangzhou"


def send(request: Any, key: AccessKey, host: str) -> dict[str, Any]:
    """Sign and send a request, once.

    :param request: a fresh request object of the SDK
    :param host: the API's host, with a port if it is not 443
    :returns: the reply, a JSON object
    :raises AlidnsError: for everything else
    """
    action: str = request.get_action_name()
    zone: str = request.get_query_params().get("DomainName", "")
    request.set_accept_format("JSON")
    if key.security_token:
        request.add_query_param("SecurityToken", key.security_token)
    signed: str = request.get_url(_REGION, key.key_id, key.secret).partition("?")[2]

    fail = functools.partial(AlidnsError, action=action, host=host, zone=zone)
    started = time.monotonic()
    try:
        response = exchange(
            "POST",
            f"https://{host}/",
            body=signed.encode("ascii"),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
    except UnansweredError as error:
        logger.debug(
            "Alidns %s %s: %s (%s, %.2f s)",
            action,
            zone,
            ", ".join(filter(None, [error.why.value, error.detail])),
            "not sent" if isinstance(error, NotSentError) else "sent, may be done",
            time.monotonic() - started,
        )
        raise fail(error.why, proxy=error.proxy) from None

    status, headers = response.status, response.headers
    reply = _json_object(response.body)
    request_id = clean_request_id(reply.get("RequestId"))
    is_done = 200 <= status < 300 and "Code" not in reply
    code = clean_code(reply.get("Code"))
    logger.debug(
        "Alidns %s %s: %s (HTTP %d, request id %s, %.2f s)",
        action,
        zone,
        "done" if is_done else code or "no reply of Alidns",
        status,
        request_id or "none",
        time.monotonic() - started,
    )
    if not reply or not (is_done or code):
        raise fail(Lost.NO_REPLY_OF_THIS_KIND, status=status, retry_after=_retry_after(headers))
    if code:
        raise fail(
            code,
            status=status,
            request_id=request_id,
            retry_after=_retry_after(headers),
            clock_offset=_clock_offset(headers),
        )
    return reply


def clock_offset(host: str) -> float | None:
    """Ask the API's host for the time, without a call.

    :returns: the seconds by which this machine's clock is ahead; None if it does not tell
    """
    try:
        return _clock_offset(exchange("GET", f"https://{host}/").headers)
    except UnansweredError:
        return None


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        reply = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return reply if isinstance(reply, dict) else {}


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Give the seconds that the server asks to wait (RFC 9110, 10.2.3, or Alibaba's own header)."""
    for name, scale in (("x-acs-retry-after", 0.001), ("Retry-After", 1.0)):
        text = headers.get(name, "")
        if text.isascii() and text.isdigit() and len(text) < 10:
            return int(text) * scale
    when = _time(headers.get("Retry-After"))
    return None if when is None else max(0.0, when - time.time())


def _clock_offset(headers: Mapping[str, str]) -> float | None:
    """Give the seconds by which this machine's clock is ahead of the server's."""
    when = _time(headers.get("Date"))
    return None if when is None else time.time() - when


def _time(text: str | None) -> float | None:
    """Give the time that a header names, in seconds since the epoch (RFC 9110, 5.6.7)."""
    try:
        when = email.utils.parsedate_tz(text)
        return email.utils.mktime_tz(when) if when else None
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
