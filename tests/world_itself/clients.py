"""Clients for the world's own tests: the SDK's signing, sent by requests; dnspython; sockets."""

from __future__ import annotations

import socket
import time
from typing import Any

import dns.message
import dns.query
import dns.rdatatype
import requests
from aliyunsdkcore.request import RpcRequest

from tests.world import Key, World
from tests.world.ca import certificates


class Client:
    def __init__(self, world: World, key: Key | None = None) -> None:
        self.key = key or world.key
        self.session = requests.Session()
        self.session.trust_env = False
        bundle = world.folder / "client-ca.pem"
        certificates().cert_pem.write_to_path(str(bundle))
        self.session.verify = str(bundle)

    def signed(self, action: str, **params: object) -> str:
        request = RpcRequest("Alidns", "2015-01-09", action)
        request.set_method("POST")
        request.set_accept_format(params.pop("Format", "JSON"))
        for name, value in params.items():
            request.add_query_param(name, value)
        if self.key.token:
            request.add_query_param("SecurityToken", self.key.token)
        url: str = request.get_url("cn-hangzhou", self.key.id, self.key.secret)
        return url.partition("?")[2]

    def send(self, body: str, timeout: float = 5.0) -> requests.Response:
        return self.session.post(
            "https://alidns.aliyuncs.com/",
            data=body.encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            timeout=timeout,
            allow_redirects=False,
        )

    def call(self, action: str, **params: object) -> dict[str, Any]:
        """The reply's body, of success or failure."""
        body: dict[str, Any] = self.send(self.signed(action, **params)).json()
        return body

    def add(self, rr: str, value: str, zone: str = "example.com", **more: object) -> dict[str, Any]:
        wanted = {"DomainName": zone, "RR": rr, "Type": "TXT", "Value": value, **more}
        return self.call("AddDomainRecord", **wanted)

    def delete(self, record_id: str) -> dict[str, Any]:
        return self.call("DeleteDomainRecord", RecordId=record_id)

    def values(self, zone: str = "example.com", **search: object) -> list[str]:
        reply = self.call("DescribeDomainRecords", DomainName=zone, **search)
        return [record["Value"] for record in reply["DomainRecords"]["Record"]]


def ask(address: str, name: str, type: str = "TXT", **more: Any) -> dns.message.Message:
    question = dns.message.make_query(name, type)
    reply, _ = dns.query.udp_with_fallback(question, address, timeout=more.pop("timeout", 2))
    return reply


def texts(address: str, name: str) -> list[str]:
    reply = ask(address, name)
    return sorted(
        b"".join(rdata.strings).decode()
        for rrset in reply.answer
        if rrset.rdtype == dns.rdatatype.TXT
        for rdata in rrset
    )


def packets(
    address: str, name: str, type: str = "TXT", seconds: float = 0.3, enough: int = 1, **more: Any
) -> list[tuple[float, bytes]]:
    """All that comes back for one question over UDP, and when, until it is enough or time is up;
    `more` is for make_query."""
    question = dns.message.make_query(name, type, **{"use_edns": 0, **more})
    found: list[tuple[float, bytes]] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        began = time.monotonic()
        sock.sendto(question.to_wire(), (address, 53))
        while len(found) < enough and time.monotonic() < began + seconds:
            sock.settimeout(max(0.001, began + seconds - time.monotonic()))
            try:
                data = sock.recv(65535)
            except TimeoutError:
                break
            found.append((time.monotonic() - began, data))
    return found
