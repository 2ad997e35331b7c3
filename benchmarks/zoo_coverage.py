"""Every builder of torchvision and every architecture of timm, analysed and compared.

    python -m benchmarks.zoo_coverage [--mode training] [--workers 4] [PATTERN...]

Each model is traced on shapes and counted by torch's FlopCounterMode on the meta device, in worker
processes with a limit on time and memory. In training both count a forward and a backward pass of
two samples (batch normalisation refuses one where the image has shrunk to a point). A result is
appended to ``results/zoo_coverage.csv`` (or ``zoo_coverage_training.csv``) as soon as it is there:
a run that was stopped goes on, and tries again what failed. Exits 1 if a model failed, or if the
two counts differ and ``explained_differences.csv`` does not say why.
"""

from __future__ import annotations

import csv
import json
import resource
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from sysconfig import get_path
from typing import Any

import click
import torch

from benchmarks.results import RESULTS, conditions, markdown

EXPLAINED = Path(__file__).parent / "explained_differences.csv"
COLUMNS = (
    "reference input params macs torch_macs published_macs flops coverage activations peak_bytes "
    "depth shortest_path mean_path ran_on ops seconds torch_seconds error"
)
PATTERNS = ("torchvision:*", "timm:*")
BATCH = {"inference": 1, "training": 2}


@dataclass(frozen=True)
class Files:
    """Where the results of a benchmark are, and the columns of its table."""

    mode: str
    benchmark: str = "zoo_coverage"
    more_columns: str = ""

    @property
    def table(self) -> Path:
        suffix = "" if self.mode == "inference" else f"_{self.mode}"
        return RESULTS / f"{self.benchmark}{suffix}.csv"

    @property
    def summary(self) -> Path:
        return self.table.with_suffix(".md")

    @property
    def columns(self) -> list[str]:
        columns = COLUMNS if self.mode == "inference" else f"{COLUMNS} backward_macs"
        return f"{columns} {self.more_columns}".split()

    @property
    def worker(self) -> tuple[str, ...]:
        """The command of a worker process."""
        return sys.executable, "-m", f"benchmarks.{self.benchmark}", "--work"


DEFAULT = Files("inference")


def analysed(reference: str, mode: str = "inference") -> dict[str, Any]:
    """One row of the table."""
    from archscope.analysis import analyze
    from archscope.sources import resolve

    began = time.perf_counter()
    report = analyze(reference, batch=BATCH[mode], mode=mode)
    sums = report.sums
    seconds = time.perf_counter() - began
    row = {name: sums[name] for name in Files(mode).columns if name in sums}
    row |= {
        "reference": reference,
        "input": " ".join("x".join(map(str, shape)) for _, shape, _ in report.trace.inputs),
        "published_macs": _published(reference, report.trace.inputs[0][1], mode),
        "ran_on": report.trace.ran_on,
        "ops": len(report.trace.ops),
        "seconds": round(seconds, 3),
    }
    if report.trace.ran_on == "shapes":
        began = time.perf_counter()
        row["torch_macs"] = counted_by_torch(resolve(reference, batch=BATCH[mode], mode=mode), mode)
        row["torch_seconds"] = round(time.perf_counter() - began, 3)
    return row


def _published(reference: str, shape: tuple[int, ...], mode: str) -> float | str:
    """What is published is of one image and of inference, which has no auxiliary heads."""
    return published(reference, shape) if mode == "inference" else ""


def counted_by_torch(subject: Any, mode: str) -> int:
    """The MACs that torch's FlopCounterMode finds on the meta device."""
    from torch.utils.flop_counter import FlopCounterMode

    from archscope.trace.inputs import on_meta
    from archscope.trace.nested import tensors_in

    training = mode == "training"
    model = subject.model.train(training).to("meta")
    if not training:
        # The counter fails on a parameter that is a module's input (timm's CaiT).
        model.requires_grad_(False)
    with (
        torch.set_grad_enabled(training),
        FlopCounterMode(
            display=False, custom_mapping={torch.ops.aten.convolution_backward: conv_backward_flops}
        ) as counter,
    ):
        result = model(*map(on_meta, subject.inputs), **subject.kwargs)
        if training:
            roots = [root for root in tensors_in(result) if root.requires_grad]
            torch.autograd.backward(roots, list(map(torch.empty_like, roots)))
    return counter.get_total_flops() // 2


