"""The real certbot command as a child process, run as a user runs it, in folders of its own."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Union

from cryptography import x509

from .authorizations import Authorizations

ROOT = Path(__file__).resolve().parents[2]
FOREIGN = re.compile(
    r"(https?|all|no|ftp)_proxy|(ALIYUN|ALIBABA|ALICLOUD)_.*|DEBUG|REQUESTS_.*|CURL_.*|SSL_CERT_.*"
    r"|PYTHON.*|CERTBOT.*|PYTEST.*|COVERAGE.*",
    re.IGNORECASE,
)
NAMES_CA = ("certonly", "run", "register", "revoke", "unregister", "show_account")
NAMES_ANOTHER_CA = {"--server", "--staging", "--test-cert"}
CREATES_ACCOUNT = ("certonly", "run", "register")
Argument = Union[str, Path, int]


@dataclass
class Outcome:
    """What a run came to. `text` is what the user saw."""

    command: list[str]
    returncode: int
    stdout: str
    stderr: str
    log_text: str
    seconds: float

    @property
    def ok(self) -> bool:
        return self.returncode == 0

    @property
    def text(self) -> str:
        return self.stdout + self.stderr

    def __str__(self) -> str:
        return f"$ {' '.join(self.command)}\n{self.text}\n[{self.returncode}, {self.seconds:.2f} s]"


class Certbot:
    """`check` sees every outcome before its caller does, so that no run escapes the scan for
    secrets. `env` is added to each run's environment."""

    def __init__(
        self,
        venv: Path,
        home: Path,
        ca_url: str,
        ca_bundle: Path,
        check: Callable[[Outcome], None],
    ) -> None:
        self.venv = venv
        self.home = home
        self.config_dir = home / "config"
        self.logs_dir = home / "logs"
        self.work_dir = home / "work"
        self.env: dict[str, str] = {}
        self._ca_url = ca_url
        self._ca_bundle = ca_bundle
        self._check = check
        self._running: list[Run] = []
        self._authorizations = Authorizations(ca_bundle)
        home.mkdir(parents=True, exist_ok=True)

    def run(
        self,
        *arguments: Argument,
        env: Mapping[str, str] | None = None,
        input: str = "",
        timeout: float = 180.0,
        interactive: bool = False,
    ) -> Outcome:
        return self.start(*arguments, env=env, input=input, interactive=interactive).wait(timeout)

    def start(
        self,
        *arguments: Argument,
        env: Mapping[str, str] | None = None,
        input: str = "",
        interactive: bool = False,
    ) -> Run:
        """Begin a run, for those who want to send it signals."""
        command = [str(self.venv / "bin" / "certbot"), *map(str, arguments)]
        command += self._own_options(command, interactive)
        if self._running and not any(run.running() for run in self._running):
            self._authorizations.deactivate(self.config_dir / "accounts", self.logs_dir)
        run = Run(command, self._environment(env or {}), input, self.logs_dir, self._check)
        self._running.append(run)
        return run

    def plugin(
        self, *arguments: Argument, env: Mapping[str, str] | None = None, timeout: float = 60.0
    ) -> Outcome:
        """Run the plugin's own command, `certbot-dns-aliyun`, to its end."""
        return self.start_plugin(*arguments, env=env).wait(timeout)

    def start_plugin(self, *arguments: Argument, env: Mapping[str, str] | None = None) -> Run:
        command = [str(self.venv / "bin" / "certbot-dns-aliyun"), *map(str, arguments)]
        # It writes no log; Certbot's may be there from before.
        no_logs = self.home / "no logs"
        run = Run(command, self._environment(env or {}), "", no_logs, self._check)
        self._running.append(run)
        return run

    def stop(self) -> None:
        for run in self._running:
            run.kill()

    def certificate(self, name: str) -> x509.Certificate:
        return x509.load_pem_x509_certificate(
            (self.config_dir / "live" / name / "cert.pem").read_bytes()
        )

    def names(self, lineage: str) -> list[str]:
        """The DNS names in a lineage's certificate, sorted."""
        extensions = self.certificate(lineage).extensions
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return sorted(names.get_values_for_type(x509.DNSName))

    def renewal_file(self, name: str) -> Path:
        return self.config_dir / "renewal" / f"{name}.conf"

    def _own_options(self, command: Sequence[str], interactive: bool) -> list[str]:
        options: list[str] = []
        for name in ("config", "work", "logs"):
            if f"--{name}-dir" not in command:
                options += [f"--{name}-dir", str(self.home / name)]
        verb = next((word for word in command[1:] if not word.startswith("-")), "")
        if verb in NAMES_CA and not NAMES_ANOTHER_CA.intersection(command):
            options += ["--server", self._ca_url]
        if verb in CREATES_ACCOUNT:
            options += ["--agree-tos", "--register-unsafely-without-email"]
        if verb == "renew":
            options.append("--no-random-sleep-on-renew")
        options.append("--force-interactive" if interactive else "--non-interactive")
        return options

    def _environment(self, more: Mapping[str, str]) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not FOREIGN.fullmatch(key)}
        return {
            **kept,
            "HOME": str(self.home),
            "LC_ALL": "C.UTF-8",
            "REQUESTS_CA_BUNDLE": str(self._ca_bundle),
            "PYTHONWARNINGS": "default",
            "PYTHONFAULTHANDLER": "1",
            **self.env,
            **more,
        }


