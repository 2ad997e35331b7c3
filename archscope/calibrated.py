"""What ``archscope device calibrate`` measured here, kept between runs. Reading needs no torch."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from archscope.errors import ArchscopeError


def cache_file() -> Path:
    """Where calibrations are kept: $XDG_CACHE_HOME/archscope, or ~/.cache/archscope."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "archscope" / "calibration.json"


def calibrated() -> list[dict[str, Any]]:
    """What was calibrated here before; nothing if that cannot be read."""
    try:
        found = json.loads(cache_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return found if isinstance(found, list) else []


def ceilings(title: str, threads: int | None) -> dict[str, Any] | None:
    """The calibration of a device, of the CPU with so many threads; None if there is none."""
    for row in calibrated():
        if (row.get("title"), row.get("threads")) == (title, threads):
            return row
    return None


def remember(rows: Sequence[dict[str, Any]]) -> Path:
    """Keep calibrations, in place of earlier ones of the same device and threads.

    Raises:
        ArchscopeError: they cannot be written.
    """
    new = {(row["title"], row["threads"]) for row in rows}
    kept = [row for row in calibrated() if (row.get("title"), row.get("threads")) not in new]
    path = cache_file()
    text = json.dumps([*kept, *rows], indent=2) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(f".{os.getpid()}")
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        raise ArchscopeError(f"cannot write {path}: {error.strerror}") from error
    return path
