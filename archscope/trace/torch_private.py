"""Torch's private corners that tracing needs, each with its reason. Tested with torch 2.11 to 2.13.

Everything else in this package uses public interfaces.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any

import torch
from torch.overrides import TorchFunctionMode


def next_sequence_number() -> int:
    """The number that the next autograd node of this thread will get.

    Inside a dispatch the node of the operator at hand has been made already, so its number is one
    less. It is how a backward operator finds its forward operator; there is no public way.
    """
    return torch._C._autograd._get_sequence_nr()


def running_node_number() -> int | None:
    """The number of the autograd node whose backward is running, or None outside of a backward."""
    node = torch._C._current_autograd_node()
    return None if node is None else node._sequence_nr()


def running_node_name() -> str:
    """The name of the autograd node whose backward is running or has just run, or ""."""
    node = torch._C._current_autograd_node()
    return "" if node is None else node.name()


def called_by_autograd() -> bool:
    """Whether the operator at hand comes from the engine or a formula of torch's own, and not from
    Python: a hook, a function of the program, a checkpoint that runs again."""
    frame: Any = sys._getframe(1)
    while frame is not None and frame.f_code.co_name != "__torch_dispatch__":
        frame = frame.f_back
    return frame is not None and frame.f_back.f_code.co_name == "_engine_run_backward"


def has_data(tensor: torch.Tensor) -> bool:
    """Whether a tensor has values; those of the meta device and fake ones have shapes only."""
    return not tensor.is_meta and type(tensor).__name__ != "FakeTensor"


@contextmanager
def outside_of_fake_tensors() -> Iterator[None]:
    """Leave a ``FakeTensorMode`` that the caller is in: it would make all tensors of a run fake."""
    fake: Any = sys.modules.get("torch._subclasses.fake_tensor")
    with fake.unset_fake_temporarily() if fake is not None else nullcontext():
        yield


def storage_of(tensor: torch.Tensor) -> torch.UntypedStorage:
    """A tensor's storage; of a sparse one that of its values, for it has none itself."""
    try:
        return tensor.untyped_storage()
    except NotImplementedError:
        return sparse_parts(tensor)[0].untyped_storage()


def sparse_parts(tensor: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """What a sparse tensor is made of: its values and their indices.

    The public accessors want a coalesced one.
    """
    if tensor.layout is torch.sparse_coo:
        return tensor._values(), tensor._indices()
    if tensor.layout in (torch.sparse_csr, torch.sparse_bsr):
        return tensor.values(), tensor.crow_indices(), tensor.col_indices()
    return tensor.values(), tensor.ccol_indices(), tensor.row_indices()


def storage_key(tensor: torch.Tensor) -> int:
    """The identity of a tensor's storage. ``data_ptr`` cannot serve: it is 0 on meta."""
    return storage_of(tensor)._cdata


def is_jagged(kind: type) -> bool:
    """Whether a class is that of nested tensors of layout ``torch.jagged``."""
    return kind.__name__ == "NestedTensor" and kind.__module__.startswith("torch.nested")


def jagged_opened(func: Any, types: Any, args: Any, kwargs: Any) -> Any:
    """An operator on nested tensors as those on their rows, which a dispatch mode does not see."""
    kind: Any = next(filter(is_jagged, types))
    return kind.__torch_dispatch__(func, types, args, kwargs)


def is_wrapped(tensor: torch.Tensor) -> bool:
    """Whether a function transform (vmap, grad) wraps the tensor, which hides its storage."""
    return torch._C._functorch.is_functorch_wrapped_tensor(tensor)


@contextmanager
def saved_tensors_noted(note: Callable[[torch.Tensor], torch.Tensor]) -> Iterator[None]:
    """Let ``note`` see, and pass on, every tensor that autograd saves.

    Function transforms (``torch.func.grad``) refuse to run under any such hooks, so that inside of
    one nothing is noted.
    """
    hooks = torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor)
    original = torch.autograd.graph.disable_saved_tensors_hooks

    @contextmanager
    def disabled(message: str) -> Iterator[None]:
        innermost = torch._C._autograd._top_saved_tensors_default_hooks(True)
        if innermost is None or innermost[0] != note:
            with original(message):  # none, or the program's own
                yield
            return
        hooks.__exit__()
        try:
            with original(message):
                yield
        finally:
            hooks.__enter__()

    torch.autograd.graph.disable_saved_tensors_hooks = disabled  # type: ignore[assignment]
    try:
        with hooks:
            yield
    finally:
        torch.autograd.graph.disable_saved_tensors_hooks = original


@contextmanager
def below_autograd() -> Iterator[None]:
    """Operators go straight to what autograd would have sent them to.

    A kernel that stands where autograd does would otherwise call itself.
    """
    with torch._C._AutoDispatchBelowAutograd():
        yield


def destroy(library: torch.library.Library) -> None:
    """Take back the kernels that a library registered; there is no public way to do it."""
    library._destroy()


def operators_with_kernel(key: str) -> tuple[str, ...]:
    """Names of aten's operators ("mm", "sum.dim_IntList") that have a kernel for a key.

    There is no public list of what autocast casts.
    """
    names = torch._C._dispatch_get_all_op_names()
    return tuple(
        name.removeprefix("aten::")
        for name in names
        if name.startswith("aten::") and torch._C._dispatch_has_kernel_for_dispatch_key(name, key)
    )


_AUTOCAST = "AutocastPrivateUse1"  # a key that no device of torch's own uses


