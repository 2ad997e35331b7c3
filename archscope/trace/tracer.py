"""The one run: a model on tensors that have shapes but no data, from which all else is derived."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from archscope.arguments import checked, flag, mapping, positive, text
from archscope.errors import (
    ArchscopeError,
    InvalidInput,
    TraceFailed,
    is_out_of_memory,
    one_line,
)
from archscope.trace import inputs as given
from archscope.trace import torch_private
from archscope.trace.autocast import autocast
from archscope.trace.backward import backpropagate, finished
from archscope.trace.execution import Execution
from archscope.trace.failure import explained, wants_data
from archscope.trace.fused import closed_forms
from archscope.trace.higher_order import higher_order_operators
from archscope.trace.interpreter import as_written, deep_nesting, no_collection
from archscope.trace.isolation import StandIns, isolated
from archscope.trace.literals import whole_numbers_known
from archscope.trace.modules import CallStack, module_calls
from archscope.trace.nested import named_tensors, tensors_in
from archscope.trace.optimizer import TrainingStep
from archscope.trace.quantised import packed_weights, plain_tensors
from archscope.trace.recorder import Recorder
from archscope.trace.records import Parameter, Trace, elements
from archscope.trace.sizes import bytes_of, dtype_name
from archscope.trace.values import DataDependent

Mode = Literal["inference", "training"]


@checked(
    kwargs=mapping,
    mode=text,
    name=text,
    batch=positive,
    accumulate=flag,
)
def trace(
    model: nn.Module,
    inputs: Any = None,
    mode: Mode | None = None,
    *,
    kwargs: dict[str, Any] | None = None,
    name: str | None = None,
    batch: int | None = None,
    device: str = "cuda",
    dtype: str | None = None,
    amp: str | None = None,
    attention: str = "fused",
    optimizer: str | None = None,
    accumulate: bool = False,
) -> Trace:
    """Run a model once on shapes alone and record what happened.

    The model is left exactly as it was: parameters, buffers, hooks, train or eval, gradients and
    random state. A forward pass that reads the values of its tensors is run on data instead;
    ``Trace.ran_on`` says which.

    Args:
        model: any module, on any device; on the meta device it needs no memory for weights.
        inputs: positional inputs, as a tuple of tensors (real or meta) or shapes, nested as the
            model wants them; one tensor or one shape; or a dictionary of keyword inputs. A tuple
            of integers is a shape, in the dtype of the model's parameters.
        mode: "inference" runs in eval mode without gradients; "training" in train mode, forward
            and backward from all outputs that need a gradient. None is a forward pass in the mode
            in which the module is.
        kwargs: keyword inputs beside positional ones.
        name: what to call the model; its class by default.
        batch: the batch size to report; the first size of the first input by default.
        device: whose kernels to follow where they differ, "cuda" or "cpu"; neither is needed.
        dtype: run weights and inputs in "float32", "bfloat16", "float16" or "float64".
        amp: autocast the forward pass to "bfloat16" or "float16".
        attention: "fused" kernels never store the scores, "math" does.
        optimizer: "sgd", "momentum", "adam" or "adamw": a training step ends with its update.
        accumulate: the training step adds to gradients that are there already.

    Raises:
        InvalidInput: inputs that cannot be read, or that a layer of the model refuses.
        TraceFailed: the model raised.
    """
    if mode not in (None, "inference", "training"):
        raise InvalidInput(f"mode '{mode}' is not known; it is 'inference' or 'training'")
    if not isinstance(model, nn.Module):
        raise InvalidInput(f"a model is a torch.nn.Module, not {type(model).__name__}")
    positional, named = given.normalise(inputs if inputs is not None or not kwargs else ())
    parameters = list(model.parameters())
    own_dtype = floating_dtype(parameters)
    positional, named = given.with_dtype((positional, {**named, **(kwargs or {})}), own_dtype)
    execution = Execution(device, dtype, amp, attention, optimizer, accumulate)
    execution.check_mode(mode)
    cheap = _is_cheap_on_data(parameters, given.shapes_of((positional, named)))
    request = _Request(model, positional, named, mode, name, batch, execution, cheap)
    with no_collection(), deep_nesting(), torch_private.outside_of_fake_tensors():
        try:
            return _run(request, on_data=False)
        except (_NeedsData, DataDependent) as need:
            _refuse_if_too_large(request, str(need))
            try:
                return _run(request, on_data=True, reason=str(need))
            except (MemoryError, RuntimeError) as error:  # before the forward pass began
                if isinstance(error, ArchscopeError) or not is_out_of_memory(error):
                    raise
                raise explained(
                    error, request.called, request.shapes, CallStack({}), on_data=True
                ) from error


@dataclass(frozen=True)
class _Request:
    model: nn.Module
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    mode: Mode | None
    name: str | None
    batch: int | None
    execution: Execution
    cheap_on_data: bool

    @property
    def called(self) -> str:
        return self.name or type(self.model).__name__

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """The shapes of all input tensors."""
        return given.shapes_of((self.args, self.kwargs))

    @property
    def training(self) -> bool:
        return self.mode == "training"


# Weights and inputs up to this size are run on data where a run on shapes failed.
CHEAP_BYTES = 1 << 30


class _NeedsData(Exception):
    """The forward pass cannot run on shapes alone."""


def _run(request: _Request, *, on_data: bool, reason: str = "") -> Trace:
    prepare = given.on_cpu if on_data else given.on_meta
    _refuse_grad_inside_inference(request)
    dtype = request.execution.torch_dtype
    with isolated(request.model, on_data=on_data, dtype=dtype) as stand_ins:
        args, kwargs = given.cast(prepare((request.args, request.kwargs)), dtype)
        if request.mode is not None:
            _set_mode(request.model, stand_ins.modules.values(), request.training)
        calls = CallStack(stand_ins.modules)
        if any(map(nn.parameter.is_lazy, stand_ins.parameters.values())):
            _materialise(request, stand_ins, args, kwargs, on_data)
        recorder = Recorder(calls, on_data=on_data)
        parameters = _adopt(recorder, stand_ins)
        input_tensors = [*named_tensors(args), *named_tensors(kwargs)]
        for name, tensor in input_tensors:
            recorder.log.adopt_input(tensor, name)
        step = TrainingStep(request.execution, stand_ins.parameters)
        step.prepare(recorder)
        outputs = _forward_and_backward(request, recorder, calls, args, kwargs, on_data)
        produced = tuple(dict.fromkeys(op for t in outputs for op in recorder.log.writers_of(t)))
        _mark_gradients(recorder, stand_ins)
        with recorder:
            step.update(recorder)
        ops, storages = recorder.log.close()
    shape = tuple(input_tensors[0][1].shape) if input_tensors else ()
    return Trace(
        model=request.called,
        mode="training" if request.training else "inference",
        inputs=tuple((name, tuple(t.shape), dtype_name(t.dtype)) for name, t in input_tensors),
        batch=request.batch or (shape[0] if shape else 1),
        ops=ops,
        storages=storages,
        calls=calls.finished(),
        parameters=tuple(parameters),
        modules={path: type(module).__name__ for path, module in stand_ins.modules.items()},
        outputs=produced,
        ran_on="data" if on_data else "shapes",
        warnings=_warnings(ops, reason, recorder.log.single_values, calls.made),
        options=request.execution.choices,
    )


def _set_mode(model: nn.Module, modules: Iterable[nn.Module], training: bool) -> None:
    """Train or eval; a model that is in that mode already needs not be walked through, unless a
    module has a way of its own of going there."""
    for module in modules:
        own_way = type(module).train is not nn.Module.train or "train" in module.__dict__
        if own_way or getattr(module, "training", training) is not training:
            model.train(training)
            return


def _is_cheap_on_data(parameters: list[nn.Parameter], shapes: list[tuple[int, ...]]) -> bool:
    """Whether a run on data is cheap enough to have the last word on an error.

    Code that works on data may fail on shapes in ways that no message tells, and torch's words for
    what it refuses are plainer there.
    """
    parameters = [p for p in parameters if not nn.parameter.is_lazy(p)]
    held = sum(p.numel() * p.itemsize for p in parameters)
    given_bytes = sum(4 * elements(shape) for shape in shapes)
    real = all(map(torch_private.has_data, parameters))
    return real and held < CHEAP_BYTES and given_bytes < CHEAP_BYTES


def _refuse_if_too_large(request: _Request, reason: str) -> None:
    """A run on data needs memory for the weights that have none yet."""
    without = [p for p in request.model.parameters() if not torch_private.has_data(p)]
    needed = sum(p.numel() * p.itemsize for p in without)
    available = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > available // 2:
        raise TraceFailed(
            f"{request.called} must be run on data ({reason}); "
            f"its weights need {needed / 2**30:.0f} GiB and this machine has "
            f"{available / 2**30:.0f} GiB"
        )


def _refuse_grad_inside_inference(request: _Request) -> None:
    if request.training and torch.is_inference_mode_enabled():
        raise InvalidInput(
            "training cannot be traced inside torch.inference_mode(); leave it first"
        )


def _forward_and_backward(
    request: _Request,
    recorder: Recorder,
    calls: CallStack,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    on_data: bool,
) -> list[Tensor]:
    """Run the model under the recorder; the tensors that it returned."""
    with ExitStack() as stack:
        stack.enter_context(as_written())
        if not on_data:
            stack.enter_context(
                torch_private.single_values_normalised(recorder.log.note_single_value)
            )
            stack.enter_context(whole_numbers_known())
        stack.enter_context(closed_forms(recorder, request.execution))
        stack.enter_context(higher_order_operators())
        stack.enter_context(
            module_calls(
                calls,
                lambda: len(recorder.log.ops),
                lambda: recorder.log.phase,
                recorder.log.storage_of,
            )
        )
        stack.enter_context(torch.set_grad_enabled(request.training))
        if request.training:
            stack.enter_context(torch_private.saved_tensors_noted(recorder.save_for_backward))
        stack.enter_context(recorder)
        try:
            with autocast(request.execution):
                result = finished(request.model(*args, **kwargs))
            del args, kwargs
            outputs = tensors_in((result,))
            if request.training:
                recorder.log.phase = "backward"
                backpropagate(result, outputs)
            if calls.elsewhere:
                raise TraceFailed(
                    f"{calls.elsewhere[0] or 'the model'} runs in another thread, where operators "
                    "cannot be recorded; call it in the thread of the model"
                )
        except ArchscopeError:
            raise
        except (Exception, SystemExit) as error:
            if not on_data and (wants_data(error) or request.cheap_on_data):
                raise _NeedsData(one_line(error)) from error
            raise explained(error, request.called, request.shapes, calls, on_data) from error
    return outputs


# -- before and after ------------------------------------------------------------------------------


def _adopt(recorder: Recorder, stand_ins: StandIns) -> list[Parameter]:
    """Make weights and buffers known to the recorder; a record of every parameter."""
    found: list[Parameter] = []
    seen: set[int] = set()
    for tensor in stand_ins.parameters.values():
        if id(tensor) in seen or nn.parameter.is_lazy(tensor):
            continue
        seen.add(id(tensor))
        names = stand_ins.names[id(tensor)]
        parts = plain_tensors(tensor)
        states = [recorder.log.adopt(part, "weight", names) for part in parts]
        found.append(_parameter(names, tensor, states[0].index, parts))
    for name, packed in packed_weights(stand_ins.modules):
        recorder.packed.setdefault(name.rpartition(".")[0], []).append(packed)
        state = recorder.log.adopt(packed, "weight", (name,))
        found.append(_parameter((name,), packed, state.index, [packed]))
    seen.clear()
    for buffer in stand_ins.buffers.values():
        if id(buffer) not in seen and not nn.parameter.is_lazy(buffer):
            seen.add(id(buffer))
            recorder.log.adopt(buffer, "buffer", stand_ins.names[id(buffer)])
    return found


def _materialise(
    request: _Request, stand_ins: StandIns, args: Any, kwargs: Any, on_data: bool
) -> None:
    """Give lazy modules their shapes: a first run, whose record is thrown away."""
    calls = CallStack(stand_ins.modules)
    first = replace(request, mode=None)
    _forward_and_backward(first, Recorder(calls, on_data=on_data), calls, args, kwargs, on_data)
    for name, parameter in stand_ins.parameters.items():
        if nn.parameter.is_lazy(parameter):
            raise InvalidInput(
                f"parameter {name} belongs to a lazy module that the input never reaches"
            )


def floating_dtype(parameters: Iterable[nn.Parameter]) -> torch.dtype:
    """The dtype of the model's parameters: that of its inputs where none is given."""
    dtypes = {p.dtype for p in parameters}
    dtypes = {dtype for dtype in dtypes if dtype.is_floating_point or dtype.is_complex}
    return dtypes.pop() if len(dtypes) == 1 else torch.float32