class Run:
    """A certbot that is under way. Its output goes to files, so that no pipe can fill up."""

    def __init__(
        self,
        command: list[str],
        environment: Mapping[str, str],
        input: str,
        logs_dir: Path,
        check: Callable[[Outcome], None],
    ) -> None:
        self._command = command
        self._log = logs_dir / "letsencrypt.log"
        self._check = check
        self._outcome: Outcome | None = None
        screens = logs_dir.parent / "screens"
        screens.mkdir(parents=True, exist_ok=True)
        stem = f"{len(list(screens.iterdir())) // 2:03d}"
        self._stdout, self._stderr = screens / f"{stem}.out", screens / f"{stem}.err"
        self._started = time.monotonic()
        with self._stdout.open("wb") as out, self._stderr.open("wb") as err:
            self.process = subprocess.Popen(
                command, env=dict(environment), stdin=subprocess.PIPE, stdout=out, stderr=err
            )
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(input.encode())
            self.process.stdin.close()
        except BrokenPipeError:
            pass

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def running(self) -> bool:
        return self.process.poll() is None

    def screen(self) -> str:
        """What is on the screen so far."""
        return _text(self._stdout) + _text(self._stderr)

    def wait(self, timeout: float = 180.0) -> Outcome:
        if self._outcome is not None:
            return self._outcome
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.send(signal.SIGABRT)  # the fault handler shows where each thread is
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(5)
            self.kill()
            raise AssertionError(f"certbot still ran after {timeout} s:\n{self.screen()}") from None
        seconds = time.monotonic() - self._started
        self._outcome = Outcome(
            self._command,
            self.process.returncode,
            _text(self._stdout),
            _text(self._stderr),
            _text(self._log),
            seconds,
        )
        self._check(self._outcome)
        return self._outcome


def _text(file: Path) -> str:
    return file.read_text(errors="replace") if file.exists() else ""


def find_venv(version: str | None = None) -> Path:
    """The virtual environment with a Certbot version: $CERTBOT_VENVS/certbot-<version>, or
    build/certbot-<version> in the checkout; without a version ($CERTBOT) the newest."""
    folder = Path(os.environ.get("CERTBOT_VENVS") or ROOT / "build")
    version = version or os.environ.get("CERTBOT")
    if version:
        found = [folder / f"certbot-{version}"]
    else:
        found = sorted(folder.glob("certbot-[0-9]*"), key=_version)
    if not found or not (found[-1] / "bin" / "certbot").exists():
        raise FileNotFoundError(
            f"no Certbot {version or ''} in {folder} (CERTBOT_VENVS names another folder)"
        )
    return found[-1]


def _version(venv: Path) -> list[Any]:
    return [int(part) for part in re.findall(r"\d+", venv.name)]
