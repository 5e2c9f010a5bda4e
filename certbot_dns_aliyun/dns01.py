"""What the challenge dns-01 has fixed: where its TXT record stands, and what its value looks like.

https://www.rfc-editor.org/rfc/rfc8555#section-8.4
"""

from __future__ import annotations

import re

#: The label in front of the name that is validated.
LABEL = "_acme-challenge"
#: The SHA-256 of a key authorization, in base64url.
DIGEST = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
