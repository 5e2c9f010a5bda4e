"""What `make demo-nginx` shows: nginx with certificates of the plugin, a renewal that no client
notices, and a grade by a tool that nobody here wrote.

The configuration is the one that docs/serving.rst gives to paste.
"""

from __future__ import annotations

import http.client
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509

from tests.demo import command, paint, title
from tests.world import World, namespace
from tests.world.certbot import ROOT

ZONE = "example.com"
NAMES = [ZONE, f"*.{ZONE}"]
ADDRESS = "127.0.0.50"
#: SSL Labs wants so much for an A+, in seconds.
HALF_A_YEAR = 180 * 24 * 60 * 60
LARGE = 16 * 1024 * 1024


def main() -> int:
    """Show it; the exit status tells whether all was as it should be."""
    why_not = namespace.explain_unavailable()
    if why_not:
        print(f"The demo needs a network of its own: {why_not}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="demo-") as folder, World(folder=Path(folder)) as world:
        nginx = Nginx(world)
        try:
            faults = list(show(world, nginx))
        except AssertionError as error:
            faults = [str(error)]
        finally:
            nginx.stop()
    for fault in faults:
        print(paint(f"NOT AS IT SHOULD BE: {fault}", "31"))
    return 1 if faults else 0


def show(world: World, nginx: Nginx) -> Iterator[str]:
    """Show everything, from the first certificate to the grade; gives what was not right."""
    title("nginx with certificates for example.com and *.example.com: ECDSA, and RSA beside it")
    hook = f"--deploy-hook '{nginx.shown_reload}'"
    for lineage, more in ((ZONE, ""), (f"{ZONE}-rsa", f"--cert-name {ZONE}-rsa --key-type rsa ")):
        command(f"certbot certonly {more}-a dns-aliyun … {hook} -d {ZONE} -d '*.{ZONE}'")
        options = [*more.split(), "--deploy-hook", nginx.reload_command]
        outcome = world.issue(*NAMES, options=options)
        if not outcome.ok:
            yield f"no certificate {lineage}: {outcome}"
            return
        print("Successfully received certificate.")
    nginx.start()
    roots = nginx.roots()
    before = served(roots, "ECDSA"), served(roots, "RSA")
    print(f"\nnginx serves ECDSA {serial(before[0])} and RSA {serial(before[1])}.")
    for name in (ZONE, f"www.{ZONE}"):
        yield from check_redirect(name)

    command("certbot renew --force-renewal")
    with Clients(roots) as clients:
        outcome = world.certbot.run("renew", "--force-renewal")
        time.sleep(1)
    if not outcome.ok:
        yield f"no renewal: {outcome}"
    after = served(roots, "ECDSA"), served(roots, "RSA")
    print(f"nginx serves ECDSA {serial(after[0])} and RSA {serial(after[1])}.")
    print(
        f"Meanwhile {clients.answered} requests were answered and {len(clients.failed)} were not; "
        f"a download that began before was {'whole' if clients.is_whole else 'BROKEN'}."
    )
    if clients.failed:
        yield f"requests failed during the reload: {clients.failed[:3]}"
    if not clients.is_whole:
        yield "the reload broke a download off"
    if {serial(each) for each in before} & {serial(each) for each in after}:
        yield "nginx goes on serving an old certificate"

    yield from show_installer(world, nginx, roots)
    yield from grade(nginx)


def show_installer(world: World, nginx: Nginx, roots: Path) -> Iterator[str]:
    """Let Certbot's nginx plugin reload it in place of the hook."""
    command(f"certbot certonly -a dns-aliyun -i nginx … -d {ZONE} -d '*.{ZONE}'; certbot renew")
    installer = [*nginx.installer_options, "--force-renewal"]
    outcome = world.issue(*NAMES, options=installer)
    if not outcome.ok:
        yield f"no certificate with -i nginx: {outcome}"
        return
    if "hook" in world.certbot.renewal_file(ZONE).read_text():
        yield "the hook is still there, so the installer shows nothing"
    old = serial(served(roots, "ECDSA"))
    outcome = world.certbot.run("renew", "--force-renewal", "--cert-name", ZONE)
    new = serial(served(roots, "ECDSA"))
    print(f"nginx served ECDSA {old}, and serves {new}.")
    if not outcome.ok or new == old:
        yield f"the installer did not reload nginx: {outcome}"


def check_redirect(name: str) -> Iterator[str]:
    """Plain HTTP leads to HTTPS."""
    connection = http.client.HTTPConnection(ADDRESS, 80, timeout=10)
    connection.request("GET", "/page", headers={"Host": name})
    reply = connection.getresponse()
    if (reply.status, reply.headers["Location"]) != (301, f"https://{name}/page"):
        yield f"http://{name}/page is answered by {reply.status} {reply.headers['Location']}"


def grade(nginx: Nginx) -> Iterator[str]:
    """Let sslyze judge, and add what SSL Labs asks besides."""
    command(f"sslyze {ADDRESS}:443 --sni {ZONE} --mozilla_config intermediate")
    sslyze = [str(ROOT / "build/serving/sslyze/bin/python"), "-m", "sslyze"]
    options = ["--sni", ZONE, "--mozilla_config", "intermediate"]
    options += ["--certinfo_ca_file", str(nginx.roots())]
    done = subprocess.run(
        [*sslyze, f"{ADDRESS}:443", *options], capture_output=True, text=True, check=False
    )
    verdict = done.stdout[done.stdout.rfind("COMPLIANCE") :]
    print("\n".join(line for line in verdict.splitlines() if "Compliant" in line or "*" in line))
    age = hsts()
    is_plus = done.returncode == 0 and age >= HALF_A_YEAR
    print(f"HSTS: {age // 86400} days.")
    print(paint(f"Grade: {'A+' if is_plus else 'not A+'}", "1;32" if is_plus else "31"))
    if not is_plus:
        yield f"no A+:\n{done.stdout[-2000:]}"


def hsts() -> int:
    """Give the seconds for which browsers are to insist on HTTPS."""
    context = ssl._create_unverified_context()  # noqa: S323, who is asked is known here
    connection = http.client.HTTPSConnection(ADDRESS, 443, context=context, timeout=10)
    connection.request("GET", "/", headers={"Host": ZONE})
    header = connection.getresponse().headers.get("Strict-Transport-Security", "")
    found = re.search(r"max-age=(\d+)", header)
    return int(found[1]) if found else 0


def served(roots: Path, kind: str) -> x509.Certificate:
    """Give the certificate that a client gets which knows one kind of key alone."""
    context = ssl.create_default_context(cafile=str(roots))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(f"ECDHE-{kind}-AES128-GCM-SHA256")
    with (
        socket.create_connection((ADDRESS, 443), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=f"www.{ZONE}") as tls,
    ):
        return x509.load_der_x509_certificate(tls.getpeercert(binary_form=True) or b"")


def serial(certificate: x509.Certificate) -> str:
    """Name a certificate."""
    return f"{certificate.serial_number:x}"[:8]


class Clients:
    """Some that keep asking, each time over a new connection, and one that downloads slowly."""

    def __init__(self, roots: Path) -> None:
        self.answered = 0
        self.failed: list[str] = []
        self.is_whole = False
        self._context = ssl.create_default_context(cafile=str(roots))
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(4)]
        self._threads.append(threading.Thread(target=self._download))

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        time.sleep(0.5)
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _get(self, path: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPSConnection(ZONE, 443, context=self._context, timeout=20)
        plain = socket.create_connection((ADDRESS, 443), timeout=20)
        connection.sock = self._context.wrap_socket(plain, server_hostname=ZONE)
        connection.request("GET", path, headers={"Connection": "close"})
        return connection.getresponse()

    def _ask(self) -> None:
        while not self._ended.wait(0.01):
            try:
                reply = self._get("/")
                if reply.status != 200 or b"hello" not in reply.read():
                    self.failed.append(str(reply.status))
                self.answered += 1
            except OSError as error:
                self.failed.append(repr(error))

    def _download(self) -> None:
        reply = self._get("/large")
        length = 0
        try:
            while chunk := reply.read(64 * 1024):
                length += len(chunk)
                if not self._ended.is_set():
                    time.sleep(0.05)
        except (OSError, http.client.HTTPException):
            return
        self.is_whole = length == LARGE


class Nginx:
    """The real nginx, with the configuration of the documentation, on an address of its own."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.folder = world.folder / "nginx"
        self.site = self.folder / "html"
        self.site.mkdir(parents=True)
        (self.site / "index.html").write_text("hello")
        (self.site / "large").write_bytes(bytes(LARGE))
        self._configuration = self.folder / "nginx.conf"
        self._program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/sbin:/bin") or "nginx"
        self._process: subprocess.Popen[bytes] | None = None
        self.shown_reload = "nginx -s reload"
        # Before nginx runs, there is nothing to reload.
        self.reload_command = f"test ! -e {self.folder}/pid || {self._words('-s', 'reload')}"
        self.installer_options = [
            "--installer",
            "nginx",
            "--nginx-server-root",
            str(self.folder),
            "--nginx-ctl",
            self._program,
        ]

    def start(self) -> None:
        """Start it, with the certificates that are there by now."""
        self._configuration.write_text(self._text())
        self._process = subprocess.Popen([*self._words().split(), "-g", "daemon off;"])
        end = time.monotonic() + 20
        while time.monotonic() < end and self._process.poll() is None:
            try:
                socket.create_connection((ADDRESS, 443), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise AssertionError("nginx did not start")

    def stop(self) -> None:
        """End it."""
        if self._process:
            self._process.terminate()
            self._process.wait(10)

    def roots(self) -> Path:
        """Give the CA's root certificate."""
        file = self.folder / "root.pem"
        context = ssl.create_default_context(cafile=str(self._world.ca.bundle))
        with urllib.request.urlopen(self._world.ca.root_url, context=context) as reply:  # noqa: S310
            file.write_bytes(reply.read())
        return file

    def _words(self, *more: str) -> str:
        return " ".join([self._program, "-c", str(self._configuration), *more])

    def _text(self) -> str:
        page = (ROOT / "docs" / "serving.rst").read_text(encoding="utf-8")
        blocks = re.findall(r"\.\. code-block:: nginx\n\n((?:   .*\n|\n)+)", page)
        servers, both = (textwrap.dedent(block) for block in blocks)
        key_line = "    ssl_certificate_key /etc/letsencrypt/live/example.com/privkey.pem;\n"
        servers = servers.replace(key_line, key_line + textwrap.indent(both, "    "))
        servers = re.sub(r" *listen \[::\].*\n", "", servers)
        servers = re.sub(r"listen (80|443)", rf"listen {ADDRESS}:\1", servers)
        servers = servers.replace("/etc/letsencrypt", str(self._world.certbot.config_dir))
        servers = servers.replace("/var/www/html", str(self.site))
        temporary = "".join(
            f"    {kind}_temp_path {self.folder}/{kind};\n"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        return (
            f"user root;\npid {self.folder}/pid;\nerror_log {self.folder}/error.log;\n"
            "events {}\n"
            f"http {{\n    access_log off;\n{temporary}{textwrap.indent(servers, '    ')}}}\n"
        )


if __name__ == "__main__":
    sys.exit(main())
