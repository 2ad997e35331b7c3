"""What a trace costs beside torch's FlopCounterMode and a plain forward, all on the meta device.

    python -m benchmarks.trace_speed [--sample 100 | --all] [--best-of 3] [--workers 1]

Every model of the zoo and of torchvision and a sample of timm is built once on meta, by itself in
its turn, and the same modules then run in one process, one after the other, again and again:

    plain      a forward pass without gradients, nobody watching: the floor
    counter    the same under torch.utils.flop_counter.FlopCounterMode, which counts products
    trace      archscope.trace, having forgotten the shapes of all calls before: operators, costs,
               storages, edges, module calls
    again      archscope.trace, remembering them
    analyzers  compute, memory, depth and path_summary of that trace, as DataFrames

Times are CPU seconds of the process, the best of several rounds. A row is written to
``results/trace_speed.csv`` as soon as it is there; a run that was stopped goes on. What cannot run
on meta at all, such as a detector that branches on its boxes, is listed and not timed.
"""

from __future__ import annotations

import csv
import gc
import multiprocessing
import random
import time
import warnings
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from typing import Any

import click
import pandas as pd
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.results import RESULTS, conditions, markdown, show

TABLE = RESULTS / "trace_speed.csv"
SUMMARY = RESULTS / "trace_speed.md"
WAYS = ("plain", "counter", "trace", "again", "analyzers")
COLUMNS = ("reference", "ops", "calls", *(f"{way}_seconds" for way in WAYS), "error")
MODELS_PER_PROCESS = 25


def ways_of(reference: str) -> dict[str, Callable[[], Any]]:
    """The calls to time, on one model."""
    from archscope.analyzers import compute, depth, memory, path_summary
    from archscope.sources import resolve
    from archscope.trace import trace
    from archscope.trace.inputs import on_meta
    from archscope.trace.remembered import forget

    subject = resolve(reference)
    # Frozen, since the counter fails on a parameter that is a module's input (timm's CaiT).
    model = subject.model.eval().requires_grad_(False).to("meta")
    inputs, kwargs = tuple(map(on_meta, subject.inputs)), dict(subject.kwargs)
    traced = partial(trace, model, inputs, "inference", kwargs=kwargs)
    record = traced()

    def plain() -> None:
        with torch.no_grad():
            model(*inputs, **kwargs)

    def counted() -> None:
        with torch.no_grad(), FlopCounterMode(display=False):
            model(*inputs, **kwargs)

    def analyzed() -> None:
        for analyzer in (compute, memory, depth, path_summary):
            analyzer(record)

    def traced_afresh() -> None:
        forget()
        traced()

    return {
        "plain": plain,
        "counter": counted,
        "trace": traced_afresh,
        "again": traced,
        "analyzers": analyzed,
        "record": lambda: record,
    }


