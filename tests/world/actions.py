"""What the Alidns actions do to the zones, once a call is admitted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from .ram import Key
from .records import Record, Records, Zone, ascii_name
from .rpc import ApiError, require
from .search import find_records, page

Params = Mapping[str, str]
Body = dict[str, Any]

WRITES = ("AddDomainRecord", "DeleteDomainRecord", "UpdateDomainRecord")
TYPES = ("A", "AAAA", "CAA", "CNAME", "MX", "NS", "SRV", "TXT", "REDIRECT_URL", "FORWARD_URL")
SUFFIXES = ("com.cn", "net.cn", "org.cn", "gov.cn", "co.uk", "com.hk")
CJK = "\u4e00-\u9fff\u3040-\u30ff\uac00-\ud7af"


@dataclass
class Alidns:
    """The actions on one set of zones. `ram_first`: a name outside the policy is forbidden
    before anyone looks whether it exists; `forbidden_status`: both have been seen."""

    records: Records
    ram_first: bool = True
    forbidden_status: int = 403

    def act(self, action: str, key: Key, params: Params) -> Body:
        acts = {
            "AddDomainRecord": self._add,
            "DeleteDomainRecord": self._delete,
            "UpdateDomainRecord": self._update,
            "DescribeDomainRecords": self._describe_records,
            "DescribeSubDomainRecords": self._describe_sub_domain,
            "DescribeDomainRecordInfo": self._describe_record,
            "DescribeDomains": self._describe_domains,
        }
        if action not in acts:
            raise ApiError("InvalidAction.NotFound", status=404)
        return acts[action](key, params)

    def _add(self, key: Key, params: Params) -> Body:
        require(params, "DomainName", "RR", "Type", "Value")
        zone = self._zone("AddDomainRecord", key, params["DomainName"])
        new = Record(
            zone.name,
            params["RR"],
            params["Type"].upper(),
            params["Value"],
            _ttl(zone, params),
            params.get("Line") or "default",
        )
        _check_writable(zone)
        _check_syntax(new)
        _check_neighbours(zone, new)
        record = zone.add(new.rr, new.value, new.type, ttl=new.ttl, line=new.line, added_by=key.id)
        return {"RecordId": record.id}

    def _delete(self, key: Key, params: Params) -> Body:
        zone, record = self._record("DeleteDomainRecord", key, params)
        _check_writable(zone)
        zone.remove(record)
        return {"RecordId": record.id}

    def _update(self, key: Key, params: Params) -> Body:
        require(params, "RR", "Type", "Value")
        zone, old = self._record("UpdateDomainRecord", key, params)
        _check_writable(zone)
        new = Record(zone.name, params["RR"], params["Type"].upper(), params["Value"])
        new.ttl = _ttl(zone, params)
        _check_syntax(new)
        same = (new.rr, new.type, new.value, new.ttl) == (old.rr, old.type, old.value, old.ttl)
        if same:
            raise ApiError("DomainRecordDuplicate")
        zone.remove(old)
        zone.add(new.rr, new.value, new.type, ttl=new.ttl, added_by=old.added_by, id=old.id)
        return {"RecordId": old.id}

    def _describe_records(self, key: Key, params: Params) -> Body:
        require(params, "DomainName")
        zone = self._zone("DescribeDomainRecords", key, params["DomainName"])
        return _listing(zone, find_records(zone.alive(), params), params, 500)

    def _describe_sub_domain(self, key: Key, params: Params) -> Body:
        require(params, "SubDomain")
        host = params["SubDomain"].lower()
        name = params.get("DomainName") or ".".join(host.split(".")[-2:])
        zone = self._zone("DescribeSubDomainRecords", key, name)
        found = [
            record
            for record in zone.beside(_relative(host, zone.name))
            if params.get("Type", record.type).upper() == record.type
        ]
        return _listing(zone, found[::-1], params, 100)

    def _describe_record(self, key: Key, params: Params) -> Body:
        zone, record = self._record("DescribeDomainRecordInfo", key, params)
        return _wire(zone, record)

    def _describe_domains(self, key: Key, params: Params) -> Body:
        self._allow("DescribeDomains", key, "*")
        keyword = params.get("KeyWord", "").lower()
        exact = params.get("SearchMode", "LIKE").upper() == "EXACT"
        mine = [
            zone
            for zone in self.records.zones.values()
            if zone.account == key.account
            and (not keyword or keyword == zone.name or (not exact and keyword in zone.name))
        ]
        body = page(mine, params, 100)
        body["Domains"] = {"Domain": [_wire_zone(zone) for zone in body.pop("page")]}
        return body

    def _zone(self, action: str, key: Key, name: str) -> Zone:
        if self.ram_first:
            self._allow(action, key, f"domain/{name}", f"domain/{name.lower()}")
        zone = self.records.known_as(name.lower())
        if zone is None:
            _check_domain_name(name)
            raise ApiError("InvalidDomainName.NoExist")
        if zone.account != key.account:
            raise ApiError("IncorrectDomainUser")
        self._allow(action, key, f"domain/{zone.name}", f"domain/{zone.apex}")
        return zone

    def _record(self, action: str, key: Key, params: Params) -> tuple[Zone, Record]:
        require(params, "RecordId")
        record = self.records.find(params["RecordId"])
        zone = self.records.zones[record.zone] if record else None
        if zone is not None and zone.account == key.account:
            self._allow(action, key, f"domain/{zone.name}", f"domain/{zone.apex}")
        if zone is None or record is None or not record.alive or zone.account != key.account:
            raise ApiError("DomainRecordNotBelongToUser")
        return zone, record

    def _allow(self, action: str, key: Key, *resources: str) -> None:
        spelled = []
        for resource in resources:
            spelled.append(f"acs:alidns::{key.account}:{resource}")
            if resource.isascii():
                continue
            kind, _, name = resource.partition("/")
            with suppress(UnicodeError):
                spelled.append(f"acs:alidns::{key.account}:{kind}/{ascii_name(name)}")
        if not key.allows(f"alidns:{action}", spelled):
            detail = {
                "AuthAction": f"alidns:{action}",
                "AuthPrincipalType": "SubUser",
                "AuthPrincipalOwnerId": key.account,
                "AuthPrincipalDisplayName": "2" + "0" * 17,
                "EncodedDiagnosticMessage": "AQEAAAAAYWNz",
                "NoPermissionType": "ImplicitDeny",
                "PolicyType": "AccountLevelIdentityBasedPolicy",
            }
            raise ApiError(
                "Forbidden.RAM",
                status=self.forbidden_status,
                extra={"AccessDeniedDetail": detail},
            )


def _listing(zone: Zone, found: list[Record], params: Params, largest: int) -> Body:
    body = page(found, params, largest)
    body["DomainRecords"] = {"Record": [_wire(zone, record) for record in body.pop("page")]}
    return body


def _wire(zone: Zone, record: Record) -> Body:
    return {
        "RR": ascii_name(record.rr) if zone.a_labels else record.rr,
        "Line": record.line,
        "Status": record.status,
        "Locked": False,
        "Type": record.type,
        "DomainName": zone.apex if zone.a_labels else zone.name,
        "Value": record.value,
        "RecordId": record.id,
        "TTL": record.ttl,
        "Weight": 1,
        **({"CreateTimestamp": int(record.created_at * 1000)} if record.created_at else {}),
    }


def _wire_zone(zone: Zone) -> Body:
    return {
        "DomainName": zone.name,
        "PunyCode": zone.apex,
        "DomainId": f"00efd71a-{abs(hash(zone.name)) % 10**8:08d}",
        "AliDomain": True,
        "DnsServers": {"DnsServer": list(zone.ns_names)},
        "VersionCode": "mianfei",
        "VersionName": "Alibaba Cloud DNS",
        "InstanceId": "",
        "InstanceExpired": zone.expired,
        "RecordCount": len(zone.alive()),
        "GroupId": "",
        "ResourceGroupId": "rg-acfm000000000000",
        "Tags": {"Tag": []},
    }


def _relative(host: str, zone: str) -> str:
    if host == zone:
        return "@"
    return host[: -len(zone) - 1] if host.endswith("." + zone) else host


def _ttl(zone: Zone, params: Params) -> int:
    try:
        ttl = int(params.get("TTL") or 600)
    except ValueError:
        raise ApiError("InvalidTTL", "Specified parameter TTL is not valid.") from None
    if ttl < 1:
        raise ApiError("InvalidTTL", "Specified parameter TTL is not valid.")
    if not zone.min_ttl <= ttl <= 86400:
        raise ApiError("QuotaExceeded.TTL")
    return ttl


def _check_domain_name(name: str) -> None:
    labels = name.split(".")
    wrong = len(labels) < 2 or name.lower() in SUFFIXES
    if wrong or any(not label or label.startswith("_") or len(label) > 63 for label in labels):
        raise ApiError("InvalidDomainName.Format")


def _check_writable(zone: Zone) -> None:
    if zone.expired:
        raise ApiError("Forbidden.DomainExpired")
    if zone.locked:
        raise ApiError("Forbidden.DomainLocked")


def _check_syntax(record: Record) -> None:
    if record.type not in TYPES:
        raise ApiError("InvalidParameter", "Specified parameter Type is not valid.")
    if not _rr_accepted(record.rr):
        raise ApiError("SubDomainInvalid.RR")
    if record.type == "TXT" and len(record.value) > 511:
        raise ApiError("SubDomainInvalid.Value")


def _rr_accepted(rr: str) -> bool:
    """Letters, digits and CJK; other scripts are refused, as A-labels too."""
    for label in rr.split("."):
        if label.lower().startswith("xn--"):
            try:
                label = label[4:].encode().decode("punycode")
            except UnicodeError:
                return False
        if not re.fullmatch(rf"@|\*|[\w{CJK}-]{{1,63}}", label, re.ASCII):
            return False
    return len(rr) <= 253


def _check_neighbours(zone: Zone, new: Record) -> None:
    beside = [record for record in zone.beside(new.rr) if record.line == new.line]
    alike = [record for record in beside if record.type == new.type]
    if any(record.value == new.value for record in alike):
        raise ApiError("DomainRecordDuplicate")
    lonely = ("CNAME", "NS")
    others = [record for record in beside if record.type != new.type]
    if any(record.type in lonely for record in others) or (new.type in lonely and others):
        raise ApiError("DomainRecordConflict")
    if len(alike) >= (1 if new.type == "CNAME" else zone.quota):
        raise ApiError("QuotaExceeded.Record")
