"""Files of other tools that decide what Certbot does, used where nobody else can change them.

A profile may name a command, which is then run as the user who runs Certbot, most often root.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator

from certbot_dns_aliyun.errors import AlidnsError, NotCalled

#: Links that are followed at the most, as the kernel does.
_LINKS = 40
#: Whom a user namespace shows as owner of what belongs to nobody in it, such as ``/``.
_OUTSIDE = 65534


def ensure_safe(path: str) -> None:
    """Make sure that a file can be read, and be changed by nobody but this user and root.

    :raises AlidnsError: if others can change or replace it; tells how
    :raises OSError: if it cannot be read
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise _unsafe(path, "is not a regular file")
    way = list(_way_to(os.path.abspath(path)))
    for place in way:
        status = os.lstat(place)
        is_close = place in (way[-1], os.path.dirname(way[-1]))
        is_link = stat.S_ISLNK(status.st_mode)
        if is_link and not os.stat(os.path.dirname(place)).st_mode & stat.S_ISVTX:
            continue  # its folder is checked, and tells who may replace it
        if status.st_uid not in (0, os.geteuid(), *([] if is_close else [_OUTSIDE])):
            raise _unsafe(place, "belongs to another user")
        # In sticky folders, such as those of Kubernetes, nobody replaces the files of others.
        if is_link or (stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX):
            continue
        of_others = stat.S_IWOTH
        if is_close and status.st_gid not in (0, os.getegid()):
            of_others |= stat.S_IWGRP
        if status.st_mode & of_others:
            raise _unsafe(place, "can be written by others")
    with open(path, "rb"):
        pass


def _way_to(path: str) -> Iterator[str]:
    """Give each folder and link that leads to a file, and the file.

    :raises OSError: if one is not there, or the links lead in a circle
    """
    place, links = "/", 0
    ahead = path.split("/")[::-1]
    while ahead:
        name = ahead.pop()
        if name == "..":
            place = os.path.dirname(place)
        if name in ("", ".", ".."):
            continue
        following = os.path.join(place, name)
        yield following
        if os.path.islink(following):
            links += 1
            if links > _LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            target = os.readlink(following)
            place = "/" if target.startswith("/") else place
            ahead += target.split("/")[::-1]
        else:
            place = following


def _unsafe(path: str, how: str) -> AlidnsError:
    return AlidnsError(NotCalled.UNSAFE_FILE, detail=f"{path} {how}")
