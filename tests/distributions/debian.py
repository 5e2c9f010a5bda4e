"""A Debian of its own in a folder, where Certbot is apt's: `make distributions`."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path, PurePath

CHECKOUT = Path(__file__).parents[2]
BUILD = CHECKOUT / "build"
PACKAGES = "certbot,ca-certificates,python3-pip,python3-venv"
#: What some suites have besides, and does nothing until somebody uses it.
MORE_PACKAGES = {
    "bookworm": ",pipx",
    "trixie": ",pipx,openssl,openssl-provider-fips",
    "sid": ",pipx,python3.15",
}
SUITES = ("bullseye", "bookworm", "trixie", "sid")
#: Those that a line of README may begin with; what apt is to install is in PACKAGES.
COMMANDS = ("ln", "pip", "pipx", "python3")
#: Their own.
PYTHONS = {"bullseye": "3.9", "bookworm": "3.11", "trixie": "3.13", "sid": "3.14"}
#: That of Certbot's own image, and the one after it; sid has both.
NEWEST_PYTHONS = ("3.14", "3.15")
NEWEST = "5.8.0"
PLATFORMS = [
    f"manylinux{each}_{platform.machine()}" for each in ("2014", "_2_17", "_2_28", "_2_34")
]
#: The glibc of Debian 11 is 2.31.
OLD_PLATFORMS = PLATFORMS[:-1]
#: What pip must not ask for there: it does not know the option.
OLD_PIP = ("bullseye",)
FROM_OUTSIDE = ("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf")


def archive() -> list[str]:
    """The archive that apt has here, if it is one of Debian; mmdebstrap knows one itself."""
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)"]
    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return [uri for uri in found if uri.endswith("/debian/")][:1]


def cached(suite: str) -> Path:
    """The folder with a fresh Debian, made once."""
    folder = BUILD / "chroots" / suite
    packages = f"{PACKAGES}{MORE_PACKAGES.get(suite, '')}"
    kept = Path(f"{folder}.packages")
    if not kept.exists() or kept.read_text() != packages:
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        command = ["mmdebstrap", "--variant=minbase", f"--include={packages}"]
        command += ['--aptopt=APT::Install-Recommends "false"']
        # A mirror that has stood still for some weeks will do.
        command += ['--aptopt=Acquire::Check-Valid-Until "false"', suite, str(folder), *archive()]
        subprocess.run(command, check=True, capture_output=True, timeout=900)
        kept.write_text(packages)
    return folder


def cached_upgrade() -> Path:
    """The folder with a Debian 12 that has all packages of its upgrade to 13, made once."""
    folder = BUILD / "chroots" / "bookworm-to-trixie"
    if not folder.exists():
        new = Path(f"{folder}.new")
        shutil.rmtree(new, ignore_errors=True)
        debian = Debian.fresh("bookworm", new)
        sources = new / "etc/apt/sources.list"
        sources.write_text(sources.read_text().replace("bookworm", "trixie"))
        for file in FROM_OUTSIDE:
            shutil.copy(file, new / file.lstrip("/"))
        debian.run("apt-get", "-qq", "-o", "Acquire::Check-Valid-Until=false", "update")
        debian.run("apt-get", "-qq", "--download-only", "full-upgrade")
        new.rename(folder)
    return folder


def wheels() -> Path:
    """A folder with our wheel and what it asks for, for whichever Python."""
    folder = BUILD / "chroots" / "wheels"
    if not folder.exists():
        (wheel,) = (BUILD / "wheel").glob("*.whl")
        pip = [str(BUILD / "venv/bin/pip"), "-qq", "download", "--dest", f"{folder}.new"]
        pure = ["--only-binary=:all:", "--python-version", "3.9", "--no-deps"]
        needs = (CHECKOUT / "packaging/debian/vendored.txt").read_text().splitlines()
        names = [line for line in needs if line and not line.startswith("#")]
        shutil.rmtree(f"{folder}.new", ignore_errors=True)
        subprocess.run([*pip, *pure, *names, "jmespath", "idna"], check=True, timeout=300)
        shutil.copy(wheel, f"{folder}.new")
        os.rename(f"{folder}.new", folder)
    return folder


def newest_wheels() -> Path:
    """A folder with our wheel, with all that it and its tests may ask for, and with the newest
    Certbot, for the newest Pythons on this kind of processor.

    :raises subprocess.CalledProcessError: if one of them would have to be compiled
    """
    folder = BUILD / "chroots" / "newest-wheels"
    if not folder.exists():
        (wheel,) = (BUILD / "wheel").glob("*.whl")
        shutil.rmtree(f"{folder}.new", ignore_errors=True)
        pip = [str(BUILD / "venv/bin/pip"), "-qq", "download", "--dest", f"{folder}.new"]
        pip += ["--only-binary=:all:", "setuptools", f"certbot=={NEWEST}"]
        pip += [f"certbot-dns-aliyun[credentials,test] @ {wheel.as_uri()}"]
        for python in NEWEST_PYTHONS:
            platforms = [word for tag in PLATFORMS for word in ("--platform", tag)]
            only = [*platforms, "--python-version", python]
            subprocess.run([*pip, *only], check=True, timeout=300)
        os.rename(f"{folder}.new", folder)
    return folder


def environment_wheels(suite: str) -> Path:
    """A folder with all that pip installs where there was nothing, for a suite's own Python."""
    folder = BUILD / "chroots" / f"wheels-{suite}"
    if not folder.exists():
        (wheel,) = (BUILD / "wheel").glob("*.whl")
        shutil.rmtree(f"{folder}.new", ignore_errors=True)
        platforms = [word for tag in OLD_PLATFORMS for word in ("--platform", tag)]
        pip = [str(BUILD / "venv/bin/pip"), "-qq", "download", "--dest", f"{folder}.new"]
        pip += ["--only-binary=:all:", "--python-version", PYTHONS[suite], *platforms]
        needs = ["pip", "setuptools", "wheel", "certbot", f"certbot-dns-aliyun @ {wheel.as_uri()}"]
        if suite == "bullseye":  # what is for old Pythons alone: pip judges that by its own Python
            needs += ["importlib-metadata", "zope.interface<8"]
        subprocess.run([*pip, *needs], check=True, timeout=300)
        os.rename(f"{folder}.new", folder)
    return folder


