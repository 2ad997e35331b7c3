"""One line on a terminal that says how far a study is; nothing anywhere else."""

from __future__ import annotations

import sys
import time
from collections import deque
from typing import TextIO

_BETWEEN = 0.2  # s
_WINDOW = 60.0  # s over which the rate is taken


class Progress:
    """Told the counts of cells after each, it draws a line over the last one."""

    def __init__(self, stream: TextIO | None = None):
        """On stderr by default."""
        self.stream = sys.stderr if stream is None else stream
        self.shown = self.stream is not None and self.stream.isatty()  # stderr may be closed
        self.times: deque[tuple[float, int]] = deque()
        self.last = 0.0

    def __call__(self, counts: dict[str, int]) -> None:
        """Draw the line, at most five times a second."""
        now = time.monotonic()
        self.times.append((now, counts["done"] + counts["failed"]))
        while now - self.times[0][0] > _WINDOW and len(self.times) > 2:
            self.times.popleft()
        if self.shown and (now - self.last > _BETWEEN or not counts["pending"]):
            self.last = now
            self.stream.write(f"\r\x1b[K{self.line(counts)}")
            self.stream.flush()

    def line(self, counts: dict[str, int]) -> str:
        """1,203 of 4,100 done, 3 failed, 11.2/s, 4 min left."""
        finished = counts["done"] + counts["failed"]
        parts = [f"{finished:,} of {finished + counts['pending']:,} done"]
        if counts["failed"]:
            parts.append(f"{counts['failed']:,} failed")
        (began, before), (now, after) = self.times[0], self.times[-1]
        if after > before and now > began:
            rate = (after - before) / (now - began)
            parts.append(f"{rate:.1f}/s" if rate >= 1 else f"{60 * rate:.1f}/min")
            if counts["pending"]:
                parts.append(f"{_duration(counts['pending'] / rate)} left")
        return ", ".join(parts)

    def end(self) -> None:
        """Leave the line as it is."""
        if self.shown and self.times:
            self.stream.write("\n")
            self.stream.flush()


def _duration(seconds: float) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 1.5 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
