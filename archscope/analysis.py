"""The front door: one call from a reference or a module to a report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from archscope.arguments import checked, flag, mapping, positive, reference_or_module, text
from archscope.errors import InvalidInput
from archscope.report import Report
from archscope.sources import resolve
from archscope.sources.defaults import defaults_kept
from archscope.trace.execution import choices

if TYPE_CHECKING:
    from torch import nn

    from archscope.sources.inputs import Input


@checked(
    model=reference_or_module,
    kwargs=mapping,
    batch=positive,
    mode=text,
    name=text,
    strict=flag,
    execution=choices,
)
@defaults_kept()
def analyze(
    model: str | nn.Module,
    inputs: Any = None,
    *,
    kwargs: dict[str, Any] | None = None,
    batch: int | None = None,
    input: Input = None,
    mode: str | None = None,
    name: str | None = None,
    strict: bool = False,
    execution: Mapping[str, Any] | None = None,
    **options: Any,
) -> Report:
    """Run a model once on shapes alone and report what it costs.

    Args:
        model: a reference ("vgg16", "timm:resnet50", "net.py:Net"; see ``archscope.sources``) or
            any module, which is left exactly as it was.
        inputs: what to call the model with: a tuple of tensors, real or meta, or of shapes,
            nested as the model wants them; a dictionary of keyword inputs; or the function that
            makes them ("net.py:make_inputs"). A reference often knows its own.
        kwargs: keyword inputs beside positional ones.
        batch: the batch size of a reference or of ``input`` (1 by default).
        input: the shape of one sample, without the batch, as a tuple or as text: (3, 320, 320),
            "3x320x320", "ids:int64:1x128"; see ``archscope.sources.inputs``.
        mode: "inference" or "training". A reference is analysed in inference by default, a module
            in the mode in which it is, forward only.
        name: what to call the model in the report.
        strict: raise when an operator has no cost formula, instead of reporting the coverage.
        execution: how to run it, choices of ``archscope.trace``: ``{"optimizer": "adam"}``; see
            ``archscope.trace.execution``.
        options: options of a reference: ``num_classes=10``, ``hidden=512``, ``seq_len=100``.

    Returns:
        A ``Report``: ``layers``, a row per layer call; ``totals``; ``trace``.

    Raises:
        ArchscopeError: an unknown reference or option, inputs that the model refuses, a model
            that raises; in ``strict`` mode an operator without a formula. The message is one line.
    """
    from archscope.sources.code import made_by
    from archscope.sources.inputs import arguments, specs
    from archscope.trace import trace

    if mode not in (None, "inference", "training"):
        raise InvalidInput(f"mode '{mode}' is not known; it is 'inference' or 'training'")
    if input is not None and inputs is not None:
        raise InvalidInput("give inputs= (with the batch) or input= (without), not both")
    if isinstance(inputs, str):
        inputs, made = made_by(inputs, batch)
        kwargs = {**made, **(kwargs or {})}
    warnings: tuple[str, ...] = ()
    if isinstance(model, str):
        mode = mode or "inference"
        subject = resolve(model, batch=batch or 1, input=input, mode=mode, options=options)
        model, name, warnings = subject.model, name or subject.name, subject.warnings
        if inputs is None and (input is not None or not kwargs):
            inputs, batch = subject.inputs, subject.batch
            kwargs = {**subject.kwargs, **(kwargs or {})}
            if not inputs and not kwargs:
                raise InvalidInput(
                    f"{name} does not say what it is called with; give its input: 3x224x224, "
                    "ids:int64:1x128, or the function that makes it: file.py:make_inputs"
                )
    else:
        if options:
            raise InvalidInput(f"options such as {next(iter(options))}= are for references only")
        if input is not None:
            inputs, named = arguments(specs(input), batch or 1)
            kwargs = {**named, **(kwargs or {})}
    recorded = trace(
        model,
        inputs,
        mode,  # type: ignore[arg-type]
        kwargs=kwargs,
        name=name,
        batch=batch,
        **(execution or {}),
    )
    if warnings:
        recorded = replace(recorded, warnings=(*warnings, *recorded.warnings))
    return Report(recorded, strict=strict)
