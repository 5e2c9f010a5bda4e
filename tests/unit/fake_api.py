"""Alidns as a table in memory, behind the HTTP session: no sockets, no signatures, any fault.

The server over TLS in tests/world is the real check of the wire; this one is for tests of many
steps, with time under control.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import urllib.parse
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Callable, Union

import pytest
import requests

import certbot_dns_aliyun.alidns.call
from certbot_dns_aliyun.https import Reply
from certbot_dns_aliyun.unanswered import Lost, MaybeDoneError, NotSent, NotSentError
from tests.unit.fake_time import Clock

KEY_ID = "LTAI5tUnitTestsKeyId"
SECRET = "UnitTestsSecretAccessKey"

#: What a fault gives instead of the reply; raising it loses the reply.
Instead = Union[requests.Response, BaseException]


@dataclass
class Record:
    id: str
    rr: str
    value: str
    type: str = "TXT"

    @property
    def key(self) -> tuple[str, str, str]:
        return self.rr.lower(), self.type, self.value


@dataclass
class Fault:
    """One call that goes wrong: ``instead`` of its reply, the server having ``acted`` or not."""

    instead: Callable[[], Instead]
    acted: bool = False
    action: str = ""


@dataclass
class Call:
    action: str
    parameters: dict[str, str]
    at: float


@dataclass
class FakeApi:
    """Stands in for :func:`certbot_dns_aliyun.https.exchange`."""

    clock: Clock
    #: Zones of this account, by the name that the API knows.
    zones: dict[str, list[Record]] = field(default_factory=dict)
    #: Zones of other accounts, by the ids of their keys.
    others: dict[str, dict[str, list[Record]]] = field(default_factory=dict)
    #: What the API says of any other zone.
    no_zone: str = "InvalidDomainName.NoExist"
    may_list: bool = True
    page_limit: int = 500
    #: Consumed one a call, by the first call that each one fits.
    faults: deque[Fault] = field(default_factory=deque)
    #: While this says so, no call reaches the server.
    is_dead: bool = False
    calls: list[Call] = field(default_factory=list)
    #: What it carries out at a later time.
    coming: list[tuple[float, Callable[[], object]]] = field(default_factory=list)
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(900_000_000_000_000_000))

    @contextlib.contextmanager
    def in_place(self) -> Iterator[FakeApi]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(certbot_dns_aliyun.alidns.call, "exchange", self.exchange)
            yield self

    def actions(self) -> list[str]:
        return [call.action for call in self.calls]

    def values(self, zone: str) -> list[str]:
        return [record.value for record in self.zones[zone]]

    def add(self, zone: str, rr: str, value: str, kind: str = "TXT") -> Record:
        record = Record(str(next(self._ids)), rr, value, kind)
        self.zones[zone].append(record)
        return record

    def exchange(self, method: str, url: str, *, body: bytes, **_: Any) -> Reply:
        response = self.post(url, data=body)
        return Reply(response.status_code, response.headers, response.content)

    def post(self, url: str, data: bytes, **_: Any) -> requests.Response:
        parameters = dict(urllib.parse.parse_qsl(data.decode("ascii"), keep_blank_values=True))
        action = parameters["Action"]
        self.clock.sleep(0.05)
        self.calls.append(Call(action, parameters, self.clock.now))
        self.carry_out_what_is_due()
        if self.is_dead:
            raise no_reply()
        fault = next((f for f in self.faults if f.action in ("", action)), None)
        if fault:
            self.faults.remove(fault)
        reply = None if fault and not fault.acted else self._act(action, parameters)
        instead = fault.instead() if fault else reply
        if isinstance(instead, BaseException):
            raise instead
        assert instead is not None
        return instead

    def carry_out_what_is_due(self) -> None:
        due = [each for each in self.coming if each[0] <= self.clock.now]
        self.coming = [each for each in self.coming if each not in due]
        for _, act in due:
            act()

    def no_reply_but_done(self, after: float) -> Callable[[], BaseException]:
        """A fault: the client gives a call up after 10 seconds, and it is carried out later."""

        def instead() -> BaseException:
            call = self.calls[-1]
            self.coming.append((call.at + after, lambda: self._act(call.action, call.parameters)))
            self.clock.sleep(10.0)
            return no_reply()

        return instead

    def _act(self, action: str, parameters: dict[str, str]) -> requests.Response:
        zones = self.others.get(parameters["AccessKeyId"], self.zones)
        if action == "DeleteDomainRecord":
            return self._delete(zones, parameters["RecordId"])
        zone = zones.get(parameters["DomainName"])
        if zone is None:
            return error(self.no_zone)
        if action == "AddDomainRecord":
            return self._add(zone, parameters)
        assert action == "DescribeDomainRecords", action
        return self._list(zone, parameters) if self.may_list else error("Forbidden.RAM", 403)

    def _add(self, zone: list[Record], parameters: dict[str, str]) -> requests.Response:
        new = Record(str(next(self._ids)), *(parameters[name] for name in ("RR", "Value", "Type")))
        if any(record.key == new.key for record in zone):
            return error("DomainRecordDuplicate")
        zone.append(new)
        return reply(RecordId=new.id)

    def _delete(self, zones: dict[str, list[Record]], record_id: str) -> requests.Response:
        for zone in zones.values():
            for record in zone:
                if record.id == record_id:
                    zone.remove(record)
                    return reply(RecordId=record_id)
        return error("DomainRecordNotBelongToUser")

    def _list(self, zone: list[Record], parameters: dict[str, str]) -> requests.Response:
        rr, value, kind = (
            parameters.get(f"{name}KeyWord", "").lower() for name in ("RR", "Value", "Type")
        )
        found = [
            {"RecordId": r.id, "RR": r.rr, "Type": r.type, "Value": r.value, "Status": "ENABLE"}
            for r in reversed(zone)
            if rr in r.rr.lower() and value in r.value.lower()
            if kind in ("", r.type.lower())
        ]
        size = min(int(parameters["PageSize"]), self.page_limit)
        first = (int(parameters["PageNumber"]) - 1) * size
        return reply(TotalCount=len(found), DomainRecords={"Record": found[first : first + size]})


def carried_out_later(api: FakeApi, change: Callable[[], object]) -> list[str]:
    """Changes what the API knows a second after the next call; gives the calls, as they come."""
    real, actions, at = api._act, [], api.clock.now + 3600.0

    def act(action: str, parameters: dict[str, str]) -> requests.Response:
        nonlocal at
        if api.clock.now >= at:
            change()
            at += 3600.0
        if not actions:
            at = api.clock.now + 1.0
        actions.append(action)
        return real(action, parameters)

    api._act = act  # type: ignore[method-assign]
    return actions


def response(status: int, body: bytes, **headers: str) -> requests.Response:
    made = requests.Response()
    made.status_code = status
    made.headers.update({name.replace("_", "-"): text for name, text in headers.items()})
    made.raw = io.BytesIO(body)
    return made


def reply(**fields: Any) -> requests.Response:
    return response(200, json.dumps({"RequestId": "0D5E-1", **fields}).encode())


def error(code: str, status: int = 400, **headers: str) -> requests.Response:
    # The real one's messages may echo the key, so this one's do, always.
    message = f"Specified signature of {KEY_ID} and {SECRET}."
    body = {"RequestId": "0D5E-2", "HostId": "alidns", "Code": code, "Message": message}
    return response(status, json.dumps(body).encode(), **headers)


def html(status: int = 502) -> requests.Response:
    return response(status, f"<html>Bad gateway {KEY_ID}</html>".encode())


def lost() -> BaseException:
    return MaybeDoneError(Lost.CONNECTION_LOST)


def no_reply() -> BaseException:
    return MaybeDoneError(Lost.NO_REPLY)


def no_connection() -> BaseException:
    return NotSentError(NotSent.NO_CONNECTION)
