"""What the container of the Compose file runs; the file's form is checked by `make lint`."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]


def test_a_container_that_is_stopped_lets_certbot_remove_its_records(tmp_path: Path) -> None:
    services = yaml.safe_load((ROOT / "packaging/docker/compose.yaml").read_text())["services"]
    service = services["renew"]
    called = tmp_path / "called"
    # The first renewal ends by itself; during the second one, the container is stopped.
    (tmp_path / "certbot").write_text(
        f"#!/bin/sh\necho certbot $* >> {called}\n"
        f"[ $(grep -c certbot {called}) = 1 ] && exit\n"
        f"trap '/bin/sleep 1; echo removed >> {called}; exit 1' TERM\n"
        f"echo waiting >> {called}\n" + "/bin/sleep 0.1\n" * 300
    )
    (tmp_path / "sleep").write_text(f"#!/bin/sh\necho sleep $* >> {called}\n")
    for name in ("certbot", "sleep"):
        (tmp_path / name).chmod(0o755)
    command = [part.replace("$$", "$") for part in [*service["entrypoint"], *service["command"]]]
    running = subprocess.Popen(command, env={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    try:
        end = time.monotonic() + 30
        while not called.exists() or "waiting" not in called.read_text():
            assert time.monotonic() < end
            time.sleep(0.05)
        running.terminate()
        running.wait(30)
    finally:
        running.kill()
        running.wait()
    renewal = "certbot renew --quiet"
    lines = called.read_text().splitlines()
    assert lines == [renewal, "sleep 43200", renewal, "waiting", "removed"]
    assert int(service["stop_grace_period"].rstrip("s")) >= 150, "as the plugin may need"
