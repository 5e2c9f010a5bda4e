"""Ask an ACME server what CAA records call it."""

from __future__ import annotations

import json
import logging
import re
import time

import requests

from certbot_dns_aliyun import https

logger = logging.getLogger(__name__)

_SECONDS = 5.0
_NAME = re.compile(r"[a-z0-9.-]{1,253}")


def caa_identities(directory: str) -> tuple[str, ...]:
    """Give the names that the directory of an ACME server lists (RFC 8555, 9.7.6).

    :param directory: its URL
    :returns: none if it lists none, or cannot be read within some seconds
    """
    try:
        with https.session().get(
            directory, timeout=_SECONDS, stream=True, allow_redirects=False
        ) as response:
            body = https.read_body(response, time.monotonic() + _SECONDS)
        listed = json.loads(body)["meta"]["caaIdentities"]
        names = [str(each).lower().rstrip(".") for each in listed]
    except (requests.RequestException, https.TooLongError, ValueError, LookupError, TypeError) as e:
        logger.debug("The CA does not tell what CAA records call it (%s)", type(e).__name__)
        return ()
    return tuple(name for name in names if _NAME.fullmatch(name))
