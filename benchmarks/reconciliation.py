"""Whether layers and gap are the whole: ten networks, inference and training, on the CPU.

    OMP_NUM_THREADS=1 python -m benchmarks.reconciliation [--quick]

The layers' times and the three gaps come from the profiler's events, the whole from the caller's
own clock around the same pass: two clocks that know nothing of each other. Exit status 1 where
they are more than 2 % apart.
"""

from __future__ import annotations

import sys
from typing import Any

import click
import pandas as pd

from archscope.measure.layers import layers_data
from archscope.measure.workload import Setting
from benchmarks.results import RESULTS, formatted, markdown, show
from benchmarks.resumable import Rows, about_run, unfinished

NETWORKS = """
    alexnet vgg16 googlenet resnet18 resnet152 inception-v4 torchvision:mobilenet_v2
    torchvision:vit_b_16 lstm gru
"""
QUICK = ("alexnet", "resnet18", "lstm")
MODES = ("inference", "training")
WITHIN = 0.02


def measure(model: str, mode: str, seconds: float) -> dict[str, Any]:
    """One network in one mode; times in ms."""
    found = layers_data(model, setting=Setting(mode=mode, threads=1), max_seconds=seconds)
    gap = found["gap_ms"]
    layers = sum(row["self_ms"] for row in found["layers"] if row["kind"] != "gap")
    accounted = layers + sum(gap.values())
    return {
        "model": model,
        "mode": mode,
        "clock_ms": found["clock_ms"],
        "layers_ms": layers,
        "launch_ms": gap["launch"],
        "host_ms": gap["host"],
        "idle_ms": gap["idle"],
        "difference": accounted / found["clock_ms"] - 1,
        "undisturbed_ms": found["undisturbed_ms"],
        "slowdown": found["slowdown"],
        "passes": found["passes"],
        "modules": len(found["layers"]) - 4,
        "disturbed": found["disturbed"],
    }


def shown(frame: pd.DataFrame) -> pd.DataFrame:
    """The table that a reader sees."""
    texts = frame.copy()
    for name in ("difference", "slowdown"):
        texts[name] = [f"{100 * value:+.2f} %" for value in frame[name]]
    texts.insert(0, "network", frame["model"] + ", " + frame["mode"])
    columns = ["clock_ms", "layers_ms", "host_ms", "difference", "slowdown", "modules", "passes"]
    return formatted(
        texts.set_index("network")[columns],
        lambda value: f"{value:.3f}" if isinstance(value, float) else str(value),
    )


@click.command()
@click.option("--quick", is_flag=True, help="Three networks, two seconds each; nothing is written.")
@click.option("--afresh", is_flag=True, help="Forget what an earlier run left.")
@click.option("--seconds", default=8.0, help="Of every network in each mode.")
def main(quick: bool, afresh: bool, seconds: float) -> None:
    """Compare the sum of layers and gap with the caller's clock."""
    name = "reconciliation-quick" if quick else "reconciliation"
    rows = Rows(unfinished(name), ("model", "mode"), afresh=afresh or quick)
    for model in QUICK if quick else NETWORKS.split():
        for mode in MODES:
            if not rows.has(model=model, mode=mode):
                click.echo(f"{model}, {mode}", err=True)
                rows.add(measure(model, mode, 2.0 if quick else seconds))
    frame = pd.DataFrame(rows.all)
    worst = frame["difference"].abs().max()
    verdict = (
        f"{len(frame)} passes of {frame['model'].nunique()} networks: layers and gap are the whole "
        f"within {100 * worst:.2f} %."
    )
    show("Layers and gap against the caller's clock, ms", shown(frame))
    click.echo(verdict)
    if not quick:
        frame.to_csv(RESULTS / "reconciliation.csv", index=False)
        about = f"# Layers and gap are the whole\n\n{verdict}\n\nBatch 1, fp32, the median pass. "
        about += "On a CPU there is neither launch nor idle time: the gap is the caller's.\n\n"
        about += f"Conditions: {about_run(frame['disturbed'])}\n\n"
        (RESULTS / "reconciliation.md").write_text(about + markdown(shown(frame)), "utf-8")
    sys.exit(int(worst > WITHIN))


if __name__ == "__main__":
    main()
