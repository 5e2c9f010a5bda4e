"""Run a measurement in a process of its own, so that none inherits what another left."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime
from typing import Any

from benchmarks.contenders import ROOT


def run(module: str, *arguments: str) -> Any:
    """Run a module, and give what it measured."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], cwd=ROOT, stdout=subprocess.PIPE, check=True
    )
    return json.loads(done.stdout)


def tell(what: str) -> None:
    """Show progress."""
    print(f"{datetime.now():%H:%M:%S} {what}", file=sys.stderr, flush=True)
