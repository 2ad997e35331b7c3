"""``archscope report``: the tables and figures of the zoo as a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from archscope.cli.compare import Progress
from archscope.cli.errors import INTERRUPTED, remark
from archscope.errors import ArchscopeError, InvalidInput


@click.command()
@click.option(
    "-o", "--output", "folder", default="reports", metavar="FOLDER", help="reports if absent."
)
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if the report differs.")
@click.option("--measure", is_flag=True, help="Measure gradients first; takes several minutes.")
@click.pass_context
def report(ctx: click.Context, folder: str, check: bool, measure: bool) -> None:
    """Write the tables and figures of the zoo as a folder of files, README.md first.

    What is derived is derived now; what is measured is drawn from the files in FOLDER/data, which
    are left as they are. Files in FOLDER that an earlier report has not written stay.
    """
    if check and measure:
        raise InvalidInput("give either --check or --measure, not both")

    import torch  # noqa: F401  # in whose presence no command answers from a cache

    from archscope.gallery.checking import differences, existing, same_matplotlib
    from archscope.gallery.folder import read_manifest, refuse_foreign, write
    from archscope.gallery.making import made
    from archscope.gallery.measuring import measure as measure_gradients

    root = Path(folder)
    root = root if root.name not in ("", "..") else root.resolve()  # its name is written
    say = Progress()
    if check:
        drawn_by = existing(root).matplotlib
        found = differences(root, made(root, _run, say))
        if not same_matplotlib(root):
            remark(f"figures are compared by their texts: matplotlib {drawn_by} drew them")
        for line in found:
            click.echo(line)
        ctx.exit(1 if found else 0)
    refuse_foreign(root, read_manifest(root), {"README.md": b""})
    if measure:
        measure_gradients(root / "data", remark)
    write(root, made(root, _run, say))


def _run(arguments: Sequence[str]) -> None:
    """A command of archscope in this process.

    Raises:
        ArchscopeError: as the command says, or it ended with another status than 0.
    """
    from archscope.cli import cli

    try:
        with cli.make_context("archscope", list(arguments)) as context:
            cli.invoke(context)
    except click.exceptions.Exit as end:
        if end.exit_code == INTERRUPTED:
            raise KeyboardInterrupt from None
        if end.exit_code:
            raise ArchscopeError(f"`archscope {' '.join(arguments)}` failed") from None
