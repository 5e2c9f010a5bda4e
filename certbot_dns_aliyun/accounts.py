"""The client for each zone: that of the account whose credentials are set for it."""

from __future__ import annotations

import threading

from certbot_dns_aliyun.alidns.client import Client
from certbot_dns_aliyun.credentials.settings import Account, Settings
from certbot_dns_aliyun.errors import AlidnsError, NotCalled


class Clients:
    """One client an account, made when a zone of that account is first met.

    :ivar settings: which account is for which zones
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._clients: dict[Account, Client] = {}
        self._lock = threading.Lock()

    def client_for(self, zone: str) -> Client:
        """Give the client for a zone.

        :raises AlidnsError: if the credentials file has no account for it
        """
        account = self.settings.account_for(zone)
        if account is None:
            raise AlidnsError(NotCalled.NO_ACCOUNT, zone=zone)
        with self._lock:
            if account not in self._clients:
                self._clients[account] = Client(account.source, account.endpoint)
            return self._clients[account]

    def identity_for(self, zone: str) -> str:
        """Give what tells the account for a zone from others, if anything does."""
        account = self.settings.account_for(zone)
        return account.source.identity if account else ""
