"""``archscope generate``: what it costs to generate text."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from archscope.cli.cached import cached, of_one
from archscope.cli.completion import references
from archscope.cli.errors import remark
from archscope.cli.options import OneOf, WholeNumber, settings_of
from archscope.cli.output import refuse_unwritable
from archscope.cli.tables import output_options, show_tables
from archscope.report.numbers import count, exact, memory, plural
from archscope.report.table import Table

if TYPE_CHECKING:
    from archscope.generation import Generation

_HEADINGS = (
    *("phase", "tokens", "MACs", "FLOPs", "weights read", "cache read", "cache written"),
    *("FLOPs/byte", "peak memory"),
)
_DTYPES = ("float32", "bfloat16", "float16")


@cached(of_one())
@click.command()
@click.argument("model", shell_complete=references)
@click.option("--prompt", type=WholeNumber(), default=512, help="Tokens of the prompt; 512.")
@click.option("--batch", type=WholeNumber(), default=1, help="Samples; 1 if absent.")
@click.option("--dtype", type=OneOf("dtype", _DTYPES), help="The configuration's own if absent.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="num_hidden_layers=2.")
@output_options
def generate(
    model: str,
    prompt: int,
    batch: int,
    dtype: str | None,
    settings: tuple[str, ...],
    format: str | None,
    width: int | None,
    file: str | None,
) -> None:
    """Show what a prompt costs, and each token after it, with a cache of keys and values.

    MODEL is a transformers configuration: hf:DIRECTORY, hf:config.json, or hf:llama for a type.
    """
    refuse_unwritable(file, format)
    options: dict[str, Any] = settings_of(model, settings, None)

    from archscope.generation import generation_cost

    cost = generation_cost(model, prompt=prompt, batch=batch, dtype=dtype, **options)
    for warning in cost.warnings:
        remark(f"warning: {warning}")
    show_tables(
        _tables(cost), data=_data(cost), rows=cost.rows, format=format, width=width, file=file
    )


def _tables(cost: Generation) -> list[Table]:
    from archscope.report.drawing import table

    phases = table(
        f"{cost.model}: prompt of {exact(cost.prompt)}, {cost.dtype}, batch {cost.batch}",
        _HEADINGS,
        [
            [
                phase.name,
                exact(phase.tokens),
                count(phase.macs),
                count(phase.flops),
                memory(phase.weight_bytes_read),
                memory(phase.cache_bytes_read),
                memory(phase.cache_bytes_written),
                f"{phase.flops_per_byte:.1f}",
                memory(phase.peak_bytes),
            ]
            for phase in (cost.prefill, cost.decode)
        ],
        caption=[
            f"{exact(cost.params)} parameters, {exact(cost.active_params)} active for each token.",
            "Prefill computes the logits of the last token only. Bytes are those that cannot be "
            "avoided: each weight in use is read once, the cache is read once and written once.",
        ],
    )
    cache = table(
        "cache of keys and values",
        ["layers", "number", "window", "bytes per token", "after the prompt"],
        [
            [
                layers.kind,
                exact(layers.layers),
                plural(layers.window, "token") if layers.window else "",
                exact(layers.bytes_per_token),
                memory(layers.bytes),
            ]
            for layers in cost.cache
        ],
        caption=["Per token of one sample; after the prompt, of the whole batch."],
    )
    return [phases, cache]


def _data(cost: Generation) -> dict[str, Any]:
    data = asdict(cost)
    for phase in (cost.prefill, cost.decode):
        data[phase.name] |= {
            "bytes_moved": phase.bytes_moved,
            "flops_per_byte": phase.flops_per_byte,
        }
    return data | {"cache_bytes_per_token": cost.cache_bytes_per_token}
