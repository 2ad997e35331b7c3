"""Entries as files: a checksum, then JSON. Written whole or not at all, by any number of processes.

A file's time of modification is when it was last used.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from archscope.cache.place import bound, directory

_FILE = re.compile(r"[0-9a-f]{32}\.json")
_PARTIAL = re.compile(r"\.[0-9a-f]{32}\..*\.partial")
_ABANDONED = 3600.0  # s after which nobody writes a partial file any more
_KEPT_WHEN_FULL = 0.9  # of the bound, so that not every write evicts


@dataclass(frozen=True)
class Entry:
    """What a command wrote, and what that was derived from.

    ``written`` has pairs: "stdout", "stderr" or "file", and a text whose bytes are UTF-8, any
    others as surrogates. ``read`` has a person's files and directories with their states,
    ``installed`` the files of packages, and ``stamp`` stands for these; ``folder`` is the working
    directory, "" if it does not count. ``refusal`` says why nothing is kept.
    """

    key: str
    command: str
    written: tuple[tuple[str, str], ...] = ()
    status: int = 0
    read: Mapping[str, str] = field(default_factory=dict)
    installed: tuple[str, ...] = ()
    stamp: str = ""
    folder: str = ""
    refusal: str = ""


@dataclass(frozen=True)
class Kept:
    """An entry's file: its bytes, and when it was last used, in seconds since 1970."""

    path: Path
    bytes: int
    used: float


def load(key: str) -> Entry | None:
    """The entry of that key, None if there is none that is whole."""
    path = _path(key)
    entry = read(path)
    if entry is None or entry.key != key:
        return None
    with contextlib.suppress(OSError):  # of a cache that may only be read, nothing is evicted
        os.utime(path)
    return entry


def read(path: Path) -> Entry | None:
    """The entry in a file, None if it cannot be read or is not as it was written."""
    try:
        checksum, _, content = path.read_bytes().partition(b"\n")
        if hashlib.sha256(content).hexdigest().encode() != checksum:
            return None
        found = json.loads(content)
        written = tuple(map(tuple, found["written"]))
        return Entry(**{**found, "written": written, "installed": tuple(found["installed"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def save(entry: Entry) -> None:
    """Keep an entry, and let the least recently used ones go when there are too many.

    Raises:
        OSError: it cannot be written.
    """
    content = json.dumps(asdict(entry)).encode()
    most = bound()
    if len(content) > most:
        return
    path = _path(entry.key)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(prefix=f".{entry.key}.", suffix=".partial", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(hashlib.sha256(content).hexdigest().encode() + b"\n" + content)
        os.replace(partial, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(partial)
        raise
    _evict(most)


def kept() -> list[Kept]:
    """Every entry's file, the least recently used one first."""
    found = (Kept(path, stat.st_size, stat.st_mtime) for path, stat in _files(_FILE))
    return sorted(found, key=lambda kept: kept.used)


def clear() -> list[Kept]:
    """Remove every entry, and nothing else that lies in the directory; returns what was removed.

    Raises:
        OSError: one cannot be removed.
    """
    removed = kept()
    for path in (*(entry.path for entry in removed), *(path for path, _ in _files(_PARTIAL))):
        path.unlink(missing_ok=True)
    return removed


def _evict(most: int) -> None:
    found = kept()
    total = sum(entry.bytes for entry in found)
    enough = total if total <= most else int(most * _KEPT_WHEN_FULL)
    for entry in found:
        if total <= enough:
            break
        _remove(entry.path)
        total -= entry.bytes
    for path, stat in _files(_PARTIAL):
        if stat.st_mtime < time.time() - _ABANDONED:
            _remove(path)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):  # another process was faster
        path.unlink()


def _files(name: re.Pattern[str]) -> Iterator[tuple[Path, os.stat_result]]:
    try:
        with os.scandir(directory()) as places:
            for place in places:
                if name.fullmatch(place.name):
                    with contextlib.suppress(OSError):
                        yield Path(place.path), place.stat()
    except OSError:
        return


def _path(key: str) -> Path:
    return directory() / f"{key}.json"
