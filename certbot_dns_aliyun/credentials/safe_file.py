"""Files of other tools that decide what Certbot does, used where nobody else can change them.

A profile may name a command, which is then run as the user who runs Certbot, most often root.
"""

from __future__ import annotations

import os
import stat

from certbot_dns_aliyun.alidns.errors import AlidnsError


def ensure_safe(path: str) -> None:
    """Make sure that a file can be read, and be changed by nobody but this user and root.

    :raises AlidnsError: if others can change or replace it; tells how
    :raises OSError: if it cannot be read
    """
    real = os.path.realpath(path)
    status = os.stat(real)
    if not stat.S_ISREG(status.st_mode):
        raise _unsafe(path, "is not a regular file")
    folders = {os.path.dirname(os.path.abspath(path)), os.path.dirname(real)}
    for each in (path, real, *folders):
        own = os.lstat(each)
        if own.st_uid not in (0, os.geteuid()):
            raise _unsafe(each, "belongs to another user")
        if _others_may_write(own, groups={0, os.getegid()}):
            raise _unsafe(each, "can be written by others")
    for folder in folders:
        while folder != os.path.dirname(folder):
            folder = os.path.dirname(folder)
            if _others_may_write(os.stat(folder)):
                raise _unsafe(folder, "can be written by others")
    with open(real, "rb"):
        pass


def _others_may_write(status: os.stat_result, groups: set[int] | None = None) -> bool:
    """Tell whether others may write a file, or replace what is in a folder.

    :param groups: those that may; None is for any
    """
    if stat.S_ISLNK(status.st_mode) or status.st_mode & stat.S_ISVTX:
        return False  # in a sticky folder, such as those of Kubernetes, only owners replace
    of_group = groups is not None and status.st_gid not in groups and status.st_mode & stat.S_IWGRP
    return bool(status.st_mode & stat.S_IWOTH or of_group)


def _unsafe(path: str, how: str) -> AlidnsError:
    return AlidnsError("unsafe file", detail=f"{path} {how}")
