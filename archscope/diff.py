"""Two models, or two versions of one, aligned layer by layer."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from archscope.errors import ArchscopeError, InvalidInput

if TYPE_CHECKING:
    import pandas as pd

    from archscope.report import Report

COSTS = ("params", "macs", "flops", "activations", "output_bytes")
TOTALS = ("params", "macs", "flops", "activations", "weight_bytes", "peak_bytes", "depth")

Status = Literal["added", "removed", "changed", "renamed", "same"]
Layer = Mapping[str, Any]


@dataclass(frozen=True)
class Side:
    """One of the two models: its layers and totals."""

    name: str
    layers: Sequence[Layer]
    totals: Mapping[str, Any]


@dataclass(frozen=True)
class Change:
    """One layer in both models, or in one of them."""

    status: Status
    before: Layer | None
    after: Layer | None

    @property
    def path(self) -> str:
        layer = self.after or self.before
        assert layer is not None
        return layer["path"]

    def delta(self, cost: str) -> int:
        """What the layer costs more in the second model."""
        before = self.before[cost] if self.before else 0
        after = self.after[cost] if self.after else 0
        return after - before


@dataclass(frozen=True)
class Diff:
    """What changes from the first model to the second."""

    before: Side
    after: Side
    changes: tuple[Change, ...]  # in the order of the run, unchanged layers among them

    @property
    def rows(self) -> list[dict[str, Any]]:
        """A dictionary per layer: status, path, kinds, shapes, both costs and their difference."""
        return [_row(change) for change in self.changes]

    @property
    def layers(self) -> pd.DataFrame:
        """The same as a DataFrame."""
        from archscope.analyzers.frames import frame

        return frame(self.rows)

    @property
    def totals(self) -> dict[str, dict[str, int]]:
        """Each total ``before`` and ``after``, and its ``delta``."""
        return {
            name: {
                "before": self.before.totals[name],
                "after": self.after.totals[name],
                "delta": self.after.totals[name] - self.before.totals[name],
            }
            for name in TOTALS
        }


def diff(before: Report | Side, after: Report | Side) -> Diff:
    """Align two analyses by path and shape.

    Layers of the same path and call are the same layer. What is left is matched, in the order of
    the run, by kind, shapes and parameters, and is then only renamed. The rest was added or
    removed.

    Args:
        before: a report, or a side from ``side``.
        after: the other one.
    """
    first, second = _side_of(before), _side_of(after)
    return Diff(first, second, tuple(_aligned(first.layers, second.layers)))


def side(reference: str, **settings: Any) -> Side:
    """Analyse a reference; one of a Python file may name a git revision: ``net.py:Net@HEAD~1``.

    Args:
        reference: as for ``analyze``.
        settings: arguments of ``analyze``: batch, input, mode and options.

    Raises:
        ArchscopeError: as ``analyze``; or no such revision, or the file is not in git.
    """
    from archscope.analysis import analyze

    place, at, revision = reference.rpartition("@")
    if at and ".py:" in place:
        return _at_revision(place, revision, settings)
    return _side_of(analyze(reference, **settings))


def _side_of(value: Report | Side) -> Side:
    if isinstance(value, Side):
        return value
    return Side(value.trace.model, value.rows, value.sums)


def _aligned(before: Sequence[Layer], after: Sequence[Layer]) -> Iterator[Change]:
    pairs = dict(_pairs(before, after))  # index after -> index before
    gone = sorted(set(range(len(before))) - set(pairs.values()))
    for i, layer in enumerate(after):
        j = pairs.get(i)
        if j is None:
            yield Change("added", None, layer)
            continue
        while gone and gone[0] < j:
            yield Change("removed", before[gone.pop(0)], None)
        yield Change(_status(before[j], layer), before[j], layer)
    for j in gone:
        yield Change("removed", before[j], None)


def _pairs(before: Sequence[Layer], after: Sequence[Layer]) -> Iterator[tuple[int, int]]:
    by_path = {(layer["path"], layer["call"]): j for j, layer in enumerate(before)}
    left_after = []
    for i, layer in enumerate(after):
        j = by_path.pop((layer["path"], layer["call"]), None)
        if j is None:
            left_after.append(i)
        else:
            yield i, j
    left_before = sorted(by_path.values())
    matcher = SequenceMatcher(
        None, [_form(before[j]) for j in left_before], [_form(after[i]) for i in left_after], False
    )
    for match in matcher.get_matching_blocks():
        for step in range(match.size):
            yield left_after[match.b + step], left_before[match.a + step]


def _form(layer: Layer) -> tuple[Any, ...]:
    return (layer["kind"], *_shapes(layer), layer["params"], layer["macs"])


def _shapes(layer: Layer) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return tuple(layer["input_shape"]), tuple(layer["output_shape"])


def _status(before: Layer, after: Layer) -> Status:
    costs_differ = any(before[cost] != after[cost] for cost in COSTS)
    if costs_differ or before["kind"] != after["kind"] or _shapes(before) != _shapes(after):
        return "changed"
    return "same" if before["path"] == after["path"] else "renamed"


def _row(change: Change) -> dict[str, Any]:
    before, after = change.before or {}, change.after or {}
    row: dict[str, Any] = {
        "status": change.status,
        "path": change.path,
        "path_before": before.get("path", ""),
        "kind": after.get("kind", before.get("kind")),
        "kind_before": before.get("kind", ""),
        "output_shape": after.get("output_shape", ()),
        "output_shape_before": before.get("output_shape", ()),
    }
    for cost in COSTS:
        row[f"{cost}_before"] = before.get(cost, 0)
        row[f"{cost}_after"] = after.get(cost, 0)
        row[f"{cost}_delta"] = change.delta(cost)
    return row


# -- a git revision --------------------------------------------------------------------------------


def _at_revision(reference: str, revision: str, settings: Mapping[str, Any]) -> Side:
    """The model as it was: its whole repository is laid out, and another process analyses it."""
    file, _, name = reference.rpartition(":")
    path = Path(file).resolve()
    if not path.parent.is_dir():
        raise InvalidInput(f"there is no directory {path.parent}")
    top = Path(_git(path.parent, "rev-parse", "--show-toplevel").decode().strip())
    archive = _git(top, "archive", revision)
    with tempfile.TemporaryDirectory() as directory:
        with tarfile.open(fileobj=BytesIO(archive)) as tar:
            tar.extractall(directory, filter="data")
        place = Path(directory) / path.relative_to(top.resolve())
        request = json.dumps({"reference": f"{place}:{name}", **settings}, default=list)
        done = subprocess.run(
            [sys.executable, "-m", "archscope.diff", request],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["it failed"])[-1]
        raise ArchscopeError(f"{reference} at {revision}: {reason.replace(str(place), file)}")
    found = json.loads(done.stdout.splitlines()[-1])
    return Side(f"{name}@{revision}", found["layers"], found["totals"])


def _git(directory: Path, *arguments: str) -> bytes:
    try:
        done = subprocess.run(
            ["git", "-C", str(directory), *arguments], capture_output=True, check=False
        )
    except FileNotFoundError:
        raise ArchscopeError("git is not installed, which a revision needs") from None
    if done.returncode:
        raise InvalidInput(f"git {' '.join(arguments)}: {done.stderr.decode().strip()}")
    return done.stdout


def _main(text: str) -> None:
    from archscope.analysis import analyze

    settings = json.loads(text)
    try:
        report = analyze(settings.pop("reference"), **settings)
    except ArchscopeError as error:
        raise SystemExit(str(error)) from None
    print(json.dumps({"layers": report.rows, "totals": report.sums}))


if __name__ == "__main__":
    _main(sys.argv[1])
