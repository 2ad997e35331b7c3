"""One driver at a time for one store.

The lock is the operating system's, on a file beside the store, and so ends with its owner however
that ends. The file tells who the owner is.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from archscope.errors import ArchscopeError


def owner_of(store: Path) -> str | None:
    """Who works on a store now, "process 12 on host"; None if nobody does."""
    try:
        file = os.open(_beside(store), os.O_RDONLY)  # also where one may only read
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _owner(file)
    finally:
        os.close(file)
    return None


@contextmanager
def owned(store: Path) -> Iterator[None]:
    """Inside, no other driver writes to the store.

    Raises:
        ArchscopeError: another one does; the message names its process.
    """
    path = _beside(store)
    file = _locked(path, store)
    try:
        os.ftruncate(file, 0)
        os.pwrite(file, json.dumps({"pid": os.getpid(), "host": platform.node()}).encode(), 0)
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(file)


def _beside(store: Path) -> Path:
    target = store.resolve()  # by whatever name: it is one store
    return target.with_name(f"{target.name}-lock")


def _locked(path: Path, store: Path) -> int:
    while True:
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise ArchscopeError(f"cannot write '{path}': {error.strerror}") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = _owner(file)
            os.close(file)
            raise ArchscopeError(
                f"{store} is in use by {owner}; wait for it, or stop it first"
            ) from None
        if _is_still_there(path, file):
            return file
        os.close(file)  # its owner removed it in between: that lock is nobody's


def _is_still_there(path: Path, file: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file))
    except FileNotFoundError:
        return False


def _owner(file: int) -> str:
    try:
        owner = json.loads(os.pread(file, 1000, 0))
        return f"process {owner['pid']} on {owner['host']}"
    except (ValueError, KeyError):
        return "another process"
