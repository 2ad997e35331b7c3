"""The gradient by path length, over samples and seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from archscope.analyzers.depth import path_counts
from archscope.arguments import (
    checked,
    file,
    function,
    not_negative,
    positive,
    reference_or_module,
    tensor,
)
from archscope.errors import ArchscopeError, InvalidInput
from archscope.gradients.losses import Loss, default_loss
from archscope.gradients.need import Need, slots_at_once
from archscope.gradients.products import BackwardGraph, backward_graph, gradients
from archscope.gradients.slots import decompose
from archscope.gradients.subject import Network, first_output, network, open_kernels
from archscope.trace import trace

if TYPE_CHECKING:
    import pandas as pd

# Slots that sum to something else than the gradient are a mistake, not rounding.
LARGEST_ERROR = 1e-3


@dataclass(frozen=True)
class _Run:
    """One sample of one seed."""

    norms: np.ndarray  # of the input's gradient, by path length
    error: float  # of the sum of the slots, relative to the gradient
    one_by_one: bool

    @property
    def shares(self) -> np.ndarray:
        return self.norms / self.norms.sum()

    @property
    def effective_depth(self) -> float:
        return float(self.shares @ np.arange(len(self.norms)))


@checked(
    model=reference_or_module,
    samples=positive,
    seeds=positive,
    seed=not_negative,
    targets=tensor,
    loss=function,
    checkpoint=file,
    memory=positive,
    progress=function,
)
def gradient_paths(
    model: str | nn.Module,
    inputs: Any = None,
    targets: Tensor | None = None,
    *,
    samples: int = 4,
    seeds: int = 1,
    seed: int = 0,
    loss: Loss | None = None,
    checkpoint: str | Path | None = None,
    memory: int | None = None,
    progress: Callable[[str], None] | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Decompose the gradient at the input by the number of weight layers that it came through.

    Every sample goes through the network in evaluation once, and back in one batched pass that
    keeps the routes of each length apart (see ``slots``): exact, for any network. Batch
    normalisation that has never seen data gets its statistics from a few batches first. A given
    module is copied and stays as it is.

    Args:
        model: a reference, built and initialised for each seed, or a module with its weights.
        inputs: samples with the batch first, one tensor or a tuple; standard normal noise of the
            architecture's shape by default.
        targets: their labels; drawn at random by default.
        samples: how many samples to use.
        seeds: how many initialisations of a reference.
        seed: the first one.
        loss: (output, target) to a scalar; cross-entropy of logits by default, and of any other
            output the component in a random direction.
        checkpoint: weights, a .safetensors file or a state dictionary saved by ``torch.save``.
        memory: bytes that the decomposition may take; half of what is free by default.
        progress: called with a line of text: first what memory is needed, then each run.
        options: options of a reference, and ``input=``, the shape of one sample, for its noise.

    Returns:
        A row per path length up to the longest: ``length``; ``paths``, how many routes have it;
        ``gradient_norm``, of the gradient along them, the mean over all runs (a sample of a seed
        each); ``per_path``, divided by their number; ``share`` of the sum over all lengths, with
        ``share_low`` and ``share_high``, a 95 % bootstrap interval over the runs. ``attrs`` hold
        ``effective_depth``, the mean length weighted by the norms, with ``effective_depth_low``
        and ``_high``; ``runs``; ``error``, the largest relative error of the slots' sum;
        ``slots_at_once``; and ``notes``.

    Raises:
        ArchscopeError: a network that mixes the samples of a batch, inputs that do not fit, no
            route from input to output, or slots that do not sum to the gradient.
    """
    if isinstance(model, nn.Module) and seeds != 1:
        raise InvalidInput("several seeds need a reference, which is initialised anew for each")
    say = progress or (lambda line: None)
    runs: list[_Run] = []
    for current in range(seed, seed + seeds):
        subject = network(
            model,
            inputs,
            targets,
            samples=samples,
            seed=current,
            checkpoint=checkpoint,
            options=options,
        )
        if not runs:
            lengths, need, notes = _prepare(subject, memory)
            say(str(need))
        generator = torch.Generator().manual_seed(current)
        for sample, target in zip(subject.samples, subject.targets, strict=True):
            runs.append(
                _run(subject, sample, target, loss or default_loss(generator), need.at_once)
            )
            say(f"seed {current}: effective depth {runs[-1].effective_depth:.2f}")
    if any(run.one_by_one for run in runs):
        notes.append("slot by slot, since an operator cannot be batched")
    return _table(subject, runs, lengths, need, notes)


