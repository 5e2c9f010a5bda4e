"""The Alidns API server: HTTPS, signed calls, a log of everything, faults on demand.

Each call goes: fault "before" or none, admission (key, clock, signature, nonce, rate),
the wait that a call takes, the action, fault "after" or none. A new connection takes
`connect_seconds` before it is good for its first call.
"""

from __future__ import annotations

import asyncio
import ssl
import time
import weakref
from collections import deque
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web

from . import rpc
from .actions import WRITES, Alidns
from .faults import Fault, Faults, play
from .ram import Key
from .records import Records
from .webserver import LoopThread, WebServer

HOST = "alidns.aliyuncs.com"
ADDRESS = "127.0.0.80"
NOT_LOGGED = ("AccessKeyId", "Signature", "SecurityToken")


@dataclass
class Call:
    """One call as the server saw it. `code` is "OK", an error's, or the kind of the fault that
    took the reply's place, and None while the call is under way; `acted` tells what was done."""

    action: str
    params: dict[str, str]
    key_id: str
    connection: int
    method: str
    in_query: list[str]
    headers: dict[str, str]
    sni: str | None
    tls: str | None
    started: float = field(default_factory=time.monotonic)
    ended: float | None = None
    code: str | None = None
    acted: bool = False
    fault: str | None = None
    zone: str | None = None
    rr: str | None = None


