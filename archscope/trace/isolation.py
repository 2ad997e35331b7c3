"""Run a module without leaving a mark on it.

For the length of a run its parameters and buffers are replaced by stand-ins: tensors of the same
shape on the meta device, or copies for a run on data. Afterwards every module gets back what it
held: parameters, buffers, attributes, hooks, train or eval; and the process its random state.
"""

from __future__ import annotations

import random
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from archscope.trace import torch_private
from archscope.trace.sizes import is_sparse
from archscope.trace.values import DataDependent

META = torch.device("meta")


@dataclass(frozen=True)
class StandIns:
    """The modules of a model, and the tensors that a run uses, by the names of the originals."""

    modules: dict[str, nn.Module]
    parameters: dict[str, nn.Parameter]
    buffers: dict[str, Tensor]
    names: dict[int, tuple[str, ...]]  # id of a stand-in -> all its names


def _is_whole_number(tensor: Tensor) -> bool:
    """A stride or a length that a module keeps among its buffers, and computes sizes from."""
    return not (tensor.ndim or tensor.dtype.is_floating_point or tensor.dtype.is_complex)


@contextmanager
def isolated(
    model: nn.Module, *, on_data: bool = False, dtype: torch.dtype | None = None
) -> Iterator[StandIns]:
    """Lend a module to a run: stand-ins inside, everything as it was afterwards.

    With ``dtype`` floating-point stand-ins have that dtype, as after ``model.to(dtype)``.
    """
    modules = dict(model.named_modules())
    snapshots = [(module, _snapshot(module)) for module in modules.values()]
    random_state = _random_state()
    stand_in = _StandInMaker(on_data, dtype)
    try:
        parameters: dict[str, nn.Parameter] = {}
        buffers: dict[str, Tensor] = {}
        for path, module in modules.items():
            for held, replaced in ((module._parameters, parameters), (module._buffers, buffers)):
                if held:
                    _replace(held, stand_in, replaced, f"{path}." if path else "")
            if isinstance(module, nn.RNNBase):
                module._flat_weights = [stand_in.known(w) for w in module._flat_weights]
        for module in modules.values():
            _replace_attributes(module, stand_in)
            torch_private.run_as_written(module)
            keep_settled_mode(module)
        names: dict[int, tuple[str, ...]] = {}
        for name, tensor in [*parameters.items(), *buffers.items()]:
            names[id(tensor)] = (*names.get(id(tensor), ()), name)
        yield StandIns(modules, parameters, buffers, names)
    finally:
        for module, snapshot in snapshots:
            _restore(module, snapshot)
        _restore_random_state(random_state)


class _StandInMaker:
    """Makes one stand-in per tensor, sharing storages where the originals do."""

    def __init__(self, on_data: bool, dtype: torch.dtype | None):
        self.on_data = on_data
        self.dtype = dtype
        self._made: dict[int, Tensor] = {}
        self._storages: dict[int, Tensor] = {}
        self._originals: list[Tensor] = []  # kept alive: identities must not be reused

    def __call__(self, tensor: Tensor) -> Tensor:
        made = self._made.get(id(tensor))
        if made is None:
            made = self._make(tensor)
            self._made[id(tensor)] = made
            self._originals.append(tensor)
        return made

    def known(self, tensor: Any) -> Any:
        """The stand-in of a tensor that has one, else the thing itself."""
        return self._made.get(id(tensor), tensor)

    def _make(self, tensor: Tensor) -> Tensor:
        if isinstance(tensor, UninitializedParameter | UninitializedBuffer):
            options: dict[str, Any] = {"device": self._device, "dtype": tensor.dtype}
            options["requires_grad"] = tensor.requires_grad
            return type(tensor)(**options)
        if not _is_plain(tensor):
            return tensor  # a subclass with behaviour of its own, such as a quantised weight
        is_parameter = type(tensor) is nn.Parameter or isinstance(tensor, nn.Parameter)
        data = self._with_data(tensor) if self.on_data else self._shape_of(tensor)
        if is_parameter:
            return nn.Parameter(data, requires_grad=tensor.requires_grad)
        return data

    @property
    def _device(self) -> torch.device:
        return torch.device("cpu") if self.on_data else META

    def _with_data(self, tensor: Tensor) -> Tensor:
        if not torch_private.has_data(tensor):
            return _random_like(tensor).to(self._dtype_of(tensor))
        # A copy, since a run may write into its weights.
        return tensor.detach().to("cpu", self._dtype_of(tensor), copy=True)

    def _dtype_of(self, tensor: Tensor) -> torch.dtype:
        if self.dtype is None or not tensor.dtype.is_floating_point:
            return tensor.dtype
        return self.dtype

    def _shape_of(self, tensor: Tensor) -> Tensor:
        dtype = self._dtype_of(tensor)
        if is_sparse(tensor):
            raise DataDependent("it has sparse weights or buffers")
        if tensor.layout is not torch.strided:
            return torch.empty(tensor.shape, dtype=dtype, device=META)
        if _is_whole_number(tensor) and torch_private.has_data(tensor):
            return tensor.detach().to("cpu", copy=True)
        key = torch_private.storage_key(tensor)
        nbytes = tensor.untyped_storage().nbytes() // tensor.itemsize * dtype.itemsize
        if key not in self._storages and nbytes == tensor.numel() * dtype.itemsize:
            made = torch.empty_strided(tensor.shape, tensor.stride(), dtype=dtype, device=META)
            self._storages[key] = made
            return made
        if key not in self._storages:
            self._storages[key] = torch.empty(nbytes, dtype=torch.uint8, device=META)
        storage = self._storages[key].untyped_storage()
        made = torch.empty(0, dtype=dtype, device=META)
        return made.set_(storage, tensor.storage_offset(), tensor.shape, tensor.stride())


