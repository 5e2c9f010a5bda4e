"""What an installed plugin adds to an installed Certbot: packages and megabytes.

``python -m benchmarks.install_size`` prints a table. It counts what the plugin's own metadata asks
for and Certbot's does not, so that nothing else in the virtual environment is charged to it.
"""

from __future__ import annotations

import json
import subprocess

from benchmarks.contenders import CONTENDERS, FLOOR, OURS, Contender

_COUNT = r"""
import importlib.metadata as metadata, json, re, sys

def needed_by(name, extra, seen):
    name = re.sub(r"[-_.]+", "-", name).lower()
    if name in seen:
        return seen
    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError:  # for another system, or another Python
        return seen
    seen[name] = sum(
        file.locate().stat().st_size
        for file in distribution.files or []
        if file.suffix != ".pyc" and file.locate().exists()
    )
    for line in distribution.requires or []:
        of_extra = re.search(r"extra == ['\"]([\w-]+)", line)
        if not of_extra or of_extra[1] == extra:
            needed_by(re.match(r"[\w.-]+", line)[0], "", seen)
    return seen

certbot = needed_by("certbot", "", {})
plugin = needed_by(sys.argv[1], sys.argv[2], {})
print(json.dumps({name: size for name, size in plugin.items() if name not in certbot}))
"""


def added(contender: Contender, extra: str = "") -> dict[str, int]:
    """Give the packages that come with a plugin, and their sizes in bytes without bytecode."""
    python = contender.venv / "bin" / "python"
    name = contender.name.split()[0]
    told = subprocess.run(
        [python, "-c", _COUNT, name, extra], capture_output=True, text=True, check=True
    )
    sizes: dict[str, int] = json.loads(told.stdout)
    return sizes


def main() -> None:
    """Print the table."""
    print(f"{'plugin':36}{'packages':>9}{'MB':>8}")
    for contender in CONTENDERS.values():
        if contender.name == FLOOR:
            continue
        if contender.why_not:
            print(f"{contender.name:36}not measured: {contender.why_not}")
            continue
        _print_row(contender.name, added(contender))
        if contender.name == OURS:
            _print_row(f"{contender.name} [credentials]", added(contender, "credentials"))


def _print_row(title: str, sizes: dict[str, int]) -> None:
    print(f"{title:36}{len(sizes):>9}{sum(sizes.values()) / 1e6:>8.1f}")


if __name__ == "__main__":
    main()
