"""Predicted peak memory beside what torch's CPU allocator really held.

    python -m benchmarks.memory_cpu

The whole zoo and networks of torchvision and timm, in inference and in training (forward and
backward from all outputs; the second time under bf16 autocast), batch 2. Both figures are bytes
beyond weights, buffers and inputs:
what a run adds, so that a large model's weights cannot hide an error. Workspaces that a kernel
takes and gives back are set apart, see `benchmarks.live_bytes`. Bytes saved for backward are
compared with what `saved_tensors_hooks` is handed. Exits 1 unless the targets hold: median error
below 0.5 %, worst below 3 %, saved bytes exact.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import click
import pandas as pd
import torch
from torch import Tensor, nn

from archscope.analyzers.memory import peak, saved_bytes
from archscope.models.catalog import architectures
from archscope.sources import resolve
from archscope.sources.packages import optional
from archscope.trace import trace
from benchmarks.live_bytes import live_bytes
from benchmarks.results import RESULTS, cpu, markdown, show

BATCH = 2
MODES = ("inference", "training", "training bf16")
TORCHVISION = """
    alexnet vgg11_bn resnext50_32x4d wide_resnet50_2 densenet121 squeezenet1_0 googlenet
    mobilenet_v2 mobilenet_v3_large shufflenet_v2_x1_0 mnasnet1_0 efficientnet_b0 regnet_y_400mf
    convnext_tiny swin_t vit_b_16
"""
TIMM = """
    vit_tiny_patch16_224 deit_small_patch16_224 mixer_s16_224 convnextv2_atto seresnet50
    ghostnet_100 efficientnetv2_rw_t pvt_v2_b0 resmlp_12_224 repvgg_a0 edgenext_xx_small
    xcit_nano_12_p8_224
