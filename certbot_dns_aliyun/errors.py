"""The kinds of failure: whether to try again, go another way or tell the user, and in which words.

This is the one place that knows the API's error codes, and the one place that holds the sentences
about them. https://help.aliyun.com/document_detail/2355841.html lists most codes; the others were
seen in the field.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Any, Union

from certbot_dns_aliyun.unanswered import Lost, NotSent


class Verdict(Enum):
    """What is to be done about a call that did not succeed."""

    RETRY = "the server did nothing; the same call may succeed later"
    UNCLEAR = "whether the server acted is not known; look, then try again"
    SLOW_DOWN = "too many calls; the same call may succeed later, at a lower rate"
    BUSY = "another change of the zone is under way; wait for its end"
    RENEW = "the access key is not, or no longer, valid; its source may have another one"
    DUPLICATE = "the very record exists already"
    GONE = "the record does not exist (any more)"
    NOT_HERE = "the zone is not in this account"
    DENIED = "the access key may not do this"
    CONFLICT = "another record at the name excludes it; a CNAME, which may lead elsewhere"
    REFUSED = "no repetition helps; tell the user"


class NotCalled(Enum):
    """Why the API was not called: for want of an access key, most often."""

    NO_CREDENTIALS = "no credentials"
    CREDENTIALS_NOT_YET = "credentials not yet"
    UNSAFE_FILE = "unsafe file"
    PROFILE_NOT_WRITABLE = "profile not writable"
    NOT_ON_ECS = "not on ECS"
    WRONG_CLOCK = "wrong clock"
    NO_ACCOUNT = "no account"
    CALLED_OFF = "called off"


#: What went wrong: a text is the API's own word for it.
Code = Union[str, NotCalled, NotSent, Lost]

#: Verdicts after which the same call is made once more.
PASSING = frozenset({Verdict.RETRY, Verdict.UNCLEAR, Verdict.SLOW_DOWN, Verdict.BUSY})


@dataclass(frozen=True)
class Meaning:
    """A code's verdict, and the two halves of the sentence for the user.

    What stands in braces in them, :meth:`AlidnsError.because` fills in.
    """

    verdict: Verdict
    reason: str
    advice: str


_LATER = "run Certbot again later"
_SET_CLOCK = "set it (timedatectl set-ntp true) and run Certbot again"
_THROTTLED = Meaning(
    Verdict.SLOW_DOWN,
    "Alidns kept refusing calls as too frequent",
    "find out what else calls the API with this account, or " + _LATER,
)
_PASSING = Meaning(Verdict.UNCLEAR, "Alidns kept answering with an internal error", _LATER)
_BUSY = Meaning(
    Verdict.BUSY,
    "other changes of the zone {zone} were under way all the time",
    "find out what else edits the zone, or " + _LATER,
)
_NOT_HERE = Meaning(
    Verdict.NOT_HERE,
    "the zone {zone} is not in the Alibaba Cloud account of {key}",
    "use a key of the account whose Alibaba Cloud DNS console lists the zone",
)
_GONE = Meaning(Verdict.GONE, "the record does not exist", "nothing is left to do")
_DENIED = Meaning(
    Verdict.DENIED,
    "{key} lacks the permission alidns:{action} on acs:alidns:*:*:domain/{zone}",
    "add that to the RAM policy of its user (AliyunDNSFullAccess has it, "
    "AliyunDomainFullAccess does not)",
)
_WRONG_KEY = Meaning(
    Verdict.RENEW,
    "Alibaba Cloud does not know the id of {key}",
    "check {source}: the key may have been mistyped, or deleted in the RAM console",
)
_WRONG_SECRET = Meaning(
    Verdict.REFUSED,
    "the secret of {key} does not belong to its id",
    "check {source}: copy the secret anew, or make a new key if you do not have it any more",
)
_TOKEN_EXPIRED = Meaning(
    Verdict.RENEW,
    "the security token of {key} has run out",
    "put a new access key, secret and token into {source}",
)
_WRONG_TOKEN = Meaning(
    Verdict.RENEW,
    "the security token does not go with {key}",
    "put key, secret and token of one and the same answer of STS into {source}",
)
_LOCKED = Meaning(
    Verdict.REFUSED,
    "the zone {zone} is locked",
    "unlock it in the Alibaba Cloud DNS console",
)
_NO_ADDING = Meaning(
    Verdict.REFUSED,
    "Alibaba Cloud does not let the zone {zone} be changed",
    "the Alibaba Cloud DNS console says why, beside the zone",
)
_FORBIDDEN = Meaning(
    Verdict.REFUSED,
    "Alibaba Cloud forbids that call",
    "look for the reason in the Alibaba Cloud DNS console, or ask its support about the code",
)
_UNKNOWN = Meaning(
    Verdict.REFUSED,
    "Alidns refused the call for a reason that this plugin does not know",
    "look the code up at Alibaba Cloud; if it makes no sense there, please report it",
)
_TTL = Meaning(
    Verdict.REFUSED,
    "the zone's plan does not allow a TTL of 600 seconds",
    "check the plan of the zone {zone} in the Alibaba Cloud DNS console",
)

MEANINGS: dict[Code, Meaning] = {
    "DomainRecordDuplicate": Meaning(
        Verdict.DUPLICATE, "the very record exists already", "nothing is left to do"
    ),
    "DomainRecordNotBelongToUser": _GONE,
    "InvalidRR.NoExist": _GONE,
    "InvalidRecordId.NotFound": _GONE,
    "InvalidDomainName.NoExist": _NOT_HERE,
    "InvalidDomainName.Format": _NOT_HERE,
    "InvalidDomainName.Unregistered": _NOT_HERE,
    "InvalidDomainName.Suffix": _NOT_HERE,
    "IncorrectDomainUser": _NOT_HERE,
    "DomainAddedByOthers": _NOT_HERE,
    "Forbidden.RAM": _DENIED,
    "NoPermission": _DENIED,
    "Forbidden.AuthType": _DENIED,
    "DomainRecordConflict": Meaning(
        Verdict.CONFLICT,
        "another record at that name, most likely a CNAME, excludes a TXT record",
        "wait some minutes if it is a CNAME that was set just now to lead elsewhere; otherwise "
        "remove it in the Alibaba Cloud DNS console (ESA and CDN set such a CNAME when they "
        "manage the certificate themselves)",
    ),
    "Forbidden.DomainExpired": Meaning(
        Verdict.REFUSED, "the domain of the zone {zone} has expired", "renew it at its registrar"
    ),
    "Forbidden.DomainLocked": _LOCKED,
    "Forbidden.RecordLocked": _LOCKED,
    "DomainRecordLocked": _LOCKED,
    "Forbidden.DomainType": _NO_ADDING,
    "DomainForbidden": _NO_ADDING,
    "RecordForbidden.BlackHole": _NO_ADDING,
    "InvalidDomainName.Duplicate": _NO_ADDING,
    "QuotaExceeded.Record": Meaning(
        Verdict.REFUSED,
        "the zone {zone} or that name has reached its limit of records",
        "remove records that nobody needs (90 values at one name is the most)",
    ),
    "QuotaExceeded.TTL": _TTL,
    "InvalidTTL": _TTL,
    "SubDomainInvalid.RR": Meaning(
        Verdict.REFUSED,
        "Alidns does not accept that name below the zone {zone}",
        "host the part of it that is not ASCII as a zone of its own",
    ),
    "SubDomainInvalid.Value": _UNKNOWN,
    "LastOperationNotFinished": _BUSY,
    "RecordForbidden.DNSChange": _BUSY,
    "InvalidAccessKeyId": _WRONG_KEY,
    "InvalidAccessKeyId.NotFound": _WRONG_KEY,
    "InvalidAccessKeyId.Inactive": Meaning(
        Verdict.RENEW, "{key} is disabled", "enable it in the RAM console"
    ),
    "SignatureDoesNotMatch": _WRONG_SECRET,
    "InvalidAccessKeySecret": _WRONG_SECRET,
    "IncompleteSignature": _WRONG_SECRET,
    "InvalidTimeStamp.Expired": Meaning(
        Verdict.REFUSED,
        "the clock of this machine is wrong{clock}",
        _SET_CLOCK,
    ),
    "SignatureNonceUsed": _PASSING,
    "InvalidSecurityToken.Expired": _TOKEN_EXPIRED,
    "InvalidSecurityToken.Malformed": _WRONG_TOKEN,
    "InvalidSecurityToken.MismatchWithAccessKey": _WRONG_TOKEN,
    "MissingSecurityToken": Meaning(
        Verdict.REFUSED,
        "{key} is a temporary one and its security token is missing",
        "set dns_aliyun_security_token as well",
    ),
    "Rejected.Throttling": _THROTTLED,
    "ServiceUnavailable": _PASSING,
    "ServiceUnavailableTemporary": _PASSING,
    "InternalError": _PASSING,
    "UnKnownError": _PASSING,
    # What never reached the API, or never came back from it.
    Lost.NO_REPLY: Meaning(
        Verdict.UNCLEAR,
        "{host} accepted calls and did not reply in time",
        "check the network between here and there, or " + _LATER,
    ),
    Lost.CONNECTION_LOST: Meaning(
        Verdict.UNCLEAR,
        "connections to {host} broke off before a reply came",
        "check the network and the proxy between here and there, or " + _LATER,
    ),
    Lost.NO_REPLY_OF_THIS_KIND: Meaning(
        Verdict.UNCLEAR,
        "what answers for {host} is not Alidns{status}",
        "check the proxy or the captive portal between here and there, or " + _LATER,
    ),
    NotSent.NO_CONNECTION: Meaning(
        Verdict.RETRY,
        "{host} cannot be reached on port {port}",
        "check the network and the firewall, and set HTTPS_PROXY if there is a proxy",
    ),
    NotSent.NO_ADDRESS: Meaning(
        Verdict.RETRY,
        "the name {host} cannot be resolved",
        "check the network and the resolver in /etc/resolv.conf",
    ),
    NotSent.PROXY_FAILED: Meaning(
        Verdict.RETRY,
        "the proxy that {proxy} names does not connect to {host}",
        "check the proxy, or list the host in NO_PROXY",
    ),
    NotSent.PROXY_REFUSED: Meaning(
        Verdict.REFUSED,
        "the proxy that {proxy} names refuses to connect to {host}",
        "check the user name and the password in {proxy}, and what the proxy allows",
    ),
    NotSent.PROXY_WITHOUT_TLS: Meaning(
        Verdict.REFUSED,
        "no TLS connection to the proxy that {proxy} names as https:// can be made",
        "write http:// if the proxy itself takes no TLS, as most do; otherwise name its CA "
        "certificates in REQUESTS_CA_BUNDLE",
    ),
    NotSent.WRONG_PROXY: Meaning(
        Verdict.REFUSED,
        "the address of a proxy in {proxy} is not valid",
        "write it as http://HOST:PORT, without quotation marks",
    ),
    NotSent.WRONG_BUNDLE: Meaning(
        Verdict.REFUSED,
        "{proxy} in the environment names no CA certificates that can be read",
        "correct or unset it",
    ),
    NotSent.NO_SOCKS: Meaning(
        Verdict.REFUSED,
        "{proxy} names a SOCKS proxy, for which the Python package PySocks is missing",
        "install it beside Certbot (pip install PySocks; python3-socks on Debian), or name an "
        "HTTP proxy",
    ),
    NotSent.NO_TURN: Meaning(
        Verdict.RETRY,
        "calls to {host} took so long that others never had their turn",
        "check the network between here and there, or " + _LATER,
    ),
    NotSent.TLS_REFUSED: Meaning(
        Verdict.REFUSED,
        "what answers on port {port} of {host} speaks no TLS, or none that is new enough",
        "check for a proxy or a firewall in between; TLS 1.2 or newer is needed",
    ),
    NotSent.TLS_FAILED: Meaning(
        Verdict.RETRY,
        "no TLS connection to {host} can be made",
        "check for a proxy or a firewall that breaks TLS",
    ),
    NotSent.CERTIFICATE_REFUSED: Meaning(
        Verdict.REFUSED,
        "the TLS certificate shown for {host} is not one to trust",
        "most often a proxy that inspects TLS is in between: let it pass this host, or name its "
        "CA certificates in REQUESTS_CA_BUNDLE",
    ),
    NotSent.CERTIFICATE_EXPIRED: Meaning(
        Verdict.REFUSED,
        "the TLS certificate shown for {host} has expired",
        "check the clock of this machine, and for a proxy in between that shows certificates of "
        "its own",
    ),
    NotSent.CERTIFICATE_NOT_YET_VALID: Meaning(
        Verdict.REFUSED,
        "the TLS certificate shown for {host} is not valid yet",
        "check the clock of this machine (timedatectl set-ntp true)",
    ),
    NotSent.CERTIFICATE_OF_ANOTHER: Meaning(
        Verdict.REFUSED,
        "the TLS certificate shown for {host} is for another host",
        "check what this machine takes for the address of {host} (the resolver, /etc/hosts), and "
        "for a captive portal or a proxy in between",
    ),
    NotSent.WRONG_SET_UP: Meaning(
        Verdict.REFUSED,
        "HTTPS_PROXY or REQUESTS_CA_BUNDLE in the environment is not valid",
        "correct or unset it",
    ),
    # Where the access key itself comes from somewhere.
    NotCalled.NO_CREDENTIALS: Meaning(
        Verdict.REFUSED,
        "{origin} gives no access key{detail}",
        "check its settings, which docs/credentials.rst explains",
    ),
    NotCalled.UNSAFE_FILE: Meaning(
        Verdict.REFUSED,
        "{origin} is not used, since others can change what it reads{detail}",
        "let that belong to the user who runs Certbot, or to root, and be writable for nobody else "
        "(chown, chmod go-w)",
    ),
    NotCalled.PROFILE_NOT_WRITABLE: Meaning(
        Verdict.REFUSED,
        "{origin} is not used, since its next refresh token could not be stored{detail}",
        "let Certbot replace that file, or use another kind of credentials",
    ),
    NotCalled.CREDENTIALS_NOT_YET: Meaning(
        Verdict.RETRY,
        "{origin} kept failing to give an access key{detail}",
        _LATER,
    ),
    NotCalled.NOT_ON_ECS: Meaning(
        Verdict.RETRY,
        "the metadata service cannot be reached: this machine is no ECS instance, or its network "
        "does not work",
        "use another kind of credentials, or " + _LATER,
    ),
    NotCalled.WRONG_CLOCK: Meaning(
        Verdict.REFUSED,
        "{origin} gives no access key, since the clock of this machine is wrong{detail}",
        _SET_CLOCK,
    ),
    NotCalled.NO_ACCOUNT: Meaning(
        Verdict.NOT_HERE,
        "the credentials file has no credentials for the zone {zone}",
        "add a section [{zone}] with those of its account",
    ),
    NotCalled.CALLED_OFF: Meaning(
        Verdict.REFUSED, "the run was called off before that was done", "run Certbot again"
    ),
}

#: Seconds by which a clock may be off before that is worth a number.
_MINUTE = 60.0

_THROTTLING = re.compile(r"throttling|flow ?control|too ?many ?requests", re.IGNORECASE)
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,79}", re.ASCII)
_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)


def meaning_of(code: Code, status: int) -> Meaning:
    """Judge an error reply by its code; by its HTTP status only where the code says nothing."""
    if not isinstance(code, str) or code in MEANINGS:
        return MEANINGS[code]
    if _THROTTLING.search(code) or status == 429:
        return _THROTTLED
    if status >= 500:
        return _PASSING
    if code.startswith(("InvalidAccessKeyId", "Forbidden.AccessKey")):
        return _WRONG_KEY
    if code.startswith("InvalidSecurityToken"):
        return _WRONG_TOKEN
    if code.startswith("NoPermission"):
        return _DENIED
    if code.startswith("Forbidden"):
        return _FORBIDDEN
    if code.startswith("QuotaExceeded"):
        return MEANINGS["QuotaExceeded.Record"]
    return _UNKNOWN


def _visible(text: str) -> str:
    """Give a text, paths of other tools' files among it, without what moves a cursor."""
    return "".join(each if each.isprintable() else "?" for each in text)


