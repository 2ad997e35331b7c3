"""From a reference, such as "vgg16", to a subject: a model and what to call it with."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from archscope.errors import InvalidInput, UnknownOption
from archscope.models.catalog import Architecture, accepted_options, build, find

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Subject:
    """A model, its inputs (shapes with the batch in front), and where it comes from."""

    name: str
    model: nn.Module
    inputs: tuple[Any, ...]
    batch: int
    options: Mapping[str, Any] = field(default_factory=dict)
    reference: str = ""


def resolve(
    reference: str,
    *,
    batch: int = 1,
    input: tuple[int, ...] | None = None,
    mode: str = "inference",
    options: Mapping[str, Any] | None = None,
) -> Subject:
    """Build what a reference names, on the meta device.

    Args:
        reference: a name of the zoo.
        batch: the batch size, 1 or more.
        input: the shape of one sample, without the batch; the architecture's own by default.
        mode: "training" adds what an architecture has in training only, such as auxiliary heads.
        options: options of the architecture, ``num_classes`` for instance, and of its input,
            ``seq_len`` for a sequence.

    Raises:
        UnknownName: no such architecture.
        UnknownOption: it has no such option.
        InvalidInput: a batch or a shape that is not positive, or an option of the wrong kind.
    """
    from archscope.trace.building import on_meta

    architecture = find(reference)
    check_positive("batch", batch)
    given = dict(options or {})
    sizes = _input_sizes(architecture, given)
    if mode == "training":
        given = {**architecture.training_options, **given}
    shape = input if input is not None else _input_shape(architecture, sizes, given)
    for size in shape:
        check_positive("an input size", size)
    try:
        with on_meta():
            model = build(reference, **given)
    except (TypeError, ValueError, RuntimeError, ZeroDivisionError) as error:
        settings = ", ".join(f"{name}={value}" for name, value in given.items())
        raise InvalidInput(f"{reference} cannot be built with {settings}: {error}") from error
    return Subject(
        name=reference,
        model=model,
        inputs=((batch, *shape),),
        batch=batch,
        options=dict(options or {}),
        reference=reference,
    )


def check_positive(what: str, value: Any) -> None:
    """Raise ``InvalidInput`` unless the value is a whole number of 1 or more."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidInput(f"{what} must be a whole number of 1 or more, not {value}")


def _input_sizes(architecture: Architecture, given: dict[str, Any]) -> dict[str, int]:
    """Take the options of the input, such as seq_len, out of the given ones."""
    sizes = dict(architecture.input_options)
    for name in list(given):
        if name in sizes:
            sizes[name] = given.pop(name)
            check_positive(name, sizes[name])
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
        check_positive(str(name), size)
    return shape
