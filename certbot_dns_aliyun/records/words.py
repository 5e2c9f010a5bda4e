"""What the user is told of a record that may be left."""

from __future__ import annotations

_CANNOT_LIST = (
    "the access key lacks the permission alidns:DescribeDomainRecords on "
    "acs:alidns:*:*:domain/{}, with which it could be found"
)


def cannot_list(zone: str) -> str:
    """Say why a record whose id is not known, or not the key's, cannot be looked for."""
    return _CANNOT_LIST.format(zone)


def by_hand(
    zone: str, rr: str, record_id: str | None, may_be_none: bool, is_listed: bool = True
) -> str:
    """Say how to remove a record: what stands behind a sentence about one that may be left.

    :param may_be_none: whether the zone may be none of the account's
    :param is_listed: whether a journal lists it for the next run
    """
    how = "The next run that adds records tries to remove it; by hand" if is_listed else "By hand"
    where = f" {how}: zone {zone}, RR {rr}, "
    if record_id:
        command = f"aliyun alidns DeleteDomainRecord --RecordId {record_id}"
        return f"{where}record id {record_id}, with `{command}`."
    if_none = " There is nothing to remove if the account has no such zone." if may_be_none else ""
    return f"{where}in the Alibaba Cloud DNS console, https://dns.console.aliyun.com/.{if_none}"
