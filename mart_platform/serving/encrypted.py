"""Whether a folder lies on an encrypted file system or device."""

import fcntl
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_ENCRYPTING = ("ecryptfs", "fuse.cryfs", "fuse.encfs", "fuse.gocryptfs", "fuse.securefs")
"""File systems that encrypt what they hold."""
_GET_FLAGS, _ENCRYPTED = 0x80086601, 0x00000800
"""FS_IOC_GETFLAGS and FS_ENCRYPT_FL of linux/fs.h: how ext4 and f2fs mark what fscrypt encrypts."""


@dataclass(frozen=True)
class _Mount:
    device: str
    point: str
    kind: str


def is_encrypted(folder: Path, system: Path = Path("/")) -> bool:
    """Return whether the kernel says that a folder is encrypted.

    It is where fscrypt encrypts it, its mount is of an encrypting file system, or its device, or one below
    that, is of dm-crypt: see proc_pid_mountinfo(5), and the UUIDs ``CRYPT-…`` of cryptsetup in
    /sys/dev/block. What clouds encrypt below the machine cannot be seen from here.
    """
    if _has_flag(folder):
        return True
    path = str(folder.resolve())
    mounts = [mount for mount in _mounts(system) if _is_below(path, mount.point)]
    if not mounts:
        return False
    # Of two mounts on one point the later one hides the other.
    mount = max(enumerate(mounts), key=lambda each: (len(each[1].point), each[0]))[1]
    return mount.kind in _ENCRYPTING or _is_crypt(system / "sys/dev/block" / mount.device)


def _has_flag(folder: Path) -> bool:
    descriptor, flags = os.open(folder, os.O_RDONLY | os.O_DIRECTORY), bytearray(8)
    try:
        fcntl.ioctl(descriptor, _GET_FLAGS, flags)
    except OSError:  # a file system that knows no flags
        return False
    finally:
        os.close(descriptor)
    return bool(int.from_bytes(flags[:4], sys.byteorder) & _ENCRYPTED)


def _mounts(system: Path) -> Iterator[_Mount]:
    for line in (system / "proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        fields = line.split(" ")
        kind = fields[fields.index("-") + 1]
        yield _Mount(fields[2], fields[4].encode().decode("unicode_escape"), kind)


def _is_below(path: str, point: str) -> bool:
    return path == point or path.startswith(point.rstrip("/") + "/")


def _is_crypt(device: Path) -> bool:
    """Return whether a block device is encrypted, or lies on one that is, as a logical volume may."""
    uuid = device / "dm" / "uuid"
    if uuid.exists() and uuid.read_text(encoding="utf-8").startswith("CRYPT-"):
        return True
    below = sorted((device / "slaves").iterdir()) if (device / "slaves").is_dir() else []
    return bool(below) and all(map(_is_crypt, below))
