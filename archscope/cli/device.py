"""``archscope device``: what devices can do at most."""

from __future__ import annotations

import click

from archscope.cli.tables import output_options, show_tables
from archscope.devices import devices


@click.group()
def device() -> None:
    """Show what devices can do at most."""


@device.command("list")
@output_options
def list_devices(format: str | None, width: int | None, file: str | None) -> None:
    """List devices with their published peak rates and bandwidth, each with its source."""
    from archscope.report.roofline import device_row, devices_table

    cards = list(devices().values())
    rows = [device_row(card) for card in cards]
    tables = [devices_table(cards)]
    show_tables(tables, data=rows, rows=rows, format=format, width=width, file=file)
