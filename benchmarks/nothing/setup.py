"""The floor of the measurements: a Certbot plugin that does nothing."""

from setuptools import setup

setup(
    name="certbot-dns-nothing",
    version="1",
    py_modules=["certbot_dns_nothing"],
    install_requires=["certbot"],
    entry_points={"certbot.plugins": ["dns-nothing = certbot_dns_nothing:Authenticator"]},
)
