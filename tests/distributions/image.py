"""The image of packaging/docker, built by buildah on a base in the shape of Certbot's own.

That one cannot be had where there is no registry of images. The base here is Debian's Python 3.14
with pip's Certbot: the same interpreter, entry point and volumes, on glibc in place of musl.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.distributions.debian import (
    CHECKOUT,
    FROM_OUTSIDE,
    NEWEST,
    Debian,
    newest_wheels,
)

BASE = f"docker.io/certbot/certbot:v{NEWEST}"
TAG = "certbot-dns-aliyun:test"
MIRROR = "/mirror"
BASE_DOCKERFILE = f"""
FROM scratch
ADD root.tar /
ENV PIP_NO_INDEX=1 PIP_FIND_LINKS={MIRROR} PIP_ROOT_USER_ACTION=ignore
RUN rm /usr/lib/python3.*/EXTERNALLY-MANAGED && pip install --no-cache-dir certbot=={NEWEST}
ENTRYPOINT ["certbot"]
VOLUME /etc/letsencrypt /var/lib/letsencrypt
WORKDIR /opt/certbot
"""


@dataclass
class Buildah:
    """Images and containers of its own, in a folder that is thrown away."""

    folder: Path
    options: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.options = ["--root", str(self.folder / "root"), "--runroot", str(self.folder / "run")]
        self.options += ["--storage-driver", "vfs"]

    def run(self, *words: str) -> str:
        done = subprocess.run(
            ["buildah", *self.options, *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=400,
        )
        assert done.returncode == 0, f"{words}:\n{done.stdout}\n{done.stderr}"
        return done.stdout.strip()

    def build(self, tag: str, dockerfile: Path, context: Path) -> None:
        mirror = f"{newest_wheels()}:{MIRROR}:ro"
        words = ["bud", "--isolation", "chroot", "--pull-never", "--volume", mirror]
        self.run(*words, "--tag", tag, "--file", str(dockerfile), str(context))

    def in_new_container(self, *command: str) -> str:
        """The output of a command that is not the entry point."""
        container = self.run("from", "--pull-never", TAG)
        try:
            return self.run("run", "--isolation", "chroot", container, "--", *command)
        finally:
            self.run("rm", container)

    def files(self, tag: str) -> dict[str, int]:
        """The size in bytes of each file of an image."""
        container = self.run("from", "--pull-never", tag)
        root = Path(self.run("mount", container))
        found = {
            str(file.relative_to(root)): file.stat().st_size
            for file in root.rglob("*")
            if file.is_file() and not file.is_symlink()
        }
        self.run("umount", container)
        self.run("rm", container)
        return found

    def as_venv(self, folder: Path, volumes: Iterable[Path]) -> Path:
        """Let it pass for a virtual environment, whose certbot is `docker run --rm` with these
        folders on volumes: a new container for each run, and nothing else is kept."""
        folder.mkdir()
        for file in FROM_OUTSIDE:
            shutil.copy(file, folder)  # what is mounted here cannot be mounted once more
        buildah = " ".join(["buildah", *self.options])
        mounts = " ".join(f"--volume {path}:{path}" for path in volumes)
        script = f"""#!/bin/sh
container=$({buildah} from --pull-never --dns none {TAG}) || exit
{buildah} copy --quiet "$container" {folder}/*.conf {folder}/hosts /etc/ >/dev/null
{buildah} run --isolation chroot --no-hosts {mounts} \\
    --env REQUESTS_CA_BUNDLE="$REQUESTS_CA_BUNDLE" "$container" -- certbot "$@"
code=$?
{buildah} rm "$container" >/dev/null
exit $code
"""
        certbot = folder / "certbot-0" / "bin" / "certbot"
        certbot.parent.mkdir(parents=True)
        certbot.write_text(script)
        certbot.chmod(0o755)
        return folder


def build(folder: Path) -> Buildah:
    """Make the base, and on it the image as its Dockerfile says."""
    buildah = Buildah(folder / "storage")
    context = folder / "base"
    context.mkdir()
    debian = Debian.fresh("sid", folder / "sid")
    debian.run("apt-get", "-qq", "purge", "--auto-remove", "certbot")
    root = debian.root
    subprocess.run(["tar", "-C", str(root), "-cf", str(context / "root.tar"), "."], check=True)
    shutil.rmtree(root)
    (context / "Dockerfile").write_text(BASE_DOCKERFILE)
    buildah.build(BASE, context / "Dockerfile", context)
    buildah.build(TAG, CHECKOUT / "packaging/docker/Dockerfile", CHECKOUT)
    return buildah


def why_not() -> str:
    """Why no image can be built here, or nothing."""
    if shutil.which("buildah") is None:
        return "the command `buildah` is missing"
    return ""
