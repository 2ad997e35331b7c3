"""A network made ready to run: real weights, random data, on a device."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from archscope.errors import InvalidInput
from archscope.measure.devices import CHANNELS_LAST, Device, place_all, with_channels_last
from archscope.sources import check_positive, resolve
from archscope.sources.inputs import arguments, made_by, specs
from archscope.trace import inputs as given

if TYPE_CHECKING:
    from archscope.report import Report

_DTYPES = {
    "fp64": torch.float64,
    "fp32": torch.float32,
    "tf32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}
DTYPES = tuple(_DTYPES)


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample, without the batch: what a network's inputs are made from."""

    specs: Any


def inputs_or_sample(inputs: Any, input: Any) -> Any:
    """What a network is called with, as the functions below take it.

    Raises:
        InvalidInput: both are given, or ``input`` cannot be read.
    """
    if input is None:
        return inputs
    if inputs is not None:
        raise InvalidInput("give inputs= (with the batch) or input= (without), not both")
    return Sample(specs(input))


def check_batches(model: Any, inputs: Any, batches: Sequence[int]) -> None:
    """Raise ``InvalidInput`` where a batch size is asked for and the inputs have their own."""
    if not batches:
        raise InvalidInput("batch is a whole number of 1 or more, or a list of some, not empty")
    for size in batches:
        check_positive("batch", size)
    scalable = isinstance(inputs, Sample | str) or (inputs is None and isinstance(model, str))
    if list(batches) != [1] and not scalable:
        raise InvalidInput("batch= is for references and for input=; inputs= have their batch")


def _batch_of(model: Any, inputs: Any, batch: int) -> int | None:
    """The batch size to ask for; None where the inputs bring their own."""
    if isinstance(inputs, str):  # a function may not take one
        return None if batch == 1 else batch
    own = isinstance(model, str) and inputs is None
    return batch if own or isinstance(inputs, Sample) else None


def analysed(
    model: Any, inputs: Any, batch: int, mode: str, execution: dict[str, Any], options: Any
) -> Report:
    """The same network on shapes alone."""
    from archscope.analysis import analyze

    sample = inputs.specs if isinstance(inputs, Sample) else None
    return analyze(
        model,
        None if sample is not None else inputs,
        input=sample,
        batch=_batch_of(model, inputs, batch),
        mode=mode,
        execution=execution,
        **options,
    )


@dataclass(frozen=True)
class Setting:
    """How a network is run."""

    dtype: str = "fp32"
    mode: str = "inference"
    channels_last: bool = False
    compile: bool = False
    graph: bool = False
    cold: bool = False
    threads: int | None = None

    def check(self, device: Device) -> None:
        """Raise ``InvalidInput`` where a choice is unknown or the device does not have it."""
        if self.dtype not in _DTYPES:
            known = ", ".join(DTYPES)
            raise InvalidInput(f"dtype '{self.dtype}' is not known; it is one of {known}")
        if self.mode not in ("inference", "training"):
            raise InvalidInput(f"mode '{self.mode}' is not known; it is 'inference' or 'training'")
        if self.graph and self.mode == "training":
            raise InvalidInput("graphs are measured in inference only")
        only_cuda = {"tf32": self.dtype == "tf32", "graph": self.graph, "cold": self.cold}
        for what, wanted in only_cuda.items():
            if wanted and not device.name.startswith("cuda"):
                raise InvalidInput(f"{what} is for CUDA devices only, not for {device.name}")


def workload(
    model: str | nn.Module,
    inputs: Any,
    batch: int,
    device: Device,
    setting: Setting,
    options: Mapping[str, Any],
) -> Callable[[], Any]:
    """One inference, or one forward and backward pass, ready to be run on a device.

    The given module is copied and stays as it was.

    Raises:
        ArchscopeError: an unknown reference or option, or inputs that cannot be read.
    """
    return network_and_run(model, inputs, batch, device, setting, options)[1]


def network_and_run(
    model: str | nn.Module,
    inputs: Any,
    batch: int,
    device: Device,
    setting: Setting,
    options: Mapping[str, Any],
) -> tuple[nn.Module, Callable[[], Any]]:
    """The same, and the network that it runs.

    Raises:
        ArchscopeError: an unknown reference or option, or inputs that cannot be read.
    """
    built, args, kwargs = _built(model, inputs, batch, setting, options)
    dtype = _DTYPES[setting.dtype]
    last = setting.channels_last
    network = device.place(built).to(dtype).train(setting.mode == "training")
    if last:  # Module.to takes one layout, and refuses to give it to weights of other dimensions
        for weight in (*network.parameters(), *network.buffers()):
            if weight.dim() in CHANNELS_LAST:
                weight.data = with_channels_last(weight.data)
    placed = place_all(given.cast(given.on_cpu(args), dtype), device, last)
    named = place_all(given.cast(given.on_cpu(kwargs), dtype), device, last)
    called = torch.compile(network) if setting.compile else network
    if setting.mode == "training":
        return network, _training_step(network, called, placed, named)
    run = _inference(called, placed, named)
    return network, device.captured(run) if setting.graph else run


def _built(
    model: str | nn.Module, inputs: Any, batch: int, setting: Setting, options: Mapping[str, Any]
) -> tuple[nn.Module, tuple[Any, ...], dict[str, Any]]:
    sample = inputs.specs if isinstance(inputs, Sample) else None
    asked: Any
    named: Mapping[str, Any] = {}
    if isinstance(model, nn.Module):
        if options:
            raise InvalidInput(f"options such as {next(iter(options))}= are for references only")
        network = copy.deepcopy(model)
        asked, named = (inputs, {}) if sample is None else arguments(sample, batch)
    else:
        subject = resolve(
            model, batch=batch, input=sample, mode=setting.mode, options=options, real=True
        )
        network, asked, named = subject.model, tuple(subject.inputs), subject.kwargs
        if inputs is not None and sample is None:
            asked, named = inputs, {}
    if isinstance(asked, str):
        asked, named = made_by(asked, _batch_of(model, asked, batch))
    args, kwargs = given.normalise(asked)
    return network, args, {**kwargs, **given.normalise(dict(named))[1]}


def _inference(network: Any, args: Any, kwargs: Any) -> Callable[[], Any]:
    def run() -> Any:
        with torch.inference_mode():
            return network(*args, **kwargs)

    return run


def _training_step(module: nn.Module, network: Any, args: Any, kwargs: Any) -> Callable[[], Any]:
    """Forward and backward from the sum of all outputs; gradients are made anew each time."""

    def run() -> None:
        for parameter in module.parameters():
            parameter.grad = None
        outputs = [one for one in _tensors(network(*args, **kwargs)) if one.requires_grad]
        torch.autograd.backward([output.sum() for output in outputs])

    return run


def _tensors(result: Any) -> Iterator[Tensor]:
    if isinstance(result, Tensor):
        yield result
    elif isinstance(result, Mapping):
        for value in result.values():
            yield from _tensors(value)
    elif isinstance(result, list | tuple):
        for value in result:
            yield from _tensors(value)
