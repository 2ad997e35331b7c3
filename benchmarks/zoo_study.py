"""All of torchvision and timm: archscope's time beside the counters', model by model in one run.

    python -m benchmarks.zoo_study [--sample 30] [--explore zoo.html]

Every model is built once on meta and then, in the same process, one after the other and once each,

    archscope     analysed as in a study: compute, memory and depth from one trace
    plain         run without gradients, nobody watching: the floor
    flopcounter   counted by torch.utils.flop_counter.FlopCounterMode, products only
    fvcore        counted by fvcore, which follows torch.jit.trace: that fails on meta tensors, so
                  fvcore alone gets a second model with values and runs it on one thread of the CPU

Times are CPU milliseconds of the process, without building the model (``build_cpu_ms``). archscope
comes first, and so pays for whatever a model's first run pays. The models are in an order drawn by
chance: a run that is stopped has seen a fair sample, and goes on when it is started again. The
table, ``reports/data/zoo-study.csv.gz``, has the columns of a comparison; a tool that has no answer
says why in its ``_status``. Machine, versions and date are in ``zoo-study.json`` beside it.
"""

from __future__ import annotations

import json
import logging
import random
import resource
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import torch

from benchmarks import counters
from benchmarks.results import RESULTS, conditions, markdown, show
from benchmarks.resumable import Rows, unfinished

TABLE = Path(__file__).parent.parent / "reports" / "data" / "zoo-study.csv.gz"
CONDITIONS = TABLE.with_name("zoo-study.json")
SUMMARY = RESULTS / "zoo_study.md"
TOOLS = ("plain", "archscope", "flopcounter", "fvcore")
PATTERNS = ("torchvision:*", "timm:*")
MODELS_PER_PROCESS = 50
CPU_SECONDS = 120  # of one tool on one model
MEMORY = 5 << 30
LARGEST = 250_000_000  # parameters of a model that fvcore gets with values
_WORKER = (sys.executable, "-m", "benchmarks.zoo_study", "--work")


# -- a worker: references on the command line, a line of JSON for each -----------------------------


@dataclass
class Timed:
    """What a call returned, or why nothing, and what it took."""

    value: Any = None
    milliseconds: float | None = None
    status: str = "ok"


def timed(call: Callable[[], Any]) -> Timed:
    """Call it within the limit; the milliseconds are of the CPU."""
    began = time.process_time()
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    try:
        value = call()
    except (Exception, RecursionError) as error:
        return Timed(status=f"{type(error).__name__}: {' '.join(str(error).split())}"[:200])
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return Timed(value, round(1e3 * (time.process_time() - began), 2))


def measured(reference: str) -> dict[str, Any]:
    """One row of the table, without accuracies."""
    from archscope.comparison.origin import origin
    from archscope.sources import resolve

    found = origin(reference)
    row = {"model": reference, "family": found.family, "source": found.source, "year": found.year}
    built = timed(lambda: resolve(reference))
    if built.value is None:
        return row | {"status": built.status}
    analysis = timed(lambda: analysed(built.value))
    row |= analysis.value or {}
    row |= {"status": analysis.status, "build_cpu_ms": built.milliseconds}
    row |= {"archscope_cpu_ms": analysis.milliseconds}
    return row | counted(reference, built.value, row.get("params"))


def analysed(subject: Any) -> dict[str, Any]:
    """What a study's cells of compute, memory and depth say, by one trace."""
    from archscope.analysis import analyze
    from archscope.comparison.row import DERIVED, identity

    report = analyze(subject.model.eval(), inputs=subject.inputs, kwargs=dict(subject.kwargs))
    row = identity(report) | {"ran_on": report.trace.ran_on}
    for derive in DERIVED.values():
        row |= derive(report)
    return row


def counted(reference: str, subject: Any, params: int | None) -> dict[str, Any]:
    """The other tools' times and counts."""
    from archscope.trace.inputs import on_meta

    # Frozen, since FlopCounterMode fails on a parameter that is a module's input (timm's CaiT).
    model = subject.model.eval().requires_grad_(False).to("meta")
    arguments = tuple(map(on_meta, subject.inputs)), dict(subject.kwargs)
    plain = timed(lambda: run(model, *arguments))
    counter = timed(lambda: run(counters.LOADERS["FlopCounterMode"](), model, *arguments))
    other = by_fvcore(reference, params)
    row: dict[str, Any] = {"plain_cpu_ms": plain.milliseconds, "plain_status": plain.status}
    for name, answer in (("flopcounter", counter), ("fvcore", other)):
        row[f"{name}_macs"] = None if answer.value is None else int(answer.value)
        row[f"{name}_cpu_ms"], row[f"{name}_status"] = answer.milliseconds, answer.status
    return row


