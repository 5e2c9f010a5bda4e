"""The calls that this plugin makes, as the SDK's request objects.

Each attempt takes a new object: signing writes nonce, time and signature into it.
"""

from __future__ import annotations

import uuid
from typing import Any

from aliyunsdkalidns.request.v20150109.AddDomainRecordRequest import AddDomainRecordRequest
from aliyunsdkalidns.request.v20150109.DeleteDomainRecordRequest import DeleteDomainRecordRequest
from aliyunsdkalidns.request.v20150109.DescribeDomainRecordsRequest import (
    DescribeDomainRecordsRequest,
)
from aliyunsdkcore.utils import parameter_helper

#: The lowest TTL that every plan of Alibaba Cloud DNS allows, in seconds.
#: https://help.aliyun.com/document_detail/29806.html
TTL = 600

#: The most records that one page of DescribeDomainRecords holds.
PAGE_SIZE = 500


def _nonce() -> str:
    return str(uuid.uuid4())


# The SDK's own nonce is an MD5, which is an error where FIPS 140 is kept.
parameter_helper.get_uuid = _nonce


def add_record(zone: str, rr: str, value: str) -> Any:
    """https://help.aliyun.com/document_detail/29772.html"""
    request = AddDomainRecordRequest()
    request.set_DomainName(zone)
    request.set_RR(rr)
    request.set_Type("TXT")
    request.set_Value(value)
    request.set_TTL(TTL)
    return request


def delete_record(record_id: str) -> Any:
    """https://help.aliyun.com/document_detail/29773.html"""
    request = DeleteDomainRecordRequest()
    request.set_RecordId(record_id)
    return request


def list_records(zone: str, rr: str, value: str, page: int) -> Any:
    """https://help.aliyun.com/document_detail/29776.html

    Without a SearchMode, RR and value match any record that contains them: narrow enough for
    paging, and the same on old and new versions of the API. The caller compares exactly.
    An RR with an A-label may be listed as U-label, so the value alone is searched for then.
    """
    request = list_all_records(zone, page)
    if "xn--" not in rr:
        request.set_RRKeyWord(rr)
    request.set_TypeKeyWord("TXT")
    if value:
        request.set_ValueKeyWord(value)
    return request


def list_all_records(zone: str, page: int) -> Any:
    """https://help.aliyun.com/document_detail/29776.html"""
    request = DescribeDomainRecordsRequest()
    request.set_DomainName(zone)
    request.set_PageNumber(page)
    request.set_PageSize(PAGE_SIZE)
    return request
