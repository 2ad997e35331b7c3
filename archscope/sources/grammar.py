"""One grammar for every command and for the API."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from types import ModuleType
from typing import Any

from archscope.arguments import positive
from archscope.errors import ArchscopeError, InvalidInput, UnknownName
from archscope.sources.inputs import Input, specs
from archscope.sources.subject import Request, Subject

# Sources whose names can be listed, by prefix; each module has `resolve` and `names`.
LISTED = {
    "": "archscope.sources.zoo",
    "torchvision": "archscope.sources.torchvision",
    "timm": "archscope.sources.timm",
    "hf": "archscope.sources.huggingface",
}
WEIGHTS = (".pt", ".pth", ".bin", ".ckpt", ".safetensors", ".pkl", ".pickle")


def resolve(
    reference: str,
    *,
    batch: int = 1,
    input: Input = None,
    mode: str = "inference",
    options: Mapping[str, Any] | None = None,
    real: bool = False,
) -> Subject:
    """Build what a reference names, on the meta device where its constructor allows.

    Args:
        reference: as in ``archscope.sources``.
        batch: the batch size, 1 or more.
        input: the shape of one sample, without the batch, as a tuple or as text ("3x224x224",
            "ids:int64:1x128"; a list for several inputs); the architecture's own by default.
        mode: "training" adds what an architecture has in training only, such as auxiliary heads.
        options: options of the builder, ``num_classes`` for instance, and of its input,
            ``seq_len`` for a sequence.
        real: give the weights values, as the constructor initialises them, on the CPU.

    Raises:
        UnknownName: no such architecture, or a pattern.
        UnknownOption: it has no such option.
        InvalidInput: a batch or a shape that is not positive, an option of the wrong kind, or a
            file that cannot be read.
    """
    positive("batch", batch)
    source, name = source_of(reference)
    request = Request(reference, batch, specs(input), mode, dict(options or {}), real)
    return source.resolve(name, request)


def own_sample(reference: str, options: Mapping[str, Any]) -> tuple[tuple[int, ...], ...] | None:
    """The shapes of one sample of a reference's own inputs, where they are known unbuilt.

    Args:
        reference: as for ``resolve``.
        options: of its builder.

    Returns:
        A shape without the batch for each input; None where only the built model knows.

    Raises:
        ArchscopeError: as ``resolve``, for a name or an option that there is not.
    """
    source, name = source_of(reference)
    if not hasattr(source, "own_sample"):
        return None
    return source.own_sample(name, Request(reference, options=options))


def expand(references: Iterable[str]) -> list[str]:
    """The references with every pattern, such as ``timm:resnet*``, replaced by what it matches.

    Raises:
        UnknownName: a pattern that matches nothing.
    """
    found: dict[str, None] = {}
    for reference in references:
        found.update(dict.fromkeys(_matches(reference) if _is_pattern(reference) else [reference]))
    return list(found)


def names(prefix: str = "") -> list[str]:
    """Every reference that a source lists: of the zoo, or of "torchvision", "timm" or "hf".

    Raises:
        ArchscopeError: the package is not installed.
    """
    listed = importlib.import_module(LISTED[prefix]).names()
    return [f"{prefix}:{name}" for name in listed] if prefix else list(listed)


def _is_pattern(reference: str) -> bool:
    prefix, colon, _ = reference.partition(":")
    listed = not colon or prefix in LISTED
    return listed and "/" not in reference and any(sign in reference for sign in "*?[")


def _matches(pattern: str) -> list[str]:
    prefix = pattern.partition(":")[0] if ":" in pattern else ""
    known = names(prefix)
    matching = [name for name in known if fnmatchcase(name, pattern)]
    if not matching:
        raise UnknownName("pattern", pattern, known)
    return matching


def source_of(reference: str) -> tuple[ModuleType, str]:
    """The module that knows a reference, and the reference without its prefix.

    Raises:
        InvalidInput: a pattern, or a file of weights.
        ArchscopeError: what can be no reference.
    """
    if not isinstance(reference, str):
        kind = type(reference).__name__
        raise InvalidInput(
            f"a model is a torch.nn.Module or a reference such as 'vgg16', no {kind}"
        )
    if _is_pattern(reference):
        count = len(_matches(reference))
        raise InvalidInput(f"'{reference}' names {count} models; one is wanted here")
    prefix, colon, name = reference.partition(":")
    if colon and prefix in LISTED:
        return importlib.import_module(LISTED[prefix]), name
    if reference.endswith(".pt2"):
        return importlib.import_module("archscope.sources.exported"), reference
    if reference.endswith(WEIGHTS):
        raise InvalidInput(
            f"'{reference}' holds weights, not an architecture; "
            "give the code that builds it (file.py:Net) or an exported program (.pt2)"
        )
    if colon or reference.endswith(".py"):
        return importlib.import_module("archscope.sources.code"), reference
    if "/" in reference:
        raise ArchscopeError(
            f"'{reference}' is no reference; a Python file is given as file.py:Net, "
            "a transformers configuration as hf:DIRECTORY"
        )
    return importlib.import_module(LISTED[""]), reference
