"""Which files of a person's own a run reads, noted while it runs by Python's audit events.

archscope's own files, and the packages that everything runs on, are part of the key
(``conditions``). Other installed modules count by size and time, all else by content: networks and
what they import, configurations, exported programs, tables. That a file was looked for in vain
counts too. A run that writes or removes files, starts programs or asks the network is refused:
nobody can say whether it would do the same again.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from types import FrameType
from typing import Any

from archscope.cache.files import (
    CONTENT,
    FINDERS_MARK,
    MODULES,
    NAMES,
    PRESENCE,
    STATUS,
    state,
    stronger,
)
from archscope.study.keys import INSTALLED

OWN = str(Path(__file__).parents[1]) + os.sep  # of archscope itself
# Packages that count by version: of these alone a run loads a thousand files and more.
FOUNDATIONS = (
    *("torch", "torchgen", "numpy", "pandas", "scipy", "sympy", "mpmath"),
    *("click", "rich", "matplotlib"),
)
_STANDARD = str(Path(os.__file__).parent) + os.sep
_COMPILED = f"{os.sep}__pycache__{os.sep}"
_SYSTEM = ("/proc/", "/sys/", "/dev/")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_STARTING = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty")
_ASKING = ("socket.connect", "socket.getaddrinfo", "socket.sendto", "urllib.Request")
# Events, and which of their arguments is a path that is there afterwards, or no longer.
_WRITING_TO = {"os.rename": 1, "os.link": 1, "os.symlink": 1, "sqlite3.connect": 0}
_REMOVING = {"os.remove": 0, "os.rmdir": 0, "os.rename": 0}
# What looks at a path, and functions of os.path and pathlib that only ask whether it is there.
_LOOKING = ("stat", "lstat", "access", "readlink")
_ASKING_PRESENCE = (
    *("exists", "lexists", "isfile", "isdir", "islink", "ismount", "realpath", "_joinrealpath"),
    *("is_file", "is_dir", "is_symlink", "resolve", "samefile", "samestat"),
)
# Clocks of files tick as rarely as every few milliseconds.
_TICK = 0.02  # s


class Reads:
    """What a run read, as far as it counts, and what it did that cannot be foreseen."""

    def __init__(self) -> None:
        self._read: dict[str, str] = {}  # path -> kind of what was learnt of it
        self._installed: dict[str, None] = {}
        self._changed: dict[str, None] = {}
        self._folders: dict[str, None] = {}  # that it made; an empty one changes nothing
        self._removed: dict[str, None] = {}
        self._refusal = ""
        self._start = time.time()
        self._is_relative = False

    def note(self, event: str, arguments: tuple[Any, ...]) -> None:
        """One audit event."""
        if event == "open":
            place, _, flags = arguments
            self._opened(place, flags if isinstance(flags, int) else 0)
            self._note_place(place)
        elif event == "exec":
            self._loaded(getattr(arguments[0], "co_filename", ""))
        elif event in ("os.listdir", "os.scandir"):
            place = arguments[0] if arguments[0] is not None else os.curdir
            is_import = _is_import(sys._getframe(2).f_code.co_filename)
            self._learnt(_counting(place), MODULES if is_import else NAMES)
            if not is_import:
                self._note_place(place)
        elif event in _STARTING:
            self._refusal = self._refusal or "it starts another program"
        elif event in _ASKING:
            self._refusal = self._refusal or "it asks the network"
        if event in _REMOVING:
            self._removes(_counting(arguments[_REMOVING[event]]))
        if event in _WRITING_TO and (path := _counting(arguments[_WRITING_TO[event]])):
            self._changed[path] = None
        if event == "os.mkdir" and not os.path.lexists(arguments[0]):
            self._folders[_counting(arguments[0])] = None

    def looked_at(self, place: Any, kind: str) -> None:
        """A path of which the run asked whether it is there, or how large it is."""
        self._learnt(_counting(place), kind)
        self._note_place(place)

    def refusal(self) -> str:
        """Why what was written cannot be kept, "" if it can. To be asked after ``states``."""
        for path in self._changed:
            # A temporary file is gone by now; tempfile opens its directory for one without a name.
            if os.path.lexists(path) and not os.path.isdir(path):
                return f"it writes {path}"
        for path in self._removed:
            return f"it removes {path}"
        for path, kind in self._counted():
            if kind in (NAMES, CONTENT) and _changed_at(path) >= self._start - _TICK:
                return f"{path} changed meanwhile"
        return self._refusal

    def folder(self) -> str:
        """The working directory, if what was read depends on it."""
        return os.getcwd() if self._is_relative else ""

    def states(self) -> dict[str, str]:
        """Every file and directory that counts, with what stands for it."""
        return {path: state(path, kind) for path, kind in self._counted()}

    def installed(self) -> tuple[str, ...]:
        """The files of installed packages that count."""
        return tuple(sorted(self._installed))

    def note_modules(self) -> None:
        """What is loaded by now, however it came."""
        for module in list(sys.modules.values()):
            self._loaded(getattr(module, "__dict__", {}).get("__file__"))

    def _loaded(self, file: Any) -> None:
        if isinstance(file, str) and os.path.isabs(file):  # others are names that torch invents
            self._opened(file, 0)

    def _opened(self, place: Any, flags: int) -> None:
        path = _path(place)
        if not flags & _WRITING and _is_counted_by_stamp(path):
            self._installed[path] = None
        elif path := _counting(place):
            if flags & _WRITING:
                self._changed[path] = None
            else:
                self._learnt(path, CONTENT)

    def _learnt(self, path: str, kind: str) -> None:
        if path:
            self._read[path] = stronger(kind, self._read.get(path, PRESENCE))

    def _removes(self, path: str) -> None:
        own = path in self._changed or path in self._folders
        if path and not own and os.path.lexists(path):
            self._removed[path] = None

    def _note_place(self, place: Any) -> None:
        if _counting(place) and not os.path.isabs(os.fsdecode(place)):
            self._is_relative = True

    def _counted(self) -> list[tuple[str, str]]:
        return [(path, kind) for path, kind in self._read.items() if path not in self._changed]


@contextmanager
def watched() -> Iterator[Reads]:
    """Note what this process reads inside."""
    reads = Reads()
    if not _hooked:
        _hooked.append(True)
        sys.addaudithook(_heard)  # which cannot be taken away again
    _current.append(reads)
    before = {name: getattr(os, name) for name in _LOOKING}  # of which there are no audit events
    for name, look in before.items():
        setattr(os, name, _told(look))
    try:
        yield reads
    finally:
        for name, look in before.items():
            setattr(os, name, look)
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


_current: list[Reads] = []
_hooked: list[bool] = []


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    for reads in _current:
        reads.note(event, arguments)


def _told(look: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(look)
    def looking(path: Any, *args: Any, **kwargs: Any) -> Any:
        asking = sys._getframe(1)
        if _current and asking.f_back and not _is_for_source(asking.f_back.f_code.co_filename):
            kind = STATUS if look.__name__.endswith("stat") and _asks_more(asking) else PRESENCE
            for reads in _current:
                reads.looked_at(path, kind)
        return look(path, *args, **kwargs)

    return looking


def _asks_more(asking: FrameType) -> bool:
    """Whether a size or a time may be wanted, and not only whether a file is there."""
    if asking.f_code.co_filename.startswith(OWN):
        return False
    callers = (asking, asking.f_back)
    return not any(caller and caller.f_code.co_name in _ASKING_PRESENCE for caller in callers)


def _is_for_source(code: str) -> bool:
    """Whether the source of what is loaded is looked for, which torch has done for what has none.

    ``code`` is where what calls ``os.path`` stands.
    """
    return code.endswith((f"{os.sep}inspect.py", f"{os.sep}linecache.py"))


def _path(place: Any) -> str:
    """A path from the root; "" for a descriptor: what it stands for was opened before."""
    if not isinstance(place, str | bytes | os.PathLike):
        return ""
    text = os.fsdecode(place)
    if not text or text.startswith("<") or "\0" in text or _COMPILED in text:
        return ""
    if text.endswith(FINDERS_MARK):
        return ""
    return os.path.abspath(text)


def _counting(place: Any) -> str:
    """The path of a person's own file or directory, "" for all others."""
    path = _path(place)
    if path.startswith((OWN, _STANDARD, *_SYSTEM)) or any(part in path for part in INSTALLED):
        return ""
    return path


def _is_counted_by_stamp(path: str) -> bool:
    """Whether it is of an installed package that is none of ``FOUNDATIONS``."""
    for part in INSTALLED:
        _, found, inside = path.partition(part)
        if found:
            return not path.startswith(OWN) and _top(inside) not in FOUNDATIONS
    return False


def _top(inside: str) -> str:
    return inside.partition(os.sep)[0].partition(".")[0]


def _is_import(code: str) -> bool:
    """Whether a directory is listed to find a module."""
    return code.startswith("<frozen importlib") or f"{os.sep}importlib{os.sep}" in code


def _changed_at(path: str) -> float:
    try:
        status = os.stat(path)
    except OSError:
        return 0.0
    return max(status.st_mtime, status.st_ctime)
