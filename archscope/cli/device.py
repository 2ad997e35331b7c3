"""``archscope device``: what devices can do at most, published and measured."""

from __future__ import annotations

import click

from archscope.cli.errors import INTERRUPTED, remark
from archscope.cli.options import Number, WholeNumber
from archscope.cli.tables import output_options, show_tables
from archscope.devices import devices


@click.group()
def device() -> None:
    """Show what devices can do at most."""


@device.command("list")
@output_options
def list_devices(format: str | None, width: int | None, file: str | None) -> None:
    """List devices with their published peaks, each with its source, and what was measured here."""
    from archscope.calibrated import calibrated
    from archscope.report.devices import calibration_table, device_row, devices_table

    cards = list(devices().values())
    rows = [device_row(card) for card in cards]
    tables = [devices_table(cards)]
    measured = calibrated()
    if measured:
        tables.append(calibration_table(measured))
    data = {"published": rows, "calibrated": measured}
    show_tables(tables, data=data, rows=rows, format=format, width=width, file=file)


@device.command("calibrate")
@click.option("--device", "name", default="cpu", metavar="cpu|cuda[:N]", help="cpu if absent.")
@click.option(
    "--threads",
    type=WholeNumber(),
    multiple=True,
    help="Of the CPU; as often as needed, a row for each.",
)
@click.option(
    "--max-seconds",
    type=Number(),
    default=2.0,
    help="At most, for each figure; 2 if absent.",
)
@output_options
@click.pass_context
def calibrate_device(
    ctx: click.Context,
    name: str,
    threads: tuple[int, ...],
    max_seconds: float,
    format: str | None,
    width: int | None,
    file: str | None,
) -> None:
    """Measure the matrix-product rate per dtype and the memory bandwidth of a device at hand.

    They are kept, with their conditions, and shown by `archscope device list`. An interrupt shows
    what was measured so far, and keeps what is complete.
    """
    from archscope.calibrated import remember
    from archscope.measure.calibration import calibrate
    from archscope.measure.devices import device_at_hand
    from archscope.report.devices import calibration_table

    at_hand = device_at_hand(name)
    rows = calibrate(at_hand, threads=threads, max_seconds=max_seconds, progress=remark)
    complete = [row for row in rows if row["status"] == "ok"]
    if complete:
        remark(f"kept in {remember(complete)}")
    tables = [calibration_table(rows)]
    show_tables(tables, data=rows, rows=rows, format=format, width=width, file=file)
    if len(complete) < len(rows):
        ctx.exit(INTERRUPTED)
