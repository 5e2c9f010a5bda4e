"""Which records DescribeDomainRecords finds, by the keyword table of its documentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from .records import Record
from .rpc import ApiError

T = TypeVar("T")
FILTERS = {
    "RRKeyWord": "rr",
    "ValueKeyWord": "value",
    "TypeKeyWord": "type",
    "Type": "type",
    "Line": "line",
    "Status": "status",
}
FUZZY = ("RRKeyWord", "ValueKeyWord")
MODES = ("", "LIKE", "EXACT", "ADVANCED", "COMBINATION")


def find_records(records: Sequence[Record], params: Mapping[str, str]) -> list[Record]:
    """Newest first, unless Direction says otherwise."""
    mode = params.get("SearchMode", "").upper()
    if mode not in MODES:
        raise ApiError("InvalidParameter", "Specified parameter SearchMode is not valid.")
    found = [record for record in records if _matches(record, mode, params)]
    return found if params.get("Direction", "DESC").upper() == "ASC" else found[::-1]


def _matches(record: Record, mode: str, params: Mapping[str, str]) -> bool:
    keyword = params.get("KeyWord", "")
    if mode == "LIKE" or (not mode and keyword):
        return any(keyword.lower() in text.lower() for text in (record.rr, record.value))
    if mode == "EXACT":
        return not keyword or keyword in (record.rr, record.value)
    return all(
        _filter(name, params[name].lower(), str(getattr(record, attribute)).lower(), mode)
        for name, attribute in FILTERS.items()
        if params.get(name)
    )


def _filter(name: str, wanted: str, held: str, mode: str) -> bool:
    if name in FUZZY and mode != "COMBINATION":
        return wanted in held
    return wanted == held


def page(found: Sequence[T], params: Mapping[str, str], largest: int) -> dict[str, Any]:
    """TotalCount, PageNumber and PageSize of the reply, and under "page" the items."""
    number = _integer(params, "PageNumber", 1)
    size = _integer(params, "PageSize", 20)
    if number < 1 or not 1 <= size <= largest:
        raise ApiError("InvalidParameter", "Specified parameter PageSize is not valid.")
    start = (number - 1) * size
    return {
        "TotalCount": len(found),
        "PageNumber": number,
        "PageSize": size,
        "page": list(found[start : start + size]),
    }


def _integer(params: Mapping[str, str], name: str, default: int) -> int:
    try:
        return int(params.get(name) or default)
    except ValueError:
        raise ApiError("InvalidParameter", f"Specified parameter {name} is not valid.") from None
