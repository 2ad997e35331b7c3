"""Predicted peak memory beside what a GPU's allocator reports, in one command of ten minutes.

    python -m benchmarks.memory_truth [--quick] [--out FOLDER]

Every network in inference and in training, with SGD and with Adam, in float32 and under bf16
autocast: the model and its inputs are put on the device, one step warms libraries and optimizer
state up, then the peak of `torch.cuda.max_memory_allocated` over one more step is compared with
what archscope predicts without a device, in the blocks of the caching allocator. Two things belong
to libraries and not to the model, and are measured apart: the workspaces that the matrix library
keeps, which are there before the network is, and what a kernel takes and gives back before it
returns (a convolution's workspace), by `torch.profiler`. Then the largest batch that `--fit` gives
for the device's memory is run, and 1.1 times it, which should fail.

Each network has a process of its own, some run at a time. Rows are kept as they are made: the same
command goes on where it ended. What fails is a row that says why. Without a GPU it says so and
writes nothing.
"""

from __future__ import annotations

import gc
import json
import platform
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any, Protocol

import click
import pandas as pd
import torch
from torch import nn

from archscope.analyzers.allocator import allocator
from archscope.errors import first_line
from archscope.scaling import memory_law
from archscope.sources import resolve
from archscope.trace import trace
from benchmarks.live_bytes import live_bytes
from benchmarks.resumable import Rows

DATA = Path(__file__).parents[1] / "reports" / "data"
NETWORKS = """
    alexnet alexnet-bn zfnet nin nin-bn vgg11 vgg16 vgg19 googlenet inception-bn inception-v3
    inception-v4 resnet18 resnet50 resnet101 resnet110-cifar preact-resnet110-cifar
    fractalnet20-cifar plain34 torchvision:densenet121 torchvision:mobilenet_v2
    torchvision:efficientnet_b0 torchvision:convnext_tiny torchvision:vit_b_16 torchvision:swin_t
    timm:deit_small_patch16_224 timm:mixer_s16_224 lstm gru
"""
QUICK = ("alexnet", "resnet18", "torchvision:vit_b_16", "lstm")
FIT = ("resnet50", "vgg16", "torchvision:vit_b_16")
FITTED = "largest batch, training adam"
BATCH = 16
LEAST = 10.0  # s, without which a network is not begun


@dataclass(frozen=True)
class Setting:
    """How a network is run."""

    mode: str
    optimizer: str | None = None
    amp: str | None = None

    @property
    def label(self) -> str:
        return " ".join(filter(None, (self.mode, self.optimizer, self.amp)))


SETTINGS = (
    Setting("inference"),
    Setting("inference", amp="bfloat16"),
    Setting("training", "sgd"),
    Setting("training", "adam"),
    Setting("training", "adam", "bfloat16"),
)


@dataclass(frozen=True)
class Row:
    """One network in one setting, in bytes."""

    model: str
    setting: str
    batch: int
    measured: int  # torch.cuda.max_memory_allocated
    measured_reserved: int
    workspace: int  # held by libraries before the network was there
    kernels: int  # what kernels took for themselves at the peak, and gave back
    requested: int
    allocated: int  # predicted, in blocks
    reserved: int  # predicted, in segments

    @property
    def error(self) -> float:
        """Of the prediction, with libraries' workspaces set apart."""
        return (self.allocated + self.workspace) / (self.measured - self.kernels) - 1


@dataclass(frozen=True)
class Peak:
    """Of one step that is not the first, in bytes."""

    allocated: int
    reserved: int
    kernels: int  # of ``allocated``, what kernels took for themselves


class Device(Protocol):
    """What is asked of a GPU; the tests have one that allocates on paper."""

    name: str
    total_bytes: int

    def peak_of_step(self, model: nn.Module, inputs: tuple[Any, ...], setting: Setting) -> Peak:
        """The most bytes during one step that is not the first."""

    def workspace(self) -> int:
        """What libraries hold before there is a network."""

    def conditions(self) -> dict[str, str]:
        """Driver and versions."""


