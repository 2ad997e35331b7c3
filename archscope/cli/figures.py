"""The kinds of pictures by name: how each is made of what was asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from archscope.cli.errors import remark
from archscope.cli.figure_frames import Range, Request, compared, measured, over_batches
from archscope.cli.options import read_inputs
from archscope.errors import InvalidInput

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_BATCHES: Range = ("batch", 1, 64, 1)
_MOST_SIZES = 13


def figure(request: Request) -> Figure:
    """Draw what is asked for.

    Raises:
        ArchscopeError: as the analyses and the picture say.
    """
    if request.stored is not None and request.kind not in _OF_STUDIES:
        kinds = ", ".join(_OF_STUDIES)
        raise InvalidInput(f"{request.kind} runs its networks; --from is for {kinds}")
    drawn = DRAWN[request.kind](request)
    for model, reason in request.failed.items():
        remark(f"warning: {model}: {reason}")
    return drawn


# -- one network -----------------------------------------------------------------------------------


def _only(request: Request) -> str:
    if len(request.models) != 1:
        raise InvalidInput(f"{request.kind} is of one model, not of {len(request.models)}")
    return request.models[0]


def _memory_timeline(request: Request) -> Figure:
    from archscope.analysis import analyze
    from archscope.plots import memory_timeline

    model = _only(request)
    report = analyze(model, execution=request.execution, **request.asked.arguments(model))
    return memory_timeline(report.trace, size=request.size)


def _layers(request: Request) -> Figure:
    import pandas as pd

    from archscope.analysis import analyze
    from archscope.cli.roofline import own_times
    from archscope.plots import layers
    from archscope.report.levels import lines

    model = _only(request)
    report = analyze(model, execution=request.execution, **request.asked.arguments(model))
    frame = pd.DataFrame([dict(line.values) for line in lines(report, request.level)])
    if request.measured:
        if len(request.measured) != 1 or request.level != "layer":
            raise InvalidInput("times are of one file, and of --level layer")
        times = own_times(request.measured[0])
        frame = frame.merge(times[["path", "self_ms"]], on="path", how="left")
        if frame["self_ms"].isna().all():
            raise InvalidInput(f"{request.measured[0]} has no layer of {model}")
    frame.attrs = {"model": model, "conditions": report.conditions}
    columns = request.cost.split(",") if request.cost else None
    return layers(frame, columns=columns, size=request.size)


def _roofline(request: Request) -> Figure:
    from archscope.analyzers import roofline as analyzed
    from archscope.calibrated import device_named
    from archscope.cli.roofline import own_times, traced
    from archscope.plots.roofline import roofline

    if request.device is None:
        raise InvalidInput("a roofline is of a --device NAME; see archscope device list")
    if len(request.measured) > 1:
        raise InvalidInput("a roofline takes one --measured FILE")
    model = _only(request)
    times = own_times(request.measured[0]) if request.measured else None
    card, dtype = device_named(request.device), request.execution.get("dtype")
    trace = traced(model, card, dtype, **request.asked.arguments(model))
    return roofline(analyzed(trace, card, tf32=dtype == "tf32"), times, size=request.size)


# -- paths and gradients ---------------------------------------------------------------------------


def _stored(request: Request, kind: str) -> list[pd.DataFrame] | None:
    """What was measured before, if a file is given."""
    from archscope.gradients.stored import load

    if not request.measured:
        return None
    if len(request.measured) > 1 or request.measured_where:
        raise InvalidInput(f"{request.kind} takes one --measured FILE, and no --measured-where")
    return load(request.measured[0], kind, request.models)


def _expanded(request: Request) -> None:
    from archscope.sources import expand

    request.models = tuple(expand(request.models))


def _sampled(request: Request, model: str) -> dict[str, Any]:
    """What gradients are measured at: samples of the architecture's own or the given shape."""
    options = request.asked.options(model)
    shape = read_inputs(model, request.asked.inputs)
    given = {} if shape is None else {"input": shape}
    return {"samples": request.samples, **options, **given}


def _depth(request: Request) -> Figure:
    from archscope.gradients import gradient_paths
    from archscope.plots import depth

    _expanded(request)
    stored = _stored(request, "gradient-paths")
    if stored is not None:
        return depth(stored, size=request.size)
    tables = []
    for model in request.models:
        given = {**_sampled(request, model), "seeds": request.seeds}
        remark(f"{model}:")
        tables.append(gradient_paths(model, progress=remark, **given))
    return depth(tables, size=request.size)


