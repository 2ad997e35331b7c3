"""``archscope env``: the machine and the versions that measurements depend on."""

from __future__ import annotations

import click

from archscope.cli.tables import output_options, show_tables


@click.command()
@output_options
def env(format: str | None, width: int | None, file: str | None) -> None:
    """Show the machine, its devices and the versions that measurements depend on."""
    from archscope.measure.environment import environment
    from archscope.report.drawing import table

    found = environment()
    gpus = found["gpus"]
    lines = [[name, _text(value)] for name, value in found.items() if name != "gpus"]
    for gpu in gpus:
        lines += [[f"{gpu['name']} {name}", _text(value)] for name, value in gpu.items()]
    if not gpus:
        lines.append(["gpus", "none"])
    shown = table("environment", ["what", "value"], lines, left=("value",))
    rows = [{"what": what, "value": value} for what, value in lines]
    show_tables([shown], data=found, rows=rows, format=format, width=width, file=file)


def _text(value: object) -> str:
    return "-" if value in (None, "") else str(value)