class Cuda:
    """The first GPU of this machine."""

    def __init__(self) -> None:
        properties = torch.cuda.get_device_properties(0)
        self.name = properties.name
        self.total_bytes = properties.total_memory

    def peak_of_step(self, model: nn.Module, inputs: tuple[Any, ...], setting: Setting) -> Peak:
        torch.cuda.empty_cache()
        model = model.to_empty(device="cuda").train(setting.mode == "training")
        for tensor in (*model.parameters(), *model.buffers()):
            tensor.data.zero_()
        given = [torch.zeros(spec.shape, dtype=spec.dtype, device="cuda") for spec in inputs]
        optimizer = _optimizer(setting, model)
        for _ in range(2):  # the first makes the state
            gc.collect()
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
            step(model, given, setting, optimizer)
            torch.cuda.synchronize()
        allocated, reserved = torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved()

        def from_nothing() -> None:
            step(model, given, setting, optimizer)
            model.zero_grad(set_to_none=True)

        live = live_bytes(from_nothing, "cuda")
        return Peak(allocated, reserved, live.peak - live.peak_without_workspaces)

    def workspace(self) -> int:
        """The backward pass has a thread of its own, and with it a handle and a workspace."""
        for dtype in (torch.float32, torch.bfloat16):
            matrix = torch.ones(64, 64, device="cuda", dtype=dtype, requires_grad=True)
            nn.functional.linear(matrix @ matrix, matrix, matrix[0]).sum().backward()
            del matrix
        gc.collect()
        torch.cuda.synchronize()
        return torch.cuda.memory_allocated()

    def conditions(self) -> dict[str, str]:
        asked = ["nvidia-smi", "--query-gpu=driver_version,memory.total", "--format=csv,noheader"]
        answer = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
        return {
            "device": self.name,
            "driver, memory": answer.strip().splitlines()[0] if answer.strip() else "not known",
            "cuda": str(torch.version.cuda),
            "cudnn": str(torch.backends.cudnn.version()),
        }


def _optimizer(setting: Setting, model: nn.Module) -> torch.optim.Optimizer | None:
    if setting.optimizer is None:
        return None
    if setting.optimizer == "sgd":
        return torch.optim.SGD(model.parameters(), lr=1e-3)
    return torch.optim.Adam(model.parameters())


def step(
    model: nn.Module,
    inputs: list[torch.Tensor],
    setting: Setting,
    optimizer: torch.optim.Optimizer | None,
) -> None:
    """One step as archscope traces it."""
    dtype = getattr(torch, setting.amp) if setting.amp else torch.float32
    training = setting.mode == "training"
    if optimizer is not None:
        optimizer.zero_grad(set_to_none=True)
    with torch.set_grad_enabled(training):
        with torch.autocast("cuda", dtype=dtype, enabled=setting.amp is not None):
            output = model(*inputs)
        if training:
            roots = [output] if isinstance(output, torch.Tensor) else list(output)
            torch.autograd.backward(roots, [torch.ones_like(root) for root in roots])
    if optimizer is not None:
        optimizer.step()


def compare(device: Device, name: str, setting: Setting, batch: int = BATCH) -> Row:
    """Predict, then measure."""
    subject = resolve(name, batch=batch, mode=setting.mode)
    recorded = trace(
        subject.model,
        subject.inputs,
        setting.mode,  # type: ignore[arg-type]
        optimizer=setting.optimizer,
        amp=setting.amp,
    )
    predicted = allocator(recorded)
    workspace = device.workspace()
    peak = device.peak_of_step(subject.model, subject.inputs, setting)
    return Row(
        model=name,
        setting=setting.label,
        batch=batch,
        measured=peak.allocated,
        measured_reserved=peak.reserved,
        workspace=workspace,
        kernels=peak.kernels,
        requested=predicted.requested,
        allocated=predicted.allocated,
        reserved=predicted.reserved,
    )


def fits(device: Device, name: str, setting: Setting) -> dict[str, Any]:
    """The largest batch that is predicted for the device's memory: does it run, and 1.1 times it?

    The workspace and the reserve above allocation, as predicted at that batch, are set aside.
    """

    def sample(batch: int) -> Any:
        subject = resolve(name, batch=batch, mode=setting.mode)
        return trace(
            subject.model,
            subject.inputs,
            setting.mode,  # type: ignore[arg-type]
            optimizer=setting.optimizer,
            amp=setting.amp,
        )

    free = device.total_bytes - device.workspace()
    law = memory_law(sample)
    largest = law.largest(free) or 0
    outcome = {}
    for batch in (largest, int(1.1 * largest)):
        subject = resolve(name, batch=batch, mode=setting.mode)
        try:
            device.peak_of_step(subject.model, subject.inputs, setting)
            outcome[batch] = "runs"
        except torch.OutOfMemoryError:
            outcome[batch] = "out of memory"
    return {"model": name, "setting": setting.label, "largest": largest, "outcome": outcome}


def write(device: Device, rows: list[dict[str, Any]], folder: Path) -> str:
    """The table, with its conditions beside it; returns the verdict."""
    folder.mkdir(parents=True, exist_ok=True)
    compared = [row for row in rows if row["setting"] != FITTED]
    pd.DataFrame(compared).to_csv(folder / "memory_truth.csv", index=False)
    verdict = summary(compared)
    conditions = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        **device.conditions(),
        "summary": verdict,
        "fit": [row for row in rows if row["setting"] == FITTED],
    }
    (folder / "memory_truth.json").write_text(json.dumps(conditions, indent=2) + "\n", "utf-8")
    return verdict


def summary(rows: list[dict[str, Any]]) -> str:
    """The verdict."""
    measured = [row for row in rows if row["status"] == "ok"]
    failed = f"; {len(rows) - len(measured)} failed" if len(rows) > len(measured) else ""
    if not measured:
        return f"no run was measured{failed}"
    errors = [abs(row["error"]) for row in measured]
    worst = max(measured, key=lambda row: abs(row["error"]))
    return (
        f"{len(measured)} runs: median error {100 * statistics.median(errors):.2f} %, worst "
        f"{100 * abs(worst['error']):.2f} % ({worst['model']}, {worst['setting']}){failed}"
    )


