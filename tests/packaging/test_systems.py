"""What pip would do to the libraries that a system's own Certbot runs on: nothing.

pip puts a newer library in front of the system's where a requirement of ours is above what the
system has; then its Certbot runs on that, for all certificates, and may not bear it.
"""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterator

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement

#: Of the libraries that apt's Certbot runs on, those that we need, too, be it by way of others.
#: Recorded in November 2026.
SYSTEMS = {
    "Debian 11": {
        "python": "3.9",
        "acme": "1.12.0",
        "certbot": "1.12.0",
        "cryptography": "3.3.2",
        "idna": "2.10",
        "requests": "2.25.1",
        "zope.interface": "5.2.0",
    },
    "Debian 12": {
        "python": "3.11",
        "acme": "2.1.0",
        "certbot": "2.1.0",
        "cryptography": "38.0.4",
        "idna": "3.3",
        "requests": "2.28.1",
        "zope.interface": "5.5.2",
    },
    "Debian 13": {
        "python": "3.13",
        "acme": "4.0.0",
        "certbot": "4.0.0",
        "cryptography": "43.0.0",
        "idna": "3.10",
        "requests": "2.32.3",
        "zope.interface": "7.2",
    },
    "Debian sid": {
        "python": "3.14",
        "acme": "5.5.0",
        "certbot": "5.5.0",
        "cryptography": "49.0.0",
        "idna": "3.20",
        "requests": "2.34.2",
        "zope.interface": "8.7",
    },
}


def required(name: str, python: str, certbots_own: set[str]) -> Iterator[Requirement]:
    """What pip would want for one of ours, and for what only we bring along."""
    environment = {**default_environment(), "python_version": python, "extra": ""}
    for line in importlib.metadata.requires(name) or ():
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate(environment):
            yield requirement
            if canonical(requirement.name) not in certbots_own:
                yield from required(requirement.name, python, certbots_own)


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("system", SYSTEMS)
def test_pip_leaves_the_libraries_of_apts_certbot_alone(system: str) -> None:
    has = {canonical(name): version for name, version in SYSTEMS[system].items()}
    python = has.pop("python")
    wanted = list(required("certbot-dns-aliyun", python, set(has)))
    assert {"certbot", "cryptography", "idna", "requests"} <= {canonical(r.name) for r in wanted}
    for requirement in wanted:
        version = has.get(canonical(requirement.name))
        assert version is None or requirement.specifier.contains(version), (
            f"pip would replace {requirement.name} {version} of {system}: {requirement}"
        )


def test_no_library_of_a_new_certbot_has_an_upper_bound() -> None:
    """What is new tomorrow must not end in a conflict that nobody but us has made."""
    certbots_own = {canonical(name) for name in SYSTEMS["Debian sid"]}
    for requirement in required("certbot-dns-aliyun", "3.14", certbots_own):
        if canonical(requirement.name) in certbots_own:
            bounds = {each.operator for each in requirement.specifier}
            assert bounds <= {">=", "!="}, requirement
