"""The gradient of a recurrent network by time lag: how much of the loss at T reaches h_{T-k}."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from archscope.arguments import checked, file, function, not_negative, positive, reference_or_module
from archscope.errors import ArchscopeError, InvalidInput
from archscope.gradients.losses import Loss
from archscope.gradients.paths import interval
from archscope.gradients.subject import Network, first_output, network, open_kernels
from archscope.models.recurrent import Cell

if TYPE_CHECKING:
    import pandas as pd

States = list[tuple[Tensor, ...]]  # (h,) or (h, c) after each step but the last


@checked(
    model=reference_or_module,
    samples=positive,
    seeds=positive,
    seed=not_negative,
    loss=function,
    checkpoint=file,
)
def gradient_through_time(
    model: str | nn.Module,
    inputs: Any = None,
    *,
    samples: int = 4,
    seeds: int = 1,
    seed: int = 0,
    loss: Loss | None = None,
    checkpoint: str | Path | None = None,
    **options: Any,
) -> pd.DataFrame:
    """The norm of d loss_T / d h_{T-k} for every lag k.

    The state of all layers at a time is one vector, and its gradient is what comes back through
    time, so that fused layers and cells in a loop agree. Bidirectional layers have no time lag.

    Args:
        model: a reference, or a module whose recurrences are torch's layers or cells, torch's or
            archscope's.
        loss: (output, target) to a scalar; by default the component of the last step's output in a
            random direction.
        inputs, samples, seeds, seed, checkpoint, options: as for ``gradient_paths``.

    Returns:
        A row per ``lag`` from 1: ``hidden_norm`` of the gradient at h and ``cell_norm`` at an
        LSTM's c (NaN without one), means over all runs, with ``hidden_low`` and ``hidden_high``, a
        95 % bootstrap interval of the first.

    Raises:
        ArchscopeError: there is no recurrence, or it cannot be taken apart.
    """
    if isinstance(model, nn.Module) and seeds != 1:
        raise InvalidInput("several seeds need a reference, which is initialised anew for each")
    runs = []
    for current in range(seed, seed + seeds):
        subject = network(
            model,
            inputs,
            None,
            samples=samples,
            seed=current,
            checkpoint=checkpoint,
            options=options,
        )
        generator = torch.Generator().manual_seed(current)
        runs += _runs(subject, loss or _of_last_step(generator))
    return _table(subject, np.stack(runs))


def _of_last_step(generator: torch.Generator) -> Loss:
    def loss(output: Tensor, target: Tensor | None) -> Tensor:
        last = output[:, -1] if output.dim() > 2 else output
        direction = torch.randn(last.shape, generator=generator, dtype=last.dtype)
        return (last * direction.to(last.device)).sum() / direction.norm()

    return loss


def _runs(subject: Network, loss: Loss) -> list[np.ndarray]:
    """(lags, 2) for every sample: the norms at h and at c."""
    seen: list[States] = []
    _keep_states(subject.model, seen)
    runs = []
    for sample in subject.samples:
        for states in seen:
            states.clear()
        with open_kernels(subject.model):
            value = loss(first_output(subject.model(*sample)), None)
        runs.append(_norms(value, [states for states in seen if states]))
    return runs


def _norms(value: Tensor, seen: list[States]) -> np.ndarray:
    if not seen:
        raise ArchscopeError("the network has no recurrent layer or cell that took two steps")
    if len({len(states) for states in seen}) != 1:
        raise ArchscopeError("the recurrent layers take different numbers of steps")
    flat = [part for states in seen for state in states for part in state]
    found = iter(torch.autograd.grad(value, flat, allow_unused=True))
    squares = np.full((len(seen[0]), 2), np.nan)
    for states in seen:
        for step, state in enumerate(states):
            for part, _ in enumerate(state):
                gradient = next(found)
                size = 0.0 if gradient is None else float(gradient.double().square().sum())
                squares[step, part] = np.nansum([squares[step, part], size])
    return np.sqrt(squares[::-1])


def _keep_states(model: nn.Module, seen: list[States]) -> None:
    """Let every recurrence of a network note the states that it passes from step to step."""
    for module in model.modules():
        states: States = []
        if isinstance(module, nn.RNNBase):
            module.forward = _step_by_step(module, states)
        elif isinstance(module, nn.RNNCellBase | Cell):
            module.register_forward_pre_hook(_noting(states))
        else:
            continue
        seen.append(states)


def _step_by_step(layer: nn.RNNBase, states: States) -> Callable[..., Any]:
    if layer.bidirectional:
        raise ArchscopeError("a bidirectional layer reads the future too: it has no time lag")
    whole = layer.forward
    time = 1 if layer.batch_first else 0

    def forward(x: Tensor, state: Any = None) -> Any:
        if not isinstance(x, Tensor) or x.dim() != 3:
            raise ArchscopeError("the recurrent layer wants sequences of three dimensions")
        outputs: list[Tensor] = []
        for x_t in x.split(1, dim=time):
            if outputs:
                state = _noted(state, states)
            y, state = whole(x_t, state)
            outputs.append(y)
        return torch.cat(outputs, dim=time), state

    return forward


def _noting(states: States) -> Callable[..., Any]:
    def hook(cell: nn.Module, args: tuple[Any, ...]) -> Any:
        if len(args) > 1 and args[1] is not None:
            return (args[0], _noted(args[1], states), *args[2:])
        return args

    return hook


def _noted(state: Any, states: States) -> Any:
    """The same state as a tensor of its own, whose gradient comes through time alone."""
    parts = state if isinstance(state, tuple) else (state,)
    parts = tuple(part.clone() for part in parts)
    states.append(parts)
    return parts if isinstance(state, tuple) else parts[0]


def _table(subject: Network, runs: np.ndarray) -> pd.DataFrame:
    import pandas as pd

    mean = runs.mean(0)
    low, high = interval(runs[:, :, 0])
    table = pd.DataFrame(
        {
            "lag": range(1, len(mean) + 1),
            "hidden_norm": mean[:, 0],
            "hidden_low": low,
            "hidden_high": high,
            "cell_norm": mean[:, 1],
        }
    )
    table.attrs = {
        "model": subject.name,
        "conditions": subject.conditions(len(runs)),
        "runs": len(runs),
    }
    return table