def by_fvcore(reference: str, params: int | None) -> Timed:
    """fvcore's count of a model with values; making them is not timed."""
    from archscope.sources import resolve
    from archscope.trace.inputs import on_cpu

    if params is None or params > LARGEST:
        return Timed(status=f"not tried: more than {LARGEST:,} parameters, which need values")
    made = timed(lambda: resolve(reference, real=True))
    if made.value is None:
        return Timed(status=f"no model with values: {made.status}")
    model = made.value.model.eval().requires_grad_(False)
    inputs, kwargs = tuple(map(on_cpu, made.value.inputs)), dict(made.value.kwargs)
    return timed(lambda: run(counters.LOADERS["fvcore"](), model, inputs, kwargs))


def run(call: Callable[..., Any], *arguments: Any) -> Any:
    """A counter on a module, or the module itself as its own counter."""
    with torch.no_grad():
        if isinstance(call, torch.nn.Module):
            inputs, kwargs = arguments
            return call(*inputs, **kwargs)
        return call(*arguments)


def work(references: list[str]) -> None:
    """Print a row for each."""

    def stop(number: int, frame: Any) -> None:
        raise TimeoutError(f"took more than {CPU_SECONDS} s of the CPU")

    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    torch.set_num_threads(1)
    signal.signal(signal.SIGPROF, stop)
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    counters.let_torchvision_be_imported()
    measured("timm:resnet18")  # what all tools import or make at first use
    for reference in references:
        print(json.dumps(measured(reference)), flush=True)


# -- the parent ------------------------------------------------------------------------------------


def in_turn(references: list[str]) -> Iterator[dict[str, Any]]:
    """The rows of a worker's references; one that ends its worker is a failure."""
    while references:
        with subprocess.Popen(
            [*_WORKER, *references], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                references = references[1:]
                yield json.loads(line)
        if references:
            status = f"the process ended with status {process.returncode}"
            yield {"model": references[0], "status": status}
            references = references[1:]


def measure(rows: Rows, wanted: list[str]) -> None:
    """Measure what is missing; every row is kept at once."""
    missing = [reference for reference in wanted if not rows.has(model=reference)]
    for start in range(0, len(missing), MODELS_PER_PROCESS):
        for row in in_turn(missing[start : start + MODELS_PER_PROCESS]):
            rows.add(row)


def table_of(rows: list[dict[str, Any]]) -> Any:
    """The rows as a comparison, with published accuracies and the front."""
    from archscope.accuracy import with_accuracy
    from archscope.comparison import pareto
    from archscope.comparison.columns import comparison_frame, typed

    ordered = sorted(rows, key=lambda row: row["model"])
    frame = typed(with_accuracy(comparison_frame(ordered)))
    frame["top1_per_mparams"] = frame["top1"] / (frame["params"].astype("float64") / 1e6)
    for _, group in frame.groupby("protocol", dropna=False):
        frame.loc[group.index, "pareto"] = pareto(group)
    return frame.dropna(axis="columns", how="all")


def read_table() -> Any:
    """The committed table with the types of a comparison."""
    import pandas as pd

    from archscope.comparison.columns import typed

    frame = pd.read_csv(TABLE, dtype={"paths": str})
    for name, read in (("paths", int), ("input_shape", _shape)):
        frame[name] = [read(text) if isinstance(text, str) else None for text in frame[name]]
    return typed(frame)


def write_table(frame: Any) -> None:
    """The table, the same bytes for the same rows."""
    shapes = [
        "x".join(map(str, shape)) if isinstance(shape, list | tuple) else None
        for shape in frame["input_shape"]
    ]
    TABLE.parent.mkdir(parents=True, exist_ok=True)
    packing = {"method": "gzip", "mtime": 0}
    frame.assign(input_shape=shapes).to_csv(TABLE, index=False, compression=packing)


def write_conditions(networks: int) -> None:
    """What the table's times were measured on, and what they are of."""
    from archscope.gallery.measuring import about

    installed = {name: version(name) for name in ("torchvision", "timm", "fvcore")}
    content = {
        "kind": "counters-over-whole-zoos",
        "networks": networks,
        "about": about() | installed | {"threads": 1},
        "disturbed": "the machine was in use by others; CPU time is what the process itself used",
        "columns": {
            "build_cpu_ms": "building the model on meta, in no other time",
            "archscope_cpu_ms": "compute, memory and depth, from one trace",
            "plain_cpu_ms": "the forward pass on meta, nobody watching",
            "flopcounter_cpu_ms": "torch.utils.flop_counter.FlopCounterMode, on meta",
            "fvcore_cpu_ms": "fvcore, which runs the model on data",
        },
        "protocol": "each once, batch 1, the model's own input, CPU milliseconds of one thread",
    }
    CONDITIONS.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _shape(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split("x")))


