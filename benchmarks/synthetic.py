"""Workloads whose answer is known: a sleep of known length, a product of known FLOPs.

    OMP_NUM_THREADS=1 python -m benchmarks.synthetic [--quick]

A module that sleeps must take that long, as a whole and by layer. A linear layer of n x n weights
on b rows has 2 b n^2 + b n FLOP; its achieved rate must be that over its time, and the time that of
the bare product by ``torch.utils.benchmark``. Exit status 1 where one is more than 2 % off.
"""

from __future__ import annotations

import sys
import time
from statistics import median
from typing import Any

import click
import pandas as pd
import torch
from torch import Tensor, nn
from torch.utils.benchmark import Timer

import archscope
from archscope.measure.layers import layers_data
from archscope.measure.workload import Setting
from benchmarks.results import RESULTS, formatted, markdown, show
from benchmarks.resumable import about_run

SLEEPS = (0.010, 0.030, 0.100)  # s
WIDTH, BATCH = 2048, 64
ROUNDS = 5
WITHIN = 0.02


class Sleeps(nn.Module):
    """Takes as long as it is told."""

    def __init__(self, seconds: float):
        super().__init__()
        self.seconds = seconds

    def forward(self, x: Tensor) -> Tensor:
        if not x.is_meta:
            time.sleep(self.seconds)
        return x + 1


def real_sleep(seconds: float) -> float:
    """How long the system really sleeps when asked to, in ms: the median of some."""
    taken = []
    for _ in range(20):
        start = time.perf_counter()
        time.sleep(seconds)
        taken.append(time.perf_counter() - start)
    return 1e3 * sorted(taken)[len(taken) // 2]


def sleeps(seconds: float, budget: float) -> list[dict[str, Any]]:
    """The whole, and the layer's, against the system's own sleep."""
    model = nn.Sequential(Sleeps(seconds))
    expected = real_sleep(seconds)
    whole = archscope.latency(model, ((1,),), max_seconds=budget).iloc[0]
    layers = layers_data(model, ((1,),), setting=Setting(threads=1), max_seconds=budget)
    (layer,) = [row for row in layers["layers"] if row["path"] == "0"]
    name = f"sleep {1e3 * seconds:g} ms"
    return [
        _row(f"{name}, latency ms", expected, whole.latency_ms_p50, whole.disturbed),
        _row(f"{name}, layer's total ms", expected, layer["total_ms"], layers["disturbed"]),
    ]


def product(budget: float) -> list[dict[str, Any]]:
    """FLOPs exactly, and the rate against the bare product's, both in turns."""
    model, x = nn.Linear(WIDTH, WIDTH), torch.randn(BATCH, WIDTH)
    flops = 2 * BATCH * WIDTH**2 + BATCH * WIDTH
    timer = Timer("model(x)", globals={"model": model, "x": x}, num_threads=1)
    each, ours, theirs = budget / ROUNDS, [], []
    for _ in range(ROUNDS):
        ours.append(archscope.latency(model, (x,), threads=1, max_seconds=each).iloc[0])
        with torch.inference_mode():
            theirs.append(timer.blocked_autorange(min_run_time=each).median)
    disturbed = next((row.disturbed for row in ours if row.disturbed), "")
    row, rate = ours[0], median(row.achieved_gflops for row in ours)
    bare = flops / median(theirs) / 1e9
    return [
        _row("linear, FLOP", flops, row.flops, disturbed),
        _row("linear, FLOP over time", flops / 1e6 / row.latency_ms_p50, row.achieved_gflops, ""),
        _row("linear, GFLOP/s beside Timer", bare, rate, disturbed),
    ]


def _row(what: str, expected: float, reported: float, disturbed: str) -> dict[str, Any]:
    return {
        "what": what,
        "expected": float(expected),
        "reported": float(reported),
        "difference": float(reported / expected - 1),
        "disturbed": disturbed,
    }


@click.command()
@click.option("--quick", is_flag=True, help="Half a second each; nothing is written.")
@click.option("--seconds", default=5.0, help="Of each workload.")
def main(quick: bool, seconds: float) -> None:
    """Measure what is known."""
    budget = 0.5 if quick else seconds
    rows = [row for length in SLEEPS for row in sleeps(length, budget)] + product(budget)
    frame = pd.DataFrame(rows)
    worst = frame["difference"].abs().max()
    texts = frame[["what", "expected", "reported", "difference"]].set_index("what")
    texts["difference"] = [f"{100 * value:+.2f} %" for value in texts["difference"]]
    texts = formatted(texts, lambda value: f"{value:.6g}" if isinstance(value, float) else value)
    show("Known workloads", texts)
    verdict = f"All reported within {100 * worst:.2f} %."
    click.echo(verdict)
    if not quick:
        frame.to_csv(RESULTS / "synthetic.csv", index=False)
        about = f"# Workloads whose answer is known\n\n{verdict}\n\n"
        about += f"Conditions: {about_run(frame['disturbed'])}\n\n"
        (RESULTS / "synthetic.md").write_text(about + markdown(texts), "utf-8")
    sys.exit(int(worst > WITHIN))


if __name__ == "__main__":
    main()