def _gradient_flow(request: Request) -> Figure:
    from archscope.comparison.origin import origin
    from archscope.gradients import gradient_flow
    from archscope.plots import gradient_flow as draw

    _expanded(request)
    tables = _stored(request, "gradient-flow") or [
        gradient_flow(model, **_sampled(request, model)) for model in request.models
    ]
    panels: dict[str, list] = {}
    for model, table in zip(request.models, tables, strict=True):
        panels.setdefault(origin(model).family or "other", []).append(table)
    return draw(panels, size=request.size)


def _through_time(request: Request) -> Figure:
    from archscope.gradients import gradient_through_time
    from archscope.plots import through_time as draw
    from archscope.recurrent_depth import through_time

    _expanded(request)
    steps = request.asked.seq_len or 50
    built = {model: {**request.asked.options(model), "seq_len": steps} for model in request.models}
    static = {
        model: through_time(model, steps=steps, **options) for model, options in built.items()
    }
    measured = _stored(request, "gradient-through-time") or [
        gradient_through_time(model, samples=request.samples, seeds=request.seeds, **options)
        for model, options in built.items()
    ]
    return draw(static, dict(zip(request.models, measured, strict=True)), size=request.size)


# -- many networks ---------------------------------------------------------------------------------


def _accuracy_vs_ops(request: Request) -> Figure:
    from archscope.plots import accuracy_vs_ops

    frame = compared(request, "compute")
    return accuracy_vs_ops(frame, size=request.size, **request.style)


def _accuracy(request: Request) -> Figure:
    from archscope.plots import accuracy

    return accuracy(compared(request, "compute"), size=request.size)


def _density(request: Request) -> Figure:
    from archscope.plots import density

    return density(compared(request, "compute"), size=request.size)


def _memory_vs_params(request: Request) -> Figure:
    from archscope.plots import memory_vs_params

    return memory_vs_params(compared(request, "memory"), size=request.size)


def _accuracy_vs_depth(request: Request) -> Figure:
    from archscope.plots import accuracy_vs_depth

    if request.depth == "effective_depth" and request.measured:
        frame = _with_effective_depth(request)
    else:
        more = ("effective_depth",) if request.depth == "effective_depth" else ()
        frame = compared(request, "depth", *more)
    return accuracy_vs_depth(frame, depth=request.depth, size=request.size)


def _with_effective_depth(request: Request) -> pd.DataFrame:
    """As it was measured before."""
    _expanded(request)
    tables = _stored(request, "gradient-paths") or []
    found = {table.attrs["model"]: table.attrs for table in tables}
    frame = compared(replace(request, measured=()), "depth")
    columns = {"effective_depth": "effective_depth", "device_title": "device"}
    columns |= {name: name for name in ("date", "torch")}
    told = {
        column: [found[model].get(name) for model in frame["model"]]
        for column, name in columns.items()
    }
    return frame.assign(**told)


def _timeline(request: Request) -> Figure:
    from archscope.plots import timeline

    frame = compared(request, "compute", "depth", "memory")
    return timeline(frame, cost=request.cost, size=request.size)


def _time_vs_batch(request: Request) -> Figure:
    from archscope.plots import time_vs_batch

    frame = measured(request, "latency_ms_p50", "latency", panels=False)
    return time_vs_batch(frame, size=request.size)


def _power_vs_batch(request: Request) -> Figure:
    from archscope.plots import power_vs_batch

    return power_vs_batch(measured(request, "power_w", "energy", panels=False), size=request.size)


def _ops_vs_time(request: Request) -> Figure:
    from archscope.plots import ops_vs_time

    frame = measured(request, "latency_ms_p50", "latency", panels=True)
    return ops_vs_time(frame, size=request.size, ops=request.style.get("ops", "flops"))


def _ops_vs_power(request: Request) -> Figure:
    from archscope.plots import ops_vs_power

    frame = measured(request, "power_w", "energy", panels=True)
    return ops_vs_power(frame, size=request.size, ops=request.style.get("ops", "flops"))


