"""What other counters find in a sample of torchvision and timm, as a ratio to archscope's count.

    python -m benchmarks.zoo_peers [--every 120]

The sample is every n-th model of ``results/zoo_coverage.csv`` below 100 million parameters, since
most tools need real weights. Each tool runs in a process of its own (``archscope.audit``).
"""

from __future__ import annotations

import csv

import click
import pandas as pd

from archscope.audit import audit
from archscope.audit.audit import installed
from benchmarks.results import RESULTS, conditions, markdown, show
from benchmarks.zoo_coverage import DEFAULT

LARGEST = 100_000_000  # parameters
WHERE = RESULTS / "zoo_peers.md"


def sample(every: int) -> list[str]:
    """Every n-th model that ran on shapes and is not too large."""
    with DEFAULT.table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    small = [row for row in rows if row["ran_on"] == "shapes" and int(row["params"]) < LARGEST]
    return [row["reference"] for row in small[::every]]


def ratios(reference: str, counters: list[str]) -> dict[str, float | None]:
    """Each counter's MACs over archscope's, None where it gave none."""
    found = audit(reference, counters=counters)
    return {
        verdict.counter: None if verdict.macs is None else verdict.macs / found.macs
        for verdict in found.verdicts
    }


def cell(ratio: float | None) -> str:
    if ratio is None or pd.isna(ratio):
        return "-"
    return f"{ratio:.4f}" if ratio != 1 and abs(ratio - 1) < 0.005 else f"{ratio:.2f}"


@click.command()
@click.option("--every", default=120, help="One model of so many.")
def main(every: int) -> None:
    """Count a sample of torchvision and timm with every counter that is installed."""
    counters = installed()
    rows = {}
    for reference in sample(every):
        click.echo(reference, err=True)
        rows[reference] = ratios(reference, counters)
    frame = pd.DataFrame(rows, dtype=object).T.rename_axis("model")
    numbers = frame.apply(pd.to_numeric)
    summary = pd.DataFrame(
        {
            "counted": numbers.notna().sum(),
            "exact": numbers.eq(1).sum(),
            "within 5 %": (numbers - 1).abs().le(0.05).sum(),
        }
    ).T.rename_axis(f"of {len(frame)} models")
    table = frame.map(cell)
    show("MACs over archscope's", table)
    show("summary", summary.astype(str))
    text = (
        "# Other counters over a sample of torchvision and timm\n\nMACs over archscope's: 1.00 is "
        "the same number, - a failure.\n\n"
        f"Conditions: {conditions(())}\n\n{markdown(summary.astype(str))}\n{markdown(table)}"
    )
    WHERE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
