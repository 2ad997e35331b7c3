"""A person's Python files as modules: run once, and again when one has changed.

A file that is run a second time may not be what it was the first time: torch refuses to define an
operator twice. So its module is kept for the next question, with what it imported from beside it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from archscope.errors import ArchscopeError


@dataclass(frozen=True)
class _Run:
    """A file that was run: its module, what it imported from beside it, and their states then."""

    module: ModuleType
    beside: Mapping[str, ModuleType]
    states: Mapping[str, object]

    @property
    def is_current(self) -> bool:
        return all(_state(file) == then for file, then in self.states.items())


_runs: dict[str, _Run] = {}
_folders: set[str] = set()  # of files that were run
_at_the_end: list[str] = []  # those of them that were put at the end of sys.path


def program(path: Path) -> ModuleType:
    """The module of a Python file, which is run unless it was, and nothing has changed since.

    Raises:
        ArchscopeError: there is no such file, or it raised.
    """
    if not path.is_file():
        raise ArchscopeError(f"there is no file {path}")
    place = path.resolve()
    folder = str(path.parent.resolve())
    _forget_namesakes(folder)
    known = _runs.get(str(place))
    if known is None or not known.is_current:
        for name in known.beside if known else ():
            sys.modules.pop(name, None)
        _runs.pop(str(place), None)
        known = _runs[str(place)] = _run(path, folder)
    sys.modules.update({**known.beside, known.module.__name__: known.module})
    _keep_on_path(folder)
    return known.module


def _run(path: Path, folder: str) -> _Run:
    module_name = f"archscope_user_{path.stem}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # dataclasses look their module up
    before = sys.modules.keys() - {name for run in _runs.values() for name in run.beside}
    states = {str(path.resolve()): _state(path.resolve())}
    with _first_on_path(folder):
        try:
            spec.loader.exec_module(module)
        except (Exception, SystemExit) as error:  # one that ends the program is a script
            raise ArchscopeError(f"{path} raised {type(error).__name__}: {error}") from error
    beside = _beside(folder, sys.modules.keys() - before)
    if _has_models(module):
        states = {"": object()}  # which is no state that there will be
    files = filter(None, map(_file, beside.values()))
    return _Run(module, beside, states | {file: _state(file) for file in files})


def _beside(folder: str, names: Collection[str]) -> dict[str, ModuleType]:
    """Of these modules those of the folder, and of packages in it."""
    tops = {name for name in names if _folder_of(sys.modules[name]) == folder} - {"archscope"}
    return {name: sys.modules[name] for name in names if name.partition(".")[0] in tops}


def _has_models(module: ModuleType) -> bool:
    """Whether a network is made when the file runs: who measures it may change it."""
    from torch import nn

    return any(isinstance(value, nn.Module) for value in vars(module).values())


def _state(file: str | Path) -> object:
    try:
        return hashlib.sha256(Path(file).read_bytes()).digest()
    except OSError:
        return None


def _forget_namesakes(folder: str) -> None:
    """What a file imports lies beside it, and not beside a file that was run before."""
    strangers = {
        name
        for name, module in sys.modules.items()
        if "." not in name and _folder_of(module) in _folders - {folder}
        if (Path(folder) / f"{name}.py").is_file() or (Path(folder) / name).is_dir()
    }
    for name in list(sys.modules):
        if name.partition(".")[0] in strangers:
            del sys.modules[name]


def _folder_of(module: ModuleType) -> str:
    """The folder in which an import has found a module or a package."""
    places = [*getattr(module, "__dict__", {}).get("__path__", ()), _file(module) or ""]
    return str(Path(places[0]).parent)


def _file(module: ModuleType) -> str | None:
    return getattr(module, "__dict__", {}).get("__file__")


def _keep_on_path(folder: str) -> None:
    """For imports inside its functions, behind everything installed; the latest folder first."""
    _folders.add(folder)
    _at_the_end[:] = [place for place in _at_the_end if place in sys.path]
    if folder in _at_the_end:
        sys.path.remove(folder)
        _at_the_end.remove(folder)
    if folder not in sys.path:
        others = [sys.path.index(place) for place in _at_the_end]
        sys.path.insert(min(others, default=len(sys.path)), folder)
        _at_the_end.append(folder)


@contextmanager
def _first_on_path(folder: str) -> Iterator[None]:
    """As `python FILE` has the folder of FILE."""
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)  # the first of its name, whatever else the file put before it
