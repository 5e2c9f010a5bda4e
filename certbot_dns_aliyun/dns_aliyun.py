"""The authenticator, as Certbot sees it: its options, and what it does in which order.

Certbot imports this module at each start, whatever it is started for. So what costs time to import
(the SDK, requests, dnspython) is imported when a challenge is to be performed.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any, Callable, TypeVar

from certbot import errors, interfaces
from certbot.plugins import dns_common

from certbot_dns_aliyun.legible import legible, legible_errors, log_legibly
from certbot_dns_aliyun.names import normalize

if TYPE_CHECKING:
    from acme import challenges
    from certbot import achallenges

    from certbot_dns_aliyun.run import Run

T = TypeVar("T")

logger = logging.getLogger(__name__)
log_legibly()

#: Seconds to wait where no name server can be asked, as 2.0.0 always did.
DEFAULT_PROPAGATION_SECONDS = 30
#: Seconds to wait at most for name servers that answer without the value.
DEFAULT_WAIT_LIMIT = 600

_DAY = 24 * 60 * 60
#: Seconds that the search for an access key gets to end, once a signal has ended the run.
_LAST_SEARCH = 5.0


class Authenticator(dns_common.DNSAuthenticator):
    """Proves control of names by TXT records at Alibaba Cloud DNS (dns-01, RFC 8555, 8.4)."""

    description = (
        "Obtain certificates using a DNS TXT record (if you are using Alibaba Cloud DNS for DNS)."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._run: Run | None = None

    @classmethod
    def add_parser_arguments(cls, add: Callable[..., None]) -> None:  # type: ignore[override]
        """Declare the options; ``add`` puts ``--dns-aliyun-`` before each name."""
        add("credentials", help="Path of the INI file with the access key.")
        add(
            "propagation-seconds",
            type=int,
            default=DEFAULT_PROPAGATION_SECONDS,
            help="Seconds to wait where the name servers of a zone cannot be asked. Where they "
            "can, the wait ends as soon as all of them serve the TXT records.",
        )
        add(
            "wait-limit",
            type=int,
            default=DEFAULT_WAIT_LIMIT,
            help="Seconds to wait at most for name servers that do not serve the TXT records yet.",
        )
        add(
            "wait-for",
            choices=("all", "alidns", "nothing"),
            default="all",
            help="Which name servers of a zone must serve the TXT records before the CA is asked: "
            "all, those of Alibaba Cloud DNS alone (where a second provider serves the zone, too), "
            "or none, after propagation-seconds.",
        )
        add(
            "resolvers",
            help="Recursive resolvers to ask for zones and name servers in place of this "
            "machine's own, as in 192.0.2.1,192.0.2.2:5353.",
        )
        add(
            "name-servers",
            help="Name servers to ask for the TXT records in place of the zone's own, as in "
            "ns1.example.com,192.0.2.1:5353.",
        )

    def more_info(self) -> str:
        """See :meth:`certbot.interfaces.Plugin.more_info`."""
        return (
            "This plugin proves control of a domain by a TXT record that it adds through the API "
            "of Alibaba Cloud DNS (Alidns), waits until all of the zone's authoritative name "
            "servers serve it, and removes it again."
        )

    def perform(
        self, achalls: list[achallenges.AnnotatedChallenge]
    ) -> list[challenges.ChallengeResponse]:
        """Add the records of all challenges, and wait until the world can see them.

        :raises errors.PluginError: if one of them cannot be added, or is not seen in time
        """
        with legible_errors():
            self._answer(achalls)
        return [achall.response(achall.account_key) for achall in achalls]

    def _answer(self, achalls: list[achallenges.AnnotatedChallenge]) -> None:
        longest, blind = (
            seconds_of(option, self.conf(option))
            for option in ("wait-limit", "propagation-seconds")
        )
        wait_for = self.conf("wait-for")
        self._setup_credentials()
        run = self._run = self._new_run()
        self._attempt_cleanup = True
        wanted = [_record(achall) for achall in achalls]

        def answer() -> None:
            for some in run.rounds(run.prepare(wanted)):
                run.concurrently(self._perform, some)
            run.go_on_without_those_left_out()
            if wait_for == "nothing":
                run.pause(blind)
            else:
                alidns_alone = wait_for == "alidns"
                quiet = self.config.quiet
                run.wait_until_served(longest, blind, alidns_alone=alidns_alone, quiet=quiet)

        run.aside(answer)

    def cleanup(self, achalls: list[achallenges.AnnotatedChallenge]) -> None:
        """Remove the records that :meth:`perform` added, and name those that cannot be removed."""
        if not self._attempt_cleanup or self._run is None:
            return
        from certbot_dns_aliyun.background import first_interrupt_waits

        with first_interrupt_waits() as interrupted:
            try:
                self._run.begin_cleanup(interrupted)
                self._run.concurrently(self._cleanup, [_record(a) for a in achalls])
            finally:
                self._run.close()
                self._attempt_cleanup = False

    def auth_hint(self, failed_achalls: list[achallenges.AnnotatedChallenge]) -> str:
        """Tell why the CA may have said no, by its own words and by what DNS says."""
        if self._run is None:
            return ""
        from certbot_dns_aliyun.diagnosis.refusal import Refusal

        refusals = []
        for achall in failed_achalls:
            domain, name, _ = _record(achall)
            error = getattr(achall, "error", None)
            kind, detail = getattr(error, "typ", ""), getattr(error, "detail", "")
            refusals.append(Refusal(domain, name, str(kind or ""), str(detail or "")))
        directory = str(getattr(self.config, "server", ""))
        ordered = [str(each) for each in getattr(self.config, "domains", None) or ()]
        return legible(self._run.hint(refusals, directory, ordered))

    def _setup_credentials(self) -> None:
        from certbot_dns_aliyun.credentials import settings

        if not self.conf("credentials"):
            try:
                self._settings = _aside(settings.without_file)
                return
            except errors.PluginError as error:
                if self.config.noninteractive_mode:
                    raise
                logger.warning("%s", error)
        self._configure_file(
            "credentials", "Alibaba Cloud credentials INI file", self._load_settings
        )
        path = os.path.abspath(os.path.expanduser(self.conf("credentials")))
        try:
            path.encode("utf-8")
        except UnicodeEncodeError:
            # Certbot would fail to write the renewal file, once there is a certificate.
            raise errors.PluginError(
                f"The path of the credentials file {path} cannot be kept for renewals, as there "
                "are characters in it that the locale lacks; run Certbot with LC_ALL=C.UTF-8, or "
                "use a path that is ASCII."
            ) from None
        # The renewal file keeps what is set here; `certbot renew` may run in any folder.
        setattr(self.config, self.dest("credentials"), path)
        self._load_settings(path)
        dns_common.validate_file_permissions(path)

    def _load_settings(self, path: str) -> None:
        from certbot_dns_aliyun.credentials import settings

        with legible_errors():
            self._settings = settings.load(os.path.expanduser(path))

    def _perform(self, domain: str, validation_name: str, validation: str) -> None:
        if self._run:
            self._run.add(validation_name, validation)

    def _cleanup(self, domain: str, validation_name: str, validation: str) -> None:
        if self._run:
            self._run.remove(validation_name, validation)

    def _new_run(self) -> Run:
        from certbot_dns_aliyun.run import Run

        return Run(
            self._settings,
            resolvers=self.conf("resolvers") or "",
            name_servers=self.conf("name-servers") or "",
            config_dir=self.config.config_dir,
            insists=self.conf("wait-for") == "nothing",
            allows_subset=self.config.allow_subset_of_names,
        )


def _aside(get: Callable[[], T]) -> T:
    """Get something in another thread: libraries swallow the exception by which a signal strikes.

    A profile's next refresh token may have to be stored yet then; another signal ends the wait.
    """
    from certbot_dns_aliyun.background import Aside

    aside = Aside()
    got: list[T] = []
    try:
        aside.do(lambda: got.append(get()))
    except BaseException:
        aside.wait(_LAST_SEARCH)
        raise
    return got[0]


def seconds_of(option: str, value: int | str) -> int:
    """Give the seconds that an option says.

    :raises certbot.errors.PluginError: if it is no number, or out of bounds
    """
    try:
        seconds = int(value)
    except ValueError:
        seconds = -1
    if not 0 <= seconds <= _DAY:
        raise errors.PluginError(
            f"--dns-aliyun-{option} must be between 0 and {_DAY} seconds, not {value}."
        )
    return seconds


def _record(achall: achallenges.AnnotatedChallenge) -> tuple[str, str, str]:
    """Give the domain of a challenge, and name and value of the TXT record that answers it."""
    # Certbot 5 has `identifier`, and warns of `domain`; before, there is `domain` alone.
    identifier = getattr(achall, "identifier", None)
    domain: str = identifier.value if identifier else achall.domain
    name = normalize(achall.validation_domain_name(domain))
    return domain, name, achall.validation(achall.account_key)


if not hasattr(interfaces, "Authenticator"):
    # Certbot before 1.19 recognizes a plugin by these declarations alone.
    import zope.interface

    zope.interface.classImplements(Authenticator, interfaces.IAuthenticator)
    zope.interface.directlyProvides(Authenticator, interfaces.IPluginFactory)
