"""The optimizer's part of a training step: its state, and what the update itself needs.

The optimizers are torch's own, stepping on parameters without data. On a GPU torch updates all
parameters in one call an operation ("foreach"), which makes temporaries as large as all of them;
on the CPU one parameter after the other. The traced step is never the first: state exists from
the step before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from archscope.trace.costs import Cost
from archscope.trace.execution import Execution
from archscope.trace.recorder import Recorder

_CLASSES: dict[str, tuple[Callable[..., torch.optim.Optimizer], dict[str, Any]]] = {
    "sgd": (torch.optim.SGD, {"lr": 1e-3}),
    "momentum": (torch.optim.SGD, {"lr": 1e-3, "momentum": 0.9}),
    "adam": (torch.optim.Adam, {}),
    "adamw": (torch.optim.AdamW, {}),
}


class TrainingStep:
    """What is there before a training step, and what follows its backward pass."""

    def __init__(self, execution: Execution, parameters: Mapping[str, nn.Parameter]):
        self._execution = execution
        self._names = {p: name for name, p in reversed(list(parameters.items())) if p.requires_grad}
        self._parameters = list(reversed(self._names))
        self._optimizer: torch.optim.Optimizer | None = None
        self._scale: Tensor | None = None
        self._growth: Tensor | None = None

    def prepare(self, recorder: Recorder) -> None:
        """Make what earlier steps left: optimizer state, and gradients if they accumulate."""
        with recorder.silence():
            if self._execution.optimizer is not None and self._parameters:
                self._optimizer = self._stepped_once(self._execution.optimizer)
            if self._execution.accumulate:
                for parameter in self._parameters:
                    parameter.grad = _without_effect(parameter)
        if self._scales_gradients:
            self._adopt_scaler(recorder)
        if self._optimizer is not None:
            for updated in self._parameters:
                for what, value in self._optimizer.state[updated].items():
                    if isinstance(value, Tensor) and value.is_meta != recorder.on_data:
                        name = f"{self._names[updated]}.{what}"
                        recorder.log.adopt(value, "optimizer", (name,))
        for parameter, name in self._names.items():
            if parameter.grad is not None:
                recorder.log.adopt(parameter.grad, "gradient", (name,))

    def update(self, recorder: Recorder) -> None:
        """Step, recorded."""
        if self._optimizer is not None:
            recorder.log.phase = "optimizer"
            if self._scale is not None:
                self._unscale(recorder, self._scale)
            self._optimizer.step()

    @property
    def _scales_gradients(self) -> bool:
        """Half precision underflows without a scaled loss; bfloat16 has float32's range."""
        return self._execution.amp == "float16" and self._optimizer is not None

    def _adopt_scaler(self, recorder: Recorder) -> None:
        """What torch.amp.GradScaler keeps: the scale and a count of the steps since it grew."""
        device = self._parameters[0].device
        with recorder.silence():
            self._scale = torch.ones((), dtype=torch.float32, device=device)
            self._growth = torch.zeros((), dtype=torch.int32, device=device)
        recorder.log.adopt(self._scale, "optimizer", ("scaler.scale",))
        recorder.log.adopt(self._growth, "optimizer", ("scaler.growth_tracker",))

    def _unscale(self, recorder: Recorder, scale: Tensor) -> None:
        """Gradients are divided by the scale in place, looking for one that is not finite."""
        inverse = scale.double().reciprocal().float()
        found = torch.zeros((1,), dtype=torch.float32, device=scale.device)
        gradients = [p.grad for p in self._parameters if p.grad is not None]
        cost = Cost(0, 2 * sum(gradient.numel() for gradient in gradients))
        recorder.log.append(
            "_amp_foreach_non_finite_check_and_unscale_",
            [*gradients, inverse],
            [*gradients, found],
            cost,
        )

    def _stepped_once(self, name: str) -> torch.optim.Optimizer:
        kind, options = _CLASSES[name]
        on_gpu = self._execution.device == "cuda"
        optimizer = kind(self._parameters, foreach=on_gpu, **options)
        for parameter in self._parameters:
            parameter.grad = _without_effect(parameter)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return optimizer


def _without_effect(parameter: Tensor) -> Tensor:
    """A gradient; of zeros in a run on data, whose weights must stay what they are."""
    return torch.empty_like(parameter) if parameter.is_meta else torch.zeros_like(parameter)