@contextmanager
def autocast_kernels(kernels: dict[str, Callable[..., Any]]) -> Iterator[None]:
    """Send operators on any tensor through these kernels first, above autograd.

    ``torch.autocast`` cannot: it passes tensors of the meta device by.
    """
    others = torch.library.Library("_", "IMPL")
    library = torch.library.Library("aten", "IMPL")
    others.fallback(torch.library.fallthrough_kernel, _AUTOCAST)
    for name, kernel in kernels.items():
        library.impl(name, kernel, _AUTOCAST)
    was_enabled = torch.is_autocast_enabled("privateuseone")
    torch.set_autocast_enabled("privateuseone", True)
    try:
        with torch._C._IncludeDispatchKeyGuard(getattr(torch._C.DispatchKey, _AUTOCAST)):
            yield
    finally:
        torch.set_autocast_enabled("privateuseone", was_enabled)
        destroy(library)
        destroy(others)


@contextmanager
def autocast_followed(
    device: str, entered: Callable[[str, torch.dtype, bool], None], left: Callable[[], None]
) -> Iterator[None]:
    """Be told of every ``torch.autocast`` that is entered, with its device, dtype and whether it
    is enabled, and left.

    Torch turns it off where there is no such device, and knows none for meta: that is ``device``.
    """
    kind = torch.autocast
    original = kind.__init__, kind.__enter__, kind.__exit__
    wanted: dict[int, bool] = {}

    def init(
        self: Any, device_type: str, dtype: Any = None, enabled: bool = True, *args: Any, **kw: Any
    ) -> None:
        wanted[id(self)] = enabled
        on = device if device_type == "meta" else device_type
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            original[0](self, on, dtype, enabled, *args, **kw)

    def enter(self: Any) -> Any:
        result = original[1](self)
        entered(self.device, self.fast_dtype, wanted.get(id(self), self._enabled))
        return result

    def leave(self: Any, *args: Any) -> Any:
        left()
        return original[2](self, *args)

    kind.__init__, kind.__enter__, kind.__exit__ = init, enter, leave  # type: ignore[method-assign]
    try:
        yield
    finally:
        kind.__init__, kind.__enter__, kind.__exit__ = original  # type: ignore[method-assign]


@contextmanager
def without_autocast() -> Iterator[None]:
    """Inside one of those kernels: the operator goes on to autograd."""
    keys = torch._C.DispatchKeySet(getattr(torch._C.DispatchKey, _AUTOCAST))
    with torch._C._ExcludeDispatchKeyGuard(keys):
        yield


@contextmanager
def module_calls_through(
    wrap: Callable[[Callable[..., Any]], Callable[..., Any]],
) -> Iterator[None]:
    """Let every call of a module go through a wrapper of what torch does in one.

    ``nn.Module.__call__`` would be the public place, but a special method is set in every subclass
    there is, which takes longer than the run of a small model. It calls this one, unless the
    module's ``compile()`` put a compiled call in its place (see ``run_as_written``).
    """
    original = torch.nn.Module._call_impl
    torch.nn.Module._call_impl = wrap(original)  # type: ignore[method-assign]
    try:
        yield
    finally:
        torch.nn.Module._call_impl = original  # type: ignore[method-assign]


@contextmanager
def higher_order_calls_through(
    wrap: Callable[[Callable[..., Any]], Callable[..., Any]],
) -> Iterator[None]:
    """Let every call of an operator that takes functions go through a wrapper.

    A dispatch mode sees them below autograd, which has traced their functions into graphs by then.
    """
    kind = torch._ops.HigherOrderOperator
    original = kind.__call__
    kind.__call__ = wrap(original)  # type: ignore[method-assign]
    try:
        yield
    finally:
        kind.__call__ = original  # type: ignore[method-assign]


class _OneDevice(TorchFunctionMode):
    """Every tensor says that it is on the same device."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__self__", None) is torch.Tensor.device:
            return torch.device("cpu")
        return func(*args, **(kwargs or {}))


@contextmanager
def flex_attention_anywhere() -> Iterator[None]:
    """flex_attention asks for devices by name before it is an operator, and refuses meta, masks
    that kept their values on the CPU, and gradients there. Its questions between those two of its
    functions get one answer."""
    module: Any = sys.modules.get("torch.nn.attention.flex_attention")
    if not hasattr(module, "_validate_device") or not hasattr(module, "_apply_kernel_options"):
        yield
        return
    validate, apply = module._validate_device, module._apply_kernel_options
    with ExitStack() as asking:

        def validated(*_: Any) -> None:
            asking.enter_context(_OneDevice())

        def applied(*args: Any) -> Any:
            asking.close()
            return apply(*args)

        module._validate_device, module._apply_kernel_options = validated, applied
        try:
            yield
        finally:
            module._validate_device, module._apply_kernel_options = validate, apply


def flex_attention_computed(*args: Any) -> Any:
    """flex_attention on data by torch's own formula of its scores, which autograd sees through.

    Its public function compiles itself.
    """
    from torch._higher_order_ops.flex_attention import math_attention

    return math_attention(*args)


def run_as_written(module: torch.nn.Module) -> None:
    """Take a module's compiled call away; whoever asks for it puts the attributes back."""
    if module._compiled_call_impl is not None:
        module._compiled_call_impl = None


@contextmanager
def single_values_normalised(note: Callable[[], None]) -> Iterator[None]:
    """Batch normalisation of one value per channel, which torch refuses in training.

    The values would be meaningless, the cost per image is not. ``note`` is told of each refusal.
    """
    functional = torch.nn.functional
    original = functional._verify_batch_size  # type: ignore[attr-defined]

    def verify(size: list[int]) -> None:
        try:
            original(size)
        except ValueError:
            note()

    functional._verify_batch_size = verify  # type: ignore[attr-defined]
    try:
        yield
    finally:
        functional._verify_batch_size = original  # type: ignore[attr-defined]