def _prepare(subject: Network, memory: int | None) -> tuple[dict[int, int], Need, list[str]]:
    recorded = trace(subject.model, subject.samples[0], "inference", name=subject.name)
    lengths = path_counts(recorded)
    need = slots_at_once(recorded, max(lengths, default=0) + 1, memory)
    return lengths, need, list(subject.notes)


def _run(
    subject: Network, sample: tuple[Tensor, ...], target: Tensor | None, loss: Loss, at_once: int
) -> _Run:
    sample = tuple(
        tensor.detach().clone().requires_grad_(tensor.dtype.is_floating_point) for tensor in sample
    )
    with open_kernels(subject.model):
        value = loss(first_output(subject.model(*sample)), target)
        graph = backward_graph(value, sample, subject.model.parameters())
        whole = gradients(value, graph.inputs, torch.ones_like(value))
        parts, one_by_one = _decomposed(value, graph, min(at_once, graph.longest + 1))
    size = _norm([g[None] for g in whole])[0]
    if not (np.isfinite(size) and size > 0):
        raise ArchscopeError(f"the gradient at the input is {size:g}; there is nothing to share")
    rest = [part.sum(0, keepdim=True) - g for part, g in zip(parts, whole, strict=True)]
    error = float(_norm(rest)[0] / size)
    if error > LARGEST_ERROR:
        raise ArchscopeError(
            f"the gradients by path length do not sum to the gradient: relative error {error:.1e}"
        )
    return _Run(_norm(parts), error, one_by_one)


def _decomposed(value: Tensor, graph: BackwardGraph, at_once: int) -> tuple[Sequence[Tensor], bool]:
    if at_once > 1:
        try:
            return decompose(value, graph, at_once), False
        except (RuntimeError, NotImplementedError):  # an operator without a batching rule
            pass
    return decompose(value, graph, 1), at_once > 1


def _norm(parts: Sequence[Tensor]) -> np.ndarray:
    """The norm over all inputs together, for each slot."""
    squares = [part.flatten(1).double().square().sum(1) for part in parts]
    return torch.stack(squares).sum(0).sqrt().cpu().numpy()


def _table(
    subject: Network, runs: list[_Run], lengths: dict[int, int], need: Need, notes: list[str]
) -> pd.DataFrame:
    import pandas as pd

    # torch's recurrent layers multiply all inputs at once, which makes the graph look longer.
    slots = 1 + max([*lengths, *(int(run.norms.nonzero()[0][-1]) for run in runs)])
    norms = np.stack([_resized(run.norms, slots) for run in runs])
    shares = norms / norms.sum(1, keepdims=True)
    mean = norms.mean(0)
    low, high = interval(shares)
    counts = [lengths.get(length, 0) for length in range(slots)]
    if any(norm > 0 and not count for norm, count in zip(mean, counts, strict=True)):
        notes.append("gradient came along lengths that the trace has no routes of")
    table = pd.DataFrame(
        {
            "length": range(slots),
            "paths": pd.Series(counts, dtype=object),
            "gradient_norm": mean,
            "per_path": [_per_path(n, c) for n, c in zip(mean, counts, strict=True)],
            "share": shares.mean(0),
            "share_low": low,
            "share_high": high,
        }
    )
    depths = np.array([run.effective_depth for run in runs])
    depth_low, depth_high = interval(depths[:, None])
    table.attrs = {
        "model": subject.name,
        "conditions": subject.conditions(len(runs)),
        "effective_depth": float(depths.mean()),
        "effective_depth_low": float(depth_low[0]),
        "effective_depth_high": float(depth_high[0]),
        "runs": len(runs),
        "error": max(run.error for run in runs),
        "slots_at_once": need.at_once,
        "notes": tuple(notes),
    }
    return table


def _resized(norms: np.ndarray, slots: int) -> np.ndarray:
    return np.pad(norms[:slots], (0, max(slots - len(norms), 0)))


def _per_path(norm: float, paths: int) -> float:
    return float(Fraction(float(norm)) / paths) if paths else float("nan")


def interval(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A 95 % bootstrap interval of the mean over the first dimension; NaN of a single run."""
    if len(values) < 2:
        nothing = np.full(values.shape[1:], np.nan)
        return nothing, nothing
    generator = np.random.default_rng(0)
    rows = generator.integers(len(values), size=(1000, len(values)))
    means = values[rows].mean(1)
    return np.percentile(means, 2.5, axis=0), np.percentile(means, 97.5, axis=0)
