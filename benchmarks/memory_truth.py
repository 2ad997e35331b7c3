"""Predicted peak memory beside what a GPU's allocator reports.

    python -m benchmarks.memory_truth [--quick]

Every network in inference and in training, with SGD and with Adam, in float32 and under bf16
autocast, each in a process of its own: the model and its inputs are put on the device, one step
warms libraries and optimizer state up, then the peak of `torch.cuda.max_memory_allocated` over one
more step is compared with what archscope predicts without a device. Three predictions: bytes as
requested, in the blocks of the caching allocator (what the counter counts), and these with the
matrix library's workspace, which is measured on its own first. Then the largest batch that `--fit`
answers for the device's memory is run, and 1.1 times it, which should fail.

Without a GPU it says so and writes nothing.
"""

from __future__ import annotations

import gc
import json
import platform
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import click
import pandas as pd
import torch
from torch import nn

from archscope.analyzers.allocator import allocator
from archscope.scaling import memory_law
from archscope.sources import resolve
from archscope.trace import trace

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
BATCH = 16


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
    workspace: int  # of the matrix library, measured by a product of its own
    requested: int
    allocated: int  # predicted, in blocks
    reserved: int  # predicted, in segments

    @property
    def error(self) -> float:
        return (self.allocated + self.workspace) / self.measured - 1


class Device(Protocol):
    """What is asked of a GPU; the tests have one that allocates on paper."""

    name: str
    total_bytes: int

    def peak_of_step(
        self, model: nn.Module, inputs: tuple[Any, ...], setting: Setting
    ) -> tuple[int, int]:
        """The most bytes allocated and reserved during one step that is not the first."""

    def workspace(self) -> int:
        """What the matrix library keeps."""

    def conditions(self) -> dict[str, str]:
        """Driver and versions."""


class Cuda:
    """The first GPU of this machine."""

    def __init__(self) -> None:
        properties = torch.cuda.get_device_properties(0)
        self.name = properties.name
        self.total_bytes = properties.total_memory

    def peak_of_step(
        self, model: nn.Module, inputs: tuple[Any, ...], setting: Setting
    ) -> tuple[int, int]:
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
        return torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved()

    def workspace(self) -> int:
        before = torch.cuda.memory_allocated()
        matrix = torch.ones(64, 64, device="cuda")
        product = matrix @ matrix
        del matrix, product
        torch.cuda.synchronize()
        return torch.cuda.memory_allocated() - before

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
    measured, reserved = device.peak_of_step(subject.model, subject.inputs, setting)
    return Row(
        model=name,
        setting=setting.label,
        batch=batch,
        measured=measured,
        measured_reserved=reserved,
        workspace=workspace,
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


def write(device: Device, rows: list[Row], fitted: list[dict[str, Any]], folder: Path) -> None:
    """The table, with its conditions beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    frame = pd.DataFrame([{**asdict(row), "error": row.error} for row in rows])
    frame.to_csv(folder / "memory_truth.csv", index=False)
    conditions = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        **device.conditions(),
        "summary": summary(rows),
        "fit": fitted,
    }
    (folder / "memory_truth.json").write_text(json.dumps(conditions, indent=2) + "\n", "utf-8")


def summary(rows: list[Row]) -> str:
    """The verdict."""
    errors = [abs(row.error) for row in rows]
    worst = max(rows, key=lambda row: abs(row.error))
    return (
        f"{len(rows)} runs: median error {100 * statistics.median(errors):.2f} %, worst "
        f"{100 * abs(worst.error):.2f} % ({worst.model}, {worst.setting})"
    )


def runs(quick: bool) -> Iterator[tuple[str, Setting]]:
    for name in QUICK if quick else NETWORKS.split():
        for setting in SETTINGS:
            yield name, setting


@click.command()
@click.option("--quick", is_flag=True, help="Four networks instead of all.")
@click.option("--fit/--no-fit", default=True, help="Try the largest batches.")
@click.option("--one", nargs=4, hidden=True, help="One run, for a process of its own.")
@click.option("--one-fit", hidden=True)
def main(quick: bool, fit: bool, one: tuple[str, ...] | None, one_fit: str | None) -> None:
    """Compare with the GPU of this machine."""
    if not torch.cuda.is_available():
        raise click.ClickException("no GPU here: nothing is measured, nothing is written")
    device = Cuda()
    if one:
        name, mode, optimizer, amp = one
        row = compare(device, name, Setting(mode, optimizer or None, amp or None))
        click.echo(json.dumps(asdict(row)))
        return
    if one_fit:
        click.echo(json.dumps(fits(device, one_fit, Setting("training", "adam"))))
        return
    rows = []
    for name, setting in runs(quick):
        click.echo(f"{name}, {setting.label}", err=True)
        answer = _apart("--one", name, setting.mode, setting.optimizer or "", setting.amp or "")
        if answer is not None:
            rows.append(Row(**answer))
            click.echo(f"  {100 * rows[-1].error:+.2f} %", err=True)
    tried = FIT[:1] if quick else FIT
    fitted = [found for name in tried if fit and (found := _apart("--one-fit", name))]
    write(device, rows, fitted, DATA)
    click.echo(summary(rows))
    sys.exit(max(abs(row.error) for row in rows) >= 0.02)


def _apart(*arguments: str) -> dict[str, Any] | None:
    """A run in a process of its own: the allocator starts empty."""
    command = [sys.executable, "-m", "benchmarks.memory_truth", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        click.echo(f"  failed: {(done.stderr.strip().splitlines() or ['?'])[-1]}", err=True)
        return None
    return json.loads(done.stdout.strip().splitlines()[-1])


if __name__ == "__main__":
    main()
