"""Rows of a long benchmark, each written when it is done, so that it can go on where it ended."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch

from archscope.measure.devices import cpu_title
from archscope.measure.environment import versions


class Rows:
    """Rows in a file of JSON lines, found by some of their values."""

    def __init__(self, path: Path, key: Sequence[str], *, afresh: bool = False):
        """``afresh`` forgets what an earlier run left."""
        self._path, self._key = path, tuple(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        if afresh:
            path.unlink(missing_ok=True)
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        self.all: list[dict[str, Any]] = [json.loads(line) for line in lines]

    def has(self, **values: Any) -> bool:
        """Whether the row of that key is done."""
        wanted = [values[name] for name in self._key]
        return any([row[name] for name in self._key] == wanted for row in self.all)

    def add(self, row: dict[str, Any]) -> None:
        """Keep a row, and write it at once."""
        self.all.append(row)
        with self._path.open("a", encoding="utf-8") as out:
            out.write(json.dumps(row) + "\n")


def unfinished(name: str) -> Path:
    """Where a benchmark keeps the rows of a run: beside its results, and ignored by git."""
    return Path(__file__).parent / "results" / "unfinished" / f"{name}.jsonl"


def about_run(disturbed: Iterable[str] = ()) -> str:
    """One line of conditions; ``disturbed`` are those of the rows."""
    found = versions()
    told = [one for one in disturbed if one]
    quiet = f"{len(told)} rows disturbed, e.g. {told[0]}" if told else "undisturbed"
    return (
        f"{found['date'][:10]}; {cpu_title()}; Python {found['python']}; torch "
        f"{found['torch']}, {torch.get_num_threads()} thread(s); archscope {found['archscope']}; "
        f"{quiet}."
    )
