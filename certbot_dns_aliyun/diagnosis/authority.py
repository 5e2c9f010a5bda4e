"""Ask an ACME server what CAA records call it."""

from __future__ import annotations

import json
import logging
import re

from certbot_dns_aliyun.https import exchange
from certbot_dns_aliyun.unanswered import UnansweredError

logger = logging.getLogger(__name__)

_SECONDS = 5.0
_NAME = re.compile(r"[a-z0-9.-]{1,253}")


def caa_identities(directory: str) -> tuple[str, ...]:
    """Give the names that the directory of an ACME server lists (RFC 8555, 9.7.6).

    :param directory: its URL
    :returns: none if it lists none, or cannot be read within some seconds
    """
    try:
        reply = exchange("GET", directory, connecting=_SECONDS, replying=_SECONDS)
        listed = json.loads(reply.body)["meta"]["caaIdentities"]
        names = [str(each).lower().rstrip(".") for each in listed]
    except (UnansweredError, ValueError, LookupError, TypeError) as e:
        logger.debug("The CA does not tell what CAA records call it (%s)", type(e).__name__)
        return ()
    return tuple(name for name in names if _NAME.fullmatch(name))
