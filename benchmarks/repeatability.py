"""Whether two runs of the same thing agree: 40 pairs of latencies on the CPU.

    OMP_NUM_THREADS=1 python -m benchmarks.repeatability [--quick]

Every pair runs `archscope latency` twice, one directly after the other, each in a process of its
own, as a user would. They agree where the 95 % intervals of the two medians overlap. Exit status 1
if fewer than 95 % of the pairs do.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import click
import pandas as pd

from benchmarks.results import RESULTS, formatted, markdown, show
from benchmarks.resumable import Rows, about_run, unfinished

NETWORKS = ("alexnet", "resnet18", "torchvision:mobilenet_v2", "lstm")
PAIRS = 40
AT_LEAST = 0.95


def measure(model: str, pair: int, seconds: float) -> dict[str, Any]:
    """The two runs of a pair, times in ms."""
    runs = first, second = [latency(model, seconds) for _ in range(2)]
    return {
        "model": model,
        "pair": pair,
        **{
            f"{name}_{i}": run[f"latency_ms_{name}"]
            for i, run in enumerate(runs, 1)
            for name in ("p50", "low", "high")
        },
        **{f"builds_{i}": run["builds"] for i, run in enumerate(runs, 1)},
        "difference": second["latency_ms_p50"] / first["latency_ms_p50"] - 1,
        "agree": first["latency_ms_low"] <= second["latency_ms_high"]
        and second["latency_ms_low"] <= first["latency_ms_high"],
        "steady": first["steady"] and second["steady"],
        "disturbed": first["disturbed"] or second["disturbed"],
    }


def latency(model: str, seconds: float) -> dict[str, Any]:
    """What the command says of a network, measured in a new process."""
    command = [sys.executable, "-m", "archscope", "latency", model, "--format", "json"]
    settings = ["--threads", "1", "--max-seconds", str(seconds)]
    done = subprocess.run([*command, *settings], stdout=subprocess.PIPE, check=True)
    first: dict[str, Any] = json.loads(done.stdout)[0]  # of a recurrent network: fused
    return first


def summary(frame: pd.DataFrame) -> pd.DataFrame:
    """A row per network, and one of all."""
    groups = [*frame.groupby("model", sort=False), ("all", frame)]
    rows = {
        name: {
            "pairs": len(group),
            "agree": int(group["agree"].sum()),
            "median |difference|": f"{100 * group['difference'].abs().median():.2f} %",
            "median builds": f"{group[['builds_1', 'builds_2']].stack().median():.0f}",
            "largest": f"{100 * group['difference'].abs().max():.2f} %",
            "median half-width": _half_width(group),
            "disturbed": int((group["disturbed"] != "").sum()),
        }
        for name, group in groups
    }
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("network")
    return formatted(table, str)


def _half_width(group: pd.DataFrame) -> str:
    halves = (group["high_1"] - group["low_1"]) / 2 / group["p50_1"]
    return f"{100 * halves.median():.2f} %"


@click.command()
@click.option("--quick", is_flag=True, help="Four pairs of one second; nothing is written.")
@click.option("--afresh", is_flag=True, help="Forget what an earlier run left.")
@click.option("--pairs", default=PAIRS, help="So many; 40 if absent.")
@click.option("--seconds", default=20.0, help="Of every run at most, after its warm-up.")
def main(quick: bool, afresh: bool, pairs: int, seconds: float) -> None:
    """Measure pairs and count those that agree."""
    pairs, seconds = (4, 1.0) if quick else (pairs, seconds)
    name = "repeatability-quick" if quick else "repeatability"
    rows = Rows(unfinished(name), ("pair",), afresh=afresh or quick)
    for pair in range(pairs):
        if not rows.has(pair=pair):
            model = NETWORKS[pair % len(NETWORKS)]
            rows.add(measure(model, pair, seconds))
            click.echo(f"{pair}: {model}, {100 * rows.all[-1]['difference']:+.2f} %", err=True)
    frame = pd.DataFrame(rows.all)
    share = frame["agree"].mean()
    verdict = f"{int(frame['agree'].sum())} of {len(frame)} pairs agree: {100 * share:.0f} %."
    show("Two runs of the same thing", summary(frame))
    click.echo(verdict)
    if not quick:
        frame.to_csv(RESULTS / "repeatability.csv", index=False)
        about = f"# Two runs of the same thing\n\n{verdict} They agree where the 95 % intervals of "
        about += "the two medians overlap.\n\n"
        about += f"Conditions: {about_run(frame['disturbed'])}\n\n"
        (RESULTS / "repeatability.md").write_text(about + markdown(summary(frame)), "utf-8")
    sys.exit(int(share < AT_LEAST))


if __name__ == "__main__":
    main()
