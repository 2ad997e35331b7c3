"""Where results are kept, and how many."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from archscope.errors import InvalidInput

DIRECTORY, SIZE, OFF = "ARCHSCOPE_CACHE_DIR", "ARCHSCOPE_CACHE_SIZE", "ARCHSCOPE_NO_CACHE"
_DEFAULT_BYTES = 100 * 2**20


def directory() -> Path:
    """$ARCHSCOPE_CACHE_DIR, else $XDG_CACHE_HOME/archscope/results, by default in ~/.cache.

    Raises:
        InvalidInput: it would be in a home directory, and there is none.
    """
    own = os.environ.get(DIRECTORY)
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    try:
        return Path(own or base).expanduser() / ("" if own else "archscope/results")
    except RuntimeError:
        raise InvalidInput(f"there is no home directory for results; set {DIRECTORY}") from None


def bound() -> int:
    """The bytes that all entries together may take: $ARCHSCOPE_CACHE_SIZE, or 100 MiB.

    Raises:
        InvalidInput: the variable holds no size.
    """
    given = os.environ.get(SIZE)
    if not given:
        return _DEFAULT_BYTES

    from archscope.budgets.costs import quantity

    try:
        return int(quantity(given))
    except InvalidInput as error:
        raise InvalidInput(f"{SIZE}: {error}") from None


def is_off() -> bool:
    """Whether nothing is looked up or kept in this process, having been told so or no place.

    One that has torch already may have changed it, archscope or the network by hand.
    """
    return bool(os.environ.get(OFF)) or "torch" in sys.modules or _is_homeless()


def _is_homeless() -> bool:
    try:
        directory()
    except InvalidInput:
        return True
    return False
