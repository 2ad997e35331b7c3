"""What a process writes to stdout and stderr, noted byte for byte while it goes there."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, TextIO

_TEXT = ("utf-8", "surrogateescape")  # any bytes, and back

_current: list[Transcript] = []


class Transcript:
    """Pairs of a stream's name and a text, in order; see ``archscope.cache.entries.Entry``."""

    def __init__(self) -> None:
        self._written: list[tuple[str, bytes]] = []
        self._paused = False

    def note(self, stream: str, data: bytes) -> None:
        """Something that was written, unless it is not part of the answer."""
        if self._paused or not data:
            return
        if self._written and self._written[-1][0] == stream != "file":
            data = self._written.pop()[1] + data
        self._written.append((stream, data))

    @property
    def written(self) -> tuple[tuple[str, str], ...]:
        return tuple(
            (name, data.decode("utf-8", "surrogateescape")) for name, data in self._written
        )


@contextmanager
def transcribed() -> Iterator[Transcript]:
    """Note what is written inside, by whomever in this process writes through ``sys``."""
    transcript, before = Transcript(), (sys.stdout, sys.stderr)
    sys.stdout = _noting("stdout", sys.stdout, transcript)
    sys.stderr = _noting("stderr", sys.stderr, transcript)
    _current.append(transcript)
    try:
        yield transcript
    finally:
        _current.pop()
        inside, (sys.stdout, sys.stderr) = (sys.stdout, sys.stderr), before
        for stream in inside:
            stream.flush()


@contextmanager
def unnoted() -> Iterator[None]:
    """What is written inside is no part of the answer, such as how far a run is."""
    if not _current:
        yield
        return
    transcript = _current[-1]
    paused, transcript._paused = transcript._paused, True
    try:
        yield
    finally:
        transcript._paused = paused


def note_file(text: str) -> None:
    """The text of the file that the answer went to."""
    if _current:
        _current[-1].note("file", text.encode(*_TEXT))


def written_again(text: str) -> bytes:
    """The bytes of a noted text."""
    return text.encode(*_TEXT)


class _Noting(io.BufferedIOBase):
    """The bytes below a text stream: they go where they went before, and are noted."""

    def __init__(self, name: str, below: BinaryIO, transcript: Transcript):
        self._name, self._below, self._transcript = name, below, transcript

    def write(self, data: Any) -> int:
        self._below.write(data)
        self._transcript.note(self._name, bytes(data))
        return len(data)

    def flush(self) -> None:
        self._below.flush()

    def fileno(self) -> int:
        return self._below.fileno()

    def isatty(self) -> bool:
        return self._below.isatty()

    def writable(self) -> bool:
        return True

    def close(self) -> None:
        """The stream below stays open: it is not ours."""


def _noting(name: str, stream: TextIO, transcript: Transcript) -> TextIO:
    stream.flush()
    return io.TextIOWrapper(  # type: ignore[type-var]
        _Noting(name, stream.buffer, transcript),
        encoding=stream.encoding,
        errors=stream.errors,
        newline="\n",
        line_buffering=getattr(stream, "line_buffering", False),
        write_through=True,
    )
