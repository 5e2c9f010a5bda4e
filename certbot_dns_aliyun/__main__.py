"""``python -m certbot_dns_aliyun`` is the command ``certbot-dns-aliyun``."""

from __future__ import annotations

import sys

from certbot_dns_aliyun.commands.main import main

if __name__ == "__main__":
    sys.exit(main())
