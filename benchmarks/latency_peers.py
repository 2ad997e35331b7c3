"""Latency of resnet18 as archscope, torch.utils.benchmark and timm's benchmark script measure it.

    OMP_NUM_THREADS=1 python -m benchmarks.latency_peers [--quick]

One process, one network, one input, three methods in many short turns: the machine's moods last
longer than a round, and so they cancel in the ratios of a round, of which the median is told.
timm's script is not in its package; ``timm_step`` is its method: ten runs to warm up, then the mean
of forty, each between two looks at the clock, under ``no_grad``. Exit status 1 where archscope is
more than 2 % off either.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any

import click
import pandas as pd
import torch
from torch.utils.benchmark import Timer

from archscope.measure.devices import Cpu
from archscope.measure.environment import conditions, disturbance
from archscope.measure.sampling import Rules, collect
from archscope.measure.settings import running
from archscope.measure.workload import Setting, network_and_run
from benchmarks.results import RESULTS, formatted, markdown, show
from benchmarks.resumable import Rows, about_run, unfinished

MODEL = "resnet18"
ROUNDS = 60
WITHIN = 0.02
_TIMM_WARMUP, _TIMM_RUNS = 10, 40

Run = Callable[[], Any]


def archscope_median(run: Run, seconds: float) -> float:
    """Its own sampler's median, in ms."""
    device = Cpu()
    samples = collect(partial(device.sample, run), device.now, Rules(max_seconds=seconds))
    return 1e3 * samples.device.median


def torch_median(run: Run, seconds: float) -> float:
    """The median of ``blocked_autorange``, in ms."""
    timer = Timer("run()", globals={"run": run}, num_threads=torch.get_num_threads())
    return 1e3 * timer.blocked_autorange(min_run_time=seconds).median


def timm_step(run: Run, seconds: float) -> float:
    """The mean step of timm's script, in ms; it knows no time, only numbers of runs."""
    with torch.no_grad():
        for _ in range(_TIMM_WARMUP):
            run()
        total = 0.0
        for _ in range(_TIMM_RUNS):
            start = perf_counter()
            run()
            total += perf_counter() - start
    return 1e3 * total / _TIMM_RUNS


METHODS: dict[str, Callable[[Run, float], float]] = {
    "archscope": archscope_median,
    "torch.utils.benchmark": torch_median,
    "timm": timm_step,
}


def rounds(run: Run, rows: Rows, number: int, seconds: float) -> None:
    """So many rounds, each method once in each, another one first every time."""
    names = list(METHODS)
    for i in range(number):
        if rows.has(round=i):
            continue
        before = conditions(Cpu())
        order = names[i % len(names) :] + names[: i % len(names)]
        found = {name: METHODS[name](run, seconds) for name in order}
        disturbed = disturbance(before, conditions(Cpu()))
        rows.add({"round": i, **{name: found[name] for name in names}, "disturbed": disturbed})
        click.echo(", ".join(f"{name} {found[name]:.3f}" for name in names), err=True)


def summary(frame: pd.DataFrame) -> pd.DataFrame:
    """A row per method: the median of its rounds, and of archscope's over it in each."""
    rows = {
        name: {
            "ms": f"{frame[name].median():.3f}",
            "least": f"{frame[name].min():.3f}",
            "most": f"{frame[name].max():.3f}",
            "archscope over it": f"{100 * _over(frame, name):+.2f} %",
        }
        for name in METHODS
    }
    return formatted(pd.DataFrame.from_dict(rows, orient="index").rename_axis("method"), str)


def _over(frame: pd.DataFrame, name: str) -> float:
    return float((frame["archscope"] / frame[name]).median() - 1)


@click.command()
@click.option("--quick", is_flag=True, help="Three rounds of a second; nothing is written.")
@click.option("--afresh", is_flag=True, help="Forget what an earlier run left.")
@click.option("--seconds", default=1.0, help="Of each method in each round.")
def main(quick: bool, afresh: bool, seconds: float) -> None:
    """Measure one network in three ways."""
    name = "latency_peers-quick" if quick else "latency_peers"
    rows = Rows(unfinished(name), ("round",), afresh=afresh or quick)
    with running(tf32=False, threads=1):
        _, run = network_and_run(MODEL, None, 1, Cpu(), Setting(), {})
        rounds(run, rows, 3 if quick else ROUNDS, 1.0 if quick else seconds)
        about = about_run(row["disturbed"] for row in rows.all)
    frame = pd.DataFrame(rows.all)
    worst = max(abs(_over(frame, name)) for name in METHODS)
    verdict = f"archscope is within {100 * worst:.2f} % of both."
    show(f"{MODEL}, batch 1, fp32, ms", summary(frame))
    click.echo(verdict)
    if not quick:
        frame.to_csv(RESULTS / "latency_peers.csv", index=False)
        text = f"# Latency of {MODEL} by three methods\n\n{verdict} Medians of {len(frame)} rounds "
        text += f"in one process, and of the ratios in each.\n\nConditions: {about}\n\n"
        (RESULTS / "latency_peers.md").write_text(text + markdown(summary(frame)), "utf-8")
    sys.exit(int(worst > WITHIN))


if __name__ == "__main__":
    main()
