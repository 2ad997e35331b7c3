"""``archscope latency``: how long a network takes on the device at hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import click

from archscope.cli.errors import INTERRUPTED, remark
from archscope.cli.options import (
    Number,
    OneOf,
    WholeNumber,
    given_options,
    input_options,
    read_inputs,
    settings_of,
)
from archscope.cli.tables import output_options, show_tables
from archscope.devices import DTYPES
from archscope.errors import InvalidInput

if TYPE_CHECKING:
    from archscope.measure.workload import Setting


class Batches(click.ParamType):
    """1,2,4,8"""

    name = "N,N,..."

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> list[int]:
        parts = [part.strip() for part in str(value).split(",")]
        if not all(part.isascii() and part.isdecimal() and int(part) > 0 for part in parts):
            raise InvalidInput(f"--batch '{value}' is no list of batch sizes; write 1,2,4,8")
        sizes = [int(part) for part in parts]
        if len(set(sizes)) < len(sizes):
            raise InvalidInput(f"--batch '{value}' has a batch size twice; write 1,2,4,8")
        return sizes


@click.command()
@click.argument("model")
@click.option("--device", default="cpu", metavar="cpu|cuda[:N]", help="The CPU by default.")
@click.option("--batch", "batches", type=Batches(), default="1", help="1,2,4,8; 1 if absent.")
@input_options
@click.option("--dtype", type=OneOf("dtype", DTYPES), default="fp32", help="fp32 by default.")
@click.option(
    "--mode",
    type=OneOf("mode", ("inference", "training")),
    default="inference",
    help="Training is a forward and a backward pass.",
)
@click.option("--channels-last", is_flag=True, help="Keep images in that layout.")
@click.option("--compile", is_flag=True, help="Run what torch.compile makes of it.")
@click.option("--graph", is_flag=True, help="Replay it as one CUDA graph.")
@click.option("--cold", is_flag=True, help="Empty the L2 cache before each run.")
@click.option("--threads", type=WholeNumber(), help="Of the CPU.")
@click.option(
    "--precision",
    type=Number(1),
    default=0.01,
    help="How well the median is to be known, as a part of it; 0.01 if absent.",
)
@click.option(
    "--max-seconds",
    type=Number(),
    default=20.0,
    help="At most, for each batch size, and half of it at least; 20 if absent.",
)
@click.option("--layers", is_flag=True, help="Show where the time goes.")
@click.option(
    "--predict", is_flag=True, help="Of a device not at hand: --device NAME of device list."
)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Of the architecture.")
@click.option("--seq-len", type=WholeNumber(), help="Steps of a sequence.")
@output_options
@click.pass_context
def latency(
    ctx: click.Context,
    model: str,
    batches: list[int],
    inputs: tuple[str, ...],
    inputs_from: str | None,
    settings: tuple[str, ...],
    seq_len: int | None,
    layers: bool,
    predict: bool,
    format: str | None,
    width: int | None,
    file: str | None,
    **how: Any,
) -> None:
    """Measure the latency of MODEL, a reference as for `archscope table`.

    Random data and weights as initialised; built and measured several times, until the median is
    known to --precision. A recurrent network of the zoo is measured fused and unrolled. With
    --layers the time of every module and of the gap between, which are the whole. An interrupt
    shows what was measured so far. --format csv has every sample and condition. With --predict
    nothing is run: the latency is predicted from the device's ceilings, with an interval and its
    held-out error.
    """
    _refuse_unused(given_options(ctx), layers=layers, predict=predict)
    given = inputs_of(model, inputs, inputs_from)
    options = settings_of(model, settings, seq_len)
    if predict:
        from archscope.cli.prediction import show_prediction

        where = {"format": format, "width": width, "file": file}
        show_prediction(model, given, batches, how | {"layers": layers}, options, where)
        return

    from archscope.report.latency import latency_table, layers_table

    if layers:
        found = _layers(model, given, batches, how, options)
        tables, rows, status = [layers_table(found)], found["layers"], found["status"]
        show_tables(tables, data=found, rows=rows, format=format, width=width, file=file)
    else:
        rows = _rows(model, given, batches, how, options)
        tables, status = [latency_table(rows)], rows[-1]["status"]
        show_tables(tables, data=rows, rows=rows, format=format, width=width, file=file)
    if status == "partial":
        ctx.exit(INTERRUPTED)


def _refuse_unused(given: dict[str, str], *, layers: bool, predict: bool) -> None:
    """What says how long to measure says nothing where something else decides."""
    if layers and "precision" in given:
        raise InvalidInput("--precision changes nothing with --layers; --max-seconds does")
    for name in ("precision", "max_seconds"):
        if predict and name in given:
            raise InvalidInput(f"--predict measures nothing; leave {given[name]} out")


def inputs_of(model: str, texts: tuple[str, ...], function: str | None) -> Any:
    """What the options say that a model is called with, as the measuring functions take it.

    Raises:
        InvalidInput: both are given, or an input cannot be read.
    """
    given = read_inputs(model, texts)
    if given and function:
        raise InvalidInput("give --input or --inputs-from, not both")
    if function or not given:
        return function

    from archscope.measure.workload import Sample

    return Sample(given)


def _rows(
    model: str, inputs: Any, batches: list[int], how: dict[str, Any], options: dict[str, Any]
) -> list[dict[str, Any]]:
    """A row per form and batch size, until one is interrupted."""
    from archscope.measure.latency import latency_rows

    rows: list[dict[str, Any]] = []
    for form in _forms(model, options):
        try:
            rows += latency_rows(
                model,
                inputs,
                device=how["device"],
                batch=batches,
                setting=_setting(how),
                precision=how["precision"],
                max_seconds=how["max_seconds"],
                progress=remark,
                options=options | form,
            )
        except KeyboardInterrupt:  # before this form was run at all
            if not rows:
                raise
            rows[-1]["status"] = "partial"
        if rows[-1]["status"] == "partial":
            break
    return rows


def _forms(model: str, options: dict[str, Any]) -> list[dict[str, Any]]:
    """A recurrent network of the zoo as torch's fused layer and as cells, unless one was chosen."""
    from archscope.models.catalog import accepted_options, architectures

    both = model in architectures() and "unrolled" in accepted_options(model)
    return [{}, {"unrolled": True}] if both and "unrolled" not in options else [{}]


def _layers(
    model: str, inputs: Any, batches: list[int], how: dict[str, Any], options: dict[str, Any]
) -> dict[str, Any]:
    from archscope.measure.layers import layers_data

    if len(batches) != 1:
        raise InvalidInput("--layers shows one batch size: --batch 8")
    return layers_data(
        model,
        inputs,
        batch=batches[0],
        device=how["device"],
        setting=_setting(how),
        max_seconds=how["max_seconds"],
        progress=remark,
        options=options,
    )


def _setting(how: Mapping[str, Any]) -> Setting:
    from archscope.measure.workload import Setting

    return Setting(**{one.name: how[one.name] for one in fields(Setting)})
