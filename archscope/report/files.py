"""Reports as files, written beside their place and then moved there: whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from archscope.errors import ArchscopeError

if TYPE_CHECKING:
    from archscope.report.costs import View
    from archscope.report.report import Report

ENDINGS = {
    ".csv": "csv",
    ".json": "json",
    ".md": "markdown",
    ".tex": "latex",
    ".html": "html",
    ".txt": "plain",
    ".parquet": "parquet",
}


def save(report: Report, path: str | Path, *, view: View | None = None) -> None:
    """Write a report in the format that the name's ending tells.

    Args:
        report: the analysis.
        path: ends in .csv, .json, .md, .tex, .html, .txt or .parquet.
        view: level and columns, as for ``render``.

    Raises:
        ArchscopeError: an unknown ending, a file that cannot be written, or parquet without
            pyarrow or fastparquet.
    """
    from archscope.report.formats import render

    path = Path(path)
    format = format_of(path)
    if format == "parquet":
        write_whole(path, lambda place: _write_parquet(report, place))
    else:
        write_text(path, render(report, format, view=view))


def format_of(path: str | Path) -> str:
    """The format that a file's ending tells.

    Raises:
        ArchscopeError: an ending that tells none.
    """
    ending = Path(path).suffix.lower()
    if ending not in ENDINGS:
        raise ArchscopeError(
            f"'{path}' does not tell the format; a name ends in {', '.join(ENDINGS)}"
        )
    return ENDINGS[ending]


def write_text(path: str | Path, text: str) -> None:
    """Write a text file, whole or not at all.

    Raises:
        ArchscopeError: the file cannot be written.
    """
    write_whole(Path(path), lambda place: place.write_bytes(text.encode()))


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary file in the same directory, and rename it.

    Raises:
        ArchscopeError: the file cannot be written.
    """
    target = path.resolve()  # a link stays a link
    if target.exists() and not target.is_file() and not target.is_dir():
        _writing(path, lambda: write(target))  # a device or a pipe keeps its place
        return
    temporary = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        _writing(path, lambda: _replace(target, temporary, write))
    finally:
        with suppress(OSError):  # there is none, or a file where its folder should be
            temporary.unlink()


def _replace(target: Path, temporary: Path, write: Callable[[Path], object]) -> None:
    if target.is_dir():
        raise IsADirectoryError(21, "it is a directory")
    if target.exists() and not os.access(target, os.W_OK):
        raise PermissionError(13, "Permission denied")
    write(temporary)
    if target.exists():
        temporary.chmod(target.stat().st_mode & 0o7777)
    temporary.replace(target)


def _writing(path: Path, action: Callable[[], object]) -> None:
    try:
        action()
    except OSError as error:
        reason = error.strerror or str(error)
        if (
            isinstance(error, FileNotFoundError | NotADirectoryError)
            and not path.resolve().parent.is_dir()
        ):
            reason = f"there is no directory {path.parent}"
        raise ArchscopeError(f"cannot write '{path}': {reason}") from error


def _write_parquet(report: Report, place: Path) -> None:
    frame = report.layers
    for name in ("input_shape", "output_shape"):
        frame[name] = ["x".join(map(str, sizes)) for sizes in frame[name]]
    try:
        frame.to_parquet(place, index=False)
    except ImportError:
        raise ArchscopeError("a .parquet file needs pyarrow: pip install pyarrow") from None
