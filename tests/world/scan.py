"""The search for secrets in everything that was written.

Key ids, secrets, tokens and signatures must be in no log, on no screen and in no file, plain,
percent-encoded or in base64; neither may the parameter names that only signed URLs have.
"""

from __future__ import annotations

import base64
import contextlib
import re
from collections.abc import Callable, Iterable, Iterator, Set
from pathlib import Path
from urllib.parse import unquote_to_bytes

TELLTALES = (
    b"Signature=",
    b"SignatureNonce=",
    b'SignatureNonce"',
    b"SignatureNonce'",
    b"AccessKeyId=",
    b"SecurityToken=",
    b"OIDCToken=",
)
SIGNATURE = re.compile(rb"(?=([A-Za-z0-9+/]{27}=))")
SHORTEST = 6


class Scan:
    """`secrets` gives the words at the time of the search, `signatures` grows with the calls;
    `exempt` are files that hold them by right, such as the INI."""

    def __init__(self, secrets: Callable[[], Iterable[str]], signatures: Set[str]) -> None:
        self._secrets = secrets
        self._signatures = signatures
        self._folders: list[Path] = []
        self._logs: list[tuple[Path, int]] = []
        self.exempt: set[Path] = set()

    def watch_folder(self, folder: Path) -> None:
        self._folders.append(folder)

    def watch_log(self, log: Path) -> None:
        """Watch what is added to a file from now on."""
        self._logs.append((log, log.stat().st_size))

    def check(self, *texts: str) -> None:
        """Raise an AssertionError that tells where a secret is (and not which)."""
        words = [*TELLTALES, *_spellings(self._secrets())]
        signatures = {signature.encode() for signature in self._signatures}
        for place, written in self._places(texts):
            for data in _decodings(written):
                for word in words:
                    before, found, _ = data.partition(word)
                    where = f"{place}, after {before[-60:].decode(errors='replace')!r}"
                    assert not found, f"a secret is in {where}"
                known = signatures.intersection(SIGNATURE.findall(data))
                assert not known, f"a signature is in {place}"

    def _places(self, texts: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        for number, text in enumerate(texts, 1):
            yield f"text {number}", text.encode()
        for log, start in self._logs:
            yield str(log), log.read_bytes()[start:]
        for folder in self._folders:
            for file in sorted(folder.rglob("*")):
                if file.is_file() and not file.is_symlink() and file not in self.exempt:
                    with contextlib.suppress(FileNotFoundError):  # a host may rotate its logs
                        yield str(file), file.read_bytes()


def _decodings(data: bytes) -> Iterator[bytes]:
    """As it is, and without one and two layers of percent-encoding."""
    yield data
    for _ in range(2):
        if b"%" in data:
            data = unquote_to_bytes(data)
            yield data


def _spellings(secrets: Iterable[str]) -> Iterator[bytes]:
    for secret in secrets:
        if len(secret) >= SHORTEST:
            yield secret.encode()
            yield base64.b64encode(secret.encode()).rstrip(b"=")
