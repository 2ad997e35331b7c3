"""Content keys: a result is found again only if nothing that it depends on has changed.

Nothing here imports torch or runs a person's code.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, lru_cache
from importlib import metadata
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from stat import S_ISREG
from typing import Any

from archscope._version import __version__
from archscope.study.records import Cell, Measurement, Setting

# Raised whenever a count comes to mean something else; what was counted before is then not used.
CONVENTION = 1

_OWN = str(Path(__file__).parents[1])
# Parts of archscope that no worker of a study imports; see tests/study/test_keys.py.
_SHOWING = ("audit", "cache", "cli", "explorer", "export", "gallery", "plots", "testing.py")

# Parts of the path of what is installed.
INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
_PACKAGES = {"timm": "timm", "torchvision": "torchvision", "hf": "transformers"}


def fingerprint(reference: str) -> dict[str, str]:
    """What a result for a reference depends on: ``dependencies``, and how archscope counts.

    Args:
        reference: as in ``archscope.sources``.

    Returns:
        Those of ``dependencies``, the version and the "convention" of archscope, and, as
        "archscope files", what stands for its code: two states of one version are told apart.
    """
    return {
        "archscope": __version__,
        "convention": str(CONVENTION),
        "archscope files": own_code(),
        **dependencies(reference),
    }


def dependencies(reference: str) -> dict[str, str]:
    """The versions, and the contents of files, that what a reference costs depends on.

    Of a Python file also those beside it that it imports, and the packages that these import: the
    version of an installed one, all Python files of another; of an importable module all Python
    files of its package.

    Args:
        reference: as in ``archscope.sources``.

    Returns:
        "torch" and other packages with their versions; and files with their SHA-256; "none" for
        what is not there.
    """
    found = {"torch": version("torch")}
    prefix, colon, name = reference.partition(":")
    if colon and prefix in _PACKAGES:
        found[_PACKAGES[prefix]] = version(_PACKAGES[prefix])
        if prefix == "timm":
            found["torchvision"] = version("torchvision")  # timm builds on its operators
        if prefix == "hf":
            found |= _configuration(name)
    elif reference.endswith(".pt2"):
        found |= _hashed([Path(reference)])
    elif (place := reference.rpartition(":")[0]).endswith(".py"):
        found |= _program(Path(place))
    elif colon:
        found |= _package(prefix)
    return found


def cell_key(
    setting: Setting,
    analysis: str,
    device: str,
    title: str,
    measurement: Measurement,
    versions: Mapping[str, str],
) -> Cell:
    """The cell of one analysis of one setting.

    Args:
        setting: a network and how it is run.
        analysis: one of ``archscope.study.analyses.ANALYSES``.
        device: "" unless it is measured; then its ``title``, which says what it is, and how it is
            measured count too.
        versions: what ``fingerprint`` says of the network.
    """
    content: list[Any] = [setting.text, analysis, sorted(versions.items())]
    if device:
        content += [device, title, vars(measurement)]
    return Cell(digest(content), analysis, device)


def digest(content: Any) -> str:
    """32 hexadecimal digits that stand for anything that JSON can hold."""
    return digest_of([content])


def digest_of(parts: Iterable[Any]) -> str:
    """The same of many parts, of which one at a time is in memory."""
    found = hashlib.sha256()
    for part in parts:
        found.update(json.dumps(part, sort_keys=True).encode())
    return found.hexdigest()[:32]


@cache
def own_code() -> str:
    """What stands for the files of archscope that results come from, wherever they lie.

    By content, so that an installation and the checkout that it was made from are alike on any
    machine. What only shows results (``_SHOWING``) does not count.
    """
    folder = Path(_OWN)
    files = (Path(file).relative_to(folder) for file in own_files())
    counting = sorted(file.as_posix() for file in files if file.parts[0] not in _SHOWING)
    return digest([[name, contents(folder / name)] for name in counting])


def own_files() -> Iterator[str]:
    """All files of archscope itself."""
    return _files(_OWN)


def _files(folder: str) -> Iterator[str]:
    with os.scandir(folder) as places:
        for place in places:
            if place.is_dir(follow_symlinks=False):
                if place.name != "__pycache__":
                    yield from _files(place.path)
            else:
                yield place.path


@cache
def version(package: str) -> str:
    """The installed version of a distribution, "none" if there is none."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "none"