class AlidnsServer:
    def __init__(
        self,
        loop: LoopThread,
        records: Records,
        tls: ssl.SSLContext,
        address: str = ADDRESS,
        call_seconds: float = 0.0,
        connect_seconds: float = 0.0,
        one_write_at_a_time: bool = False,
        calls_per_second: float | None = None,
    ) -> None:
        self.records = records
        self.actions = Alidns(records)
        self.keys: dict[str, Key] = {}
        self.calls: list[Call] = []
        self.signatures: set[str] = set()
        self.faults = Faults()
        self.broken: list[Exception] = []
        self.call_seconds = call_seconds
        self.connect_seconds = connect_seconds
        self.one_write_at_a_time = one_write_at_a_time
        self.calls_per_second = calls_per_second
        self.clock_offset = 0.0
        self.tls = tls
        tls.sni_callback = _remember_sni
        self.web = WebServer(loop, self._handle, address, 443, tls)
        self._nonces: set[str] = set()
        self._admitted: dict[str, deque[float]] = {}
        self._being_written: set[str] = set()

    @property
    def connections(self) -> int:
        return self.web.connections

    def add_key(self, key: Key) -> Key:
        self.keys[key.id] = key
        return key

    def fault(self, kind: str, action: str | None = None, **more: Any) -> Fault:
        """Plan a fault; see faults.Fault for what can be said."""
        return self.faults.add(kind, action, **more)

    def calls_of(self, *actions: str) -> list[Call]:
        return [call for call in list(self.calls) if call.action in actions]

    def refuse_connections(self) -> None:
        self.web.refuse_connections()

    def black_hole(self) -> None:
        self.web.black_hole()

    def listen(self) -> None:
        self.web.listen()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._serve(request)
        except (ConnectionError, asyncio.CancelledError):
            raise
        except Exception as error:
            self.broken.append(error)
            raise

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        connection, accepted = self.web.connection_of(request)
        await asyncio.sleep(accepted + self.connect_seconds - time.monotonic())
        in_query = _pairs(urlsplit(request.raw_path).query)
        params = {**in_query, **_pairs((await request.read()).decode("utf-8", "replace"))}
        if not params:  # somebody who looks at the clock
            return self._dated(web.Response(status=400))
        call = self._log(request, connection, params, list(in_query))
        fault = self.faults.take(call.action, call.zone, call.rr)
        call.fault = fault.kind if fault else None
        before = fault is not None and fault.moment == "before"
        reply = await self._answer(call, params, request.method, fault if before else None)
        if fault is None:
            call.ended = time.monotonic()
            return self._dated(reply)
        if not before and fault.kind == "code":
            reply = self._error_reply(call, params, _error_of(fault), fault)
        if fault.kind not in ("code", "slow"):
            call.code = fault.kind
        try:
            return await play(fault, request, reply)
        finally:
            call.ended = time.monotonic()

    def _dated(self, reply: web.Response) -> web.Response:
        if self.clock_offset:
            reply.headers["Date"] = formatdate(time.time() + self.clock_offset, usegmt=True)
        return reply

    def _log(
        self, request: web.BaseRequest, connection: int, params: dict[str, str], query: list[str]
    ) -> Call:
        tls = request.transport and request.transport.get_extra_info("ssl_object")
        call = Call(
            action=params.get("Action", ""),
            params={key: value for key, value in params.items() if key not in NOT_LOGGED},
            key_id=params.get("AccessKeyId", ""),
            connection=connection,
            method=request.method,
            in_query=query,
            headers=dict(request.headers),
            sni=_asked_names.get(tls) if tls else None,
            tls=tls.version() if tls else None,
        )
        call.zone, call.rr = params.get("DomainName"), params.get("RR") or params.get("RRKeyWord")
        record = self.records.find(params.get("RecordId", ""))
        if record is not None:
            call.zone, call.rr = record.zone, record.rr
        self.signatures.add(params.get("Signature", ""))
        self.calls.append(call)
        return call

    async def _answer(
        self, call: Call, params: dict[str, str], method: str, fault: Fault | None
    ) -> web.Response:
        error: rpc.ApiError | None = None
        marked = False
        try:
            if fault is not None:
                raise _error_of(fault)
            key = self._admit(params, method)
            marked = self._begin_write(call)
        except rpc.ApiError as problem:
            error = problem
        try:
            await asyncio.sleep(self.call_seconds)
            if error is not None:
                return self._error_reply(call, params, error, fault)
            return self._act(call, key, params)
        finally:
            if marked and call.zone is not None:
                self._being_written.discard(call.zone)

    def _act(self, call: Call, key: Key, params: dict[str, str]) -> web.Response:
        try:
            body = self.actions.act(call.action, key, params)
        except rpc.ApiError as error:
            return self._error_reply(call, params, error, None)
        call.acted, call.code = True, "OK"
        return _reply(200, {"RequestId": rpc.new_request_id(), **body}, params, call.action)

    def _admit(self, params: dict[str, str], method: str) -> Key:
        rpc.require(params, "Action", "Version", "AccessKeyId", "Signature", "Timestamp")
        rpc.require(params, "SignatureNonce", "SignatureMethod", "SignatureVersion")
        if params["Version"] != "2015-01-09":
            raise rpc.ApiError("InvalidVersion")
        key = self.keys.get(params["AccessKeyId"])
        if key is None:
            raise rpc.ApiError("InvalidAccessKeyId.NotFound")
        rpc.check_clock(params["Timestamp"], self.clock_offset)
        key.check_usable(params.get("SecurityToken"))
        rpc.check_signature(method, params, key.secret)
        if params["SignatureNonce"] in self._nonces:
            raise rpc.ApiError("SignatureNonceUsed")
        self._nonces.add(params["SignatureNonce"])
        self._check_rate(key.account)
        return key

    def _check_rate(self, account: str) -> None:
        if self.calls_per_second is None:
            return
        now = time.monotonic()
        admitted = self._admitted.setdefault(account, deque())
        while admitted and admitted[0] <= now - 1:
            admitted.popleft()
        if len(admitted) >= self.calls_per_second:
            raise rpc.ApiError("Throttling.User")
        admitted.append(now)

    def _begin_write(self, call: Call) -> bool:
        if not self.one_write_at_a_time or call.action not in WRITES or call.zone is None:
            return False
        if call.zone in self._being_written:
            raise rpc.ApiError("LastOperationNotFinished")
        self._being_written.add(call.zone)
        return True

    def _error_reply(
        self, call: Call, params: dict[str, str], error: rpc.ApiError, fault: Fault | None
    ) -> web.Response:
        call.code = error.code
        body = error.body(rpc.new_request_id(), HOST, "Alidns")
        reply = _reply(error.status, body, params, "Error")
        reply.headers.update(fault.headers if fault else {})
        return reply


_asked_names: weakref.WeakKeyDictionary[Any, str | None] = weakref.WeakKeyDictionary()


def _remember_sni(tls: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
    _asked_names[tls] = name


def _pairs(text: str) -> dict[str, str]:
    return dict(parse_qsl(text, keep_blank_values=True))


def _error_of(fault: Fault) -> rpc.ApiError:
    if fault.kind == "code":
        return rpc.ApiError(fault.code, fault.message, fault.status)
    return rpc.ApiError("ServiceUnavailable")


def _reply(status: int, body: dict[str, Any], params: dict[str, str], root: str) -> web.Response:
    root = root if root == "Error" else root + "Response"
    kind, data = rpc.encode(body, params.get("Format", "XML"), root)
    return web.Response(status=status, body=data, headers={"Content-Type": kind})
