"""``archscope depth``: how far the loss is from the input, and where the gradient really goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from archscope.cli.cached import cached, of_one
from archscope.cli.completion import references
from archscope.cli.errors import remark
from archscope.cli.options import Asked, OneOf, Size, WholeNumber, model_options
from archscope.cli.tables import output_options, show_tables
from archscope.errors import InvalidInput

if TYPE_CHECKING:
    from archscope.report.depth import DepthReport


@cached(of_one("gradient"))
@click.command()
@click.argument("model", shell_complete=references)
@model_options()
@click.option(
    "--count",
    type=OneOf("count", ("layers", "modules", "ops", "macs")),
    default="layers",
    help="What a path's length counts: weight layers, residual modules, operators, work.",
)
@click.option("--layers", is_flag=True, help="Show each layer's distances and receptive field.")
@click.option("--through-time", "time", is_flag=True, help="Show a recurrent net's depth by lag.")
@click.option("--gradient", is_flag=True, help="Measure the gradient by path length (or by lag).")
@click.option("--data", metavar="FILE", help="Samples for --gradient: .npy, .npz or .pt.")
@click.option("--checkpoint", metavar="FILE", help="Weights: .safetensors or a state dictionary.")
@click.option("--samples", type=WholeNumber(), help="Samples for --gradient; 4.")
@click.option("--seeds", type=WholeNumber(), help="Initialisations; 1.")
@click.option("--max-memory", type=Size(), help="What --gradient may take: 500MiB, 4GiB.")
@output_options
def depth(
    model: str,
    asked: Asked,
    count: str,
    layers: bool,
    time: bool,
    gradient: bool,
    data: str | None,
    checkpoint: str | None,
    samples: int | None,
    seeds: int | None,
    max_memory: int | None,
    format: str | None,
    width: int | None,
    file: str | None,
) -> None:
    """Show the lengths of all paths from input to output of MODEL, counted exactly.

    MODEL is a name of `archscope list`, such as resnet50, or any other reference that
    `archscope table` takes.
    """
    if not gradient and (data or checkpoint or max_memory is not None or samples or seeds):
        raise InvalidInput(
            "--data, --checkpoint, --samples, --seeds and --max-memory are for --gradient"
        )
    if time and max_memory is not None:
        raise InvalidInput("--max-memory is for gradients by path length, not --through-time")
    if gradient and count != "layers":
        raise InvalidInput("--gradient counts weight layers: leave out --count")
    if gradient and not data and asked.inputs_from:
        raise InvalidInput("--gradient runs on random data of --input SHAPE, or on a --data FILE")
    arguments = asked.arguments(model)
    options = asked.options(model)

    from archscope.analysis import analyze
    from archscope.report.depth import DepthReport

    report = analyze(model, **arguments)
    for warning in report.warnings:
        remark(f"warning: {warning}")
    found = DepthReport(report.trace, count)  # type: ignore[arg-type]
    if gradient:
        measured = {
            "samples": samples or 4,
            "seeds": seeds or 1,
            "checkpoint": checkpoint,
            **_read_data(data),
            **options,
        }
        if arguments["input"] is not None:
            measured["input"] = arguments["input"]
        _measure(found, model, time, max_memory, measured)
    if time:
        _add_lags(found, model, options)
    show_tables(
        found.tables(layers=layers),
        data=found.data(layers=layers),
        rows=found.rows(layers=layers),
        format=format,
        width=width,
        file=file,
    )


def _measure(
    found: DepthReport, model: str, time: bool, memory: int | None, options: dict[str, Any]
) -> None:
    from archscope.gradients import gradient_paths, gradient_through_time

    if time:
        options.pop("targets", None)
        found.gradient_by_lag = gradient_through_time(model, **options)
    else:
        found.gradient = gradient_paths(model, memory=memory, progress=remark, **options)


def _add_lags(found: DepthReport, model: str, options: dict[str, Any]) -> None:
    from archscope.recurrent_depth import through_time

    steps = found.trace.inputs[0][1][1] if len(found.trace.inputs[0][1]) > 2 else 50
    found.by_lag = through_time(model, steps=steps, **options)


def _read_data(file: str | None) -> dict[str, Any]:
    from archscope.gradients.data import read_data

    if file is None:
        return {}
    inputs, targets = read_data(file)
    return {"inputs": inputs, "targets": targets}
