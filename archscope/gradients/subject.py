"""Real networks to send a gradient through: built, initialised, their statistics set."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.modules.batchnorm import _BatchNorm

from archscope.errors import ArchscopeError, InvalidInput
from archscope.sources import Subject, check_positive, resolve
from archscope.trace.copying import copied

STATISTICS_BATCHES = 8
STATISTICS_BATCH = 32


@dataclass(frozen=True)
class Network:
    """A network in evaluation whose parameters all require a gradient, and samples for it.

    Each sample is a tuple of inputs with a batch of one. ``notes`` say what was done to it.
    """

    name: str
    model: nn.Module
    samples: tuple[tuple[Tensor, ...], ...]
    targets: tuple[Tensor | None, ...]
    notes: tuple[str, ...]

    def conditions(self, runs: int) -> str:
        """Under which something was measured, in one line."""
        first = self.samples[0]
        shapes = ", ".join("x".join(map(str, tensor.shape[1:])) for tensor in first)
        dtype = str(first[0].dtype).removeprefix("torch.")
        return f"input {shapes} {dtype}, batch 1, evaluation, {runs} run{'s' * (runs > 1)}"


def network(
    model: str | nn.Module,
    inputs: Any,
    targets: Tensor | None,
    *,
    samples: int,
    seed: int,
    checkpoint: str | Path | None,
    options: Mapping[str, Any],
) -> Network:
    """Make a network ready for one seed, without touching the given module.

    Raises:
        ArchscopeError: an unknown reference, inputs or weights that do not fit, or a network whose
            samples depend on each other.
    """
    check_positive("samples", samples)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        built, shapes, name = _built(model, checkpoint, options, given=inputs is not None)
        torch.manual_seed(seed)  # the same noise, whatever the initialisation drew
        notes = []
        given = _given(inputs, shapes, samples)
        rows = [tuple(tensor[i : i + 1] for tensor in given) for i in range(len(given[0]))]
        try:
            if _has_no_statistics(built):
                _set_statistics(built, given)
                source = _source_of_statistics(given, inputs is not None)
                notes.append(f"batch normalisation's statistics were set on {source}")
            built.eval()
            _refuse_mixing(built, given)
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            sizes = ", ".join("x".join(map(str, tensor.shape)) for tensor in given)
            line = str(error).strip().partition("\n")[0]
            raise InvalidInput(f"{name} does not accept samples of {sizes}: {line}") from error
    for parameter in built.parameters():
        parameter.requires_grad_(parameter.dtype.is_floating_point)
    labels: list[Tensor | None] = [None] * len(rows)
    if targets is not None:
        if len(targets) < len(rows):
            raise InvalidInput(f"{len(rows)} samples need as many targets, not {len(targets)}")
        labels = [targets[i : i + 1] for i in range(len(rows))]
    chosen = slice(0, samples)
    return Network(name, built, tuple(rows[chosen]), tuple(labels[chosen]), tuple(notes))


def _built(
    model: str | nn.Module,
    checkpoint: str | Path | None,
    options: Mapping[str, Any],
    *,
    given: bool,
) -> tuple[nn.Module, tuple[Any, ...], str]:
    """The network, the shapes of its inputs if it knows them, and its name."""
    from archscope.sources.weights import load_weights

    shapes: tuple[Any, ...] = ()
    if isinstance(model, nn.Module):
        if options.keys() & {"kwargs", "input"}:
            raise _by_position()
        if options:
            raise InvalidInput(f"options such as {next(iter(options))}= are for references only")
        built, name = copied(model), type(model).__name__
    else:
        options = dict(options)
        subject = resolve(model, input=options.pop("input", None), options=options)
        if subject.kwargs and not given:
            raise _by_position(subject.kwargs)
        built, shapes, name = _initialised(subject, options), subject.inputs, subject.name
    if checkpoint is not None:
        load_weights(built, checkpoint)
    return built, shapes, name


def _by_position(names: Iterable[str] = ()) -> InvalidInput:
    """The error of inputs that are given by name, or without a batch."""
    named = f", and {', '.join(map(str, names))} is given by name" if names else ""
    return InvalidInput(
        "gradients are measured at inputs=, tensors with the batch first that the model takes by "
        f"position{named}; wrap the model in one whose forward takes them so"
    )


def _initialised(subject: Subject, options: Mapping[str, Any]) -> nn.Module:
    """The zoo's own initialisation; of other networks, that of torch's layers."""
    from archscope.models.catalog import accepted_options, architectures, build

    if subject.reference in architectures():
        accepted = accepted_options(subject.reference)
        return build(subject.reference, **{k: v for k, v in options.items() if k in accepted})
    model = subject.model
    for path, module in model.named_modules():
        held = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
        if not any(tensor.is_meta for tensor in held):
            continue
        if not hasattr(module, "reset_parameters"):
            raise InvalidInput(
                f"{subject.name} has no weights, and {path or 'it'} cannot be initialised by "
                "itself: build it and call archscope.gradient_paths(model, inputs)"
            )
        module.to_empty(device="cpu", recurse=False)
        module.reset_parameters()
    return model


def _given(inputs: Any, shapes: Sequence[Any], samples: int) -> tuple[Tensor, ...]:
    """The given inputs, or noise; the first dimension of all is the batch."""
    if isinstance(inputs, Mapping):
        raise _by_position(inputs)
    if inputs is not None:
        given = tuple(inputs) if isinstance(inputs, tuple | list) else (inputs,)
        if not given or not all(isinstance(tensor, Tensor) for tensor in given):
            raise InvalidInput("inputs are tensors with the batch first, one or a tuple of them")
        return given
    if not shapes:
        raise InvalidInput("a module needs inputs: a tensor with the batch first, or several")
    count = max(samples, 2)
    return tuple(torch.randn(count, *_sizes(shape)[1:]) for shape in shapes)


def _sizes(shape: Any) -> tuple[int, ...]:
    sizes = tuple(getattr(shape, "shape", shape))
    dtype = getattr(shape, "dtype", None) or torch.float32
    if not dtype.is_floating_point:
        raise InvalidInput("this network takes whole numbers; give it some as data")
    return sizes


# -- batch normalisation ---------------------------------------------------------------------------


def _has_no_statistics(model: nn.Module) -> bool:
    return any(
        isinstance(module, _BatchNorm)
        and module.num_batches_tracked is not None
        and int(module.num_batches_tracked) == 0
        for module in model.modules()
    )


def _set_statistics(model: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    """Plain averages over a few batches; an exponential one would keep some of its start."""
    model.eval()
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    momenta = [module.momentum for module in norms]
    for module in norms:
        module.momentum = None
        module.train()
    with torch.no_grad():
        for batch in _batches(inputs):
            model(*batch)
    for module, momentum in zip(norms, momenta, strict=True):
        module.momentum = momentum


def _source_of_statistics(inputs: tuple[Tensor, ...], are_data: bool) -> str:
    if not are_data:
        return "normal noise"
    if len(inputs[0]) >= STATISTICS_BATCH:
        return "the given data"
    return "noise of the given data's mean and deviation"


def _batches(inputs: tuple[Tensor, ...]) -> Iterator[tuple[Tensor, ...]]:
    """The given data if there is enough of it, else noise of its mean and deviation."""
    enough = len(inputs[0]) >= STATISTICS_BATCH
    for i in range(STATISTICS_BATCHES):
        if enough:
            rows = torch.randperm(len(inputs[0]))[:STATISTICS_BATCH]
            yield tuple(tensor[rows] for tensor in inputs)
        elif i == 0 or all(tensor.dtype.is_floating_point for tensor in inputs):
            yield tuple(_like(tensor) for tensor in inputs)


def _like(tensor: Tensor) -> Tensor:
    if not tensor.dtype.is_floating_point:
        return tensor
    noise = torch.randn(STATISTICS_BATCH, *tensor.shape[1:], dtype=tensor.dtype)
    return noise.to(tensor.device) * tensor.std() + tensor.mean()


def _refuse_mixing(model: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    """The first sample's output must not depend on the second sample."""
    real = [tensor.dtype.is_floating_point for tensor in inputs]
    if len(inputs[0]) < 2 or not any(real):
        return
    pair = [tensor[:2].detach().clone() for tensor in inputs]
    pair = [tensor.requires_grad_(r) for tensor, r in zip(pair, real, strict=True)]
    output = first_output(model(*pair))[:1]
    loss = (output * torch.randn_like(output)).sum()
    wanted = [tensor for tensor in pair if tensor.requires_grad]
    found = torch.autograd.grad(loss, wanted, allow_unused=True)
    own, other = (sum(float(g[i].norm()) for g in found if g is not None) for i in (0, 1))
    if other > 1e-5 * own:
        raise ArchscopeError(
            "the network mixes the samples of a batch: one sample's output depends on another, so "
            "its gradient cannot be told from the others'"
        )


def first_output(result: Any) -> Tensor:
    """The first tensor of real numbers that a model returned.

    Raises:
        ArchscopeError: there is none.
    """
    stack = [result]
    while stack:
        value = stack.pop(0)
        if isinstance(value, Tensor):
            if value.dtype.is_floating_point:
                return value
        elif isinstance(value, Mapping):
            stack = [*value.values(), *stack]
        elif isinstance(value, list | tuple):
            stack = [*value, *stack]
    raise ArchscopeError("the model returned no tensor of real numbers")


@contextmanager
def open_kernels(model: nn.Module) -> Iterator[None]:
    """Attention and recurrent layers as the products that they are made of."""
    recurrent = any(isinstance(module, nn.RNNBase) for module in model.modules())
    with ExitStack() as stack:
        stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        if recurrent:
            stack.enter_context(warnings.catch_warnings())
            warnings.filterwarnings("ignore", message="TF32 acceleration")
            stack.enter_context(torch.backends.mkldnn.flags(enabled=False))
            stack.enter_context(torch.backends.cudnn.flags(enabled=False))
        yield