def clean_code(text: object) -> str:
    """Give an error code that came over the wire, or nothing for what cannot be one."""
    return text if isinstance(text, str) and _CODE.fullmatch(text) else ""


def clean_request_id(text: object) -> str:
    """Give a request id that came over the wire, or nothing for what cannot be one."""
    return text if isinstance(text, str) and _REQUEST_ID.fullmatch(text) else ""


class AlidnsError(Exception):
    """A call that did not succeed: a value, which several threads and sentences may share.

    It holds nothing of the server's message, which may echo the access key id and the token.

    :ivar code: Alidns' error code, or what kept the API from answering
    :ivar origin: where the access key came from
    :ivar retry_after: seconds that the server asked to wait, if it did
    :ivar proxy: the environment variable that names the proxy, or CA certificates at fault
    :ivar maybe_done: whether this call, or one before it, may have been carried out after all; if
        not told, what the code says of this call
    :ivar maybe_late: whether one that got no reply in time may be carried out yet
    :ivar may_come_again: whether that is so even where the record of another one is found
    """

    code: Code
    action: str
    host: str
    zone: str
    status: int
    request_id: str
    retry_after: float | None
    clock_offset: float | None
    origin: str
    detail: str
    proxy: str
    maybe_done: bool
    maybe_late: bool
    may_come_again: bool

    def __init__(
        self,
        code: Code,
        action: str = "",
        *,
        host: str = "",
        zone: str = "",
        status: int = 0,
        request_id: str = "",
        retry_after: float | None = None,
        clock_offset: float | None = None,
        origin: str = "",
        detail: str = "",
        proxy: str = "",
        maybe_done: bool | None = None,
        maybe_late: bool = False,
        may_come_again: bool = False,
    ) -> None:
        super().__init__(f"{action} {code if isinstance(code, str) else code.value}")
        if maybe_done is None:
            meaning = meaning_of(code, status)
            maybe_done = meaning.verdict is Verdict.UNCLEAR or meaning is _UNKNOWN
        vars(self).update(
            code=code,
            action=action,
            host=host,
            zone=zone,
            status=status,
            request_id=request_id,
            retry_after=retry_after,
            clock_offset=clock_offset,
            origin=origin,
            detail=detail,
            proxy=proxy,
            maybe_done=maybe_done,
            maybe_late=maybe_late,
            may_come_again=may_come_again,
        )

    def __setattr__(self, name: str, value: object) -> None:
        """Leave the facts as they are; Python notes traceback and context at an exception."""
        if not name.startswith("__"):
            raise AttributeError(f"{name} is a fact; with_() gives an error with another one")
        super().__setattr__(name, value)

    def with_(self, **facts: Any) -> AlidnsError:
        """Give the same error, with some facts in place of its own, to be raised anew."""
        return AlidnsError(**{**vars(self), **facts})

    @property
    def meaning(self) -> Meaning:
        """What its code means."""
        return meaning_of(self.code, self.status)

    @property
    def verdict(self) -> Verdict:
        """What is to be done about it."""
        return self.meaning.verdict

    @property
    def is_about_one_name(self) -> bool:
        """Whether the zone or the name is why it was refused, for good, and other names may do."""
        if not isinstance(self.code, str):
            return self.code is NotCalled.NO_ACCOUNT
        return self.verdict not in _OF_ALL_CALLS and self.code not in _WRONGLY_SIGNED

    def because(self) -> tuple[str, str]:
        """Give the reason, with the code behind it, and the advice for the user."""
        host, _, port = self.host.partition(":")
        offset = self.clock_offset or 0.0
        facts = {
            "zone": self.zone,
            "action": self.action,
            "host": host,
            "port": port or "443",
            "origin": self.origin,
            "key": f"the access key from {self.origin}" if self.origin else "the access key",
            "proxy": _visible(self.proxy) or "HTTPS_PROXY",
            "source": self.origin or "the credentials",
            "detail": f" ({_visible(self.detail)})" if self.detail else "",
            "status": f" (HTTP status {self.status})" if self.status else "",
            "clock": f" by {abs(offset):.0f} seconds" if abs(offset) > _MINUTE else "",
        }
        reason = self.meaning.reason.format(**facts) + self.details
        return reason, self.meaning.advice.format(**facts)

    @property
    def details(self) -> str:
        """The code and the request id, in parentheses, to be put behind a reason."""
        details = [self.code] if isinstance(self.code, str) else []
        if self.request_id:
            details.append(f"request id {self.request_id}")
        return f" ({', '.join(details)})" if details else ""


#: Verdicts that no zone is to blame for, or not for good.
_OF_ALL_CALLS = PASSING | {Verdict.RENEW}
#: Codes about what signs all calls.
_WRONGLY_SIGNED = frozenset(
    {
        "SignatureDoesNotMatch",
        "InvalidAccessKeySecret",
        "IncompleteSignature",
        "InvalidTimeStamp.Expired",
        "MissingSecurityToken",
    }
)


def sentence(what: str, error: AlidnsError) -> str:
    """Say in one sentence what could not be done, why, and what to do.

    :param what: the deed and its object, as in ``The TXT record … could not be added``
    """
    reason, advice = error.because()
    return f"{what}: {reason}; {advice}."
