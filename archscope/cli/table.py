"""``archscope table``: what every layer of a model costs."""

from __future__ import annotations

import click

from archscope.cli.cached import cached, of_one
from archscope.cli.completion import references
from archscope.cli.options import Asked, OneOf, model_options, names_of
from archscope.cli.output import show
from archscope.cli.tables import output_in
from archscope.report.table import FORMATS

_LEVELS = ("layer", "block", "op")


@cached(of_one())
@click.command()
@click.argument("model", shell_complete=references)
@model_options()
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
@output_in(FORMATS, files=["parquet"])
def table(
    model: str,
    asked: Asked,
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
    arguments = asked.arguments(model)

    from archscope.analysis import analyze
    from archscope.report.columns import named
    from archscope.report.costs import View

    asked_for = tuple(named(names_of("--columns", columns)))
    report = analyze(model, strict=strict, **arguments)
    view = View(level, asked_for, bias, everything)
    show(report, view, format=format, width=width, file=file)
