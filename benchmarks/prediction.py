"""Predicted latency: measure, fit, and report the error on families that were left out.

    python -m benchmarks.prediction measure [--name cpu-amd-epyc] [--device cpu]
    python -m benchmarks.prediction fit
    python -m benchmarks.prediction report

``measure`` writes ``reports/data/latency-NAME.csv`` and goes on where it was stopped; ``fit``
writes the model that archscope ships; ``report`` writes ``results/prediction.md``.
"""

from __future__ import annotations

import math
from pathlib import Path

import click

from archscope.devices import LEARNED
from archscope.prediction.efficiency import written
from benchmarks.prediction_fit import learn
from benchmarks.prediction_measure import DATA, Plan
from benchmarks.prediction_measure import measure as measured
from benchmarks.prediction_report import reported
from benchmarks.results import RESULTS

REPORT = RESULTS / "prediction.md"


@click.group()
def main() -> None:
    """Predicted latency against measured."""


@main.command()
@click.option("--name", default="cpu-amd-epyc", help="Of the device, in the table's name.")
@click.option("--device", default="cpu", help="cpu or cuda.")
@click.option("--threads", type=int, multiple=True, default=(1, 2), help="Of the CPU.")
@click.option("--batch", type=int, multiple=True, default=(1, 4))
@click.option("--rounds", type=int, default=2)
@click.option("--max-seconds", type=float, default=1.0, help="For each row, after the warm-up.")
@click.option("--out", default=DATA, type=click.Path(file_okay=False, path_type=Path))
@click.option("--budget", type=float, default=math.inf, help="Seconds; the rest is for later.")
@click.option("--fresh", is_flag=True, help="Begin anew; what was measured before is deleted.")
def measure(
    name: str,
    device: str,
    threads: tuple[int, ...],
    batch: tuple[int, ...],
    rounds: int,
    max_seconds: float,
    out: Path,
    budget: float,
    fresh: bool,
) -> None:
    """Measure all networks on the device at hand."""
    if fresh:
        for ending in (".csv", ".json"):
            (out / f"latency-{name}{ending}").unlink(missing_ok=True)
    counts = threads if device == "cpu" else (None,)
    plan = Plan(counts, batch, rounds, max_seconds)
    click.echo(measured(name, device, plan, click.echo, out, budget))


@main.command()
def fit() -> None:
    """Learn from all tables, and write what archscope ships."""
    learned = learn(click.echo)
    LEARNED.write_text(written([one.efficiency for one in learned]))
    for one in learned:
        click.echo(f"{one.efficiency.device.name}: {one.efficiency.held_out}")


@main.command()
def report() -> None:
    """Write the errors on families left out."""
    REPORT.write_text(reported(learn(click.echo)))
    click.echo(REPORT)


if __name__ == "__main__":
    main()
