"""The store of a study: one SQLite file, a row per cell, written as soon as it is done.

In WAL mode a commit survives the end of its process, and readers never wait for the driver. A cell
whose file, package or option has changed has another key, and is a row of its own; the old row
stays and is no longer ``current``.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from archscope.arguments import checked, file, flag, shown
from archscope.errors import ArchscopeError, InvalidInput
from archscope.study.analyses import RUNS
from archscope.study.records import Cell, Limits, Measurement, Result, Setting, Task

VERSION = 1
_SCHEMA = """
CREATE TABLE study (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE grids (id INTEGER PRIMARY KEY, content TEXT NOT NULL UNIQUE, planned TEXT);
CREATE TABLE settings (
  id INTEGER PRIMARY KEY, setting TEXT NOT NULL UNIQUE, reference TEXT NOT NULL
);
CREATE TABLE plans (id INTEGER PRIMARY KEY, plan TEXT NOT NULL UNIQUE);
CREATE TABLE environments (id INTEGER PRIMARY KEY, facts TEXT NOT NULL UNIQUE);
CREATE TABLE cells (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,
  setting_id INTEGER NOT NULL REFERENCES settings,
  analysis TEXT NOT NULL,
  device TEXT NOT NULL,
  phase INTEGER NOT NULL,        -- 0 on shapes, 1 measured on a GPU, 2 measured on the CPU
  run TEXT NOT NULL,             -- cells of one setting and run share it
  plan_id INTEGER NOT NULL REFERENCES plans,
  current INTEGER NOT NULL DEFAULT 1,
  state TEXT NOT NULL DEFAULT 'pending',
  reason TEXT NOT NULL DEFAULT '',
  result TEXT,
  environment_id INTEGER REFERENCES environments,
  finished TEXT,
  seconds REAL,
  cpu_seconds REAL,
  peak_rss_bytes INTEGER,
  attempts INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX cells_of_setting ON cells (setting_id, analysis, device);
CREATE INDEX cells_pending ON cells (phase, setting_id, run, device)
  WHERE state = 'pending' AND current = 1;
CREATE INDEX cells_by_state ON cells (current, state, analysis);
CREATE VIEW results AS
  SELECT reference, setting, analysis, device, state, reason, result, facts AS environment, plan,
         finished, seconds, cpu_seconds, peak_rss_bytes, attempts, current, key
  FROM cells JOIN settings ON settings.id = setting_id JOIN plans ON plans.id = plan_id
  LEFT JOIN environments ON environments.id = environment_id;
"""
_PAGE = 1000  # rows read at a time

# Any other index would have all that is missing sorted again for each page.
PENDING_PAGE = """
SELECT phase, setting_id, run, device, key, analysis, setting, plan
FROM cells INDEXED BY cells_pending
JOIN settings ON settings.id = setting_id JOIN plans ON plans.id = plan_id
WHERE state = 'pending' AND current = 1 AND (phase, setting_id, run, device) > (?, ?, ?, ?)
ORDER BY phase, setting_id, run, device, cells.id LIMIT ?
"""


@dataclass(frozen=True)
class PlannedCell:
    """A cell, its setting, and what it depends on."""

    setting: Setting
    cell: Cell
    fingerprint: Mapping[str, str]
    measurement: Measurement


def check_place(path: Path, *, create: bool) -> None:
    """Raise ``ArchscopeError`` unless there is a file, or a directory to make it in."""
    try:
        path.lstat()
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:  # a name that no file can have
        reason = getattr(error, "strerror", None) or error
        raise InvalidInput(f"there can be no study {shown(str(path))}: {reason}") from error
    if not create and not path.is_file():
        raise InvalidInput(f"there is no study {path}; `archscope study run` makes one")
    if path.is_dir():
        raise ArchscopeError(f"cannot write '{path}': it is a directory")
    if not path.parent.is_dir():
        raise ArchscopeError(f"cannot write '{path}': there is no directory {path.parent}")


class Store:
    """An open store. One process writes; any number read."""

    @checked(path=file, create=flag)
    def __init__(self, path: str | Path, *, create: bool = False):
        """Open a store.

        Raises:
            InvalidInput: there is no such file, or it is no store of studies.
            ArchscopeError: it cannot be written.
        """
        self.path = Path(path)
        check_place(self.path, create=create)
        try:
            self.connection = _connected(self.path.resolve(), create)
            self.connection.row_factory = sqlite3.Row
            self._prepare(create)
        except sqlite3.DatabaseError as error:
            raise _explained(self.path, error) from error

    def _prepare(self, create: bool) -> None:
        run = self.connection.execute
        known = {row["name"] for row in run("SELECT name FROM sqlite_master")}
        if not known and create:
            run("PRAGMA journal_mode = WAL")
            with self.transaction():
                for statement in _SCHEMA.split(";\n"):
                    run(statement)
                run("INSERT INTO study VALUES ('version', ?)", [VERSION])
        elif not {"study", "cells", "settings"} <= known:
            raise InvalidInput(f"{self.path} is no study of archscope")
        found = run("SELECT value FROM study WHERE name = 'version'").fetchone()
        if found is None or str(found["value"]) != str(VERSION):
            raise InvalidInput(f"{self.path} was written by another version of archscope")
        run("PRAGMA synchronous = NORMAL")

    def close(self) -> None:
        """Close it."""
        self.connection.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.close()
        if isinstance(error, sqlite3.DatabaseError | json.JSONDecodeError):
            raise _explained(self.path, error) from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written inside is written, or nothing is."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.connection.execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:  # a full disk may have ended it already
                self.connection.execute("ROLLBACK")
            raise

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Inside, the store is read as it is now, whatever a driver writes meanwhile."""
        self.connection.execute("BEGIN")
        try:
            yield
        finally:
            self.connection.execute("ROLLBACK")

    # -- the plan ----------------------------------------------------------------------------------

    def add_grids(self, contents: Iterable[str]) -> None:
        """Keep grids, as JSON, for `resume`: all of them, or none if the disk is full."""
        with self.transaction():
            for content in contents:
                insert = "INSERT OR IGNORE INTO grids (content) VALUES (?)"
                self.connection.execute(insert, [content])

    def keep(self, name: str, value: str) -> None:
        """Keep something of the whole study, in place of what it was."""
        with self.transaction():
            self.connection.execute("INSERT OR REPLACE INTO study VALUES (?, ?)", [name, value])

    def kept(self, name: str) -> str | None:
        """What was kept by that name; None if nothing was."""
        row = self.connection.execute("SELECT value FROM study WHERE name = ?", [name]).fetchone()
        return row["value"] if row else None

    def grids(self) -> list[tuple[str, str | None]]:
        """The grids as JSON, each with what stands for the versions of its last planning."""
        rows = self.connection.execute("SELECT content, planned FROM grids ORDER BY id")
        return [(row["content"], row["planned"]) for row in rows]

    def plan(self, content: str, planned: str, cells: Iterable[PlannedCell]) -> None:
        """Make the cells of a grid the current ones; those that are new are pending."""
        run = self.connection.execute
        setting_id, last = 0, None
        fingerprint: Mapping[str, str] | None = None
        plans: dict[bool, int] = {}
        with self.transaction():
            for planned_cell in cells:
                if planned_cell.setting is not last:
                    last = planned_cell.setting
                    setting_id = self._setting_id(last)
                cell = planned_cell.cell
                if planned_cell.fingerprint is not fingerprint:
                    fingerprint, plans = planned_cell.fingerprint, {}
                measured = bool(cell.device)
                if measured not in plans:
                    plans[measured] = self._plan_id(planned_cell)
                phase = {"": 0, "cpu": 2}.get(cell.device, 1)
                run(
                    "INSERT OR IGNORE INTO cells (key, setting_id, analysis, device, phase, run,"
                    " plan_id) VALUES (?, ?, ?, ?, ?, ?, ?)",
                    [
                        *(cell.key, setting_id, cell.analysis, cell.device, phase),
                        *(RUNS[cell.analysis], plans[measured]),
                    ],
                )
                run(
                    "UPDATE cells SET current = (key = :key) WHERE setting_id = :setting"
                    " AND analysis = :analysis AND device = :device AND current != (key = :key)",
                    {
                        "key": cell.key,
                        "setting": setting_id,
                        "analysis": cell.analysis,
                        "device": cell.device,
                    },
                )
            run("UPDATE grids SET planned = ? WHERE content = ?", [planned, content])

    def _setting_id(self, setting: Setting) -> int:
        text = setting.text
        run = self.connection.execute
        found = run("SELECT id FROM settings WHERE setting = ?", [text]).fetchone()
        if found is not None:
            return found["id"]
        insert = "INSERT INTO settings (setting, reference) VALUES (?, ?)"
        return run(insert, [text, setting.reference]).lastrowid or 0

    def _plan_id(self, planned: PlannedCell) -> int:
        plan = {
            "fingerprint": dict(planned.fingerprint),
            "measurement": vars(planned.measurement) if planned.cell.device else None,
        }
        return self._id_of("plans", "plan", json.dumps(plan, sort_keys=True))

    def _id_of(self, table: str, column: str, text: str) -> int:
        run = self.connection.execute
        found = run(f"SELECT id FROM {table} WHERE {column} = ?", [text]).fetchone()
        if found is not None:
            return found["id"]
        return run(f"INSERT INTO {table} ({column}) VALUES (?)", [text]).lastrowid or 0

    # -- what is to be done, and what was ----------------------------------------------------------

    def pending(self, limits: Limits) -> Iterator[Task]:
        """Every task of which a cell is missing: on shapes first, on the CPU alone last.

        Rows are read a page at a time, and may be written meanwhile.
        """
        after: tuple[Any, ...] = (-1, -1, "", "")
        while rows := self._pending_page(after):
            grouped = [list(rows) for _, rows in groupby(rows, _task_of)]
            if len(rows) == _PAGE and len(grouped) > 1:
                grouped.pop()  # the page may have cut it
            for group in grouped:
                after = _task_of(group[0])
                yield _task(group, limits)

    def _pending_page(self, after: tuple[Any, ...]) -> list[sqlite3.Row]:
        return self.connection.execute(PENDING_PAGE, [*after, _PAGE]).fetchall()

    def write(self, result: Result) -> None:
        """Keep what became of a cell, at once.

        Raises:
            sqlite3.Error: it cannot be written; the cell is as it was.
        """
        with self.transaction():
            environment = json.dumps(dict(result.environment), sort_keys=True)
            self.connection.execute(
                "UPDATE cells SET state = ?, reason = ?, result = ?, environment_id = ?,"
                " finished = ?, seconds = ?, cpu_seconds = ?, peak_rss_bytes = ?, attempts = ?"
                " WHERE key = ? AND state = 'pending'",
                [
                    *(result.state, result.reason, json.dumps(dict(result.values))),
                    *(self._id_of("environments", "facts", environment), result.finished),
                    *(result.seconds, result.cpu_seconds, result.peak_rss_bytes),
                    *(result.attempts, result.key),
                ],
            )

    def retry_failed(self) -> int:
        """Make failed cells pending again; how many there were."""
        with self.transaction():
            return self.connection.execute(
                "UPDATE cells SET state = 'pending', reason = '', result = NULL"
                " WHERE state = 'failed' AND current = 1"
            ).rowcount

    def counts(self) -> dict[str, int]:
        """How many of the current cells are pending, done and failed."""
        rows = self.connection.execute(
            "SELECT state, count(*) AS cells FROM cells WHERE current = 1 GROUP BY state"
        )
        return {"pending": 0, "done": 0, "failed": 0} | {row["state"]: row["cells"] for row in rows}

    def cells(self, analysis: str | None = None) -> Iterator[sqlite3.Row]:
        """The current cells, or those of one analysis; of one setting one after the other."""
        return self.connection.execute(
            "SELECT setting_id, setting, analysis, device, state, reason, result FROM cells"
            " JOIN settings ON settings.id = setting_id WHERE current = 1"
            " AND (?1 IS NULL OR analysis = ?1) ORDER BY setting_id, device, cells.id",
            [analysis],
        )

    def sorted_cells(self) -> Iterator[sqlite3.Row]:
        """The current cells in an order that two stores share."""
        return self.connection.execute(
            "SELECT setting, analysis, device, state, reason, result FROM cells"
            " JOIN settings ON settings.id = setting_id WHERE current = 1"
            " ORDER BY setting, analysis, device"
        )

    def counts_by_analysis(self) -> dict[str, dict[str, int]]:
        """Analysis -> the same counts as ``counts``."""
        rows = self.connection.execute(
            "SELECT analysis, state, count(*) AS cells FROM cells WHERE current = 1"
            " GROUP BY state, analysis"
        )
        found: dict[str, dict[str, int]] = {}
        for row in rows:
            none = {"pending": 0, "done": 0, "failed": 0}
            found.setdefault(row["analysis"], none)[row["state"]] = row["cells"]
        return {analysis: found[analysis] for analysis in RUNS if analysis in found}

    def failures(self) -> list[dict[str, Any]]:
        """Why cells failed, the most frequent reason first, each with a network as an example."""
        rows = self.connection.execute(
            "SELECT reason, count(*) AS cells, min(reference) AS example FROM cells"
            " JOIN settings ON settings.id = setting_id WHERE state = 'failed' AND current = 1"
            " GROUP BY reason ORDER BY cells DESC, example"
        )
        return [dict(row) for row in rows]

    def taken(self) -> dict[str, Any]:
        """What all cells took: CPU seconds, the largest memory, and when the last one was done."""
        row = self.connection.execute(
            "SELECT total(cpu_seconds) AS cpu_seconds, max(peak_rss_bytes) AS peak_rss_bytes,"
            " max(finished) AS finished FROM cells WHERE current = 1"
        ).fetchone()
        return dict(row)


def _task_of(row: sqlite3.Row) -> tuple[Any, ...]:
    return (row["phase"], row["setting_id"], row["run"], row["device"])


def _task(rows: list[sqlite3.Row], limits: Limits) -> Task:
    plan = json.loads(rows[0]["plan"])
    return Task(
        Setting.read(rows[0]["setting"]),
        tuple(Cell(row["key"], row["analysis"], row["device"]) for row in rows),
        plan["fingerprint"],
        rows[0]["device"],
        limits,
        Measurement(**(plan["measurement"] or {})),
    )


def _connected(path: Path, create: bool) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=30, isolation_level=None)
    try:
        connection.execute("PRAGMA schema_version")
    except sqlite3.OperationalError:
        connection.close()
        if create or path.with_name(f"{path.name}-wal").exists():
            raise
        # Where one may only read, SQLite cannot have files beside a store in WAL mode. It needs
        # none where nobody writes.
        uri = f"{path.as_uri()}?immutable=1"
        connection = sqlite3.connect(uri, uri=True, isolation_level=None)
    return connection


def _explained(path: Path, error: Exception) -> ArchscopeError:
    if "not a database" in str(error):
        return InvalidInput(f"{path} is no study of archscope")
    if isinstance(error, sqlite3.OperationalError):
        return ArchscopeError(f"cannot use '{path}': {error}")
    return ArchscopeError(f"'{path}' is damaged: {error}")
