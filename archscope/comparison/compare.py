"""Many networks, a row each: costs, published accuracy, and what was measured."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from archscope.comparison.columns import comparison_frame, typed
from archscope.comparison.origin import origin
from archscope.comparison.pareto import pareto
from archscope.comparison.row import DEFAULT, check_analyses, failed_row, network_row, reason
from archscope.errors import ArchscopeError, InvalidInput, UnknownName, UnknownOption
from archscope.sources import check_positive, expand

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

    from archscope.sources.inputs import Input

    Models = str | nn.Module | Iterable[str | nn.Module | tuple[str, nn.Module]]

Named = tuple[str, Any]  # what to call it; a reference or a module

INTERRUPTED = "interrupted before it was analysed"


def compare(
    models: Models | Mapping[str, nn.Module],
    inputs: Any = None,
    *,
    batch: int | None = None,
    input: Input = None,
    analyses: Collection[str] = DEFAULT,
    effective_depth: bool = False,
    execution: Mapping[str, Any] | None = None,
    accuracy: str | None = None,
    protocol: str = "single-crop",
    progress: Callable[[str], None] | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Networks beside each other.

    Args:
        models: references, patterns of them ("timm:resnet*"), modules or pairs of a name and a
            module; or a dictionary of such pairs.
        inputs: of the modules, as for ``archscope.analyze``.
        batch: the batch size of references, 1 by default.
        input: the shape of one sample; each network's own by default.
        analyses: some of ``ANALYSES``, see ``network_row``.
        effective_depth: measure it, too, with random weights.
        execution: how to run, choices of ``archscope.trace``: ``{"dtype": "bf16"}``.
        progress: called with a line of text for each network.
        options: options of every reference, ``num_classes=10``.

    Returns:
        A row per network with the columns of ``archscope.comparison.columns.COLUMNS``. ``status``
        is "ok", or says why a network has no figures. ``pareto`` marks the front of most top-1
        accuracy for least MACs, among networks of one protocol.

    Raises:
        ArchscopeError: a name or an analysis that there is not, or a setting that is wrong for all.
    """
    chosen = (*analyses, "effective_depth") if effective_depth else tuple(analyses)
    rows = comparison_rows(
        models,
        inputs,
        batch=batch,
        input=input,
        analyses=chosen,
        execution=execution,
        progress=progress,
        **options,
    )
    return completed(comparison_frame(rows), accuracy=accuracy, protocol=protocol)


def comparison_rows(
    models: Models | Mapping[str, nn.Module],
    inputs: Any = None,
    *,
    batch: int | None = None,
    input: Input = None,
    analyses: Collection[str] = DEFAULT,
    execution: Mapping[str, Any] | None = None,
    progress: Callable[[str], None] | None = None,
    **options: Any,
) -> list[dict[str, Any]]:
    """What is derived, as in ``compare``, as dictionaries.

    An interrupt ends the analysis; the networks that it leaves out have that as their status.
    """
    check_analyses(analyses)
    check_positive("batch", 1 if batch is None else batch)
    listed = named(models)
    say = progress or (lambda line: None)
    rows: list[dict[str, Any]] = []
    refusals: list[ArchscopeError] = []
    for place, (name, model) in enumerate(listed):
        say(f"{place + 1} of {len(listed)}: {name}")
        reference = isinstance(model, str)
        own: dict[str, Any] = {"batch": batch, "input": input, **options} if reference else {}
        try:
            rows.append(
                network_row(
                    model,
                    None if reference else inputs,
                    name=name,
                    analyses=analyses,
                    execution=execution,
                    **own,
                )
            )
        except UnknownName:
            raise
        except KeyboardInterrupt:
            if not rows:
                raise
            rows += [failed_row(model, name, INTERRUPTED) for name, model in listed[place:]]
            break
        except Exception as error:
            refusals += [error] if isinstance(error, UnknownOption) else []
            rows.append(failed_row(model, name, reason(error)))
    if refusals and len(refusals) == len(rows):
        raise refusals[0]
    return rows


def completed(
    frame: pd.DataFrame, *, accuracy: str | None = None, protocol: str = "single-crop"
) -> pd.DataFrame:
    """Accuracies beside the costs, and what follows from both."""
    from archscope.accuracy import with_accuracy

    frame = typed(with_accuracy(frame, accuracy, protocol=protocol))
    frame["top1_per_mparams"] = frame["top1"] / (frame["params"].astype("float64") / 1e6)
    frame["pareto"] = _fronts(frame)
    return frame


def _fronts(frame: pd.DataFrame) -> pd.Series:
    """The front of each protocol by itself."""
    import pandas as pd

    groups = [pareto(group) for _, group in frame.groupby("protocol", dropna=False)]
    return pd.concat(groups).reindex(frame.index) if groups else pd.Series(dtype=bool)


def named(models: Models | Mapping[str, nn.Module]) -> list[Named]:
    """Every network with its name: patterns are replaced by what they match.

    Raises:
        UnknownName: a name that a source does not have, or a pattern that matches nothing.
        InvalidInput: no network, or two of one name.
    """
    from torch import nn

    if isinstance(models, Mapping):
        pairs = list(models.items())
    else:
        items = [models] if isinstance(models, str | nn.Module) else list(models)
        pairs = [pair for item in items for pair in _pairs(item)]
    if not pairs:
        raise InvalidInput("there is nothing to compare; give references, such as resnet50 vgg16")
    found: dict[str, Any] = {}
    for name, model in pairs:
        if name in found and not (isinstance(model, str) and found[name] == model):
            raise InvalidInput(f"two networks are called '{name}'; give pairs of name and module")
        found[name] = model
    for model in found.values():  # a misspelt name is refused at once, not after all the others
        origin(model)
    return list(found.items())


def _pairs(item: Any) -> list[Named]:
    if isinstance(item, str):
        return [(reference, reference) for reference in expand([item])]
    if isinstance(item, tuple):
        return [item]
    return [(type(item).__name__, item)]
