"""One network as one row: what it costs, by as many analyses as are asked for. Needs no pandas."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from archscope.comparison.origin import origin
from archscope.errors import ArchscopeError, InvalidInput, UnknownName

if TYPE_CHECKING:
    from torch import nn

    from archscope.report import Report
    from archscope.sources.inputs import Input

ANALYSES = ("compute", "memory", "training", "depth", "effective_depth")
DEFAULT = ANALYSES[:-1]  # effective depth runs real weights, and takes as long

_SAMPLES = 4
_STEP = ("optimizer", "accumulate")  # choices of ``archscope.trace`` that are for training only


def network_row(
    model: str | nn.Module,
    inputs: Any = None,
    *,
    name: str | None = None,
    batch: int | None = None,
    input: Input = None,
    analyses: Collection[str] = DEFAULT,
    execution: Mapping[str, Any] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """What one network costs.

    Args:
        model: a reference, or a module with its ``inputs``, as for ``archscope.analyze``.
        inputs: of a module.
        name: what to call it; the reference, or the module's class.
        batch: the batch size of a reference, 1 by default.
        input: the shape of one sample; the network's own by default.
        analyses: some of ``ANALYSES``. All share one run on shapes, in inference, except
            "training", a step on shapes, and "effective_depth", a measurement with random weights.
        execution: how to run it, choices of ``archscope.trace``: ``{"dtype": "bf16"}``.
        options: options of a reference.

    Returns:
        ``model``, ``family``, ``source``, ``year``, ``batch``, ``input_shape`` (of the first input,
        with the batch), ``dtype`` (of the weights), ``params``, ``trainable_params``,
        ``weight_bytes`` and ``status``; from "compute" ``macs``, ``flops``, ``activations`` (for
        the whole batch) and ``coverage``; from "memory" ``peak_bytes``; from "training"
        ``training_peak_bytes``, of a forward and a backward pass; from "depth" ``depth`` (the
        longest path), ``shortest_path``, ``paths`` and ``mean_path``; and ``effective_depth``.
        ``status`` is "ok"; ``remarks`` say why "training" or "effective_depth" found nothing, such
        as a detector without the boxes that it is to find, and are None if all is there.

    Raises:
        ArchscopeError: as ``archscope.analyze``: the network cannot be built or run.
        UnknownName: there is no such analysis.
    """
    from archscope.analysis import analyze
    from archscope.gradients import gradient_paths

    check_analyses(analyses)
    settings = {"batch": batch, "input": input, **options}
    given = dict(execution or {})
    forward = {key: value for key, value in given.items() if key not in _STEP}
    report = analyze(model, inputs, mode="inference", execution=forward, **settings)
    row: dict[str, Any] = {"model": name or _name(model, report)}
    found = origin(model)
    row |= {"family": found.family, "source": found.source, "year": found.year}
    row |= identity(report)
    for analysis in ("compute", "memory", "depth"):
        if analysis in analyses:
            row |= DERIVED[analysis](report)
    problems = []
    if "training" in analyses:
        try:
            step = analyze(model, inputs, mode="training", execution=given, **settings)
            row |= {"training_peak_bytes": _memory(step)["peak_bytes"]}
        except Exception as error:
            problems.append(f"no training step: {reason(error)}")
    if "effective_depth" in analyses:
        try:
            samples = _samples(inputs, report) if input is not None or inputs is not None else None
            found_paths = gradient_paths(model, samples, **options)
            row |= {"effective_depth": found_paths.attrs["effective_depth"]}
        except Exception as error:
            problems.append(f"no effective depth: {reason(error)}")
    return row | {"status": "ok", "remarks": "; ".join(problems) or None}


def reason(error: Exception) -> str:
    """An error in one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if isinstance(error, ArchscopeError) else f"{type(error).__name__}: {text}"


def check_analyses(analyses: Collection[str]) -> None:
    """Raise ``UnknownName`` unless all are of ``ANALYSES``."""
    for analysis in analyses:
        if analysis not in ANALYSES:
            raise UnknownName("analysis", analysis, ANALYSES)


def failed_row(model: str | nn.Module, name: str | None, reason: str) -> dict[str, Any]:
    """The row of a network of which nothing is known but why."""
    try:
        found = origin(model)
        known = {"family": found.family, "source": found.source, "year": found.year}
    except ArchscopeError:
        known = {}
    label = name or (model if isinstance(model, str) else type(model).__name__)
    return {"model": label, **known, "status": reason}


def _name(model: str | nn.Module, report: Report) -> str:
    return model if isinstance(model, str) else report.trace.model


def identity(report: Report) -> dict[str, Any]:
    """What a network is: its batch, first input and dtype, and the size of its weights."""
    trace = report.trace
    floating = (p.dtype for p in trace.parameters if p.dtype.startswith(("float", "bfloat")))
    first = trace.inputs[0] if trace.inputs else ("", (), "")
    totals = ("params", "trainable_params", "weight_bytes")
    return {
        "batch": trace.batch,
        "input_shape": first[1],
        "dtype": next(floating, first[2]),
        **{column: sum(row[column] for row in report.rows) for column in totals},
    }


def _compute(report: Report) -> dict[str, Any]:
    from archscope.analyzers.compute import coverage

    totals = ("macs", "flops", "activations")
    return {
        **{column: sum(row[column] for row in report.rows) for column in totals},
        "coverage": min(coverage(report.trace).values()),
    }


def _memory(report: Report) -> dict[str, Any]:
    from archscope.analyzers.memory import peak_bytes

    return {"peak_bytes": peak_bytes(report.trace)}


def _depth(report: Report) -> dict[str, Any]:
    from archscope.analyzers.depth import path_summary

    routes = path_summary(report.trace)
    return {
        "depth": routes.longest,
        "shortest_path": routes.shortest,
        "paths": routes.paths,
        "mean_path": routes.mean,
    }


# What each analysis says of a report.
DERIVED = {"compute": _compute, "memory": _memory, "depth": _depth}


def _samples(inputs: Any, report: Report) -> Any:
    """Inputs for a measurement: the given tensors if they have values, else noise like them."""
    import torch

    given = inputs if isinstance(inputs, tuple | list) else (inputs,)
    if all(isinstance(item, torch.Tensor) and not item.is_meta for item in given):
        return inputs
    if any(not dtype.startswith(("float", "bfloat")) for _, _, dtype in report.trace.inputs):
        raise InvalidInput("the network takes whole numbers; give it some as data")
    noise = torch.Generator().manual_seed(0)
    shapes = [shape for _, shape, _ in report.trace.inputs]
    return tuple(torch.randn(_SAMPLES, *shape[1:], generator=noise) for shape in shapes)
