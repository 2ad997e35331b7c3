"""A network made ready to run: real weights, random data, on a device."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from archscope.devices import DTYPES
from archscope.errors import InvalidInput
from archscope.measure.devices import CHANNELS_LAST, Device, place_all, with_channels_last
from archscope.measure.settings import TORCH_DTYPES
from archscope.sources import check_positive, resolve
from archscope.sources.code import made_by
from archscope.sources.inputs import arguments, specs
from archscope.trace import inputs as given
from archscope.trace.backward import backpropagate, finished
from archscope.trace.copying import copied
from archscope.trace.isolation import keep_settled_mode
from archscope.trace.nested import tensors_in
from archscope.trace.torch_private import has_data
from archscope.trace.tracer import floating_dtype

if TYPE_CHECKING:
    from archscope.report import Report

# Module.to would make real numbers of complex ones.
_CASTS = {
    torch.float64: nn.Module.double,
    torch.float32: nn.Module.float,
    torch.bfloat16: nn.Module.bfloat16,
    torch.float16: nn.Module.half,
}


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample, without the batch: what a network's inputs are made from."""

    specs: Any


@dataclass(frozen=True, slots=True)
class Named:
    """Keyword inputs, and what stands beside them: inputs, a ``Sample`` or nothing."""

    beside: Any
    kwargs: Mapping[str, Any]


def inputs_or_sample(inputs: Any, input: Any, kwargs: Mapping[str, Any] | None = None) -> Any:
    """What a network is called with, as the functions below take it.

    Raises:
        InvalidInput: both are given, or ``input`` cannot be read.
    """
    if input is not None and inputs is not None:
        raise InvalidInput("give inputs= (with the batch) or input= (without), not both")
    found = inputs if input is None else Sample(specs(input))
    return Named(found, kwargs) if kwargs else found


def _apart(inputs: Any) -> tuple[Any, Any, dict[str, Any]]:
    """Inputs, the sample from which they are made instead, and keyword inputs."""
    beside = inputs.beside if isinstance(inputs, Named) else inputs
    kwargs = dict(inputs.kwargs) if isinstance(inputs, Named) else {}
    if isinstance(beside, Sample):
        return None, beside.specs, kwargs
    return beside, None, kwargs


def check_batches(model: Any, inputs: Any, batches: Sequence[int]) -> None:
    """Raise ``InvalidInput`` where a batch size is asked for and the inputs have their own."""
    if not batches:
        raise InvalidInput("batch is a whole number of 1 or more, or a list of some, not empty")
    for size in batches:
        check_positive("batch", size)
    asked, sample, _ = _apart(inputs)
    scalable = sample is not None or isinstance(asked, str) or _brings_its_own(model, inputs)
    if list(batches) != [1] and not scalable:
        raise InvalidInput("batch= is for references and for input=; inputs= have their batch")


def _brings_its_own(model: Any, inputs: Any) -> bool:
    """Whether it is a reference that is called with its own inputs."""
    return isinstance(model, str) and inputs is None


def _batch_of(model: Any, inputs: Any, batch: int) -> int | None:
    """The batch size to ask for; None where the inputs bring their own."""
    asked, sample, _ = _apart(inputs)
    if isinstance(asked, str):  # a function may not take one
        return None if batch == 1 else batch
    return batch if sample is not None or _brings_its_own(model, inputs) else None


def analysed(
    model: Any, inputs: Any, batch: int, mode: str, execution: dict[str, Any], options: Any
) -> Report:
    """The same network on shapes alone."""
    from archscope.analysis import analyze

    asked, sample, kwargs = _apart(inputs)
    return analyze(
        model,
        asked,
        kwargs=kwargs,
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
        if self.dtype not in DTYPES:
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
    dtype, last = TORCH_DTYPES[setting.dtype], setting.channels_last
    network = _CASTS[dtype](device.place(built))
    for module in network.modules():
        keep_settled_mode(module)
    network.train(setting.mode == "training")
    own = floating_dtype(network.parameters())
    asked = given.cast(given.on_cpu(given.with_dtype((args, kwargs), own)), dtype)
    placed, named = place_all(asked, device, last)
    _materialise(network, placed, named)
    if last:  # Module.to takes one layout, and refuses to give it to weights of other dimensions
        for weight in (*network.parameters(), *network.buffers()):
            if weight.dim() in CHANNELS_LAST:
                weight.data = with_channels_last(weight.data)
    called = _compiled(network) if setting.compile else network
    if setting.mode == "training":
        return network, _training_step(network, called, placed, named)
    run = _inference(called, placed, named)
    return network, device.captured(run) if setting.graph else run


def _compiled(network: nn.Module) -> Any:
    """Compiled as if it were the first: what torch's compiler remembers of a build before makes it
    compile this one for any batch size, and after eight builds not at all.
    """
    torch.compiler.reset()
    return torch.compile(network)


def _materialise(network: nn.Module, args: Any, kwargs: Any) -> None:
    """Give lazy modules their weights, by a first run."""
    if any(map(nn.parameter.is_lazy, (*network.parameters(), *network.buffers()))):
        with torch.no_grad():
            network(*args, **kwargs)


def _built(
    model: str | nn.Module, inputs: Any, batch: int, setting: Setting, options: Mapping[str, Any]
) -> tuple[nn.Module, tuple[Any, ...], dict[str, Any]]:
    asked, sample, named = _apart(inputs)
    if isinstance(asked, str):
        asked, made = made_by(asked, _batch_of(model, inputs, batch))
        named = {**made, **named}
    if isinstance(model, nn.Module):
        if options:
            raise InvalidInput(f"options such as {next(iter(options))}= are for references only")
        if not all(map(has_data, (*model.parameters(), *model.buffers()))):
            raise InvalidInput(
                f"{type(model).__name__} has shapes and no data, so it cannot be run; build it on "
                "the CPU and not on the meta device"
            )
        network = copied(model)
        if sample is not None:
            asked, made = arguments(sample, batch)
            named = {**made, **named}
    else:
        subject = resolve(
            model, batch=batch, input=sample, mode=setting.mode, options=options, real=True
        )
        network = subject.model
        if sample is not None or _brings_its_own(model, inputs):
            asked, named = tuple(subject.inputs), {**subject.kwargs, **named}
    args, keywords = given.normalise(() if asked is None and named else asked)
    return network, args, {**keywords, **named}


def _inference(network: Any, args: Any, kwargs: Any) -> Callable[[], Any]:
    """Forward in inference mode; without a gradient only, where the network itself asks for one
    within its forward, as one that computes forces from an energy does.
    """
    mode: Any = torch.inference_mode

    def run() -> Any:
        nonlocal mode
        try:
            with mode():
                return finished(network(*args, **kwargs))
        except RuntimeError as error:
            if mode is torch.no_grad or not _wants_autograd(error):
                raise
        mode = torch.no_grad
        return run()

    return run


def _wants_autograd(error: RuntimeError) -> bool:
    return any(words in str(error) for words in ("does not require grad", "nference tensor"))


def _training_step(module: nn.Module, network: Any, args: Any, kwargs: Any) -> Callable[[], Any]:
    """Forward and backward, as a trace has them; gradients are made anew each time."""
    leaves = [*module.parameters(), *(t for t in tensors_in((args, kwargs)) if t.requires_grad)]

    def run() -> None:
        for leaf in leaves:
            leaf.grad = None
        with torch.enable_grad():
            result = finished(network(*args, **kwargs))
            backpropagate(result, tensors_in((result,)))

    return run
