"""Credentials without a file: the chain that Alibaba's own tools go through, in their order.

https://help.aliyun.com/document_detail/378659.html lists the links and their variables.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from typing import Any, Callable

import tenacity
from certbot import errors

from certbot_dns_aliyun.credentials import cli_profile, kinds, library
from certbot_dns_aliyun.credentials.access_key import AccessKey, KeySource
from certbot_dns_aliyun.credentials.safe_file import ensure_safe
from certbot_dns_aliyun.errors import PASSING, AlidnsError, NotCalled

logger = logging.getLogger(__name__)

#: Attempts at a link whose service has a moment's trouble, and seconds between two.
_ATTEMPTS = 3
_PAUSE = 1.0

_KEY = ("ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET")
_OIDC = (
    "ALIBABA_CLOUD_ROLE_ARN",
    "ALIBABA_CLOUD_OIDC_PROVIDER_ARN",
    "ALIBABA_CLOUD_OIDC_TOKEN_FILE",
)

#: Where the one link comes from that is tried though nothing is set for it.
_NOT_SET = "its metadata service"


class _Unusable(str):
    """What is set for a link and gives no key, so that those of another account may be used."""


def find() -> KeySource:
    """Give the first link of the chain that has an access key.

    :raises errors.PluginError: if none has, listing what was tried; or if one that is set does not
        give one now, but may later: the next one may be another account's
    """
    tried = []
    install = ""
    for link in _links():
        if isinstance(link, str):
            tried.append(link)
            continue
        try:
            _try(link)
        except library.NotInstalledError as error:
            if not _is_set(link):
                tried.append(f"{link.origin}: on one, install certbot-dns-aliyun[credentials]")
            else:
                tried.append(f"{link.origin}: not without the extra packages")
                install = f" {error}"
            continue
        except (AlidnsError, errors.PluginError) as error:
            logger.debug("%s: %s", link.origin, error)
            why = _why(error)
            why = why if link.origin in why else f"{link.origin}: {why}"
            if not _is_set(link):
                tried.append(why)
                continue
            if isinstance(error, AlidnsError) and error.verdict in PASSING:
                raise errors.PluginError(
                    f"No access key can be had now: {why}; {error.because()[1]}."
                ) from None
            tried.append(_Unusable(why))
            continue
        for each in tried:
            if isinstance(each, _Unusable):
                logger.warning("%s; the credentials of %s are used instead.", each, link.origin)
        logger.info("Using the credentials of %s", link.origin)
        return link
    raise errors.PluginError(
        "No Alibaba Cloud credentials were found: give a credentials file with "
        f"--dns-aliyun-credentials (tried without one: {'; '.join(tried)}).{install}"
    )


def _try(link: KeySource) -> None:
    """Get a key, through a moment's trouble of STS or the metadata service."""
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception(lambda error: _may_pass(error, link)),
        stop=tenacity.stop_after_attempt(_ATTEMPTS),
        wait=tenacity.wait_fixed(_PAUSE),
        reraise=True,
    )
    retrying(link.get)


def _may_pass(error: BaseException, link: KeySource) -> bool:
    if not isinstance(error, AlidnsError):
        return False
    # Most machines are no instances, and nobody has said that this is one.
    is_elsewhere = error.code is NotCalled.NOT_ON_ECS and not _is_set(link)
    return error.verdict in PASSING and not is_elsewhere


def _is_set(link: KeySource) -> bool:
    return _NOT_SET not in link.origin


def _why(error: Exception) -> str:
    return error.because()[0] if isinstance(error, AlidnsError) else str(error)


def _links() -> Iterator[KeySource | str]:
    """Give the links of the chain; for one that is not there, what was looked for."""
    environment = os.environ.get
    key_id, secret = map(environment, _KEY)
    if key_id and secret:
        key = AccessKey(key_id, secret, environment("ALIBABA_CLOUD_SECURITY_TOKEN", ""))
        if not key.is_sound():
            yield _Unusable(
                "ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET or "
                "ALIBABA_CLOUD_SECURITY_TOKEN holds a blank or a character that no key has"
            )
        elif key.is_swapped():
            yield _Unusable(f"{_KEY[1]} holds an id, which begins with LTAI; {_KEY[0]} does not")
        else:
            yield KeySource(key, "the variables ALIBABA_CLOUD_ACCESS_KEY_ID and _SECRET")
    else:
        yield _not_all(_KEY)

    if all(map(environment, _OIDC)):
        yield library.LibrarySource(
            lambda: library.providers().OIDCRoleArnCredentialsProvider(),
            f"OIDC (the variables {', '.join(_OIDC)})",
            os.environ[_OIDC[0]],
        )
    else:
        yield _not_all(_OIDC)

    if environment("ALIBABA_CLOUD_CLI_PROFILE_DISABLED", "").lower() != "true":
        yield _of_file(
            cli_profile.CONFIG_FILE, lambda path: lambda: cli_profile.make_provider(None)
        )
    yield _of_file(
        environment("ALIBABA_CLOUD_CREDENTIALS_FILE") or "~/.alibabacloud/credentials.ini",
        _profile_maker,
    )

    if environment("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "").lower() != "true":
        role = environment("ALIBABA_CLOUD_ECS_METADATA")
        where = "the variable ALIBABA_CLOUD_ECS_METADATA" if role else _NOT_SET
        yield kinds.ecs_source(role, where)

    uri = environment("ALIBABA_CLOUD_CREDENTIALS_URI")
    form, example = kinds.URI_FORM
    if uri and not re.fullmatch(form, uri, re.ASCII):
        yield _Unusable(f"ALIBABA_CLOUD_CREDENTIALS_URI is not of the form: {example}")
    elif uri:
        yield kinds.uri_source(uri, "the variable ALIBABA_CLOUD_CREDENTIALS_URI")
    else:
        yield "no variable ALIBABA_CLOUD_CREDENTIALS_URI"


def _not_all(names: tuple[str, ...]) -> str:
    """Say which of the variables are not set, and which are, of those that go together."""
    given = [name for name in names if os.environ.get(name)]
    if not given:
        return f"no variables {' and '.join(names)}"
    lacking = [name for name in names if name not in given]
    are = ["is" if len(some) == 1 else "are" for some in (given, lacking)]
    return _Unusable(f"{' and '.join(given)} {are[0]} set, {' and '.join(lacking)} {are[1]} not")


def _of_file(path: str, maker: Callable[[str], Callable[[], Any]]) -> KeySource | str:
    found = os.path.expanduser(path)
    if found.startswith("~"):
        return f"no home folder for {path}"
    if not os.path.isfile(found):
        return f"no file {path}"
    return library.LibrarySource(maker(found), path)


def _profile_maker(path: str) -> Callable[[], Any]:
    def make() -> Any:
        ensure_safe(path)
        return library.providers().ProfileCredentialsProvider(profile_file=path)

    return make
