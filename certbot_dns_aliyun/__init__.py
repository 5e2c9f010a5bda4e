"""Certbot authenticator for Alibaba Cloud DNS (Alidns)."""
