"""The least RAM policy that the calls of this plugin need.

https://help.aliyun.com/document_detail/29788.html lists what RAM knows of Alibaba Cloud DNS.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from certbot_dns_aliyun.names import to_ascii, to_unicode

#: Add a record, and remove it by the id that the API gave.
ADD_AND_DELETE = ("alidns:AddDomainRecord", "alidns:DeleteDomainRecord")
#: Find a record whose id was lost, besides: after a lost reply, and after a killed run.
ADD_DELETE_AND_LIST = (*ADD_AND_DELETE, "alidns:DescribeDomainRecords")


def policy_for(
    zones: Iterable[str], actions: Iterable[str] = ADD_DELETE_AND_LIST
) -> dict[str, Any]:
    """Make the policy for a key that proves control of names in some zones.

    How RAM spells an internationalized zone is documented nowhere, so both spellings go in.

    :param zones: names of zones, as U-labels or A-labels
    :param actions: :data:`ADD_DELETE_AND_LIST`, or :data:`ADD_AND_DELETE` for a key that may not
        read the zones
    :returns: a policy document, ready for JSON
    :raises ValueError: if there is no zone
    """
    spellings = [
        spelling
        for zone in (to_ascii(zone).rstrip(".") for zone in zones)
        for spelling in dict.fromkeys((to_unicode(zone), zone))
    ]
    resources = [f"acs:alidns:*:*:domain/{zone}" for zone in dict.fromkeys(spellings)]
    if not resources:
        raise ValueError("a policy is for one zone at least")
    statement = {
        "Effect": "Allow",
        "Action": list(actions),
        "Resource": resources if len(resources) > 1 else resources[0],
    }
    return {"Version": "1", "Statement": [statement]}
