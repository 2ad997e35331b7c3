"""``archscope export``: files that other tools open."""

from __future__ import annotations

import json
from typing import Any

import click

from archscope.cli.completion import references
from archscope.cli.errors import write
from archscope.cli.options import OneOf, WholeNumber, read_inputs, settings_of

_FORMATS = ("perfetto", "model-explorer")
_COSTS = ("macs", "flops", "bytes_read", "bytes_written", "output_elements")


@click.command()
@click.argument("format", type=OneOf("format", _FORMATS))
@click.argument("model", shell_complete=references)
@click.option("--batch", type=WholeNumber(), default=1, help="Batch size; 1 if absent.")
@click.option("--input", "inputs", multiple=True, metavar="SHAPE", help="One sample: 3x320x320.")
@click.option(
    "--mode",
    type=OneOf("mode", ("inference", "training")),
    default="inference",
    help="Training adds the backward pass; for perfetto.",
)
@click.option("--cost", type=OneOf("cost", _COSTS), default="macs", help="For model-explorer.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="num_classes=10.")
@click.option("--seq-len", type=WholeNumber(), help="Steps of a sequence.")
@click.option("-o", "--output", "file", metavar="FILE", help="Write to a file.")
def export(
    format: str,
    model: str,
    batch: int,
    inputs: tuple[str, ...],
    mode: str,
    cost: str,
    settings: tuple[str, ...],
    seq_len: int | None,
    file: str | None,
) -> None:
    """Write MODEL's run as JSON that another tool opens.

    FORMAT is perfetto (modules, operators and memory, for ui.perfetto.dev and chrome://tracing) or
    model-explorer (a cost for each node of the graph of torch.export).
    """
    from archscope.report.files import write_text

    given = read_inputs(model, inputs)
    options = settings_of(model, settings, seq_len)
    content: dict[str, Any]
    if format == "perfetto":
        from archscope.analysis import analyze
        from archscope.export import trace_events

        report = analyze(model, batch=batch, input=given, mode=mode, **options)
        content = trace_events(report.trace)
    else:
        from archscope.export import node_data
        from archscope.sources import resolve

        subject = resolve(model, batch=batch, input=given, options=options)
        content = node_data(subject, cost)
    text = json.dumps(content) + "\n"
    if file is None:
        write(text)
    else:
        write_text(file, text)
