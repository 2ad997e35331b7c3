"""A report on the disk: which files are its own, and how they are replaced."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from archscope.errors import ArchscopeError, InvalidInput

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Manifest:
    """The files that a report consists of, with the SHA-256 of each, and what drew its figures."""

    matplotlib: str = ""
    files: Mapping[str, str] = field(default_factory=dict)


def write(root: Path, files: Mapping[str, bytes]) -> None:
    """Make a folder hold exactly these files, beside those that are none of the report's.

    Everything is written into a folder inside of it first, then moved. Only files that the manifest
    of an earlier report lists are replaced or removed.

    Args:
        root: the folder; it is made if it is not there.
        files: by their places in the report.

    Raises:
        InvalidInput: a file in the place of one of the report's that no report has written.
        ArchscopeError: the folder cannot be written.
    """
    before = read_manifest(root)
    refuse_foreign(root, before, files)
    after = Manifest(_matplotlib(), {name: digest(content) for name, content in files.items()})
    new = not root.exists()
    try:
        _replace(root, before, after, files)
    except OSError as error:
        if new and root.is_dir() and not any(root.iterdir()):
            root.rmdir()
        raise ArchscopeError(f"cannot write '{root}': {error.strerror or error}") from error


def refuse_foreign(root: Path, before: Manifest, files: Mapping[str, bytes]) -> None:
    """Raise ``InvalidInput`` if a file of somebody else is in the way, or no folder can be made."""
    if root.exists() and not root.is_dir():
        raise InvalidInput(f"'{root}' is a file; a report is a folder")
    if not root.exists() and not root.resolve().parent.is_dir():
        raise InvalidInput(f"cannot write '{root}': there is no directory {root.parent}")
    if not os.access(root if root.exists() else root.resolve().parent, os.W_OK):
        raise InvalidInput(f"cannot write '{root}': permission denied")
    foreign = [name for name in (*files, MANIFEST) if (root / name).exists()]
    if not before.files and foreign:
        raise InvalidInput(
            f"'{root}' has {foreign[0]}, and no report has written that; give another folder, or "
            "move it away"
        )
    for name in foreign:
        if name != MANIFEST and name not in before.files:
            raise InvalidInput(f"'{root / name}' is none of the report's files; move it away")


def read_manifest(root: Path) -> Manifest:
    """What the last report has written; nothing if there is none.

    Raises:
        InvalidInput: a manifest that cannot be read, or that lists what is outside the folder.
    """
    path = root / MANIFEST
    if not path.is_file():
        return Manifest()
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
        found = Manifest(str(content["matplotlib"]), dict(content["files"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidInput(f"{path} is no manifest of a report: {error!r}") from error
    for name in found.files:
        place = PurePosixPath(name)
        if place.is_absolute() or ".." in place.parts or place.parts[:1] in ((), ("data",)):
            raise InvalidInput(f"{path} lists '{name}', which is no file of a report")
    return found


def digest(content: bytes) -> str:
    """SHA-256, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def _matplotlib() -> str:
    import matplotlib

    return matplotlib.__version__


def _replace(root: Path, before: Manifest, after: Manifest, files: Mapping[str, bytes]) -> None:
    root.mkdir(exist_ok=True)
    # Inside, since the folder may be a file system of its own, from which nothing can be moved.
    with TemporaryDirectory(dir=root, prefix=".unfinished.") as folder:
        beside = Path(folder)
        for name, content in files.items():
            (beside / name).parent.mkdir(parents=True, exist_ok=True)
            (beside / name).write_bytes(content)
        # While files are moved the manifest lists the old and the new, whatever happens.
        _write_manifest(root, beside, Manifest(after.matplotlib, {**before.files, **after.files}))
        for name in files:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (beside / name).replace(root / name)
        for name in before.files:
            if name not in files:
                _remove(root, name)
        _write_manifest(root, beside, after)


def _remove(root: Path, name: str) -> None:
    place = root / name
    place.unlink(missing_ok=True)
    for folder in list(place.relative_to(root).parents)[:-1]:
        if (root / folder).is_dir() and not any((root / folder).iterdir()):
            (root / folder).rmdir()


def _write_manifest(root: Path, beside: Path, manifest: Manifest) -> None:
    content = {"matplotlib": manifest.matplotlib, "files": dict(sorted(manifest.files.items()))}
    (beside / MANIFEST).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    (beside / MANIFEST).replace(root / MANIFEST)
