"""The manifests' script does what it says; their form is checked by `make lint`."""

from __future__ import annotations

import base64
import json
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Callable

import pytest
import trustme
import yaml

ROOT = Path(__file__).parents[2]
MANIFESTS = list(yaml.safe_load_all((ROOT / "packaging/kubernetes/certbot.yaml").read_text()))


def of_kind(kind: str) -> dict[str, Any]:
    (found,) = (each for each in MANIFESTS if each["kind"] == kind)
    return found


def test_the_script_writes_the_certificate_into_the_secret(tmp_path: Path) -> None:
    asked: list[tuple[str, str, dict[str, str], bytes]] = []

    class Api(BaseHTTPRequestHandler):
        def do_PATCH(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked.append((self.command, self.path, dict(self.headers), body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    authority = trustme.CA()
    (tmp_path / "account").mkdir()
    (tmp_path / "account" / "token").write_text("a-token")
    authority.cert_pem.write_to_path(str(tmp_path / "account" / "ca.crt"))
    (tmp_path / "fullchain.pem").write_text("a chain")
    (tmp_path / "privkey.pem").write_text("a key")
    server = HTTPServer(("127.0.0.1", 0), Api)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    Thread(target=server.serve_forever, daemon=True).start()

    script = of_kind("ConfigMap")["data"]["deploy.py"]
    script = script.replace("kubernetes.default.svc", f"127.0.0.1:{server.server_port}")
    script = script.replace(
        "/var/run/secrets/kubernetes.io/serviceaccount", str(tmp_path / "account")
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, timeout=30)
    server.shutdown()
    server.server_close()

    ((_, path, headers, body),) = asked
    secret = json.loads(body)
    namespace, name = of_kind("Role")["metadata"]["namespace"], secret["metadata"]["name"]
    # Server-side apply, which makes what is not there; any YAML may be JSON.
    manager = "?fieldManager=certbot&force=true"
    assert path == f"/api/v1/namespaces/{namespace}/secrets/{name}{manager}"
    assert headers["Authorization"] == "Bearer a-token"
    assert headers["Content-Type"] == "application/apply-patch+yaml"
    assert (secret["apiVersion"], secret["kind"]) == ("v1", "Secret")
    assert secret["type"] == "kubernetes.io/tls"
    assert {key: base64.b64decode(text) for key, text in secret["data"].items()} == {
        "tls.crt": b"a chain",
        "tls.key": b"a key",
    }


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts the container's command; what it runs writes how it is called into ``called``."""
    (container,) = of_kind("CronJob")["spec"]["jobTemplate"]["spec"]["template"]["spec"][
        "containers"
    ]
    started: list[subprocess.Popen[bytes]] = []

    def start(certbot: str = "", python3: str = "") -> subprocess.Popen[bytes]:
        for name, ends in (("certbot", certbot), ("python3", python3)):
            program = tmp_path / name
            program.write_text(f"#!/bin/sh\necho {name} $* >> {tmp_path}/called\n{ends}\n")
            program.chmod(0o755)
        environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
        command = [*container["command"], *container["args"]]
        started.append(subprocess.Popen(command, env=environment))
        return started[-1]

    yield start
    for each in started:
        each.kill()
        each.wait()


@pytest.mark.parametrize(
    ("certbot", "python3", "status", "called"),
    [("", "", 0, 2), ("exit 1", "", 1, 1), ("", "exit 7", 7, 2)],
)
def test_each_job_writes_the_secret_and_fails_where_that_fails(
    job: Callable[..., subprocess.Popen[bytes]],
    tmp_path: Path,
    certbot: str,
    python3: str,
    status: int,
    called: int,
) -> None:
    """Certbot only warns of a deploy hook that fails, and runs it again after the next renewal."""
    assert job(certbot, python3).wait(30) == status
    lines = (tmp_path / "called").read_text().splitlines()
    assert lines[0].startswith("certbot certonly --non-interactive ")
    assert "hook" not in lines[0]
    assert (
        lines[1:] == ["python3 /deploy/deploy.py /etc/letsencrypt/live/example.com"][: called - 1]
    )


def test_a_job_that_is_ended_lets_certbot_remove_its_records(
    job: Callable[..., subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    called = tmp_path / "called"
    removing = f"trap 'sleep 1; echo removed >> {called}; exit 1' TERM"
    running = job(f"{removing}\necho ready >> {called}\n" + "sleep 0.1\n" * 300)
    end = time.monotonic() + 30
    while not (called.exists() and "ready" in called.read_text()):
        assert time.monotonic() < end
        time.sleep(0.05)
    running.terminate()
    assert running.wait(30) == 143
    assert called.read_text().splitlines()[1:] == ["ready", "removed"]


def test_the_job_may_make_and_change_that_secret_and_nothing_else() -> None:
    changing, making = of_kind("Role")["rules"]
    (name,) = changing["resourceNames"]
    assert f'/secrets/{name}"' in of_kind("ConfigMap")["data"]["deploy.py"]
    assert changing["resources"] == making["resources"] == ["secrets"]
    assert set(changing["verbs"]) == {"get", "patch"}
    assert making["verbs"] == ["create"]


def test_applying_it_once_more_leaves_the_certificate_alone() -> None:
    assert all(each["kind"] != "Secret" for each in MANIFESTS)


def test_the_trust_policy_of_the_page_is_for_that_service_account() -> None:
    account = of_kind("ServiceAccount")["metadata"]
    page = (ROOT / "docs/ram-policy.rst").read_text()
    assert f"system:serviceaccount:{account['namespace']}:{account['name']}" in page
