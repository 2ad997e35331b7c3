"""``archscope export``: files that other tools open."""

from __future__ import annotations

import json
from typing import Any

import click

from archscope.cli.completion import references
from archscope.cli.errors import write
from archscope.cli.options import Asked, OneOf, model_options
from archscope.errors import InvalidInput

_FORMATS = ("perfetto", "model-explorer")
_COSTS = ("macs", "flops", "bytes_read", "bytes_written", "output_elements")


@click.command()
@click.argument("format", type=OneOf("format", _FORMATS))
@click.argument("model", shell_complete=references)
@model_options()
@click.option("--cost", type=OneOf("cost", _COSTS), help="For model-explorer; macs if absent.")
@click.option("-o", "--output", "file", metavar="FILE", help="Write to a file.")
def export(
    format: str,
    model: str,
    asked: Asked,
    cost: str | None,
    file: str | None,
) -> None:
    """Write MODEL's run as JSON that another tool opens.

    FORMAT is perfetto (modules, operators and memory, for ui.perfetto.dev and chrome://tracing) or
    model-explorer (a cost for each node of the graph of torch.export).
    """
    from archscope.report.files import write_text

    arguments = asked.arguments(model)
    content: dict[str, Any]
    if format == "perfetto":
        if cost is not None:
            raise InvalidInput("--cost is for model-explorer; a Perfetto trace has all of them")
        from archscope.analysis import analyze
        from archscope.export import trace_events

        content = trace_events(analyze(model, **arguments).trace)
    else:
        if asked.mode == "training":
            raise InvalidInput("model-explorer shows the forward pass; leave --mode out")
        from archscope.export import node_data
        from archscope.sources import resolve
        from archscope.sources.code import called_with

        subject = resolve(
            model,
            batch=asked.batch or 1,
            input=arguments["input"],
            options=asked.options(model),
        )
        subject = called_with(subject, asked.inputs_from, asked.batch)
        content = node_data(subject, cost or "macs")
    text = json.dumps(content) + "\n"
    if file is None:
        write(text)
    else:
        write_text(file, text)
