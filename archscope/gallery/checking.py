"""Whether a report on the disk is what the code makes of it now."""

from __future__ import annotations

import base64
import gzip
import re
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from archscope.errors import InvalidInput
from archscope.gallery.folder import MANIFEST, Manifest, digest, read_manifest

# A number in a drawing may differ by as little as no eye sees: processors round differently.
_TOLERANCE = 0.02  # points
_TOKEN = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?|[^\d-]+|-")
_PACK = re.compile(r'(?<=<script type="text/plain" id="pack-)(\d+">)([\w+/=]+)')
_ID = re.compile(r'(?<=id=")[^"]+')
_REFERENCE = re.compile(r'(?<=["#])[^"#)]+(?=[")])')  # id="this", href="#this", url(#this)


def differences(root: Path, files: Mapping[str, bytes]) -> list[str]:
    """What is different, a line each; none if all agrees.

    Texts must be the same. Figures must be the same drawing: identifiers may have other names, and
    coordinates may differ by 0.02 points. Drawn by another version of matplotlib than the one that
    is here, figures are compared by the texts in them only, since versions lay out differently. No
    file may have another checksum than when it was written.

    Args:
        root: the report's folder.
        files: what its files should hold, by their places in it.

    Raises:
        InvalidInput: there is no report.
    """
    manifest = existing(root)
    exact = same_matplotlib(root)
    found = [f"{name} is no longer made" for name in manifest.files if name not in files]
    for name, content in files.items():
        place = root / name
        if not place.is_file():
            found.append(f"{name} is missing")
            continue
        there = place.read_bytes()
        told = list(_different(name, there, content, exact)) if there != content else []
        found += told or _altered(name, there, manifest)
    return sorted(found)


def _altered(name: str, there: bytes, manifest: Manifest) -> Iterator[str]:
    """What nobody sees and a checksum does: a file that was touched after it was written."""
    if name not in manifest.files:
        yield f"{MANIFEST}: it does not list {name}"
    elif manifest.files[name] != digest(there):
        yield f"{name}: it is not as it was written; {MANIFEST} has another checksum"


def existing(root: Path) -> Manifest:
    """What the report in a folder consists of.

    Raises:
        InvalidInput: there is none.
    """
    manifest = read_manifest(root)
    if not manifest.files:
        raise InvalidInput(f"'{root}' holds no report; `archscope report -o {root}` writes one")
    return manifest


def same_matplotlib(root: Path) -> bool:
    """Whether the figures were drawn by the matplotlib that is here."""
    import matplotlib

    return read_manifest(root).matplotlib == matplotlib.__version__


def _different(name: str, old: bytes, new: bytes, exact: bool) -> Iterator[str]:
    made = new.decode()
    try:
        there = old.decode()
    except UnicodeDecodeError:
        yield f"{name}: it is no text"
        return
    if name.endswith(".svg"):
        if texts(there) != texts(made):
            missing = next((t for t in texts(made) if t not in texts(there)), None)
            what = f"'{missing}' is not in it" if missing else "its texts are others"
            yield f"{name}: {what}"
        elif exact and not same_drawing(there, made):
            yield f"{name}: it is drawn differently"
    elif name.endswith(".html"):
        try:
            same = unpacked(there) == unpacked(made)
        except (ValueError, OSError, EOFError, zlib.error):  # of base64, of gzip
            same = False
        if not same:
            yield f"{name}: it holds something else"
    else:
        yield f"{name}: {_first_difference(there, made)}"


def _first_difference(there: str, made: str) -> str:
    old, new = there.splitlines(), made.splitlines()
    for number, (was, now) in enumerate(zip(old, new, strict=False), start=1):
        if was != now:
            return f"line {number} is '{_short(was)}' and should be '{_short(now)}'"
    if len(old) == len(new):
        return "its lines end otherwise"
    return f"it has {len(old)} lines and should have {len(new)}"


def _short(line: str) -> str:
    return line if len(line) <= 60 else f"{line[:57]}..."


def unpacked(page: str) -> str:
    """The explorer with its layers as text, since versions of zlib do not compress alike."""
    return _PACK.sub(lambda m: m[1] + gzip.decompress(base64.b64decode(m[2])).decode(), page)


def texts(svg: str) -> list[str]:
    """What is written in a drawing, in alphabetical order: layout decides in which it is drawn."""
    return sorted(re.findall(r"<(?:text|tspan)[^>]*>([^<]+)<", svg))


def same_drawing(one: str, other: str) -> bool:
    """Whether two drawings are the same but for the names of identifiers and rounding."""
    ours, theirs = _TOKEN.findall(_renamed(one)), _TOKEN.findall(_renamed(other))
    return len(ours) == len(theirs) and all(map(_alike, ours, theirs))


def _renamed(svg: str) -> str:
    """Identifiers numbered by their appearance; matplotlib names them by a hash of coordinates."""
    names = dict.fromkeys(_ID.findall(svg))
    numbered = {name: f"id{number:05d}" for number, name in enumerate(names)}
    return _REFERENCE.sub(lambda m: numbered.get(m[0], m[0]), svg)


def _alike(ours: str, theirs: str) -> bool:
    if ours == theirs:
        return True
    try:
        return abs(float(ours) - float(theirs)) <= _TOLERANCE
    except ValueError:
        return False
