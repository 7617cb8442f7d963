"""Writing a file as a whole: whatever happens, its name leads to the earlier content or the new.

The new content is written to a temporary file in the same folder, reaches the disk, and takes the
name by a rename, which is atomic. Where Linux offers it (O_TMPFILE), the temporary file has no name
until it is complete, so a killed process leaves nothing. Elsewhere it has a name and is locked, and
the next save into the folder removes those whose lock is gone.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import re
import stat
from collections.abc import Iterator
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

TEMPORARY = re.compile(r"\.tinytensor-[0-9a-f]{16}\.tmp")
BINARY = getattr(os, "O_BINARY", 0)  # of Windows, which would write line ends of its own
NO_FOLDER_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.EPERM}


@contextlib.contextmanager
def destination(path: str) -> Iterator[BinaryIO]:
    """A file to write to; a regular file is replaced if the block succeeds.

    A symbolic link is followed. A device, a FIFO or a socket is written to directly.

    Raises:
        FileNotFoundError: the folder does not exist.
        IsADirectoryError: the path is a folder.
        PermissionError: the file exists and is read-only.
    """
    try:
        status = os.stat(path)
    except FileNotFoundError:
        status = None
    if status is not None and stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, "save: this is a folder; add a file name", path)
    if status is not None and not stat.S_ISREG(status.st_mode):
        with open(path, "wb") as file:
            yield file
        return
    with replaced(os.path.realpath(path), status) as file:
        yield file


@contextlib.contextmanager
def replaced(path: str, earlier: os.stat_result | None) -> Iterator[BinaryIO]:
    """A temporary file that takes the name `path` if the block succeeds."""
    folder, name = os.path.split(path)
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"save: the folder {folder!r} for the file {name!r} does not exist")
    if earlier is not None and not (earlier.st_mode & 0o222 and os.access(path, os.W_OK)):
        raise PermissionError(errno.EACCES, "save: the file is read-only; make it writable or "
                              "save under another name", path)
    remove_abandoned(folder)
    # Only the user may read the content before it has the permissions of the earlier file.
    mode = 0o666 if earlier is None else 0o600
    temporary = _temporary(folder)
    descriptor = _open_unnamed(folder, mode)
    unnamed = descriptor is not None
    if descriptor is None:
        descriptor = _open_locked(temporary, mode)
    file = open(descriptor, "wb", buffering=0)
    try:
        yield file
        if earlier is not None:
            _take_over(descriptor, earlier)
        os.fsync(descriptor)
        if unnamed:
            _lock(descriptor)
            _name(descriptor, temporary)
        if fcntl is None:
            file.close()  # Windows cannot rename an open file
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.remove(temporary)
        raise
    finally:
        file.close()
    _sync_folder(folder)


def _open_unnamed(folder: str, mode: int) -> int | None:
    """A file without a name in the folder; None where the system cannot make or name one."""
    if not _can_name(os.stat(folder).st_dev, folder):
        return None
    return os.open(folder, os.O_TMPFILE | os.O_RDWR, mode)


@functools.cache
def _can_name(device: int, folder: str) -> bool:
    """Whether files without a name can be made in a folder of a file system, and named later."""
    if not hasattr(os, "O_TMPFILE"):
        return False
    temporary = _temporary(folder)
    try:
        descriptor = os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o600)
        try:
            _name(descriptor, temporary)
        finally:
            os.close(descriptor)
        os.remove(temporary)
    except OSError:
        return False
    return True


def _name(descriptor: int, path: str) -> None:
    """Names a file without a name."""
    # With a dir_fd, which is not used, Python calls linkat, which follows the link in /proc.
    os.link(f"/proc/self/fd/{descriptor}", path, src_dir_fd=descriptor)


def _temporary(folder: str) -> str:
    return os.path.join(folder, f".tinytensor-{os.urandom(8).hex()}.tmp")


def _open_locked(path: str, mode: int) -> int:
    """A new file, locked. Before it is locked, another process may take it for an abandoned one and
    remove it: then it is created again."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | BINARY, mode)
        _lock(descriptor)
        try:
            if fcntl is None or os.path.samestat(os.stat(path), os.fstat(descriptor)):
                return descriptor
        except FileNotFoundError:
            pass
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    """Marks a temporary file as in use, until it is closed or the process ends."""
    if fcntl is not None:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)


def remove_abandoned(folder: str) -> None:
    """Removes temporary files that killed processes have left in the folder."""
    if fcntl is None:
        return
    try:
        names = [name for name in os.listdir(folder) if TEMPORARY.fullmatch(name)]
    except OSError:  # a folder that may be written but not read
        return
    for path in (os.path.join(folder, name) for name in names):
        with contextlib.suppress(OSError):  # in use, or removed by another process
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.remove(path)
            finally:
                os.close(descriptor)


def _take_over(descriptor: int, earlier: os.stat_result) -> None:
    """Gives a file the permissions of the earlier one, and its owner and group where the process
    may. Where it may not, nobody gains access: the bits of a lost group are cleared."""
    if not hasattr(os, "fchown"):  # Windows
        return
    mode = stat.S_IMODE(earlier.st_mode)
    new = os.fstat(descriptor)
    if (new.st_uid, new.st_gid) != (earlier.st_uid, earlier.st_gid):
        try:
            os.fchown(descriptor, earlier.st_uid, earlier.st_gid)
        except OSError:
            mode &= 0o777
            try:
                os.fchown(descriptor, -1, earlier.st_gid)
            except OSError:
                mode &= 0o707
    os.fchmod(descriptor, mode)


def _sync_folder(folder: str) -> None:
    """Lets the rename reach the disk, on file systems where a folder can be synchronised."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in NO_FOLDER_SYNC:
            raise
