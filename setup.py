"""What pip needs to know to install the plugin and to show it to Certbot."""

import os
import re
from pathlib import Path

from setuptools import find_packages, setup

# No lower bound may be above what a supported system's own Certbot runs on: pip would put another
# in front of it, for all certificates. tests/packaging/test_systems.py knows what they have.
RUN_TIME = [
    # Debian 11 has 1.12, the oldest Certbot that a supported system came with.
    "acme>=1.12",
    "certbot>=1.12",
    # The last release; the request classes of every action that we call are in it.
    "aliyun-python-sdk-alidns>=3.0.7",
    # Older ones carry CA certificates of 2018, and do not bear jmespath 1.x, which boto3 needs.
    "aliyun-python-sdk-core>=2.16.1",
    # Older ones let a forged packet end a query (CVE-2023-29483).
    "dnspython>=2.6.1",
    # Debian 11 has 2.10; requests brings it along.
    "idna>=2.10",
    # Debian 11 and Ubuntu 22.04 have 2.25.1.
    "requests>=2.25.1",
    # The first with type annotations that a checker may use.
    "tenacity>=8.0",
    # Certbot before 1.19 knows a plugin by its zope.interface declarations. The systems that came
    # with such a Certbot have Python 3.9; elsewhere it would cost each start of a newer Certbot,
    # which imports it where it finds it. Debian 11 has 5.2, and a zope.component that does not bear
    # 6; from 8 on, old setuptools do not find it by its name.
    'zope.interface>=5.2,<8; python_version < "3.10"',
]

# Certbot's snap has its own of these, and lets a plugin's snap have none.
if os.environ.get("SNAP_BUILD"):
    RUN_TIME = [need for need in RUN_TIME if not need.startswith(("acme", "certbot"))]

# Roles (STS), ECS, OIDC, profiles of the aliyun CLI; imported when a setting asks for it. The
# releases that this was written against: its providers are not a documented interface, and
# tests/unit/test_credentials_real_library.py says which names of theirs are relied on.
CREDENTIALS = ["alibabacloud-credentials>=1.0.12,<1.1"]

UNIT_TESTS = ["hypothesis", "pytest>=8", "pytest-timeout", "pytest-xdist"]

# The servers, the CA's certificate and the clients of the world that the end-to-end tests run in.
WORLD = [*UNIT_TESTS, "aiohttp", "cryptography", "dnslib", "trustme"]

DOCUMENTATION = ["furo", "sphinx>=7", "sphinx-copybutton"]

DEVELOPMENT = [
    *WORLD,
    *DOCUMENTATION,
    "check-jsonschema",
    *CREDENTIALS,
    "axe-core-python",
    "babel",
    "check-manifest",
    "import-linter>=2",
    "kubernetes-validate",
    "mypy",
    "packaging",
    "ruff",
    "selenium",
    "sphinx-intl",
    "twine",
    "types-PyYAML",
    "types-requests",
]

# Alone on its line, in the shape that the scripts of Certbot's snaps look for, and ours.
version = "3.0.0rc1"

SITE = "https://certbot-dns-aliyun.readthedocs.io/en/latest"


def readme() -> str:
    """Give README.rst for PyPI, which has none of the files that its links lead to."""
    text = Path(__file__).with_name("README.rst").read_text(encoding="utf-8")
    text = text.replace("<README.zh-CN.rst>", f"<{SITE.replace('/en/', '/zh-cn/')}/index.html>")
    text = text.replace("<CHANGELOG.rst>", f"<{SITE}/changes.html>")
    text = text.replace("image:: docs/images/", f"image:: {SITE}/_images/")
    return re.sub(r"<docs/([a-z/-]+)\.rst>", rf"<{SITE}/\1.html>", text)


setup(
    name="certbot-dns-aliyun",
    version=version,
    description="Alibaba Cloud DNS (Alidns) authenticator for Certbot: dns-01, wildcards included",
    long_description=readme(),
    long_description_content_type="text/x-rst",
    url=SITE,
    license="Apache-2.0",
    license_files=["LICENSE.txt"],
    keywords="certbot acme letsencrypt dns-01 wildcard aliyun alidns",
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Plugins",
        "Intended Audience :: System Administrators",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.9",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Programming Language :: Python :: 3.14",
        "Programming Language :: Python :: 3.15",
        "Topic :: Internet :: Name Service (DNS)",
        "Topic :: Internet :: WWW/HTTP",
        "Topic :: Security",
        "Topic :: System :: Installation/Setup",
        "Topic :: System :: Systems Administration",
        "Typing :: Typed",
    ],
    python_requires=">=3.9",
    packages=find_packages(include=["certbot_dns_aliyun", "certbot_dns_aliyun.*"]),
    package_data={"certbot_dns_aliyun": ["guide.json", "py.typed"]},
    install_requires=RUN_TIME,
    extras_require={
        "credentials": CREDENTIALS,
        "test": UNIT_TESTS,
        "world": WORLD,
        "docs": DOCUMENTATION,
        "dev": DEVELOPMENT,
    },
    entry_points={
        "console_scripts": ["certbot-dns-aliyun = certbot_dns_aliyun.commands.main:main"],
        "certbot.plugins": ["dns-aliyun = certbot_dns_aliyun.dns_aliyun:Authenticator"],
    },
)
