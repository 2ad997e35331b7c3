"""``archscope table``: what every layer of a model costs."""

from __future__ import annotations

from typing import Any

import click

from archscope.cli.completion import references
from archscope.cli.options import OneOf, WholeNumber, read_inputs, settings_of, subject_options
from archscope.cli.output import refuse_unwritable, show
from archscope.report.table import FORMATS

_LEVELS = ("layer", "block", "op")


@click.command()
@click.argument("model", shell_complete=references)
@subject_options
@click.option(
    "--level",
    type=OneOf("level", _LEVELS),
    default="layer",
    help="A row per layer, per block, or per operator.",
)
@click.option("--columns", metavar="NAMES", help="Which columns, in which order: path,macs,flops.")
@click.option("--bias/--no-bias", default=False, help="Whether parameters include the biases.")
@click.option("--all", "everything", is_flag=True, help="Show layers too that add nothing.")
@click.option("--strict", is_flag=True, help="Refuse a model with an operator without formula.")
@click.option(
    "--format",
    type=OneOf("format", FORMATS),
    help="By default rich on a terminal, plain in a pipe, or what FILE ends in.",
)
@click.option("--width", type=WholeNumber(), help="Characters in a line; the terminal's if absent.")
@click.option("-o", "--output", "file", metavar="FILE", help="Write to a file.")
def table(
    model: str,
    batch: int | None,
    inputs: tuple[str, ...],
    inputs_from: str | None,
    mode: str,
    settings: tuple[str, ...],
    seq_len: int | None,
    level: str,
    columns: str | None,
    bias: bool,
    everything: bool,
    strict: bool,
    format: str | None,
    width: int | None,
    file: str | None,
) -> None:
    """Show what every layer of MODEL costs: activations, parameters, multiply-accumulates.

    MODEL is a name of `archscope list`, such as vgg16; or torchvision:resnet50, timm:NAME,
    hf:config.json, net.py:Net, package.module:Net, model.pt2.
    """
    refuse_unwritable(file, format)
    given = read_inputs(model, inputs)
    options: dict[str, Any] = settings_of(model, settings, seq_len)

    from archscope.analysis import analyze
    from archscope.report.columns import named
    from archscope.report.costs import View

    asked_for = tuple(named(filter(None, map(str.strip, (columns or "").split(",")))))
    report = analyze(
        model, inputs_from, batch=batch, input=given, mode=mode, strict=strict, **options
    )
    view = View(level, asked_for, bias, everything)
    show(report, view, format=format, width=width, file=file)
