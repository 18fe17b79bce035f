"""Whether the kernel says that a folder is encrypted; here, a kernel of files."""

from pathlib import Path

import pytest

from mart_platform.serving.encrypted import is_encrypted


def kernel(folder: Path, *mounts: str) -> Path:
    """Write what a kernel would say of its mounts: ``device point kind``."""
    lines = []
    for n, mount in enumerate(mounts):
        device, point, kind = mount.split()
        lines.append(f"{n} 1 {device} / {point} rw,relatime shared:1 - {kind} /dev/x rw")
    file = folder / "proc/self/mountinfo"
    file.parent.mkdir(parents=True)
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def device(system: Path, number: str, uuid: str | None = None, over: tuple[str, ...] = ()) -> None:
    """Write a block device, which may lie over others."""
    place = system / "sys/dev/block" / number
    (place / "slaves").mkdir(parents=True)
    if uuid:
        (place / "dm").mkdir()
        (place / "dm/uuid").write_text(uuid + "\n", encoding="utf-8")
    for below in over:
        (place / "slaves" / below.replace(":", "-")).symlink_to(system / "sys/dev/block" / below)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def test_a_device_of_dm_crypt_is_encrypted(data: Path, tmp_path: Path) -> None:
    system = kernel(tmp_path / "k", "8:1 / ext4", f"253:0 {data} ext4")
    device(system, "253:0", "CRYPT-LUKS2-0123-luks")
    assert is_encrypted(data, system)


def test_a_plain_device_is_not(data: Path, tmp_path: Path) -> None:
    system = kernel(tmp_path / "k", "8:1 / ext4")
    device(system, "8:1")
    assert not is_encrypted(data, system)


def test_a_volume_is_encrypted_where_all_below_it_is(data: Path, tmp_path: Path) -> None:
    system = kernel(tmp_path / "k", "253:1 / ext4", f"253:2 {data} ext4")
    device(system, "8:1")
    device(system, "253:0", "CRYPT-LUKS2-0123-luks")
    device(system, "253:1", "LVM-half", over=("253:0", "8:1"))
    device(system, "253:2", "LVM-whole", over=("253:0",))
    assert is_encrypted(data, system)
    assert not is_encrypted(tmp_path, system)


def test_the_innermost_mount_counts(data: Path, tmp_path: Path) -> None:
    system = kernel(tmp_path / "k", "253:0 / ext4", f"8:1 {data} ext4")
    device(system, "253:0", "CRYPT-LUKS2-0123-luks")
    device(system, "8:1")
    assert not is_encrypted(data, system)


def test_a_folder_beside_a_mount_is_not_in_it(data: Path, tmp_path: Path) -> None:
    system = kernel(tmp_path / "k", "8:1 / ext4", f"0:50 {str(data)[:-1]} fuse.gocryptfs")
    device(system, "8:1")
    assert not is_encrypted(data, system)


@pytest.mark.parametrize("kind", ["fuse.gocryptfs", "ecryptfs"])
def test_an_encrypting_file_system_is_encrypted(data: Path, tmp_path: Path, kind: str) -> None:
    assert is_encrypted(data, kernel(tmp_path / "k", "8:1 / ext4", f"0:50 {data} {kind}"))


def test_a_file_system_without_a_device_is_not(data: Path, tmp_path: Path) -> None:
    assert not is_encrypted(data, kernel(tmp_path / "k", "0:40 / tmpfs"))