def _configuration(name: str) -> dict[str, str]:
    """Of a file or a directory with a config.json; a model type has none of its own."""
    path = Path(name, "config.json") if os.path.isdir(name) else Path(name)
    return _hashed([path]) if path.suffix or path.exists() else {}


def _program(path: Path) -> dict[str, str]:
    """A Python file, the files beside it that it imports, and the packages that these import."""
    files, packages, waiting = {path}, set(), [path]
    while waiting:
        importing = waiting.pop()
        for level, name in _imported(importing):
            folder = importing.parents[level - 1] if level else path.parent
            beside = list(_beside(folder, name))
            waiting += [file for file in beside if file not in files]
            files.update(beside)
            if not beside and not level:
                packages.add(name.partition(".")[0])
    found = _hashed(sorted(files))
    for package in sorted(packages - sys.stdlib_module_names - {"archscope", "torch"}):
        found |= _imported_package(package)
    return found


def _imported(path: Path) -> set[tuple[int, str]]:
    """What a file imports: the number of leading dots, and the name behind them."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):  # told when it is run
        return set()
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {(0, alias.name) for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level < len(path.parents):
            module = node.module or ""
            found = (module, *(f"{module}.{alias.name}".strip(".") for alias in node.names))
            names |= {(node.level, name) for name in found if name}
    return names


def _beside(directory: Path, module: str) -> Iterator[Path]:
    """The files that importing a module reads, if it lies in that directory."""
    place = directory
    for part in module.split("."):
        place = place / part
        for file in (place.with_suffix(".py"), place / "__init__.py"):
            if file.is_file():
                yield file


def _imported_package(name: str) -> dict[str, str]:
    """The version of an installed package; of one that is worked on, its files."""
    spec = _spec(name)
    if spec is None:
        return {}
    places = list(spec.submodule_search_locations or ()) or [spec.origin or ""]
    if not all(any(part in place for part in INSTALLED) for place in places):
        return _package(name)
    distributions = [name] if version(name) != "none" else _distributions().get(name, ())
    return {one: version(one) for one in distributions}


@cache
def _distributions() -> Mapping[str, list[str]]:
    """What the packages that can be imported are installed as: "yaml" -> "PyYAML"."""
    return metadata.packages_distributions()


def _package(module: str) -> dict[str, str]:
    """All Python files of an importable module's package; nothing is imported."""
    top = module.partition(".")[0]
    spec = _spec(top)
    if spec is None:
        return {}  # told when it is run
    found: list[tuple[str, str]] = []
    for place in map(Path, spec.submodule_search_locations or ()):
        files = sorted(place.rglob("*.py"))
        found += [(file.relative_to(place).as_posix(), contents(file)) for file in files]
    if not spec.submodule_search_locations and spec.origin and Path(spec.origin).is_file():
        found = [(Path(spec.origin).name, contents(Path(spec.origin)))]
    return {top: version(top), f"{top} files": digest(found)}


def _spec(top: str) -> ModuleSpec | None:
    try:
        return find_spec(top)
    except (ImportError, ValueError):
        return None


def _hashed(files: list[Path]) -> dict[str, str]:
    return {str(file): contents(file) for file in files}


def contents(file: Path) -> str:
    """The SHA-256 of a file, "none" if there is none."""
    try:
        status = file.stat()
    except (OSError, ValueError):
        return "none"
    if not S_ISREG(status.st_mode):
        return "none"
    return _sha256(file, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=20_000)  # a package's files many times over; a hub's configurations once each
def _sha256(file: Path, modified: int, size: int) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
