"""Which files of a person's own a run reads, noted while it runs by Python's audit events.

What is installed counts by its version, and archscope by its own files (``conditions``). All else
counts by content: networks and what they import, configurations, exported programs, tables. A run
that writes files, starts programs or asks the network is refused: nobody can say whether it would
do the same again.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from archscope.study.keys import contents, digest

OWN = str(Path(__file__).parents[1]) + os.sep  # of archscope itself
_STANDARD = str(Path(os.__file__).parent) + os.sep
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
_SYSTEM = ("/proc/", "/sys/", "/dev/")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_STARTING = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty")
_ASKING = ("socket.connect", "socket.getaddrinfo", "socket.sendto", "urllib.Request")
# Clocks of files tick as rarely as every few milliseconds.
_TICK = 0.02  # s


class Reads:
    """What a run read, as far as it counts, and what it did that cannot be foreseen."""

    def __init__(self) -> None:
        self._files: dict[str, None] = {}
        self._folders: dict[str, None] = {}
        self._changed: dict[str, None] = {}
        self._refusal = ""
        self._start = time.time()
        self._is_relative = False

    def note(self, event: str, arguments: tuple[Any, ...]) -> None:
        """One audit event."""
        if event == "open":
            place, _, flags = arguments
            self._opened(place, flags if isinstance(flags, int) else 0)
            self._is_relative |= bool(_counting(place)) and not os.path.isabs(place)
        elif event == "exec":
            self._opened(getattr(arguments[0], "co_filename", ""), 0)
        elif event in ("os.listdir", "os.scandir"):
            path = _counting(arguments[0] if arguments[0] is not None else os.curdir)
            if path and not _is_import(sys._getframe(2).f_code.co_filename):
                self._folders[path] = None
        elif event in _STARTING:
            self._refusal = self._refusal or "it starts another program"
        elif event in _ASKING:
            self._refusal = self._refusal or "it asks the network"

    def refusal(self) -> str:
        """Why what was written cannot be kept, "" if it can."""
        for path in self._changed:
            if os.path.isfile(path):  # a temporary file is gone by now
                return f"it writes {path}"
        for path in self._all():
            if _changed_at(path) >= self._start - _TICK:
                return f"{path} changed meanwhile"
        return self._refusal

    def folder(self) -> str:
        """The working directory, if what was read depends on it."""
        return os.getcwd() if self._is_relative else ""

    def digests(self) -> dict[str, str]:
        """Every file and directory that counts, with what stands for its content."""
        return {path: digest_of(path) for path in self._all()}

    def note_modules(self) -> None:
        """What is loaded by now, however it came."""
        for module in list(sys.modules.values()):
            file = getattr(module, "__dict__", {}).get("__file__")
            if isinstance(file, str) and not file.startswith("<"):
                self._opened(file, 0)

    def _opened(self, place: Any, flags: int) -> None:
        path = _counting(place)
        if path and f"{os.sep}__pycache__{os.sep}" not in path:
            (self._changed if flags & _WRITING else self._files)[path] = None

    def _all(self) -> list[str]:
        return [path for path in (*self._files, *self._folders) if path not in self._changed]


@contextmanager
def watched() -> Iterator[Reads]:
    """Note what this process reads inside."""
    reads = Reads()
    if not _hooked:
        _hooked.append(True)
        sys.addaudithook(_heard)  # which cannot be taken away again
    _current.append(reads)
    try:
        yield reads
    finally:
        _current.remove(reads)
        reads.note_modules()


@contextmanager
def unwatched() -> Iterator[None]:
    """What is read or written inside, such as the file of ``--output``, does not count."""
    paused, _current[:] = _current[:], []
    try:
        yield
    finally:
        _current[:] = paused


def unchanged(read: Mapping[str, str]) -> bool:
    """Whether every file and directory is as it was."""
    return all(digest_of(path) == content for path, content in read.items())


def digest_of(path: str) -> str:
    """What stands for the content of a file, or for the names in a directory."""
    try:
        if os.path.isdir(path):
            return "names " + digest(sorted(set(os.listdir(path)) - {"__pycache__"}))
        return contents(Path(path))
    except OSError as error:
        return f"unreadable: {error.strerror}"


_current: list[Reads] = []
_hooked: list[bool] = []


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    for reads in _current:
        reads.note(event, arguments)


def _counting(place: Any) -> str:
    """The path of a person's own file or directory, "" for all others."""
    if not isinstance(place, str | bytes | os.PathLike):
        return ""  # a descriptor: what it stands for was opened before
    text = os.fsdecode(place)
    if not text or text.startswith("<") or "\0" in text:
        return ""
    path = os.path.abspath(text)
    if path.startswith((OWN, _STANDARD, *_SYSTEM)) or any(part in path for part in _INSTALLED):
        return ""
    return path


def _is_import(code: str) -> bool:
    """Whether a directory is listed to find a module, of which ``conditions`` knows."""
    return code.startswith("<frozen importlib") or f"{os.sep}importlib{os.sep}" in code


def _changed_at(path: str) -> float:
    try:
        status = os.stat(path)
    except OSError:
        return 0.0
    return max(status.st_mtime, status.st_ctime)
