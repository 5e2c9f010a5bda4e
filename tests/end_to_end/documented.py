"""The policies that the documentation gives to paste."""

from __future__ import annotations

import json
import re
import textwrap
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[2]
_JSON = re.compile(r"^( *)\.\. code-block:: json\n\n((?:\1 +.*\n|\n)+)", re.MULTILINE)


def policies(page: str) -> list[dict[str, Any]]:
    """The JSON on a page, in its order."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return [json.loads(textwrap.dedent(found[1])) for found in _JSON.findall(text)]


ONE_ZONE, SEVERAL_ZONES, ADD_AND_DELETE, ASSUME, TRUSTS_USER, TRUSTS_ECS, TRUSTS_OIDC = policies(
    "docs/ram-policy.rst"
)
ACCOUNT = "1234567890123456"
EXTERNAL_ID = "partner-7"
PROVIDER = TRUSTS_OIDC["Statement"][0]["Principal"]["Federated"][0]
CLAIMS = {
    fact.partition(":")[2]: value
    for fact, value in TRUSTS_OIDC["Statement"][0]["Condition"]["StringEquals"].items()
}
