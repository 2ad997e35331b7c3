"""The driver: it plans, hands tasks to an engine, and alone writes what comes back."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import chain
from pathlib import Path

from archscope.arguments import checked, file, function, shown
from archscope.errors import ArchscopeError, InvalidInput
from archscope.study.analyses import MEASURED
from archscope.study.engines import Engine
from archscope.study.grid import Grid
from archscope.study.keys import cell_key, digest_of, fingerprint
from archscope.study.lock import owned
from archscope.study.records import Limits, Result
from archscope.study.store import PlannedCell, Store, check_place

Told = Callable[[dict[str, int]], None]

# Between tries to write to a disk that is full.
PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)


@checked(path=file, told=function)
def run(
    path: str | Path,
    grids: Sequence[Grid],
    engine: Engine,
    *,
    limits: Limits | None = None,
    told: Told | None = None,
) -> dict[str, int]:
    """Do what is missing of some grids, and of those that the store has already.

    Args:
        path: the store, which is made if it is not there.
        grids: what to analyse; none to resume.
        engine: where; see ``archscope.study.engines``.
        limits: of each process; to resume, those that the study was begun with.
        told: called with the counts of cells after each of them.

    Returns:
        How many cells are "pending", "done" and "failed".

    Raises:
        ArchscopeError: a pattern that matches nothing, a file that is not there, a store that is
            in use or cannot be written. What was done until then is kept.
    """
    expanded = [_checked(grid).expanded() for grid in grids]
    for grid in expanded:
        _refuse_missing_files(grid)
        for device in _devices(grid):  # one that is not here is told before it is kept
            engine.title(device)
    with _opened(Path(path), create=bool(grids)) as store:
        _refuse_another_folder(store)
        store.add_grids(json.dumps(grid.content, sort_keys=True) for grid in expanded)
        if expanded:
            store.keep("folder", os.getcwd())
            store.keep("limits", json.dumps(vars(limits or Limits())))
        _plan(store, engine)
        return _carry_out(store, engine, limits or _limits(store), told or (lambda counts: None))


@checked(path=file)
def limits_of(path: str | Path) -> Limits:
    """The limits of each process that a study was begun with.

    Raises:
        InvalidInput: there is no such study.
    """
    with Store(path) as store:
        return _limits(store)


def _limits(store: Store) -> Limits:
    return Limits(**json.loads(store.kept("limits") or "{}"))


def _checked(grid: Grid) -> Grid:
    """The same grid, made as one of a file is: of values that are checked."""
    if not isinstance(grid, Grid):
        raise InvalidInput(f"grids must be of archscope.study.Grid, not {shown(grid)}")
    return Grid.of(grid.content)


@checked(path=file, told=function)
def retry(
    path: str | Path,
    engine: Engine,
    *,
    limits: Limits | None = None,
    told: Told | None = None,
) -> dict[str, int]:
    """Try failed cells again, and do what is missing; otherwise as ``run``."""
    with _opened(Path(path), create=False) as store:
        _refuse_another_folder(store)
        _plan(store, engine)
        store.retry_failed()
        return _carry_out(store, engine, limits or _limits(store), told or (lambda counts: None))


@contextmanager
def _opened(path: Path, *, create: bool) -> Iterator[Store]:
    """The store, with nobody else at work on it."""
    check_place(path, create=create)
    with owned(path), Store(path, create=create) as store:
        try:
            yield store
        except sqlite3.OperationalError as error:
            raise ArchscopeError(f"cannot write '{path}': {error}") from error


def _refuse_missing_files(grid: Grid) -> None:
    for model in grid.models:
        for name, content in fingerprint(model).items():
            if content == "none" and name in _places(model):
                raise InvalidInput(
                    f"there is no file {name}; paths begin in the directory of the command, "
                    f"{os.getcwd()}"
                )


def _places(model: str) -> tuple[str, ...]:
    """What of a reference may be a file."""
    return (model, model.rpartition(":")[0], model.partition(":")[2])


def _refuse_another_folder(store: Store) -> None:
    """A study whose files are not here, and are where it was begun, would lose all its results."""
    begun = store.kept("folder")
    if begun in (None, os.getcwd()):
        return
    for content, _ in store.grids():
        for model in json.loads(content)["models"]:
            for place in _places(model):
                away = not os.path.exists(place) and os.path.isfile(os.path.join(begun, place))
                if away and place in fingerprint(model):
                    raise InvalidInput(
                        f"there is no file {place} here; this study was begun in {begun}, where "
                        "its paths begin: resume it there"
                    )


def _plan(store: Store, engine: Engine) -> None:
    """Make current what the grids ask for, by the versions and files of today."""
    for content, planned in store.grids():
        grid = Grid.of(json.loads(content))
        titles = {device: engine.title(device) for device in _devices(grid)}
        # The fingerprints of a million networks take a gigabyte: they are looked at one by one.
        today = digest_of(chain([titles], ((model, fingerprint(model)) for model in grid.models)))
        if today != planned:
            store.plan(content, today, _cells(grid, titles))


def _devices(grid: Grid) -> Sequence[str]:
    return grid.device if any(analysis in MEASURED for analysis in grid.analyses) else ()


def _cells(grid: Grid, titles: dict[str, str]) -> Iterator[PlannedCell]:
    reference, versions = "", dict[str, str]()
    for setting in grid.settings():  # all of one network one after the other
        if setting.reference != reference:
            reference, versions = setting.reference, fingerprint(setting.reference)
        for analysis, device in grid.analyses_of(setting):
            place = titles[device] if device else ""
            cell = cell_key(setting, analysis, device, place, grid.measure, versions)
            yield PlannedCell(setting, cell, versions, grid.measure)


def _carry_out(store: Store, engine: Engine, limits: Limits, told: Told) -> dict[str, int]:
    counts = store.counts()
    told(counts)
    if not counts["pending"]:  # an engine may take long to start
        return counts
    with closing(engine.submit(store.pending(limits))) as results:  # type: ignore[type-var]
        for result in results:
            _keep(store, result)
            counts["pending"] -= 1
            counts[result.state] += 1
            told(counts)
    return store.counts()


def _keep(store: Store, result: Result) -> None:
    """Write a result; while the disk is full, wait and let the engine wait."""
    for pause in (*PAUSES, None):
        try:
            store.write(result)
            return
        except sqlite3.OperationalError as error:
            if pause is None:
                raise ArchscopeError(
                    f"cannot write '{store.path}': {error}; what was done is kept: make room, "
                    f"then `archscope study resume {store.path}`"
                ) from error
        time.sleep(pause)
