"""``archscope memory``: what a run holds at its peak, and how that grows."""

from __future__ import annotations

from typing import Any

import click

from archscope.cli.cached import cached, of_one
from archscope.cli.completion import references
from archscope.cli.errors import remark
from archscope.cli.options import Asked, OneOf, Size, model_options
from archscope.cli.tables import output_options, show_tables
from archscope.errors import InvalidInput

_OVER = ("batch", "size", "seq_len")
_STEP_OF_SIZE = 32  # the product of the strides of most networks


class Range(click.ParamType):
    """batch=1..256, or size=224..1024:32."""

    name = "RANGE"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int, int, int]:
        what, _, ends = str(value).partition("=")
        what = what.strip().replace("-", "_")
        ends, _, step = ends.partition(":")
        low, dots, high = ends.partition("..")
        numbers = [low, high, step or "1"]
        known = what in _OVER and dots and all(n.isascii() and n.isdecimal() for n in numbers)
        if not known or not 0 < int(low) <= int(high) or int(numbers[2]) < 1:
            raise InvalidInput(
                f"--over '{value}' is no range; write batch=1..256, size=224..1024 or "
                "seq_len=128..4096"
            )
        default = _STEP_OF_SIZE if what == "size" else 1
        return what, int(low), int(high), int(step) if step else default


@cached(of_one("figure"))
@click.command()
@click.argument("model", shell_complete=references)
@model_options()
@click.option(
    "--optimizer",
    type=OneOf("optimizer", ("sgd", "momentum", "adam", "adamw")),
    help="Include its state and its update.",
)
@click.option("--dtype", metavar="DTYPE", help="Of weights and inputs: fp32, bf16, fp16.")
@click.option(
    "--amp", is_flag=False, flag_value="bf16", metavar="[DTYPE]", help="Autocast; bf16 if no other."
)
@click.option(
    "--attention",
    type=OneOf("attention", ("fused", "math")),
    default="fused",
    help="Kernels that never store the scores, or the path that does.",
)
@click.option(
    "--device",
    type=OneOf("device", ("cuda", "cpu")),
    default="cuda",
    help="Whose kernels to follow; no device is needed.",
)
@click.option("--accumulate", is_flag=True, help="Gradients of earlier micro-batches are there.")
@click.option("--layers", is_flag=True, help="Show every layer's part.")
@click.option("--over", type=Range(), help="How it grows: batch=1..256, size=.., seq_len=..")
@click.option("--fit", type=Size(), help="The largest batch (or --over) that fits: 24GiB.")
@click.option("--plot", "figure", metavar="FILE", help="Draw the timeline: .png, .pdf or .svg.")
@output_options
def memory(
    model: str,
    asked: Asked,
    over: tuple[str, int, int, int] | None,
    fit: int | None,
    layers: bool,
    figure: str | None,
    format: str | None,
    width: int | None,
    file: str | None,
    **execution: Any,
) -> None:
    """Show what a run of MODEL holds at its peak, by kind, layer and time.

    MODEL is a name of `archscope list`, such as resnet50, or any other reference that
    `archscope table` takes. --over and --fit find the law by which the peak grows.
    """
    if (over or fit is not None) and (asked.inputs_from or layers or figure):
        raise InvalidInput("--over and --fit go without --inputs-from, --layers and --plot")
    varies = over[0] if over else "batch" if fit is not None else None
    if varies == "batch" and asked.batch is not None:
        option = "--over batch=.." if over else "--fit"
        raise InvalidInput(f"{option} varies the batch; leave --batch out")
    chosen = {name: value for name, value in execution.items() if value is not None}
    arguments = asked.arguments(model) | {"execution": chosen}
    if over or fit is not None:
        options = asked.options(model)
        subject = {name: arguments[name] for name in ("batch", "input", "mode", "execution")}
        found: Any = _law(model, over or ("batch", 1, 256, 1), fit, subject, options)
        tables = found.tables()
    else:
        found = _report(model, arguments, figure)
        tables = found.tables(layers=layers)
    show_tables(tables, data=found.data(), rows=found.rows(), format=format, width=width, file=file)


def _report(model: str, arguments: dict[str, Any], figure: str | None) -> Any:
    from archscope.analysis import analyze
    from archscope.report.memory import MemoryReport

    report = analyze(model, **arguments)
    for warning in report.warnings:
        remark(f"warning: {warning}")
    if figure is not None:
        from archscope.plots.memory import save_timeline

        save_timeline(report.trace, figure)
    return MemoryReport(report.trace)


def _law(
    model: str,
    over: tuple[str, int, int, int],
    fit: int | None,
    subject: dict[str, Any],
    options: dict[str, Any],
) -> Any:
    from archscope.report.memory import LawReport, MemoryReport
    from archscope.scaling import memory_law, sampler

    variable, start, stop, step = over
    options = {name: value for name, value in options.items() if name != variable}
    sample = sampler(model, variable, options=options, **subject)
    law = memory_law(sample, variable, start=start, step=step)
    conditions = MemoryReport(sample(start)).conditions(without=variable)
    return LawReport(model, law, stop, conditions, fit)
