"""``archscope roofline``: the least time of every layer on a device that need not be at hand."""

from __future__ import annotations

import click

from archscope.cli.errors import remark
from archscope.cli.options import Asked, OneOf, model_options
from archscope.cli.tables import output_options, show_tables
from archscope.devices import DTYPES, find_device


@click.command()
@click.argument("model")
@model_options()
@click.option(
    "--device", required=True, metavar="NAME", help="See archscope device list: h100, rtx-4090."
)
@click.option("--dtype", type=OneOf("dtype", DTYPES), help="Of weights, inputs and arithmetic.")
@output_options
def roofline(
    model: str,
    asked: Asked,
    device: str,
    dtype: str | None,
    format: str | None,
    width: int | None,
    file: str | None,
) -> None:
    """Show each layer's arithmetic intensity, what bounds it, and its least time on a device.

    MODEL is a reference, as for `archscope table`.
    """
    card = find_device(device)

    from archscope.analysis import analyze
    from archscope.report.roofline import RooflineReport

    report = analyze(
        model,
        execution={
            "device": "cpu" if card.kind == "cpu" else "cuda",
            "dtype": "fp32" if dtype == "tf32" else dtype,
        },
        **asked.arguments(model),
    )
    for warning in report.warnings:
        remark(f"warning: {warning}")
    found = RooflineReport(report.trace, card, tf32=dtype == "tf32")
    show_tables(
        found.tables(),
        data=found.data(),
        rows=found.layers,
        format=format,
        width=width,
        file=file,
    )