def answers(device: Device, name: str) -> Iterator[dict[str, Any]]:
    """The rows of one network, a setting at a time; what fails is a row."""
    for setting in SETTINGS:
        row: dict[str, Any] = {"model": name, "setting": setting.label, "batch": BATCH}
        try:
            found = compare(device, name, setting)
            yield {**row, "status": "ok", **asdict(found), "error": found.error}
        except Exception as error:
            yield {**row, "status": _told(error)}


def answer_of_fit(device: Device, name: str) -> dict[str, Any]:
    """The row of the largest batch."""
    row: dict[str, Any] = {"model": name, "setting": FITTED}
    try:
        return {**row, "status": "ok", **fits(device, name, Setting("training", "adam")), **row}
    except Exception as error:
        return {**row, "status": _told(error)}


def _told(error: Exception) -> str:
    if isinstance(error, torch.OutOfMemoryError):
        return "out of memory"
    return f"failed: {type(error).__name__}: {first_line(error)}"


@click.command()
@click.option("--quick", is_flag=True, help="Four networks instead of all.")
@click.option("--fit/--no-fit", default=True, help="Try the largest batches.")
@click.option("--out", default=DATA, type=click.Path(file_okay=False, path_type=Path))
@click.option("--budget", default=540.0, help="Seconds; what there is no time for is left.")
@click.option("--jobs", default=None, type=int, help="Networks at a time; one for each 16 GB.")
@click.option("--afresh", is_flag=True, help="Forget what an earlier run left.")
@click.option("--one", hidden=True, help="One network, in this process.")
@click.option("--one-fit", hidden=True)
def main(
    quick: bool,
    fit: bool,
    out: Path,
    budget: float,
    jobs: int | None,
    afresh: bool,
    one: str | None,
    one_fit: str | None,
) -> None:
    """Compare with the GPU of this machine."""
    if not torch.cuda.is_available():
        raise click.ClickException("no GPU here: nothing is measured, nothing is written")
    device = Cuda()
    if one or one_fit:
        for row in answers(device, one) if one else [answer_of_fit(device, str(one_fit))]:
            click.echo(json.dumps(row))
        return
    rows = Rows(out / "memory_truth.unfinished.jsonl", ("model", "setting"), afresh=afresh)
    until = monotonic() + budget
    at_once = jobs or max(1, min(4, device.total_bytes // (16 * 10**9)))
    labels = [setting.label for setting in SETTINGS]
    try:
        networks = QUICK if quick else NETWORKS.split()
        _measure("--one", _missing(networks, labels, rows), rows, until, at_once)
        if fit:
            tried = _missing(FIT[:1] if quick else FIT, [FITTED], rows)
            _measure("--one-fit", tried, rows, until, 1)
    except KeyboardInterrupt:
        click.echo("interrupted: the same command goes on from here", err=True)
    verdict = write(device, rows.all, out)
    click.echo(verdict)
    if left := _missing(networks, labels, rows):
        click.echo(f"no time was left for {', '.join(left)}; the same command goes on with them")
    errors = [abs(row["error"]) for row in rows.all if "error" in row]
    sys.exit(bool(left) or not errors or max(errors) >= 0.02)


def _missing(networks: Sequence[str], settings: Sequence[str], rows: Rows) -> list[str]:
    return [
        name
        for name in networks
        if not all(rows.has(model=name, setting=setting) for setting in settings)
    ]


def _measure(what: str, names: Sequence[str], rows: Rows, until: float, at_once: int) -> None:
    """Keep the rows of these networks, some networks at a time, as long as there is time."""
    with ThreadPoolExecutor(at_once) as pool:
        for found in pool.map(lambda name: _apart(what, name, until), names):
            for row in found:
                if not rows.has(model=row["model"], setting=row["setting"]):
                    rows.add(row)
                    error = f"{100 * row['error']:+.2f} %" if "error" in row else row["status"]
                    click.echo(f"{row['model']}, {row['setting']}: {error}", err=True)


def _apart(what: str, name: str, until: float) -> list[dict[str, Any]]:
    """The rows of a process of its own, whose allocator starts empty; none when time is up."""
    seconds = until - monotonic()
    if seconds < LEAST:
        return []
    command = [sys.executable, "-m", "benchmarks.memory_truth", what, name]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds)
    except subprocess.TimeoutExpired:
        return []
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode:
        line = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        there = {row["setting"] for row in rows}
        labels = [setting.label for setting in SETTINGS] if what == "--one" else [FITTED]
        for label in labels:
            if label not in there:
                rows.append({"model": name, "setting": label, "status": f"failed: {line}"})
    return rows


if __name__ == "__main__":
    main()
