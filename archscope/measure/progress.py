"""Telling where a measurement is, not more often than anybody reads it."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str], None]
_BETWEEN = 1.0  # s


class Paced:
    """Passes a line on at most once a second; to nobody where there is nobody."""

    def __init__(self, progress: Progress | None, now: Callable[[], float]):
        self._progress, self._now = progress, now
        self._last = float("-inf")

    def __call__(self, line: Callable[[], str]) -> None:
        """``line`` is made only if it is told."""
        if self._progress is None or self._now() - self._last < _BETWEEN:
            return
        self._last = self._now()
        self._progress(line())

    def at_once(self, line: str) -> None:
        """Told however short ago the last one was."""
        if self._progress is not None:
            self._progress(line)
