"""archscope and its peers behind one call: ``counter(module, args, kwargs) -> MACs``.

Each adaptor calls a tool as its documentation shows and brings the answer to MACs; the line above
it says what the tool itself returns. A tool is imported when its adaptor is first called for, so
that one that is not installed disturbs none of the others.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import nn

Counter = Callable[[nn.Module, tuple[Any, ...], dict[str, Any]], float]

LOADERS: dict[str, Callable[[], Counter]] = {}
DISTRIBUTIONS: dict[str, str] = {}


def counter(name: str, distribution: str) -> Callable[[Callable[[], Counter]], Any]:
    """Register the loader of a counter: it imports the tool and returns the adaptor."""

    def register(loader: Callable[[], Counter]) -> Callable[[], Counter]:
        LOADERS[name] = loader
        DISTRIBUTIONS[name] = distribution
        return loader

    return register


def installed_version(name: str) -> str | None:
    """The version of the distribution behind a counter, None where it is not installed."""
    if name == "archscope":
        from archscope._version import __version__

        return __version__
    try:
        return version(DISTRIBUTIONS[name])
    except PackageNotFoundError:
        return None


class Packed(nn.Module):
    """A module called with one tuple of positional arguments, for tools that pass only that."""

    def __init__(self, module: nn.Module, kwargs: dict[str, Any]) -> None:
        super().__init__()
        self.module = module
        self.kwargs = kwargs

    def forward(self, inputs: tuple[Any, ...]) -> Any:
        return self.module(*inputs, **self.kwargs)


class Positional(Packed):
    """A module with its keyword arguments bound, for tools that pass positional ones only."""

    def forward(self, *inputs: Any) -> Any:
        return self.module(*inputs, **self.kwargs)


def positional(module: nn.Module, kwargs: dict[str, Any]) -> nn.Module:
    return Positional(module, kwargs) if kwargs else module


_kept_alive: list[torch.library.Library] = []


def let_torchvision_be_imported() -> None:
    """Some tools import torchvision, whose import fails beside a torch that its operators were
    not compiled for, since it looks for two of them. None of ours are called: a name will do.
    """
    spec = find_spec("torchvision")
    if spec is None or spec.origin is None:
        return
    try:
        torch.ops.load_library(Path(spec.origin).with_name("_C.so"))
    except OSError:
        library = torch.library.Library("torchvision", "FRAGMENT")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _kept_alive.append(library)


# MACs.
@counter("archscope", "archscope")
def _archscope() -> Counter:
    import archscope

    def count(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> float:
        return archscope.analyze(module, inputs=args, kwargs=kwargs).totals["macs"]

    return count


# "One fused multiply-add as one flop": MACs, among counts of normalisation and resampling, which
# are separate operators and are left out here.
@counter("fvcore", "fvcore")
def _fvcore() -> Counter:
    from fvcore.nn import FlopCountAnalysis

    products = {"addmm", "bmm", "conv", "einsum", "matmul", "mm", "linear"}

    def count(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> float:
        analysis = FlopCountAnalysis(positional(module, kwargs), args)
        by_operator = analysis.by_operator()
        return sum(macs for operator, macs in by_operator.items() if operator in products)

    return count


# `total_mult_adds`: MACs, one more per output element for the bias.
@counter("torchinfo", "torchinfo")
def _torchinfo() -> Counter:
    from torchinfo import summary

    def count(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> float:
        mode = "train" if module.training else "eval"
        return summary(module, input_data=args, mode=mode, verbose=0, **kwargs).total_mult_adds

    return count


# MACs, one more per output element for the bias and for activations.
def _ptflops(backend: str) -> Counter:
    from ptflops import get_model_complexity_info

    def count(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> float:
        # Given as keywords, so that the count is of the batch and not of its mean.
        macs, _ = get_model_complexity_info(
            Packed(module, kwargs),
            (1,),
            input_constructor=lambda _: {"inputs": args},
            as_strings=False,
            print_per_layer_stat=False,
            backend=backend,
        )
        if macs is None:
            raise RuntimeError("ptflops gave up")
        return macs

    return count


@counter("ptflops pytorch", "ptflops")
def _ptflops_pytorch() -> Counter:
    return _ptflops("pytorch")


@counter("ptflops aten", "ptflops")
def _ptflops_aten() -> Counter:
    return _ptflops("aten")


# MACs, with 2 per element for normalisation and 1 for average pooling.
@counter("thop", "thop")
def _thop() -> Counter:
    from thop import profile

    def count(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> float:
        macs, _ = profile(positional(module, kwargs), inputs=args, verbose=False)
        return macs

    return count


# (FLOPs, MACs, parameters): its MACs.
@counter("calflops", "calflops")
def _calflops() -> Counter:
    from calflops import calculate_flops

    def count(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> float:
        # It asks for the device of the first parameter, and moves every argument to it.
        module = Positional(module, kwargs)
        if next(module.parameters(), None) is None:
            module.register_parameter("unused", nn.Parameter(torch.empty(0)))
        _, macs, _ = calculate_flops(
            module,
            args=list(args),
            output_as_string=False,
            print_results=False,
        )
        return macs

    return count


# `total_macs_forward`: MACs of the operations whose split it knows.
@counter("torchlens", "torchlens")
def _torchlens() -> Counter:
    import torchlens

    def count(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> float:
        return torchlens.trace(module, list(args), kwargs).total_macs_forward

    return count


# MACs.
@counter("torchprofile", "torchprofile")
def _torchprofile() -> Counter:
    from torchprofile import profile_macs

    def count(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> float:
        return profile_macs(positional(module, kwargs), args)

    return count


# FLOPs, 2 per MAC.
@counter("FlopCounterMode", "torch")
def _flop_counter_mode() -> Counter:
    from torch.utils.flop_counter import FlopCounterMode

    def count(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> float:
        with FlopCounterMode(display=False) as mode:
            module(*args, **kwargs)
        return mode.get_total_flops() / 2

    return count