# -- what came out ---------------------------------------------------------------------------------


def totals(frame: Any) -> Any:
    """What each tool answered, and its time beside archscope's where both answered."""
    import pandas as pd

    ours = frame["archscope_cpu_ms"]
    counted = {}
    for tool in TOOLS:
        time_of = frame[f"{tool}_cpu_ms"]
        both = ours.notna() & time_of.notna()
        ratio = ours[both] / time_of[both]
        macs = frame["macs"] if tool == "archscope" else frame.get(f"{tool}_macs")
        same = macs is not None and (macs == frame["macs"]).fillna(False).sum()
        counted[tool] = {
            "answered": f"{time_of.notna().sum()}",
            "same MACs as archscope": f"{same}" if macs is not None else "",
            "CPU s, all it answered": f"{time_of.sum() / 1e3:.1f}",
            "CPU ms, median": f"{time_of.median():.1f}",
            "archscope / it, sum of both": f"{ours[both].sum() / time_of[both].sum():.2f}",
            "archscope / it, median": f"{ratio.median():.2f}",
            "archscope / it, 90 %": f"{ratio.quantile(0.9):.2f}",
        }
    return pd.DataFrame(counted).T.rename_axis("tool")


def report(frame: Any, listed: int) -> None:
    """Print and write what all rows say."""
    table = totals(frame)
    title = f"{len(frame)} of {listed:,} models of torchvision and timm"
    show(title, table)
    on_data = int((frame["ran_on"] == "data").sum())
    untried = int(frame["fvcore_status"].str.startswith("not tried", na=False).sum())
    failed = frame[frame["status"] != "ok"]
    text = (
        f"# Times over whole zoos\n\n{title}, drawn by chance where it is not all; batch 1, each "
        "at its own input size, CPU time on one thread. The rows are in "
        "`reports/data/zoo-study.csv.gz`; what was timed is told in `../zoo_study.py`. Building "
        f"the models on meta, which no tool's time has in it, took "
        f"{frame['build_cpu_ms'].sum() / 1e3:.0f} CPU seconds. archscope ran {on_data} models on "
        "data, since they branch on values; the others' meta tensors have none. fvcore runs on "
        f"data always, and was not given {untried} models that are too large for it here.\n\n"
        f"Conditions: {conditions(['archscope', 'fvcore'])} The machine was in use by others.\n\n"
        f"{markdown(table)}"
    )
    if len(failed):
        text += "\nNot analysed: " + "; ".join(
            f"{row.model} ({row.status})" for row in failed.itertuples()
        )
        text += ".\n"
    SUMMARY.write_text(text, encoding="utf-8")


@click.command()
@click.option("--sample", default=None, type=int, help="So many models; all if absent.")
@click.option("--again", is_flag=True, help="Forget what an interrupted run left.")
@click.option("--explore", default=None, metavar="FILE", help="Only write the table as a page.")
@click.option("--work", "worker", is_flag=True, hidden=True)
@click.argument("references", nargs=-1)
def main(
    sample: int | None,
    again: bool,
    explore: str | None,
    worker: bool,
    references: tuple[str, ...],
) -> None:
    """Time archscope, FlopCounterMode, fvcore and a plain forward over torchvision and timm."""
    if worker:
        work(list(references))
        return
    if explore is not None:
        from archscope.explorer import page

        text = page(read_table(), title="torchvision and timm")
        Path(explore).write_text(text, encoding="utf-8")
        return
    from archscope.sources import expand

    listed = expand(PATTERNS)
    random.Random(0).shuffle(listed)
    rows = Rows(unfinished("zoo_study"), ["model"], afresh=again)
    measure(rows, listed[:sample])
    frame = table_of(rows.all)
    write_table(frame)
    write_conditions(len(frame))
    report(frame, len(listed))


if __name__ == "__main__":
    main()
