"""``archscope energy``: what a network takes in joules on the device at hand."""

from __future__ import annotations

import click

from archscope.cli.errors import INTERRUPTED, remark
from archscope.cli.latency import Batches, inputs_of
from archscope.cli.options import Number, OneOf, WholeNumber, input_options, settings_of
from archscope.cli.tables import output_options, show_tables
from archscope.devices import DTYPES


@click.command()
@click.argument("model")
@click.option("--device", default="cuda", metavar="cuda[:N]|cpu", help="cuda if absent.")
@click.option("--batch", "batches", type=Batches(), default="1", help="1,2,4,8; 1 if absent.")
@input_options
@click.option("--dtype", type=OneOf("dtype", DTYPES), default="fp32", help="fp32 by default.")
@click.option(
    "--mode",
    type=OneOf("mode", ("inference", "training")),
    default="inference",
    help="Training is a forward and a backward pass.",
)
@click.option("--window", type=Number(), default=5.0, help="Seconds of a window, 5 or more.")
@click.option("--repeats", type=WholeNumber(), default=3, help="Windows, 3 or more.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Of the architecture.")
@click.option("--seq-len", type=WholeNumber(), help="Steps of a sequence.")
@output_options
@click.pass_context
def energy(
    ctx: click.Context,
    model: str,
    device: str,
    batches: list[int],
    inputs: tuple[str, ...],
    inputs_from: str | None,
    dtype: str,
    mode: str,
    window: float,
    repeats: int,
    settings: tuple[str, ...],
    seq_len: int | None,
    format: str | None,
    width: int | None,
    file: str | None,
) -> None:
    """Measure the energy per sample of MODEL, a reference as for `archscope table`.

    Gross, and net of what the idle device takes. It needs a device that counts its energy: an
    NVIDIA GPU (with nvidia-ml-py), or a processor whose RAPL counters can be read. An
    interrupt shows the windows measured so far.
    """
    options = settings_of(model, settings, seq_len)

    from archscope.measure.energy import energy_rows
    from archscope.measure.workload import Setting
    from archscope.report.energy import energy_table

    rows = energy_rows(
        model,
        inputs_of(model, inputs, inputs_from),
        device=device,
        batch=batches,
        setting=Setting(dtype, mode),
        window=window,
        repeats=repeats,
        progress=remark,
        options=options,
    )
    tables = [energy_table(rows)]
    show_tables(tables, data=rows, rows=rows, format=format, width=width, file=file)
    if rows[-1]["status"] == "partial":
        ctx.exit(INTERRUPTED)