def commands_of(way: str) -> list[str]:
    """What README has for a way to install the plugin, beside apt's part."""
    text = (CHECKOUT / "README.rst").read_text(encoding="utf-8")
    (described,) = re.findall(rf"^{re.escape(way)}\n((?: .*\n)+)", text, re.MULTILINE)
    found = [" ".join(each.split()) for each in re.findall("``(.+?)``", described, re.DOTALL)]
    candidate = re.search("``('certbot-dns-aliyun>=.+?rc.+?')``", text)
    if candidate:
        found = [each.replace("'certbot-dns-aliyun>=3'", candidate[1]) for each in found]
    return [each for each in found if PurePath(each.split()[0]).name in COMMANDS]


@dataclass
class Debian:
    """A Debian that may be changed.

    :ivar root: its folder
    """

    suite: str
    root: Path

    @classmethod
    def fresh(cls, suite: str, folder: Path) -> Debian:
        """Copy the one that is kept."""
        subprocess.run(["cp", "-a", str(cached(suite)), str(folder)], check=True)
        return cls(suite, folder)

    @classmethod
    def about_to_be_upgraded(cls, folder: Path) -> Debian:
        """A Debian 12, of which `upgrade` makes a 13."""
        subprocess.run(["cp", "-a", str(cached_upgrade()), str(folder)], check=True)
        return cls("bookworm", folder)

    def upgrade(self) -> None:
        self.mount("/dev", "/proc")
        self.run("apt-get", "-qq", "--no-download", "full-upgrade")
        self.suite = "trixie"

    def run(self, *command: str) -> str:
        """Run something in it, as root."""
        environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "LC_ALL": "C.UTF-8",
            "HOME": "/root",
        }
        environment["DEBIAN_FRONTEND"] = "noninteractive"
        done = subprocess.run(
            ["chroot", str(self.root), *command],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )
        assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def bring(self, file: Path) -> str:
        """Copy a file, or a folder, into its /srv."""
        target = self.root / "srv" / file.name
        if file.is_dir():
            shutil.copytree(file, target, dirs_exist_ok=True)
        else:
            shutil.copy(file, target)
        return f"/srv/{file.name}"

    def mount(self, *sources: str) -> None:
        """Show it folders from outside, under the same names."""
        for source in sources:
            target = self.root / source.lstrip("/")
            target.mkdir(parents=True, exist_ok=True)
            subprocess.run(["mount", "--bind", source, str(target)], check=True)

    def pip_install(self) -> None:
        """Install the plugin beside apt's Certbot, as README has it."""
        self.paste(commands_of("apt (Debian, Ubuntu)"), wheels())

    def paste(self, commands: list[str], found: Path) -> None:
        """Run lines in its shell, where a folder stands for pip's index."""
        index = f"export PIP_NO_INDEX=1 PIP_FIND_LINKS={self.bring(found)};"
        for command in commands:
            if self.suite in OLD_PIP:
                command = command.replace("--break-system-packages ", "")
            self.run("sh", "-c", f"{index} {command}")

    def pip_install_apart(self) -> str:
        """Install it into a folder that only CERTBOT_PLUGIN_PATH names, as a snap is one."""
        found = self.bring(wheels())
        pip = ["/usr/bin/python3", "-m", "pip", "install", "--no-index", "--no-deps"]
        names = [str(file.name) for file in sorted(wheels().iterdir())]
        folder = "/opt/certbot-dns-aliyun"
        self.run(*pip, "--target", folder, *(f"{found}/{name}" for name in names))
        return folder

    def venv(self, python: str, extras: str) -> str:
        """A virtual environment with the newest Certbot and the plugin; gives its folder.

        :param python: "3.14", say, which this Debian has
        """
        found = self.bring(newest_wheels())
        (wheel,) = newest_wheels().glob("certbot_dns_aliyun-*.whl")
        folder = f"/opt/python{python}"
        self.run(f"/usr/bin/python{python}", "-m", "venv", "--without-pip", folder)
        self.run(
            *("/usr/bin/python3", "-m", "pip", "--python", f"{folder}/bin/python", "install"),
            *("--no-index", "--find-links", found, f"certbot=={NEWEST}"),
            f"{found}/{wheel.name}[{extras}]",
        )
        return folder

    def install_deb(self) -> None:
        """Install the .deb and nothing else."""
        (deb,) = (BUILD / "deb").glob("*.deb")
        self.run("dpkg", "--install", self.bring(deb))

    def as_venv(self, folder: Path, shared: Path, certbot: str = "/usr/bin/certbot") -> Path:
        """Let it pass for a virtual environment: its certbot lives in this network, and sees a
        folder under the same name as everybody."""
        for file in FROM_OUTSIDE:
            target = self.root / file.lstrip("/")
            target.unlink(missing_ok=True)
            target.write_bytes(Path(file).read_bytes())
        self.mount("/dev", "/proc", str(shared))
        command = folder / "certbot-0" / "bin" / "certbot"
        command.parent.mkdir(parents=True)
        command.write_text(f'#!/bin/sh\nexec chroot {self.root} {certbot} "$@"\n')
        command.chmod(0o755)
        return folder


if __name__ == "__main__":  # before the tests, which have no way out of their network
    for each in SUITES:
        cached(each)
        environment_wheels(each)
    cached_upgrade()
    wheels()
    newest_wheels()
