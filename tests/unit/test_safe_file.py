"""Files of other tools: used where nobody else can change them, and refused with the reason."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from certbot_dns_aliyun.credentials.safe_file import ensure_safe
from certbot_dns_aliyun.errors import AlidnsError, NotCalled

#: A user and a group that are neither root nor those of the tests.
SOMEBODY = 54321


def give_away(path: Path, user: int, group: int) -> None:
    try:
        os.chown(path, user, group, follow_symlinks=False)
    except OSError:
        pytest.skip("only root, outside of a user namespace, gives files away")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file in a folder of its own, both as they should be."""
    folder = tmp_path / "home" / ".aliyun"
    folder.mkdir(parents=True, mode=0o700)
    path = folder / "config.json"
    path.touch(mode=0o600)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(AlidnsError) as caught:
        ensure_safe(str(path))
    assert caught.value.code == NotCalled.UNSAFE_FILE
    return caught.value.detail


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o400])
def test_a_file_that_others_can_but_read_is_used(path: Path, mode: int) -> None:
    path.chmod(mode)
    ensure_safe(str(path))


@pytest.mark.parametrize("mode", [0o602, 0o666, 0o777])
def test_a_file_that_anybody_can_write_is_refused(path: Path, mode: int) -> None:
    path.chmod(mode)
    assert refusal(path) == f"{path} can be written by others"


def test_a_folder_that_anybody_can_write_is_refused(path: Path) -> None:
    path.parent.chmod(0o777)
    assert refusal(path) == f"{path.parent} can be written by others"


def test_a_folder_further_up_that_anybody_can_write_is_refused(path: Path) -> None:
    path.parent.parent.chmod(0o777)
    assert refusal(path) == f"{path.parent.parent} can be written by others"


@pytest.mark.parametrize("which", [".", "config.json"])
def test_what_another_group_can_write_is_refused(path: Path, which: str) -> None:
    shared = path.parent / which
    give_away(shared, 0, SOMEBODY)
    shared.chmod(0o770)
    assert refusal(path) == f"{shared} can be written by others"


def test_what_the_own_group_can_write_is_used(path: Path) -> None:
    path.parent.chmod(0o770)
    path.chmod(0o660)
    ensure_safe(str(path))


def test_what_belongs_to_another_user_is_refused(path: Path) -> None:
    give_away(path, SOMEBODY, 0)
    assert refusal(path) == f"{path} belongs to another user"
    give_away(path, 0, 0)
    give_away(path.parent, SOMEBODY, 0)
    assert refusal(path) == f"{path.parent} belongs to another user"


def test_a_token_as_kubernetes_projects_it_is_used(tmp_path: Path) -> None:
    volume = tmp_path / "rrsa-tokens"
    version = volume / "..2026_11_26"
    version.mkdir(parents=True)
    (version / "token").write_text("x")
    volume.chmod(0o1777)
    (volume / "..data").symlink_to(version.name)
    (volume / "token").symlink_to("..data/token")
    ensure_safe(str(volume / "token"))


def test_a_link_into_a_folder_that_anybody_can_write_is_refused(path: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    elsewhere.chmod(0o777)
    path.rename(elsewhere / "real.json")
    path.symlink_to(elsewhere / "real.json")
    assert refusal(path) == f"{elsewhere} can be written by others"


def test_a_link_that_lies_in_a_folder_that_anybody_can_write_is_refused(
    path: Path, tmp_path: Path
) -> None:
    """Not the last link, nor the one that was named."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    elsewhere.chmod(0o777)
    (elsewhere / "second").symlink_to(path.parent)
    (path.parent.parent / "first").symlink_to("../elsewhere/second")
    assert refusal(path.parent.parent / "first" / path.name) == (
        f"{elsewhere} can be written by others"
    )
    elsewhere.chmod(0o755)
    ensure_safe(str(path.parent.parent / "first" / path.name))


def test_a_folder_further_up_that_belongs_to_another_user_is_refused(path: Path) -> None:
    give_away(path.parent.parent, SOMEBODY, 0)
    assert refusal(path) == f"{path.parent.parent} belongs to another user"


def test_links_in_a_circle_are_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="Too many levels"):
        ensure_safe(str(tmp_path / "a"))


def test_a_link_of_another_user_is_refused(tmp_path: Path, path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    link = shared / "token"
    link.symlink_to(path)
    give_away(link, SOMEBODY, 0)
    assert refusal(link) == f"{link} belongs to another user"


def test_what_is_no_regular_file_is_refused(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)
    assert refusal(path) == f"{path} is not a regular file"
    assert refusal(path.parent) == f"{path.parent} is not a regular file"


def test_a_file_that_is_not_there_is_told_as_such(path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        ensure_safe(f"{path}.not")
    assert caught.value.filename == f"{path}.not"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_cannot_be_read_is_told_as_such(path: Path) -> None:
    path.chmod(0)
    with pytest.raises(PermissionError):
        ensure_safe(str(path))
