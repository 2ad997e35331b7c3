"""What an analysis costs: seconds and memory of archscope beside its peers.

    python -m benchmarks.peers

Every measurement is the first of a process of its own, on one thread: the seconds of the call
alone, without imports and building the model, and the process's peak resident memory. The floor
is a plain forward on meta with nobody watching; the reference is torch's own FlopCounterMode on
meta.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from typing import Any

import click
import pandas as pd

from benchmarks import counters
from benchmarks.cell import FLOOR, REFERENCE, SUBJECTS, WAYS, device_of
from benchmarks.results import RESULTS, conditions, formatted, markdown, show

STARTUP_SECONDS = 60
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
COMMANDS = {
    "import torch": ["-c", "import torch"],
    "archscope table vgg16": ["-m", "archscope", "table", "vgg16", "--no-cache"],
}


def measure(subject: str, way: str, seconds: float) -> dict[str, float] | str:
    """One cold measurement, or in words why there is none."""
    try:
        finished = subprocess.run(
            [sys.executable, "-m", "benchmarks.cell", subject, way],
            env=ONE_THREAD,
            capture_output=True,
            text=True,
            timeout=STARTUP_SECONDS + seconds,
        )
    except subprocess.TimeoutExpired:
        return f">{seconds:g} s"
    if finished.returncode:
        return (finished.stderr.strip().splitlines() or ["died"])[-1]
    found = json.loads(finished.stdout)
    return found if found["seconds"] <= seconds else f">{seconds:g} s"


def measure_often(subject: str, way: str, seconds: float, repeat: int) -> dict[str, object]:
    """Medians of several measurements; the first failure ends them."""
    row: dict[str, object] = {"subject": subject, "way": way}
    if device_of(subject, way) is None:
        return row | {"failure": "needs weights"}
    runs = []
    for _ in range(repeat):
        found = measure(subject, way, seconds)
        if isinstance(found, str):
            return row | {"failure": found}
        runs.append(found)
    medians = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
    return row | medians | {"runs": repeat}


def measure_commands(repeat: int) -> dict[str, float]:
    """Seconds of each whole process, alternating, so that the machine's moods hit both alike."""
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(repeat):
        for name, arguments in COMMANDS.items():
            start = time.perf_counter()
            finished = subprocess.run(
                [sys.executable, *arguments], env=ONE_THREAD, capture_output=True
            )
            taken = time.perf_counter() - start
            seconds[name].append(taken if finished.returncode == 0 else float("nan"))
    return {name: statistics.median(taken) for name, taken in seconds.items()}


def pivot(measured: pd.DataFrame, column: str) -> pd.DataFrame:
    """Ways by subjects, in their own order; a failure stands where a number is missing."""
    values = measured[column].astype(object).where(measured[column].notna(), measured["failure"])
    frame = measured.assign(value=values).pivot(index="way", columns="subject", values="value")
    ways = [way for way in WAYS if way in frame.index]
    return frame.loc[ways, [subject for subject in SUBJECTS if subject in frame.columns]]


def relative(measured: pd.DataFrame, way: str) -> pd.Series:
    """Seconds as a multiple of one way's seconds on the same subject."""
    base = measured[measured["way"] == way].set_index("subject")["seconds"]
    return measured["seconds"] / measured["subject"].map(base)


def cell(value: Any) -> str:
    if pd.isna(value):  # there is nothing to be a multiple of
        return ""
    if isinstance(value, str):
        return {"needs weights": ""}.get(value, value if value.startswith(">") else "-")
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


@click.command()
@click.option("--subject", "subjects", multiple=True, type=click.Choice(list(SUBJECTS)))
@click.option("--way", "ways", multiple=True, type=click.Choice(list(WAYS)))
@click.option("--seconds", default=60.0, help="The time one call may take.")
@click.option("--repeat", default=3, help="Measurements, of which the median counts.")
@click.option("--write/--no-write", default=True, help="Write benchmarks/results/peers.*")
def main(
    subjects: tuple[str, ...], ways: tuple[str, ...], seconds: float, repeat: int, write: bool
) -> None:
    """Time and peak memory of one analysis, as ratios to torch's own counter."""
    rows = []
    for subject in subjects or SUBJECTS:
        for way in ways or WAYS:
            rows.append(measure_often(subject, way, seconds, repeat))
            click.echo(" | ".join(map(str, rows[-1].values())), err=True)
    measured = pd.DataFrame(rows).reindex(
        columns=["subject", "way", "seconds", "peak_rss_mib", "runs", "failure"]
    )
    measured["over_floor"] = relative(measured, FLOOR)
    measured["over_reference"] = relative(measured, REFERENCE)

    commands = measure_commands(max(5, repeat))
    bare, table = commands.values()
    whole = f"`archscope table vgg16` {table:.2f} s, a bare `import torch` {bare:.2f} s: "
    whole += f"{table / bare:.2f} times, both as whole processes."

    tables = {
        f"Seconds, as a multiple of {REFERENCE}": pivot(measured, "over_reference"),
        f"Seconds, as a multiple of the floor ({FLOOR})": pivot(measured, "over_floor"),
        "Seconds of the call": pivot(measured, "seconds"),
        "Peak resident memory of the whole process, MiB": pivot(measured, "peak_rss_mib"),
    }
    strings = {title: formatted(frame, cell) for title, frame in tables.items()}
    for title, frame in strings.items():
        show(title, frame)
    click.echo(whole)
    if write:
        RESULTS.mkdir(exist_ok=True)
        about = f"# Cost of an analysis\n\n{LEGEND}\nConditions: {conditions(counters.LOADERS)}\n"
        sections = [f"{about}\nMedian of {repeat}. {whole}\n"]
        sections += [f"## {title}\n\n{markdown(frame)}" for title, frame in strings.items()]
        (RESULTS / "peers.md").write_text("\n".join(sections), encoding="utf-8")
        measured.to_csv(RESULTS / "peers.csv", index=False)


LEGEND = """\
Every number is the first of a process of its own, on one thread, batch 1, eval mode, no gradients;
imports and building the model are not counted. Language models read 128 tokens. archscope counts
on meta; the peers run as their documentation has it, on the CPU with weights, but on meta for the
language models, which are given no weights. "-" is a failure, an empty cell would need the weights.
"""

if __name__ == "__main__":
    main()
