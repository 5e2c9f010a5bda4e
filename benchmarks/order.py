"""An order without Certbot and its CA: what the plugin does, for any number of names.

Runs in the Python of a Certbot that has the plugin: ``python order.py order.json``.
"""

from __future__ import annotations

import io
import json
import secrets
import sys
import time
from pathlib import Path
from typing import Any

from certbot._internal.display import obj

from certbot_dns_aliyun.alidns import pace
from certbot_dns_aliyun.credentials import settings
from certbot_dns_aliyun.run import Run


def main() -> None:
    """Make the order that a file describes; print how long each phase took, as JSON."""
    order: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())
    obj.set_display(obj.NoninteractiveDisplay(io.StringIO()))
    if order["rate"]:
        pace.CALLS_PER_SECOND = order["rate"]
    records = [
        (domain, f"_acme-challenge.{domain.replace('*.', '')}", secrets.token_urlsafe(32))
        for domain in order["domains"]
    ]
    run = Run(settings.load(order["ini"]), "", "", order["config_dir"])
    moments = [time.monotonic()]
    try:
        run.prepare(records)
        moments.append(time.monotonic())
        run.concurrently(lambda _, name, value: run.add(name, value), records)
        moments.append(time.monotonic())
        run.wait_until_served(600.0, 30.0, alidns_alone=False)
        moments.append(time.monotonic())
        run.begin_cleanup()
        run.concurrently(lambda _, name, value: run.remove(name, value), records)
        moments.append(time.monotonic())
    finally:
        run.close()
    phases = ("prepare", "add", "wait", "remove")
    print(json.dumps({p: b - a for p, a, b in zip(phases, moments, moments[1:])}))


if __name__ == "__main__":
    main()