def measured(reference: str, rounds: int) -> dict[str, Any]:
    """One row of the table; the ways take turns."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    try:
        ways = ways_of(reference)
        record = ways.pop("record")()
        if record.ran_on == "data":
            return {"reference": reference, "error": "runs on data only"}
        best = dict.fromkeys(ways, float("inf"))
        for _ in range(rounds):
            for way, call in ways.items():
                best[way] = min(best[way], _cpu_seconds(call))
    except Exception as error:
        line = " ".join(str(error).split())[:200]
        return {"reference": reference, "error": f"{type(error).__name__}: {line}"}
    seconds = {f"{way}_seconds": round(taken, 5) for way, taken in best.items()}
    return {"reference": reference, "ops": len(record.ops), "calls": len(record.calls), **seconds}


def _cpu_seconds(call: Callable[[], Any]) -> float:
    gc.collect()
    began = time.process_time()
    call()
    return time.process_time() - began


# -- which models ----------------------------------------------------------------------------------


def references(sample: int | None) -> list[str]:
    """The zoo, torchvision, and so many of timm (None for all), in an order drawn by chance: a run
    that is stopped has seen a fair sample."""
    from archscope.sources import expand

    timm = expand(["timm:*"])
    random.Random(0).shuffle(timm)
    return [*expand(["*"]), *expand(["torchvision:*"]), *timm[:sample]]


def finished() -> dict[str, dict[str, str]]:
    """The rows that earlier runs have written, by reference."""
    if not TABLE.exists():
        return {}
    with TABLE.open(encoding="utf-8", newline="") as file:
        return {row["reference"]: row for row in csv.DictReader(file)}


def run(wanted: list[str], rounds: int, workers: int) -> None:
    """Measure the models and append every row to the table."""
    new = not TABLE.exists()
    context = multiprocessing.get_context("spawn")
    with (
        TABLE.open("a", encoding="utf-8", newline="") as file,
        context.Pool(workers, maxtasksperchild=MODELS_PER_PROCESS) as pool,
    ):
        writer = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
        if new:
            writer.writeheader()
        for row in pool.imap_unordered(partial(measured, rounds=rounds), wanted):
            writer.writerow(row)
            file.flush()


# -- what came out ---------------------------------------------------------------------------------


def ratios(rows: pd.DataFrame) -> pd.DataFrame:
    """Times of every model in units of FlopCounterMode's, and of the plain forward's."""
    counter, plain = rows["counter_seconds"], rows["plain_seconds"]
    everything = rows["trace_seconds"] + rows["analyzers_seconds"]
    return pd.DataFrame(
        {
            "trace / counter": rows["trace_seconds"] / counter,
            "trace again / counter": rows["again_seconds"] / counter,
            "trace and analyzers / counter": everything / counter,
            "trace / plain": rows["trace_seconds"] / plain,
            "trace and analyzers / plain": everything / plain,
            "counter / plain": counter / plain,
        }
    )


def summary(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The distribution of each ratio over all models, and its median by source."""
    found = ratios(rows)
    spread = found.quantile([0, 0.1, 0.5, 0.9, 1]).T
    spread.columns = pd.Index(["least", "10 %", "median", "90 %", "most"])
    source = rows["reference"].where(rows["reference"].str.contains(":"), "zoo:")
    source = source.str.partition(":")[0]
    by_source = found.groupby(source).median().T
    by_source.columns = pd.Index([f"{name} ({(source == name).sum()})" for name in by_source])
    seconds = rows.filter(like="_seconds")
    seconds.columns = seconds.columns.str.removesuffix("_seconds")
    totals = pd.DataFrame(
        {
            "all models, CPU s": seconds.sum().map("{:.1f}".format),
            "median, ms": (1e3 * seconds.median()).map("{:.1f}".format),
        }
    )
    return {
        "One time over another, all models": spread.map("{:.2f}".format).rename_axis("ratio"),
        "Medians by source": by_source.map("{:.2f}".format).rename_axis("ratio"),
        "Times": totals.rename_axis("way"),
    }


def report(rounds: int) -> None:
    """Print and write what all rows say."""
    rows = pd.read_csv(TABLE)
    failed = rows[rows["error"].notna()]
    rows = rows[rows["error"].isna()]
    parts = [
        "# What a trace costs",
        f"{len(rows)} models on the meta device, batch 1, each at its own input size; CPU seconds "
        f"on one thread, the best of {rounds} rounds; the rows are in `trace_speed.csv`. What the "
        "ways are is told in `../trace_speed.py`. `trace` has forgotten the shapes of all earlier "
        "calls, `trace again` has not.",
        f"Conditions: {conditions(['archscope'])} timm {version('timm')}, torchvision "
        f"{version('torchvision')}.",
    ]
    for title, table in summary(rows).items():
        show(title, table)
        parts += [f"## {title}", markdown(table).rstrip()]
    if len(failed):
        why = [f"{row.reference} ({row.error})" for row in failed.itertuples()]
        parts.append(f"Not timed: {', '.join(sorted(why))}.")
    SUMMARY.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


@click.command()
@click.option("--sample", default=100, help="So many architectures of timm.")
@click.option("--all", "everything", is_flag=True, help="All of timm.")
@click.option("--best-of", "rounds", default=3, help="Rounds; the best one counts.")
@click.option("--workers", default=1, help="Processes beside each other.")
@click.option("--again", is_flag=True, help="Also measure what earlier runs have done.")
def main(sample: int, everything: bool, rounds: int, workers: int, again: bool) -> None:
    """Time the trace over the zoo, torchvision and timm."""
    if again:
        TABLE.unlink(missing_ok=True)
    done = finished()
    wanted = references(None if everything else sample)
    run([reference for reference in wanted if reference not in done], rounds, workers)
    report(rounds)


if __name__ == "__main__":
    main()
