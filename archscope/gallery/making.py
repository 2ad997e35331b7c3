"""All files of a report, made in one process from the code and the measured data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from archscope.gallery.contents import sections
from archscope.gallery.data import read
from archscope.gallery.items import Listing, Picture, arguments
from archscope.gallery.page import page
from archscope.gallery.zoo import zoo

Run = Callable[[Sequence[str]], None]  # a command of archscope, by its words
Say = Callable[[str], None]


def made(root: Path, run: Run, say: Say) -> dict[str, bytes]:
    """The files that a report has, by their places in it.

    Args:
        root: its folder, of which only ``data`` is read.
        run: runs a command; raises if it fails.
        say: called with a line of text now and then.

    Raises:
        ArchscopeError: measured data that cannot be read, or a command that failed.
    """
    from archscope.comparison.remembered import remembering

    with remembering():
        return _made(root, run, say)


def _made(root: Path, run: Run, say: Say) -> dict[str, bytes]:
    data = read(root / "data")
    networks = zoo([str(data.folder / name) for name in data.explored], say)
    whole = sections(data)
    files: dict[str, bytes] = {}
    tables: dict[Listing, str] = {}
    with TemporaryDirectory() as folder:
        for item in (item for section in whole for item in section.items):
            if isinstance(item, Picture):
                say(item.file)
                files[item.file] = _output(item, ".svg", root, Path(folder), run)
            elif isinstance(item, Listing):
                say(item.title)
                tables[item] = _output(item, ".md", root, Path(folder), run).decode()
    files |= _encoded({f"tables/{name}.md": text for name, text in networks.pages.items()})
    files["explorer.html"] = networks.explorer.encode()
    files["README.md"] = page(root.name, whole, tables, networks.table, data).encode()
    return dict(sorted(files.items()))


def _output(item: Picture | Listing, ending: str, root: Path, folder: Path, run: Run) -> bytes:
    place = folder / f"made{ending}"
    run(arguments(item, str(root / "data"), str(place)))
    content = place.read_bytes()
    place.unlink()
    return content


def _encoded(texts: Mapping[str, str]) -> dict[str, bytes]:
    return {name: text.encode() for name, text in texts.items()}
