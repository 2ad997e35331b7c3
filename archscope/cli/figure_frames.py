"""What a picture of several networks is drawn from: a frame that is run, stored or measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from archscope.cli.compare import tell_warnings
from archscope.cli.options import Asked
from archscope.errors import InvalidInput

if TYPE_CHECKING:
    import pandas as pd

Range = tuple[str, int, int, int]  # what varies, from, to, step


@dataclass(slots=True)
class Request:
    """What was asked for, and which networks turned out to have no figures."""

    kind: str
    models: tuple[str, ...]
    asked: Asked
    stored: pd.DataFrame | None = None  # of a study, in place of networks to run
    size: tuple[float, float] | None = None
    execution: Mapping[str, Any] = field(default_factory=dict)
    accuracy: str | None = None
    protocol: str = "single-crop"
    measured: tuple[str, ...] = ()
    measured_where: str | None = None
    style: Mapping[str, Any] = field(default_factory=dict)  # options of the picture itself
    over: Range | None = None
    cost: str | None = None
    level: str = "layer"
    depth: str | None = None
    device: str | None = None
    samples: int = 4
    seeds: int = 1
    failed: dict[str, str] = field(default_factory=dict)


def compared(request: Request, *analyses: str, **changed: Any) -> pd.DataFrame:
    """A row per network with what these analyses find, ``changed`` options instead of those asked.

    Raises:
        InvalidInput: no network has figures, or the request has what no comparison takes.
    """
    from archscope.comparison.compare import INTERRUPTED, compare

    if request.stored is not None:
        return _without_failed(request, _of_one_setting(request.stored), None)
    asked = replace(request.asked, **changed)
    if asked.inputs_from or asked.mode != "inference":
        raise InvalidInput(f"{request.kind} is of inference, and takes --input, not --inputs-from")
    known = asked.arguments(request.models[0])
    frame = compare(
        request.models,
        analyses=analyses,
        execution=request.execution,
        accuracy=request.accuracy,
        protocol=request.protocol,
        measured=request.measured,
        measured_where=request.measured_where,
        **{name: value for name, value in known.items() if name not in ("inputs", "mode")},
    )
    if INTERRUPTED in frame.attrs["failed"].values():
        raise KeyboardInterrupt  # a picture of some of the networks is none of what was asked for
    tell_warnings(frame)
    return _without_failed(request, frame, asked.batch)


def _of_one_setting(frame: pd.DataFrame, *but: str) -> pd.DataFrame:
    """The rows of a study, if no network has several of them, ``but`` for these columns."""
    twice = frame[frame.duplicated(["model", *but])]
    if not twice.empty:
        raise InvalidInput(
            f"the study has several rows of {twice['model'].iloc[0]}: choose one by --where, "
            "\"batch == 1 and mode == 'inference'\"; archscope compare --from shows them"
        )
    return frame


def _without_failed(request: Request, frame: pd.DataFrame, batch: int | None) -> pd.DataFrame:
    """Rows with figures; why others have none is told at the end."""
    lost = frame["params"].isna()
    where = "" if batch in (None, 1) else f" at batch {batch}"
    for model, status in zip(frame["model"], frame["status"], strict=True):
        if status != "ok":
            request.failed[f"{model}{where}"] = status
    if lost.all():
        first = frame.iloc[0]
        raise InvalidInput(f"nothing to draw: {first['model']}: {first['status']}")
    return frame[~lost]


def over_batches(request: Request, batches: Iterable[int], *analyses: str) -> pd.DataFrame:
    """The same, a row per network and batch size."""
    import pandas as pd

    if request.stored is not None:
        return _without_failed(request, _of_one_setting(request.stored, "batch"), None)
    frames = [compared(request, *analyses, batch=batch) for batch in batches]
    return pd.concat(frames, ignore_index=True)


def measured(request: Request, column: str, command: str, *, panels: bool) -> pd.DataFrame:
    """Costs and measurements, a row per network and batch size that was measured.

    With ``panels`` only the least and the largest batch size that all networks have.
    """
    from archscope.comparison.measured import measurements
    from archscope.plots.measurements import common_batches, measured_only, not_measured
    from archscope.sources import expand

    if request.stored is not None:
        return _measured_of_study(request, column, command, panels=panels)
    if not request.measured:
        raise not_measured(request.kind, command)
    if request.asked.batch is not None:
        raise InvalidInput(f"{request.kind} has the batch sizes of its measurements, no --batch")
    models = expand(request.models)
    rows = measurements(request.measured, condition=request.measured_where)
    rows = [row for row in rows if row["model"] in models]
    found = [row for row in rows if row.get(column) is not None]
    missing = [model for model in models if model not in {row["model"] for row in found}]
    if missing:
        files = ", ".join(request.measured)
        raise InvalidInput(f"{files} has no {column} of {', '.join(missing)}; measure them too")
    batches = sorted({int(row["batch"]) for row in rows})
    if panels:
        import pandas as pd

        batches = common_batches(
            pd.DataFrame([{k: r[k] for k in ("model", "batch")} for r in found])
        )
    frame = _with_conditions(over_batches(request, batches, "compute"), rows)
    measured_only(frame, column, request.kind, command)
    return frame


def _measured_of_study(
    request: Request, column: str, command: str, *, panels: bool
) -> pd.DataFrame:
    """The same from a study that has measured."""
    from archscope.plots.measurements import common_batches, measured_only

    frame = over_batches(request, ())
    frame = frame[frame[column].notna()]
    measured_only(frame, column, request.kind, command)
    return frame[frame["batch"].isin(common_batches(frame))] if panels else frame


_CONDITIONS = ("idle_power_w", "device_title", "date", "torch", "status")


def _with_conditions(frame: pd.DataFrame, rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """The frame with what its measurements say of themselves."""
    known: dict[tuple[str, int], dict[str, Any]] = {}
    for row in rows:
        place = known.setdefault((str(row["model"]), int(row["batch"])), {})
        place |= {name: row[name] for name in _CONDITIONS if row.get(name) is not None}
    keys = list(zip(frame["model"], frame["batch"], strict=True))
    values = {
        name: [known.get((model, int(batch)), {}).get(name) for model, batch in keys]
        for name in _CONDITIONS
    }
    return frame.assign(**values)
