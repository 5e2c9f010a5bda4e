"""Why a request got no reply, and what that says of it: it was never sent, or it may be done.

Only what went wrong before the first byte of the request left is known not to have been done: the
look-up of the name, the connection, the handshake, the certificate, a proxy's refusal. Whatever
else goes wrong, the other end may have carried the request out.
"""

from __future__ import annotations

from enum import Enum


class NotSent(Enum):
    """Why nothing of a request was sent."""

    WRONG_SET_UP = "wrong set-up"
    WRONG_PROXY = "wrong proxy"
    WRONG_BUNDLE = "wrong bundle"
    NO_SOCKS = "no SOCKS"
    PROXY_WITHOUT_TLS = "proxy without TLS"
    PROXY_REFUSED = "proxy refused"
    PROXY_FAILED = "proxy failed"
    NO_TURN = "no turn"
    NO_ADDRESS = "no address"
    NO_CONNECTION = "no connection"
    TLS_REFUSED = "TLS refused"
    TLS_FAILED = "TLS failed"
    CERTIFICATE_REFUSED = "certificate refused"
    CERTIFICATE_EXPIRED = "certificate expired"
    CERTIFICATE_NOT_YET_VALID = "certificate not yet valid"
    CERTIFICATE_OF_ANOTHER = "certificate of another"


class Lost(Enum):
    """Why a request that may be done has no reply."""

    NO_REPLY = "no reply"
    CONNECTION_LOST = "connection lost"
    NO_REPLY_OF_THIS_KIND = "no reply of this kind"


class UnansweredError(Exception):
    """A request got no reply.

    :ivar why: what went wrong
    :ivar proxy: the environment variable that names the proxy, or the CA certificates if those are
        at fault; empty if there is none
    :ivar detail: OpenSSL's reason, if it gave one
    """

    def __init__(self, why: NotSent | Lost, proxy: str = "", detail: str = "") -> None:
        super().__init__(why.value)
        self.why = why
        self.proxy = proxy
        self.detail = detail


class NotSentError(UnansweredError):
    """Nothing of the request was sent."""

    def __init__(self, why: NotSent, proxy: str = "", detail: str = "") -> None:
        super().__init__(why, proxy, detail)


class MaybeDoneError(UnansweredError):
    """The request was sent, or a part of it: it may be done."""

    def __init__(self, why: Lost, proxy: str = "", detail: str = "") -> None:
        super().__init__(why, proxy, detail)
