"""What the second asking costs: commands whose answers are kept, as whole processes.

    python -m benchmarks.cache

Processes alternate, so that the machine's moods hit all alike. The first asking finds an empty
cache and keeps its answer; the second finds it. Both are medians of several in CPU time, which
other work on the machine lengthens less than the wait, and given as multiples of a bare ``import
torch``; ``python -c pass`` stands beside.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import pandas as pd

from benchmarks.results import RESULTS, conditions, formatted, markdown, show

PASS, TORCH = ("python -c pass", "import torch")
BARE = {PASS: ["-c", "pass"], TORCH: ["-c", "import torch"]}
COMMANDS = {
    "table vgg16": ["table", "vgg16"],
    "table vgg16 --format json": ["table", "vgg16", "--format", "json"],
    "memory resnet50 --mode training": ["memory", "resnet50", "--mode", "training"],
    "depth resnet152": ["depth", "resnet152"],
    "table timm:vit_base_patch16_224": ["table", "timm:vit_base_patch16_224"],
    "compare 'resnet*' 'vgg*'": ["compare", "resnet*", "vgg*"],
}


def seconds_of(arguments: Sequence[str], environment: Mapping[str, str]) -> tuple[float, bytes]:
    """One whole process: its CPU time, of the system too, and what it printed."""
    before = _of_children()
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, check=True
    )
    return _of_children() - before, done.stdout


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measured(repeat: int) -> dict[str, dict[str, float]]:
    """Median CPU seconds of the bare processes, and of both askings of each command."""
    taken: dict[str, dict[str, list[float]]] = {}
    for _ in range(repeat):
        with tempfile.TemporaryDirectory() as folder:
            here = {**os.environ, "ARCHSCOPE_CACHE_DIR": folder, "OMP_NUM_THREADS": "1"}
            here.pop("ARCHSCOPE_NO_CACHE", None)
            for name, arguments in BARE.items():
                _note(taken, name, "first", seconds_of(arguments, here)[0])
            for name, arguments in COMMANDS.items():
                first, printed = seconds_of(["-m", "archscope", *arguments], here)
                second, again = seconds_of(["-m", "archscope", *arguments], here)
                if printed != again or len(list(Path(folder).iterdir())) == 0:
                    raise SystemExit(f"{name}: the second answer is not the first, kept")
                _note(taken, name, "first", first)
                _note(taken, name, "second", second)
    return {
        name: {asking: statistics.median(seconds) for asking, seconds in askings.items()}
        for name, askings in taken.items()
    }


def _note(taken: dict[str, dict[str, list[float]]], name: str, asking: str, seconds: float) -> None:
    taken.setdefault(name, {}).setdefault(asking, []).append(seconds)


def ratios(seconds: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    """The same as multiples of a bare import of torch, and the first asking over the second."""
    unit = seconds[TORCH]["first"]
    rows = [
        {
            "process": name,
            "first / import torch": askings["first"] / unit,
            "second / import torch": askings.get("second", float("nan")) / unit,
            "first / second": askings["first"] / askings.get("second", float("nan")),
        }
        for name, askings in seconds.items()
    ]
    return pd.DataFrame(rows).set_index("process")


@click.command()
@click.option("--repeat", default=5, help="Rounds, of which the medians count.")
@click.option("--write/--no-write", default=True, help="Write benchmarks/results/cache.md")
def main(repeat: int, write: bool) -> None:
    """First and second asking of commands, as multiples of a bare import of torch."""
    seconds = measured(repeat)
    table = formatted(ratios(seconds), lambda value: "" if pd.isna(value) else f"{value:.3g}")
    show("Whole processes", table)
    if write:
        about = f"Median of {repeat}. Conditions: {conditions([]).removesuffix('; .')}."
        text = f"# Asked twice\n\n{LEGEND}\n{about}\n\n{markdown(table)}"
        (RESULTS / "cache.md").write_text(text, encoding="utf-8")


LEGEND = """\
CPU time of whole processes on one thread, as multiples of a bare `import torch`. The first asking
traces the network and keeps the answer; the second prints the same bytes from the cache
(`docs/caching.md`).
"""

if __name__ == "__main__":
    main()