"""
# Torch's CPU kernels for whole recurrent layers keep what no GPU kernel keeps (oneDNN's
# workspaces, or every elementwise result of an unrolled loop). They are shown, not judged.
KERNEL_OF_ITS_OWN = {"rnn", "lstm", "gru", "char-rnn", "char-rnn-512", "char-rnn-vanilla"} | {
    "char-rnn-gru"
}


@dataclass(frozen=True)
class Row:
    """One network in one mode; bytes beyond weights, buffers and inputs."""

    model: str
    mode: str
    predicted: int
    measured: int  # without workspaces
    measured_all: int
    saved: int
    saved_measured: int
    workspaces: str

    @property
    def error(self) -> float:
        return self.predicted / self.measured - 1


def networks() -> Iterator[tuple[str, Callable[[str], tuple[nn.Module, tuple[Tensor, ...]]]]]:
    """Names, and builders of the model with its inputs for a mode."""
    for name in architectures():
        yield name, lambda mode, name=name: _from_zoo(name, mode)
        if name in KERNEL_OF_ITS_OWN:
            yield f"{name} unrolled", lambda mode, name=name: _from_zoo(name, mode, unrolled=True)
    for name in TORCHVISION.split():
        yield f"torchvision:{name}", lambda mode, name=name: _from_torchvision(name)
    for name in TIMM.split():
        yield f"timm:{name}", lambda mode, name=name: _from_timm(name)


def _from_zoo(name: str, mode: str, **options: Any) -> tuple[nn.Module, tuple[Tensor, ...]]:
    subject = resolve(name, batch=BATCH, mode=mode, options=options)
    model = subject.model.to_empty(device="cpu")
    for tensor in (*model.parameters(), *model.buffers()):
        tensor.data.zero_()
    return model, tuple(torch.zeros(spec.shape, dtype=spec.dtype) for spec in subject.inputs)


def _from_torchvision(name: str) -> tuple[nn.Module, tuple[Tensor, ...]]:
    torchvision = optional("torchvision")
    options = {"init_weights": False} if name == "googlenet" else {}
    model = torchvision.models.get_model(name, weights=None, **options)
    return model, (torch.zeros(BATCH, 3, 224, 224),)


def _from_timm(name: str) -> tuple[nn.Module, tuple[Tensor, ...]]:
    timm = optional("timm")
    model = timm.create_model(name)
    size = model.default_cfg["input_size"]
    return model, (torch.zeros(BATCH, *size),)


def compare(name: str, mode: str, model: nn.Module, inputs: tuple[Tensor, ...]) -> Row:
    """Predict, then run for real and measure."""
    mode, _, amp = mode.partition(" ")
    label = f"{mode} {amp}" if amp else mode
    recorded = trace(model, inputs, mode, device="cpu", amp=amp or None)  # type: ignore[arg-type]
    top = peak(recorded)
    held_before = sum(s.bytes for s in recorded.storages if s.created_at < 0)
    held_before += sum(
        s.bytes for s in recorded.storages if s.kind == "input" and s.created_at >= 0
    )
    model.train(mode == "training")
    found = live_bytes(lambda: step(model, inputs, mode, amp=bool(amp)))
    return Row(
        model=name,
        mode=label,
        predicted=top.bytes - held_before,
        measured=found.peak_without_workspaces,
        measured_all=found.peak,
        saved=saved_bytes(recorded),
        saved_measured=saved(model, inputs, amp=bool(amp)) if mode == "training" else 0,
        workspaces=", ".join(
            f"{operator.removeprefix('aten::')} {size / 2**20:.1f} MiB"
            for operator, size in found.workspaces.items()
            if size >= 2**16
        ),
    )


def step(model: nn.Module, inputs: tuple[Tensor, ...], mode: str, *, amp: bool = False) -> Any:
    """One run, for real."""
    for parameter in model.parameters():
        parameter.grad = None
    with torch.set_grad_enabled(mode == "training"):
        with torch.autocast("cpu", torch.bfloat16, enabled=amp):
            output = model(*inputs)
        if mode == "training":
            roots = [tensor for tensor in _tensors(output) if tensor.requires_grad]
            torch.autograd.backward(roots, [torch.ones_like(root) for root in roots])
    return output


def saved(model: nn.Module, inputs: tuple[Tensor, ...], *, amp: bool = False) -> int:
    """Bytes of the distinct storages that autograd saves, beside weights and buffers."""
    own = {_address(tensor) for tensor in (*model.parameters(), *model.buffers())}
    found: dict[int, tuple[int, Tensor]] = {}

    def pack(tensor: Tensor) -> Tensor:
        if _address(tensor) not in own:
            found[_address(tensor)] = (tensor.untyped_storage().nbytes(), tensor.detach())
        return tensor

    with (
        torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor),
        torch.autocast("cpu", torch.bfloat16, enabled=amp),
    ):
        output = model(*inputs)
    del output
    return sum(size for size, _ in found.values())


def _address(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _tensors(output: Any) -> list[Tensor]:
    if isinstance(output, Tensor):
        return [output]
    values = output.values() if isinstance(output, dict) else output
    return [tensor for value in values if value is not None for tensor in _tensors(value)]


def table(rows: list[Row]) -> pd.DataFrame:
    """What a reader sees."""
    return pd.DataFrame(
        {
            "mode": [row.mode for row in rows],
            "predicted": [_mib(row.predicted) for row in rows],
            "measured": [_mib(row.measured) for row in rows],
            "error": [f"{100 * row.error:+.3f} %" for row in rows],
            "with workspaces": [_mib(row.measured_all) for row in rows],
            "saved": [_mib(row.saved) if row.saved else "" for row in rows],
            "saved exactly": [_exact(row) for row in rows],
            "workspaces": [row.workspaces for row in rows],
        },
        index=pd.Index([row.model for row in rows], name="network"),
    )


def _exact(row: Row) -> str:
    if row.mode == "inference":
        return ""
    return "yes" if row.saved == row.saved_measured else f"{row.saved - row.saved_measured:+,} B"


def _mib(size: int) -> str:
    return f"{size / 2**20:.2f} MiB"


def summary(rows: list[Row]) -> str:
    """The verdict over the rows that are judged."""
    judged = [row for row in rows if row.model not in KERNEL_OF_ITS_OWN]
    errors = [abs(row.error) for row in judged]
    worst = max(judged, key=lambda row: abs(row.error))
    training = [row for row in judged if row.mode != "inference"]
    exact = sum(row.saved == row.saved_measured for row in training)
    return (
        f"{len(judged)} runs: median error {100 * statistics.median(errors):.4f} %, worst "
        f"{100 * abs(worst.error):.3f} % ({worst.model}, {worst.mode}); bytes saved for backward "
        f"exact in {exact} of {len(training)}."
    )


@click.command()
@click.argument("names", nargs=-1)
@click.option("--write/--no-write", default=True, help="Write the table to results/.")
@click.option("--resume", is_flag=True, help="Keep the rows that results/ has already.")
def main(names: tuple[str, ...], write: bool, resume: bool) -> None:
    """Compare NAMES, or every network."""
    torch.set_num_threads(1)
    rows = _read() if resume else []
    done = {(row.model, row.mode) for row in rows}
    for name, build in networks():
        if names and name not in names:
            continue
        for mode in MODES:
            if (name, mode) in done:
                continue
            click.echo(f"{name}, {mode}", err=True)
            rows.append(compare(name, mode, *build(mode.partition(" ")[0])))
            if write:
                _write_numbers(rows)
    frame = table(rows)
    show(f"peak memory beyond weights and inputs, batch {BATCH}, float32, CPU", frame)
    click.echo(summary(rows))
    if write:
        _write_table(rows, frame)
    judged = [row for row in rows if row.model not in KERNEL_OF_ITS_OWN]
    errors = [abs(row.error) for row in judged]
    exact = all(r.saved == r.saved_measured for r in judged if r.mode != "inference")
    sys.exit(not (statistics.median(errors) < 0.005 and max(errors) < 0.03 and exact))


def _read() -> list[Row]:
    file = RESULTS / "memory_cpu.csv"
    records = pd.read_csv(file, keep_default_na=False).to_dict("records") if file.exists() else []
    return [Row(**{str(key): value for key, value in record.items()}) for record in records]


def _write_numbers(rows: list[Row]) -> None:
    RESULTS.mkdir(exist_ok=True)
    numbers = pd.DataFrame([vars(row) for row in rows])
    numbers.to_csv(RESULTS / "memory_cpu.csv", index=False)


def _write_table(rows: list[Row], frame: pd.DataFrame) -> None:
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "torchvision", "timm"))
    used = f"{datetime.now(UTC).date().isoformat()}; {cpu()}; {versions}."
    text = f"# Peak memory, predicted and measured on a CPU\n\n{used} One thread, batch {BATCH}, "
    text += f"float32.\n\n{summary(rows)}\n\n{__doc__.split('``')[0]}\n{markdown(frame)}"
    (RESULTS / "memory_cpu.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