def conv_backward_flops(
    grad: Any,
    x: Any,
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    output_padding: Any,
    groups: int,
    mask: Sequence[bool],
    out_shape: Any,
) -> int:
    """The gradients of input and weight each join the pairs of numbers that the forward joined.

    This stands in for the counter's own formula, which takes a grouped convolution's weight
    gradient for that of a full convolution: 7 times too much for EfficientNet-B0's whole step.
    """
    from torch.utils.flop_counter import conv_flop_count

    return (mask[0] + mask[1]) * conv_flop_count(x, weight, grad, transposed=transposed)


def published(reference: str, shape: tuple[int, ...]) -> float | str:
    """The MACs that torchvision publishes for weights evaluated at this input, in units of 1."""
    source, _, name = reference.partition(":")
    if source != "torchvision":
        return ""
    from archscope.sources.torchvision import evaluation_shape, weights

    for entry in weights(name):
        image = evaluation_shape(entry)
        if image is not None and image == (shape[1], *shape[-2:]):
            return entry.meta["_ops"] * 1e9
    return ""


# -- a worker: references on the command line, a line of JSON for each -----------------------------


def work(arguments: Sequence[str], analysed: Callable[[str, str], dict[str, Any]]) -> None:
    """Print a row for each reference; ``rows_of`` makes the arguments."""
    mode, seconds, gibibytes, *references = arguments
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    limit = int(float(gibibytes) * 2**30)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    for reference in references:
        signal.alarm(int(seconds))  # ends the process; the parent starts another one
        try:
            with redirect_stdout(sys.stderr):  # some models print
                row = analysed(reference, mode)
        except Exception as error:
            told = str(error).replace(f"{get_path('purelib')}/", "")
            line = " ".join(told.split())[:300]
            row = {"reference": reference, "error": f"{type(error).__name__}: {line}"}
        print(json.dumps(row), flush=True)


def rows_of(
    references: list[str], seconds: int, gibibytes: float, files: Files = DEFAULT
) -> Iterator[dict[str, Any]]:
    """The rows of a batch of references; whoever ends the worker is a failure of its own."""
    while references:
        process = subprocess.Popen(
            [*files.worker, files.mode, str(seconds), str(gibibytes), *references],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert process.stdout is not None
        for line in process.stdout:
            references = references[1:]
            yield json.loads(line)
        if process.wait() and references:
            timed_out = process.returncode == -signal.SIGALRM
            error = f"over {seconds} s" if timed_out else f"the process ended {process.returncode}"
            yield {"reference": references[0], "error": error}
            references = references[1:]


# -- the parent ------------------------------------------------------------------------------------


def finished(files: Files) -> dict[str, dict[str, str]]:
    """The rows that earlier runs have written, by reference."""
    if not files.table.exists():
        return {}
    with files.table.open(encoding="utf-8", newline="") as file:
        return {row["reference"]: row for row in csv.DictReader(file)}


def run(
    references: list[str], files: Files, workers: int, seconds: int, gibibytes: float, batch: int
) -> None:
    """Analyse the references in batches and append every row to the table."""
    batches = [references[start : start + batch] for start in range(0, len(references), batch)]
    new = not files.table.exists()
    with files.table.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, files.columns, restval="", lineterminator="\n")
        if new:
            writer.writeheader()

        def answer(some: list[str]) -> None:
            for row in rows_of(some, seconds, gibibytes, files):
                writer.writerow(row)
                file.flush()
                if row.get("error"):
                    click.echo(f"{row['reference']}: {row['error']}", err=True)

        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(answer, batches))


def in_order(files: Files) -> dict[str, dict[str, str]]:
    """The rows of all runs, of which the table now has one for each reference, by name."""
    rows = finished(files)
    with files.table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, files.columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows[reference] for reference in sorted(rows))
    return rows


def explanation(reference: str) -> str:
    """Why archscope and torch's counter differ on this model, as far as that is known."""
    with EXPLAINED.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if fnmatchcase(reference, row["pattern"]):
                return row["why"]
    return ""


def differs(row: dict[str, str]) -> bool:
    """Whether FlopCounterMode has another count of the pass, or of both passes."""
    if not row["torch_macs"]:
        return False
    return int(row["macs"]) + int(row.get("backward_macs") or 0) != int(row["torch_macs"])


def misses_published(row: dict[str, str]) -> bool:
    """Off torchvision's figure, which has three decimals of a billion."""
    if not row["published_macs"] or row["error"]:
        return False
    return abs(int(row["macs"]) - float(row["published_macs"])) > 0.5e6 + 1


