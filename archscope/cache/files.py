"""What stands for a file or a directory, as far as a run has looked at it.

================  ================================================================================
``PRESENCE``      whether there is one, may be read, is a directory or a link, and where to
``STATUS``        the size and time of a file
``MODULES``       the names in a directory that an import may find
``NAMES``         all names in a directory
``CONTENT``       the bytes of a file
================  ================================================================================
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from archscope.study.keys import contents, digest

PRESENCE, STATUS, MODULES, NAMES, CONTENT = _KINDS = (
    *("presence", "status", "modules", "names", "content"),
)
_MODULE = (".py", ".so", ".pyd", ".zip")


def stronger(one: str, other: str) -> str:
    """Of two kinds the one that says more."""
    return max(one, other, key=_KINDS.index)


def state(path: str, kind: str) -> str:
    """What stands for a path, as one line that begins with the kind."""
    try:
        return f"{kind} {_STATES[kind](path)}"
    except OSError as error:
        return f"{kind} unreadable: {error.strerror}"


def unchanged(states: Mapping[str, str]) -> bool:
    """Whether every path is in the state that it was in."""
    return all(state(path, then.partition(" ")[0]) == then for path, then in states.items())


def stamps(files: Iterable[str | Path]) -> str:
    """What stands for many files without reading them: their sizes and times."""
    return digest([_stamp(file) for file in files])


# The end of an editable installation's entry of sys.path: it is its finder's mark and no directory.
FINDERS_MARK = ".__path_hook__"


def importable(folder: str, *, namespaces: bool = False) -> list[str]:
    """The names in a directory that an import may find.

    Args:
        folder: the directory.
        namespaces: also directories with modules that are no packages; only an import of what is
            nowhere else finds them.
    """
    try:
        with os.scandir(folder) as places:
            return sorted(
                place.name
                for place in places
                if place.name.endswith(_MODULE) or _is_package(place, namespaces)
            )
    except OSError:
        return []


def _is_package(place: os.DirEntry[str], namespaces: bool) -> bool:
    if place.name[0] in "._" or not place.is_dir():
        return False
    if not namespaces:
        return os.path.exists(os.path.join(place.path, "__init__.py"))
    try:
        return any(name.endswith(_MODULE) for name in os.listdir(place.path))
    except OSError:
        return False


def _stamp(file: str | Path) -> list[str | int]:
    """The time of the last change too, which nobody sets, as ``cp -p`` does that of the content."""
    try:
        status = os.stat(file)
    except OSError:
        return [str(file)]
    return [str(file), status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def _presence(path: str) -> tuple[Any, ...]:
    link = os.readlink(path) if os.path.islink(path) else ""
    rights = [os.access(path, right) for right in (os.R_OK, os.W_OK, os.X_OK)]
    return os.path.exists(path), os.path.isdir(path), link, rights


def _status(path: str) -> tuple[Any, ...]:
    if not os.path.isfile(path):
        return _presence(path)
    status = os.stat(path)
    return *_presence(path), status.st_size, status.st_mtime_ns


_STATES: Mapping[str, Callable[[str], object]] = {
    PRESENCE: _presence,
    STATUS: _status,
    MODULES: lambda path: digest(importable(path)),
    NAMES: lambda path: digest(sorted(set(os.listdir(path)) - {"__pycache__"})),
    CONTENT: lambda path: contents(Path(path)),
}