def _is_plain(tensor: Tensor) -> bool:
    kind = type(tensor)
    return (
        kind in (Tensor, nn.Parameter, nn.Buffer)
        or kind.__torch_dispatch__ is Tensor.__torch_dispatch__
        or not torch_private.has_data(tensor)
    )


def _random_like(tensor: Tensor) -> Tensor:
    """Plausible values for a tensor that has none: small noise, small indices."""
    data = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype)
    if tensor.dtype.is_floating_point or tensor.dtype.is_complex:
        return data.normal_(std=0.02)
    return data.zero_()


def _replace(
    held: dict[str, Any], stand_in: _StandInMaker, replaced: dict[str, Any], prefix: str
) -> None:
    for name, tensor in held.items():
        if tensor is not None:
            held[name] = replaced[prefix + name] = stand_in(tensor)


def keep_settled_mode(module: nn.Module) -> None:
    """The mode of an exported or a frozen program was settled: asking for another one raises, and
    does nothing from now on. All other modules stay as they are.
    """
    exported = isinstance(module, torch.fx.GraphModule) and "train" in module.__dict__
    if not exported and hasattr(module, "training"):
        return

    def stay(mode: bool = True) -> nn.Module:
        return module

    module.train = module.eval = stay  # type: ignore[method-assign]


def _replace_attributes(module: nn.Module, stand_in: _StandInMaker) -> None:
    """Tensors that hang on a module without being registered."""
    for name, value in module.__dict__.items():
        if type(value) in _PLAIN or name in _TORCH_ATTRIBUTES:
            continue
        if isinstance(value, Tensor):
            known = stand_in.known(value)
            if known is value and isinstance(value, nn.Parameter | Tensor) and value.requires_grad:
                known = stand_in(value) if value.is_leaf else value
            module.__dict__[name] = known
        elif type(value) in (list, tuple) and any(isinstance(item, Tensor) for item in value):
            module.__dict__[name] = type(value)(stand_in.known(item) for item in value)
        elif type(value) is dict and any(isinstance(item, Tensor) for item in value.values()):
            module.__dict__[name] = {key: stand_in.known(item) for key, item in value.items()}


_PLAIN = frozenset({bool, int, float, str, type(None)})
_TORCH_ATTRIBUTES = frozenset(nn.Module().__dict__) - {"training"}

# A module's class, its attributes, each of its containers with what that held, and what a scripted
# module holds outside of Python.
_Snapshot = tuple[type, dict[str, Any], list[tuple[Any, Any]], dict[str, Any]]
_CONTAINERS = frozenset({dict, list, set, deque, OrderedDict, defaultdict, Counter})


def _snapshot(module: nn.Module) -> _Snapshot:
    attributes = module.__dict__.copy()
    held = [value for value in attributes.values() if type(value) in _CONTAINERS]
    copies = [(value, value.copy() if value else ()) for value in held]
    return type(module), attributes, copies, _scripted(module)


def _scripted(module: nn.Module) -> dict[str, Any]:
    if not isinstance(module, torch.jit.ScriptModule):
        return {}
    tensors = {**dict(module._parameters.items()), **dict(module._buffers.items())}
    mode = {"training": module.training} if hasattr(module, "training") else {}  # else frozen
    return {**tensors, **mode}


def _restore(module: nn.Module, snapshot: _Snapshot) -> None:
    kind, attributes, containers, scripted = snapshot
    if type(module) is not kind:  # a lazy module becomes an ordinary one when it runs
        module.__class__ = kind
    for held, contents in containers:
        if held or contents:  # most are empty: a module has a dozen tables of hooks
            held.clear()
            if isinstance(held, list | deque):
                held.extend(contents)
            else:
                held.update(contents)
    module.__dict__.clear()
    module.__dict__.update(attributes)
    for name, value in scripted.items():
        setattr(module, name, value)


@contextmanager
def random_state_kept() -> Iterator[None]:
    """Afterwards random numbers go on as if none had been drawn inside, on GPUs too."""
    state = _random_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    try:
        yield
    finally:
        _restore_random_state(state)
        with suppress(RuntimeError):  # after a fault every call fails; the fault has been told
            torch.cuda.set_rng_state_all(cuda)


def _random_state() -> tuple[Tensor, Any, Any]:
    numpy = sys.modules.get("numpy")
    state = numpy.random.get_state() if numpy is not None else None
    return torch.get_rng_state(), random.getstate(), state


def _restore_random_state(state: tuple[Tensor, Any, Any]) -> None:
    torch.set_rng_state(state[0])
    random.setstate(state[1])
    if state[2] is not None:
        sys.modules["numpy"].random.set_state(state[2])
