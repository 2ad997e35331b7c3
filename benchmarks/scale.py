"""How far a study goes: cells a second by workers, and stores, resumes and exports by size.

    python -m benchmarks.scale --part store     # the store from 10^3 to 10^6 cells, ten minutes
    python -m benchmarks.scale --part export    # exports up to 10^5 rows and opening them
    python -m benchmarks.scale --part workers   # processes of the local engine, quiet machine
    python -m benchmarks.scale --part ray       # the same on Ray nodes, each of one core

All parts by default. What is done is kept, and a run that was stopped goes on; ``--afresh`` forgets
it. ``--quick`` is a trial of a minute, whose results are kept apart. The parts are told in
``scale_store`` and ``scale_workers``; ``scale_driver`` is the process that they watch.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from benchmarks import counters
from benchmarks.results import RESULTS
from benchmarks.resumable import Rows, unfinished

PARTS = ("store", "export", "workers", "ray")


@click.command()
@click.option("--part", "parts", type=click.Choice(PARTS), multiple=True, help="All if absent.")
@click.option("--quick", is_flag=True, help="A trial.")
@click.option("--afresh", is_flag=True, help="Forget what an interrupted run left.")
@click.option("--place", type=click.Path(path_type=Path), help="Of stores; a temporary directory.")
def main(parts: tuple[str, ...], quick: bool, afresh: bool, place: Path | None) -> None:
    """Measure how studies scale, and write results/scale.md and scale.csv."""
    from benchmarks import scale_report, scale_store, scale_workers

    counters.let_torchvision_be_imported()
    name = "scale-quick" if quick else "scale"
    rows = Rows(unfinished(name), ["part", "case", "size", "round"], afresh=afresh)
    with tempfile.TemporaryDirectory() as scratch:
        where = (place or Path(scratch)).resolve()
        where.mkdir(parents=True, exist_ok=True)
        for part in parts or PARTS:
            if part == "store":
                scale_store.store_rows(rows, where, scale_store.SIZES[: 2 if quick else None])
            elif part == "export":
                scale_store.export_rows(rows, where, scale_store.EXPORTED[: 1 if quick else None])
            else:
                scale_workers.measure(rows, where, part, quick=quick)
    scale_report.write(rows.all, unfinished(name) if quick else RESULTS / name)


if __name__ == "__main__":
    main()