def _parameter(
    names: tuple[str, ...], tensor: Tensor, storage: int, parts: list[Tensor]
) -> Parameter:
    return Parameter(
        names=names,
        module=names[0].rpartition(".")[0],
        shape=tuple(tensor.shape),
        bytes=sum(map(bytes_of, parts)),
        dtype=dtype_name(tensor.dtype),
        trainable=tensor.requires_grad,
        storage=storage,
    )


def _mark_gradients(recorder: Recorder, stand_ins: StandIns) -> None:
    for name, parameter in stand_ins.parameters.items():
        if not nn.parameter.is_lazy(parameter) and parameter.grad is not None:
            recorder.log.mark(parameter.grad, "gradient", (name,))


def _warnings(
    ops: tuple[Any, ...], reason: str, single_values: list[str], made: list[nn.Module]
) -> tuple[str, ...]:
    warnings = []
    learned = [module for module in made if next(module.parameters(), None) is not None]
    if learned:
        kinds = ", ".join(sorted({type(module).__name__ for module in learned}))
        warnings.append(
            f"modules made while the model ran: {kinds}; their parameters are not the model's"
        )
    if single_values:
        warnings.append(
            f"batch normalisation of one value per channel in {', '.join(single_values)}: "
            "torch refuses to train at this batch size"
        )
    if reason:
        warnings.append(f"the model was run on data, because {reason}")
    unknown = sorted({op.name for op in ops if not op.known})
    if unknown:
        warnings.append(f"no cost formula for: {', '.join(unknown)}; their cost is not counted")
    return tuple(warnings)
