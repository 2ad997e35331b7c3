"""What tools say a training step needs, beside what it does need.

    python -m benchmarks.memory_peers

A step with Adam, float32, batch 2, on the CPU. The truth is the peak of live bytes in
`torch.profiler`, kernels' workspaces apart, with weights, inputs and optimizer state
(`benchmarks.live_bytes`). Each tool gives the figure that its users read as "memory needed":

- torchinfo: "Estimated Total Size", with a forward/backward pass in it; it knows no optimizer.
- MemTracker: `torch.distributed._tools.MemTracker`, its peak over the second step, on fake tensors.
- accelerate: Hugging Face's `accelerate estimate-memory`, four times the weights for Adam.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import click
import pandas as pd
import torch
from torch import Tensor, nn

from archscope.analyzers.memory import peak_bytes
from archscope.sources import resolve
from archscope.trace import trace
from benchmarks.live_bytes import live_bytes
from benchmarks.results import RESULTS, cpu, markdown, show

NETWORKS = """
    alexnet vgg16 googlenet inception-v3 resnet18 resnet50 torchvision:densenet121
    torchvision:mobilenet_v2 torchvision:convnext_tiny torchvision:vit_b_16
"""
BATCH = 2


def build(name: str) -> tuple[nn.Module, tuple[Tensor, ...]]:
    """A network for training with zeros in it, and its inputs."""
    subject = resolve(name, batch=BATCH, mode="training")
    model = subject.model.to_empty(device="cpu").train()
    for tensor in (*model.parameters(), *model.buffers()):
        tensor.data.zero_()
    return model, tuple(torch.zeros(spec.shape, dtype=spec.dtype) for spec in subject.inputs)


def step(model: nn.Module, inputs: tuple[Tensor, ...], optimizer: torch.optim.Optimizer) -> None:
    """One training step, its loss the sum of all outputs."""
    optimizer.zero_grad(set_to_none=True)
    output = model(*inputs)
    roots = [output] if isinstance(output, Tensor) else list(output)
    torch.autograd.backward(roots, [torch.ones_like(root) for root in roots])
    optimizer.step()


def measured(name: str) -> int:
    model, inputs = build(name)
    optimizer = torch.optim.Adam(model.parameters())
    found = live_bytes(lambda: step(model, inputs, optimizer)).peak_without_workspaces
    state = [t for held in optimizer.state.values() for t in held.values()]
    held = (*model.parameters(), *model.buffers(), *inputs, *state)
    return found + sum(tensor.numel() * tensor.itemsize for tensor in held)


def archscope(name: str) -> int:
    model, inputs = build(name)
    return peak_bytes(trace(model, inputs, "training", device="cpu", optimizer="adam"))


def torchinfo(name: str) -> int:
    from torchinfo import summary

    model, inputs = build(name)
    found = summary(model, input_data=list(inputs), mode="train", verbose=0)
    return found.total_input + found.total_output_bytes + found.total_param_bytes


def mem_tracker(name: str) -> int:
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.distributed._tools.mem_tracker import MemTracker

    subject = resolve(name, batch=BATCH, mode="training")
    with FakeTensorMode():
        model = _on_fake_tensors(subject.model).train()
        inputs = tuple(torch.zeros(spec.shape, dtype=spec.dtype) for spec in subject.inputs)
        optimizer = torch.optim.Adam(model.parameters())
        tracker = MemTracker()
        tracker.track_external(model, optimizer, *inputs)
        with tracker as found:
            step(model, inputs, optimizer)
            found.reset_mod_stats()
            step(model, inputs, optimizer)
        return tracker.get_tracker_snapshot("peak")[torch.device("cpu")]["Total"]


def _on_fake_tensors(model: nn.Module) -> nn.Module:
    for module in model.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None:
                module._parameters[name] = nn.Parameter(torch.empty(parameter.shape))
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = torch.empty(buffer.shape, dtype=buffer.dtype)
    return model


def accelerate(name: str) -> int:
    from accelerate.utils import calculate_maximum_sizes

    model, _ = build(name)
    return 4 * calculate_maximum_sizes(model)[0]


TOOLS: dict[str, Callable[[str], int]] = {
    "archscope": archscope,
    "torchinfo": torchinfo,
    "MemTracker": mem_tracker,
    "accelerate": accelerate,
}


def row(name: str) -> dict[str, Any]:
    """The truth, and every tool's figure or why there is none."""
    found: dict[str, Any] = {"network": name, "measured": measured(name)}
    for tool, count in TOOLS.items():
        try:
            found[tool] = int(count(name))
        except Exception as error:
            found[tool] = f"{type(error).__name__}: {str(error).splitlines()[0][:60]}"
    return found


def cell(value: Any, truth: int) -> str:
    """A figure with its ratio to the truth."""
    if isinstance(value, str):
        return value
    return f"{value / 2**20:,.1f} MiB ({value / truth:.3f})"


@click.command()
def main() -> None:
    """Compare archscope and its peers with a real step."""
    torch.set_num_threads(1)
    rows = []
    for name in NETWORKS.split():
        click.echo(name, err=True)
        rows.append(row(name))
    frame = pd.DataFrame(
        {
            "measured": [f"{found['measured'] / 2**20:,.1f} MiB" for found in rows],
            **{tool: [cell(found[tool], found["measured"]) for found in rows] for tool in TOOLS},
        },
        index=pd.Index([found["network"] for found in rows], name="network"),
    )
    show(f"a training step with Adam, batch {BATCH}, float32, CPU (ratio to measured)", frame)
    pd.DataFrame(rows).to_csv(RESULTS / "memory_peers.csv", index=False)
    versions = ", ".join(
        f"{name} {_version(name)}" for name in ("torch", "torchinfo", "accelerate")
    )
    conditions = f"{datetime.now(UTC).date().isoformat()}; {cpu()}; {versions}; one thread."
    title = "# Memory of a training step, as tools give it\n\n"
    text = f"{title}{conditions}\n\n{(__doc__ or '').split(chr(10), 4)[4]}\n{markdown(frame)}"
    (RESULTS / "memory_peers.md").write_text(text, encoding="utf-8")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


if __name__ == "__main__":
    main()