def summarise(rows: dict[str, dict[str, str]], files: Files) -> bool:
    """Print and write what came out; whether everything is analysed and explained."""
    import pandas as pd

    groups: dict[str, list[dict[str, str]]] = {}
    for reference, row in rows.items():
        groups.setdefault(reference.partition(":")[0], []).append(row)
    counts = {source: _counts(found) for source, found in groups.items()}
    complaints = [complaint for found in groups.values() for complaint in _complaints(found)]
    frame = pd.DataFrame(counts).map(lambda value: f"{value:g}").rename_axis("")
    text = (
        f"# Coverage of torchvision and timm\n\nTraced on shapes, batch {BATCH[files.mode]}, "
        f"{files.mode}, each at its own input size; counts in MACs. The rows are in "
        f"`{files.table.name}`, the reasons for differences in `../explained_differences.csv`.\n\n"
        f"Conditions: {conditions(())}\n\n"
        f"{markdown(frame)}"
    )
    click.echo(text)
    for complaint in complaints:
        click.echo(complaint)
    files.summary.write_text(text, encoding="utf-8")
    return not complaints


def _counts(found: list[dict[str, str]]) -> dict[str, float]:
    """How many models of one source came out how."""
    different = [row for row in found if differs(row)]
    unexplained = _unexplained(different)
    published = [row for row in found if row["published_macs"]]
    return {
        "models": len(found),
        "failed": sum(bool(row["error"]) for row in found),
        "run on data": sum(row["ran_on"] == "data" for row in found),
        "coverage below 1": sum(not row["error"] and float(row["coverage"]) < 1 for row in found),
        "equal to FlopCounterMode": sum(
            bool(row["torch_macs"]) and not differs(row) for row in found
        ),
        "different, explained": len(different) - len(unexplained),
        "different, unexplained": len(unexplained),
        "published operations": len(published),
        "equal to them": len(published) - sum(map(misses_published, published)),
        "seconds, median": _median(row["seconds"] for row in found),
        "FlopCounterMode's, median": _median(row["torch_seconds"] for row in found),
    }


def _complaints(found: list[dict[str, str]]) -> Iterator[str]:
    """Models that failed, and differences that nobody has explained."""
    for row in found:
        if row["error"]:
            yield f"{row['reference']} failed: {row['error']}"
    for row in _unexplained(filter(differs, found)):
        yield (
            f"{row['reference']}: {row['macs']} MACs, backward {row.get('backward_macs') or 0}, "
            f"FlopCounterMode {row['torch_macs']}"
        )
    for row in _unexplained(filter(misses_published, found)):
        yield f"{row['reference']}: {row['macs']} MACs, published {row['published_macs']}"


def _unexplained(rows: Iterable[dict[str, str]]) -> list[dict[str, str]]:
    return [row for row in rows if not explanation(row["reference"])]


def _median(values: Iterable[str]) -> float:
    known = sorted(float(value) for value in values if value)
    return known[len(known) // 2] if known else 0.0


def sweep_options(gibibytes: float) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The options of ``sweep`` for a command."""
    options = (
        click.option("--workers", default=2, help="Worker processes."),
        click.option("--seconds", default=120, help="The time one model may take."),
        click.option("--gibibytes", default=gibibytes, help="The memory one worker may take."),
        click.option(
            "--batch", default=20, help="Models per worker process; 1 for a process each."
        ),
        click.option("--again", is_flag=True, help="Also analyse what earlier runs have done."),
    )

    def decorated(command: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorated


def sweep(
    files: Files, references: Iterable[str], *, again: bool, **limits: Any
) -> dict[str, dict[str, str]]:
    """Analyse what no earlier run has done; all rows. ``limits`` are those of ``run``."""
    RESULTS.mkdir(exist_ok=True)
    if again:
        files.table.unlink(missing_ok=True)
    done = {reference for reference, row in finished(files).items() if not row["error"]}
    run([reference for reference in references if reference not in done], files, **limits)
    return in_order(files)


@click.command()
@click.argument("patterns", nargs=-1)
@click.option("--mode", type=click.Choice(["inference", "training"]), default="inference")
@sweep_options(gibibytes=8.0)
def main(patterns: tuple[str, ...], mode: str, **how: Any) -> None:
    """Analyse every model that the patterns name: all of torchvision and timm by default."""
    from archscope.sources import expand

    files = Files(mode)
    rows = sweep(files, expand(patterns or PATTERNS), **how)
    sys.exit(0 if summarise(rows, files) else 1)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        work(sys.argv[2:], analysed)
    else:
        main()