def _accuracy_vs_throughput(request: Request) -> Figure:
    from archscope.plots import accuracy_vs_throughput

    frame = measured(request, "throughput_per_s", "latency", panels=True)
    return accuracy_vs_throughput(frame, size=request.size)


def _memory_vs_batch(request: Request) -> Figure:
    from archscope.plots import memory_vs_batch
    from archscope.scaling import in_steps

    variable, *ends = request.over or _BATCHES
    if variable != "batch":
        raise InvalidInput(f"memory-vs-batch is over batch=1..64, not {variable}")
    frame = over_batches(request, dict.fromkeys(in_steps(*ends)), "memory")
    return memory_vs_batch(frame, size=request.size)


def _scaling(request: Request) -> Figure:
    import pandas as pd

    from archscope.plots import scaling
    from archscope.plots.curves import COSTS
    from archscope.plots.points import listed

    if request.over is None:
        raise InvalidInput("scaling is --over input=128..512, batch=1..64 or seq_len=128..4096")
    cost = request.cost or "macs"
    if cost not in COSTS or cost == "latency_ms_p50":
        known = ", ".join(name for name in COSTS if name != "latency_ms_p50")
        raise InvalidInput(f"--cost of scaling is one of {known}, not '{cost}'")
    _expanded(request)
    analysis = "memory" if cost == "peak_bytes" else "compute"
    frames: list[pd.DataFrame] = []
    for model in request.models:
        refused: dict[int, str] = {}
        for x, changed in _settings(request, model):
            one = replace(request, models=(model,), failed={})
            try:
                found = compared(one, analysis, **changed)
            except InvalidInput:
                if not one.failed:
                    raise
                refused[x] = next(iter(one.failed.values()))
                continue
            frames.append(found.assign(**{request.over[0]: x}))
        if refused:
            where = listed([str(x) for x in refused])
            request.failed[f"{model} does not run at {where}"] = next(iter(refused.values()))
    if not frames:
        raise InvalidInput(
            f"no network runs at any of these: {next(iter(request.failed.values()))}"
        )
    frame = pd.concat(frames, ignore_index=True)
    return scaling(frame, over=request.over[0], cost=cost, size=request.size)


def _settings(request: Request, model: str) -> Iterable[tuple[int, dict[str, Any]]]:
    """What varies, and the options that make it so."""
    from archscope.scaling import image_of, in_steps
    from archscope.sources.inputs import parse_input

    assert request.over is not None
    variable, start, stop, step = request.over
    if variable == "batch":
        return [(n, {"batch": n}) for n in dict.fromkeys(in_steps(start, stop, step))]
    every = list(range(start, stop + 1, step))
    values = every[:: -(-len(every) // _MOST_SIZES)]
    if variable == "seq_len":
        return [(n, {"seq_len": n}) for n in values]
    given = [parse_input(one) for one in request.asked.inputs] or None
    *channels, _, _ = image_of(model, given, "inference", request.asked.options(model))
    sizes = ["x".join(map(str, (*channels, n, n))) for n in values]
    return [(n, {"inputs": (size,)}) for n, size in zip(values, sizes, strict=True)]


_OF_STUDIES = (
    *("accuracy", "accuracy-vs-ops", "time-vs-batch", "power-vs-batch", "memory-vs-batch"),
    *("memory-vs-params", "ops-vs-time", "ops-vs-power", "accuracy-vs-throughput", "density"),
    *("accuracy-vs-depth", "timeline"),
)
DRAWN: Mapping[str, Callable[[Request], Figure]] = {
    "accuracy": _accuracy,
    "accuracy-vs-ops": _accuracy_vs_ops,
    "time-vs-batch": _time_vs_batch,
    "power-vs-batch": _power_vs_batch,
    "memory-vs-batch": _memory_vs_batch,
    "memory-vs-params": _memory_vs_params,
    "ops-vs-time": _ops_vs_time,
    "ops-vs-power": _ops_vs_power,
    "accuracy-vs-throughput": _accuracy_vs_throughput,
    "density": _density,
    "accuracy-vs-depth": _accuracy_vs_depth,
    "timeline": _timeline,
    "layers": _layers,
    "memory-timeline": _memory_timeline,
    "scaling": _scaling,
    "depth": _depth,
    "gradient-flow": _gradient_flow,
    "through-time": _through_time,
    "roofline": _roofline,
}
