"""Other tools behind one call: a model and its inputs in, MACs of every module out.

Each adaptor calls a tool as its documentation shows and brings its answer to the convention of
this package, one MAC for a multiply and an add; the comment above says what the tool itself gives.
What a tool counts beside products (normalisation, pooling) is kept apart where the tool tells.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from archscope.sources.packages import optional


@dataclass(frozen=True)
class Count:
    """What one tool counted. ``by_module`` has each module's own MACs, without its children's."""

    total: int
    by_module: Mapping[str, int] | None = None  # None where the tool gives a total only
    beside: Mapping[str, int] = field(default_factory=dict)  # not products: operator -> operations
    skipped: Mapping[str, int] = field(default_factory=dict)  # as the tool says: operator -> calls


Inputs = tuple[Any, ...]
Counter = Callable[[nn.Module, Inputs, Mapping[str, Any]], Count]

COUNTERS: dict[str, tuple[str, str]] = {  # name -> package, which device its models want
    "fvcore": ("fvcore", "cpu"),
    "torch": ("torch", "meta"),
    "torchinfo": ("torchinfo", "cpu"),
    "ptflops": ("ptflops", "cpu"),
    "thop": ("thop", "cpu"),
}


def counter(name: str) -> Counter:
    """The adaptor of a tool.

    Raises:
        ArchscopeError: it is not installed.
    """
    optional(COUNTERS[name][0])
    return globals()[f"_{name}"]


# "One fused multiply-add as one flop": MACs for products, one and more per element for the rest.
def _fvcore(model: nn.Module, args: Inputs, kwargs: Mapping[str, Any]) -> Count:
    from fvcore.nn import FlopCountAnalysis

    products = {"addmm", "bmm", "conv", "einsum", "matmul", "mm", "linear", "baddbmm"}
    analysis = FlopCountAnalysis(_positional(model, kwargs), args)
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    operators = {name: int(macs) for name, macs in analysis.by_operator().items()}
    inclusive = {
        _without_wrapper(path, kwargs): int(sum(found.get(name, 0) for name in products))
        for path, found in analysis.by_module_and_operator().items()
    }
    return Count(
        total=sum(macs for name, macs in operators.items() if name in products),
        by_module=own(inclusive),
        beside={name: macs for name, macs in operators.items() if name not in products},
        skipped=dict(analysis.unsupported_ops()),
    )


# FLOPs, 2 per MAC.
def _torch(model: nn.Module, args: Inputs, kwargs: Mapping[str, Any]) -> Count:
    from torch.utils.flop_counter import FlopCounterMode

    model.requires_grad_(False)  # it fails on a parameter that is the input of a module
    with FlopCounterMode(display=False) as mode:
        model(*args, **kwargs)
    counts = mode.get_flop_counts()
    inclusive = {
        path.partition(".")[2]: sum(found.values()) // 2
        for path, found in counts.items()
        if path != "Global"
    }
    total = mode.get_total_flops() // 2
    return Count(total, own({**inclusive, "": total}))


# `total_mult_adds`: MACs, one more per output element for the bias.
def _torchinfo(model: nn.Module, args: Inputs, kwargs: Mapping[str, Any]) -> Count:
    from torchinfo import summary

    paths = {id(module): path for path, module in model.named_modules()}
    found = summary(model, input_data=args, mode="eval", verbose=0, **kwargs)
    by_module: dict[str, int] = {}
    for layer in found.summary_list:
        if layer.is_leaf_layer:
            path = paths.get(id(layer.module), layer.var_name)
            by_module[path] = by_module.get(path, 0) + int(layer.macs)
    return Count(int(found.total_mult_adds), by_module)


# MACs, one more per output element for the bias and for activations; a total only.
def _ptflops(model: nn.Module, args: Inputs, kwargs: Mapping[str, Any]) -> Count:
    from ptflops import get_model_complexity_info

    macs, _ = get_model_complexity_info(
        _Packed(model, kwargs),
        (1,),
        input_constructor=lambda _: {"inputs": args},
        as_strings=False,
        print_per_layer_stat=False,
        backend="pytorch",
    )
    if macs is None:
        raise RuntimeError("ptflops gave up")
    return Count(int(macs))


# MACs, with 2 per element for normalisation and 1 for average pooling.
def _thop(model: nn.Module, args: Inputs, kwargs: Mapping[str, Any]) -> Count:
    from thop import profile

    wrapped = _positional(model, kwargs)
    macs, _, nested = profile(wrapped, inputs=args, verbose=False, ret_layer_info=True)
    by_module: dict[str, int] = {}

    def collect(prefix: str, layers: Mapping[str, Any]) -> None:
        for name, (count, _, below) in layers.items():
            path = f"{prefix}.{name}" if prefix else name
            if below:
                collect(path, below)
            else:
                by_module[_without_wrapper(path, kwargs)] = int(count)

    collect("", nested)
    return Count(int(macs), by_module)


def own(inclusive: Mapping[str, int]) -> dict[str, int]:
    """Each module's count without those of the modules inside it."""
    counts = dict(inclusive)
    for path, count in inclusive.items():
        above = path
        while above:
            above = above.rpartition(".")[0]
            if above in counts:
                counts[above] -= count
                break
    return counts


class _Positional(nn.Module):
    """A model with its keyword inputs bound, for tools that pass positional ones only."""

    def __init__(self, model: nn.Module, kwargs: Mapping[str, Any]):
        super().__init__()
        self.model = model
        self.bound = dict(kwargs)

    def forward(self, *args: Any) -> Any:
        return self.model(*args, **self.bound)


class _Packed(_Positional):
    """A model that takes its positional inputs as one tuple."""

    def forward(self, inputs: Inputs) -> Any:
        return self.model(*inputs, **self.bound)


def _positional(model: nn.Module, kwargs: Mapping[str, Any]) -> nn.Module:
    return _Positional(model, kwargs) if kwargs else model


def _without_wrapper(path: str, kwargs: Mapping[str, Any]) -> str:
    return path.removeprefix("model").removeprefix(".") if kwargs else path


@contextlib.contextmanager
def silence() -> Any:
    """Tools print; their processes have one thing to say on stdout."""
    import os

    with open(os.devnull, "w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):
        yield
