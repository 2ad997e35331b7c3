"""The architectures of ``archscope.models``."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from typing import Any

from archscope.arguments import positive
from archscope.errors import InvalidInput, UnknownOption
from archscope.models.catalog import (
    Architecture,
    accepted_options,
    architectures,
    build,
    find,
)
from archscope.sources.subject import Request, Subject


def names() -> Iterable[str]:
    """Every architecture of the zoo."""
    return architectures()


def resolve(name: str, request: Request) -> Subject:
    """Build an architecture of the zoo on the meta device.

    Raises:
        UnknownName: no such architecture.
        UnknownOption: it has no such option.
        InvalidInput: an option of the wrong kind.
    """
    from archscope.trace.building import on_meta

    architecture = find(name)
    given = dict(request.options)
    sizes = _input_sizes(architecture, given)
    if request.mode == "training":
        given = {**architecture.training_options, **given}
    arguments = request.arguments(_input_shape(architecture, sizes, given))
    try:
        with nullcontext() if request.real else on_meta():
            model = build(name, **given)
    except (TypeError, ValueError, RuntimeError, ZeroDivisionError) as error:
        settings = ", ".join(f"{option}={value}" for option, value in given.items())
        raise InvalidInput(f"{name} cannot be built with {settings}: {error}") from error
    return request.subject(name, model, arguments)


def own_sample(name: str, request: Request) -> tuple[tuple[int, ...], ...]:
    """The shape of one sample."""
    architecture, given = find(name), dict(request.options)
    return (_input_shape(architecture, _input_sizes(architecture, given), given),)


def _input_sizes(architecture: Architecture, given: dict[str, Any]) -> dict[str, int]:
    """Take the options of the input, such as seq_len, out of the given ones."""
    sizes = dict(architecture.input_options)
    for name in list(given):
        if name in sizes:
            sizes[name] = given.pop(name)
            positive(name, sizes[name])
    accepted = accepted_options(architecture.name)
    for name in given:
        if name not in accepted:
            raise UnknownOption(architecture.name, name, [*accepted, *sizes])
    return sizes


def _input_shape(
    architecture: Architecture, sizes: Mapping[str, int], given: Mapping[str, Any]
) -> tuple[int, ...]:
    defaults = {
        name: parameter.default
        for name, parameter in accepted_options(architecture.name).items()
        if parameter.default is not inspect.Parameter.empty
    }
    known = {**defaults, **architecture.options, **given, **sizes}
    shape = tuple(known[size] if isinstance(size, str) else size for size in architecture.input)
    for name, size in zip(architecture.input, shape, strict=True):
        positive(str(name), size)
    return shape
