"""Pebble, the CA: strict, validating through the caching resolver, one process kept per options."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import trustme

from .resolver import FOR_THE_CA

#: As long as Let's Encrypt's certificates.
VALID_SECONDS = 90 * 24 * 60 * 60

_running: dict[tuple[bool, int], Ca] = {}
_authority: trustme.CA | None = None
_next_port = 14000


def certificates() -> trustme.CA:
    """The authority that signed every TLS certificate of the world (made once)."""
    global _authority
    if _authority is None:
        _authority = trustme.CA()
    return _authority


def pebble(always_valid: bool = False, reject_nonces: int = 0) -> Ca:
    """The running CA of this kind; it lives as long as this process."""
    wanted = (always_valid, reject_nonces)
    if wanted not in _running:
        _running[wanted] = Ca(always_valid, reject_nonces)
    return _running[wanted]


@atexit.register
def stop_all() -> None:
    for ca in _running.values():
        ca.stop()
    _running.clear()


class Ca:
    def __init__(self, always_valid: bool = False, reject_nonces: int = 0) -> None:
        global _next_port
        if shutil.which("pebble") is None:
            raise FileNotFoundError("the command `pebble` is missing (apt-get install pebble)")
        self.folder = Path(tempfile.mkdtemp(prefix="world-pebble-"))
        self.log = self.folder / "pebble.log"
        self.bundle = self.folder / "ca.pem"
        self._port, _next_port = _next_port, _next_port + 10
        self.url = f"https://localhost:{self._port}/dir"
        self.root_url = f"https://localhost:{self._port + 1}/roots/0"
        environment = {
            **os.environ,
            "PEBBLE_VA_NOSLEEP": "1",
            "PEBBLE_WFE_NONCEREJECT": str(reject_nonces),
            "PEBBLE_AUTHZREUSE": "0",
        }
        if always_valid:
            environment["PEBBLE_VA_ALWAYS_VALID"] = "1"
        self._process = self._start(environment)
        self._wait_until_up()

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait(timeout=10)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        command = ["pebble", "-strict", "-dnsserver", f"{FOR_THE_CA}:53"]
        command += ["-config", str(self._configuration())]
        if shutil.which("setpriv"):
            command = ["setpriv", "--pdeathsig", "TERM", *command]
        with self.log.open("wb") as log:
            return subprocess.Popen(
                command, env=dict(environment), stdout=log, stderr=subprocess.STDOUT
            )

    def _configuration(self) -> Path:
        leaf = certificates().issue_cert("localhost", "127.0.0.1")
        certificates().cert_pem.write_to_path(str(self.bundle))
        leaf.private_key_pem.write_to_path(str(self.folder / "key.pem"))
        chain = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
        (self.folder / "cert.pem").write_bytes(chain)
        settings = {
            "listenAddress": f"127.0.0.1:{self._port}",
            "managementListenAddress": f"127.0.0.1:{self._port + 1}",
            "certificate": str(self.folder / "cert.pem"),
            "privateKey": str(self.folder / "key.pem"),
            "httpPort": 5002,
            "tlsPort": 5001,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": False,
            "certificateValidityPeriod": VALID_SECONDS,
        }
        file = self.folder / "pebble.json"
        file.write_text(json.dumps({"pebble": settings}))
        return file

    def _wait_until_up(self, seconds: float = 30.0) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self._process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise RuntimeError(f"pebble did not start:\n{self.log.read_text(errors='replace')}")
