"""The names of the zoo, read from the families' files without importing torch."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archscope.errors import UnknownName, UnknownOption

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Architecture:
    """One name of the zoo.

    ``input`` is the shape of one sample, without the batch. An entry of it may be the name of an
    option ("seq_len"), whose value is then taken from the options or from the builder's defaults.
    """

    name: str
    family: str
    year: int
    paper: str
    input: tuple[int | str, ...]
    build: str
    options: Mapping[str, Any] = field(default_factory=dict)
    input_options: Mapping[str, int] = field(default_factory=dict)
    training_options: Mapping[str, Any] = field(default_factory=dict)  # such as auxiliary heads
    summary: str = ""
    module: str = ""


@cache
def architectures() -> Mapping[str, Architecture]:
    """Every architecture of the zoo by name, in the order of the families' files and papers."""
    found: dict[str, Architecture] = {}
    for path in sorted(Path(__file__).parent.glob("*.py")):
        for name, entry in _declared_in(path).items():
            module = f"archscope.models.{path.stem}"
            shape = tuple(entry.pop("input"))
            found[name] = Architecture(name=name, input=shape, module=module, **entry)
    return dict(sorted(found.items(), key=lambda item: (item[1].year, item[1].family)))


def find(name: str) -> Architecture:
    """The architecture of that name.

    Raises:
        UnknownName: no such architecture; the message offers the nearest names.
    """
    try:
        return architectures()[name]
    except KeyError:
        raise UnknownName("architecture", name, architectures()) from None


def build(name: str, **options: Any) -> nn.Module:
    """Build an architecture of the zoo on torch's current default device.

    Raises:
        UnknownName: no such architecture.
        UnknownOption: the architecture has no such option.
    """
    architecture = find(name)
    accepted = accepted_options(name)
    for option in options:
        if option not in accepted:
            raise UnknownOption(name, option, accepted)
    return _builder(architecture)(**{**architecture.options, **options})


def accepted_options(name: str) -> Mapping[str, inspect.Parameter]:
    """The options that an architecture's builder takes, by name."""
    return inspect.signature(_builder(find(name))).parameters


def _builder(architecture: Architecture) -> Callable[..., nn.Module]:
    return getattr(importlib.import_module(architecture.module), architecture.build)


def _declared_in(path: Path) -> dict[str, dict[str, Any]]:
    """The literal of a family's file, from its first line to the brace that ends it."""
    _, found, rest = path.read_text(encoding="utf-8").partition("\nARCHITECTURES = {\n")
    if not found:
        return {}
    literal, _, _ = rest.partition("\n}\n")
    return ast.literal_eval("{" + literal + "}")
