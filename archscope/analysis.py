"""The front door: one call from a reference or a module to a report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archscope.errors import InvalidInput
from archscope.report import Report

if TYPE_CHECKING:
    from torch import nn


def analyze(
    model: str | nn.Module,
    inputs: Any = None,
    *,
    kwargs: dict[str, Any] | None = None,
    batch: int | None = None,
    input: tuple[int, ...] | None = None,
    mode: str | None = None,
    name: str | None = None,
    strict: bool = False,
    **options: Any,
) -> Report:
    """Run a model once on shapes alone and report what it costs.

    Args:
        model: a reference ("vgg16") or any module, which is left exactly as it was.
        inputs: for a module, what to call it with: a tuple of tensors, real or meta, or of
            shapes, nested as the model wants them; or a dictionary of keyword inputs.
        kwargs: keyword inputs beside positional ones.
        batch: the batch size of a reference or of ``input`` (1 by default).
        input: the shape of one sample, without the batch: (3, 320, 320).
        mode: "inference" or "training". A reference is analysed in inference by default, a module
            in the mode in which it is, forward only.
        name: what to call the model in the report.
        strict: raise when an operator has no cost formula, instead of reporting the coverage.
        options: options of a reference: ``num_classes=10``, ``hidden=512``, ``seq_len=100``.

    Returns:
        A ``Report``: ``layers``, a row per layer call; ``totals``; ``trace``.

    Raises:
        ArchscopeError: an unknown reference or option, inputs that the model refuses, a model
            that raises; in ``strict`` mode an operator without a formula. The message is one line.
    """
    from archscope.sources import check_positive, resolve
    from archscope.trace import trace

    if mode not in (None, "inference", "training"):
        raise InvalidInput(f"mode '{mode}' is not known; it is 'inference' or 'training'")
    if isinstance(model, str):
        if inputs is not None or kwargs is not None:
            raise InvalidInput(
                f"'{model}' knows its inputs; to change them give input=(3, 320, 320) and batch="
            )
        mode = mode or "inference"
        subject = resolve(
            model, batch=1 if batch is None else batch, input=input, mode=mode, options=options
        )
        recorded = trace(
            subject.model,
            subject.inputs,
            mode,  # type: ignore[arg-type]
            name=name or subject.name,
            batch=subject.batch,
        )
    else:
        if options:
            raise InvalidInput(f"options such as {next(iter(options))}= are for references only")
        if input is not None:
            if inputs is not None:
                raise InvalidInput("give inputs= (with the batch) or input= (without), not both")
            check_positive("batch", 1 if batch is None else batch)
            inputs = ((batch or 1, *input),)
        recorded = trace(model, inputs, mode, kwargs=kwargs, name=name, batch=batch)  # type: ignore[arg-type]
    return Report(recorded, strict=strict)
