"""A Debian 13 whose OpenSSL keeps FIPS 140, as a kernel in FIPS mode makes it on other systems."""

from __future__ import annotations

from typing import Callable

import pytest

from tests.distributions.debian import Debian

pytestmark = [
    pytest.mark.timeout(1200),
    pytest.mark.parametrize("debian", ["trixie"], indirect=True),
]

#: Without a word of the asker, what the module for FIPS has and nothing else. The default provider
#: is there for those who say that it is not for security; without it, Python would use an MD5 of
#: its own, which other systems leave out.
OPENSSL_CNF = """
openssl_conf = all
.include /etc/ssl/fipsmodule.cnf

[all]
providers = providers
alg_section = algorithms

[providers]
fips = fips_sect
default = default_sect

[default_sect]
activate = 1

[algorithms]
default_properties = fips=yes
"""
MD5 = "import hashlib; hashlib.md5(b'')"


def test_where_md5_is_forbidden_it_issues_and_renews(
    debian: Debian, lives: Callable[..., None]
) -> None:
    debian.pip_install()
    (module,) = debian.root.glob("usr/lib/*/ossl-modules/fips.so")
    inside = f"/{module.relative_to(debian.root)}"
    debian.run("openssl", "fipsinstall", "-module", inside, "-out", "/etc/ssl/fipsmodule.cnf")
    (debian.root / "etc/ssl/openssl.cnf").write_text(OPENSSL_CNF)
    with pytest.raises(AssertionError, match="unsupported"):
        debian.run("python3", "-c", MD5)
    lives()
