"""Many networks, a row each: costs, published accuracy, and what was measured."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archscope.accuracy import unmatched, with_accuracy
from archscope.arguments import (
    checked,
    file,
    files,
    flag,
    function,
    positive,
    reference,
    shown,
    text,
    texts,
)
from archscope.comparison.columns import COLUMNS, comparison_frame, typed
from archscope.comparison.expressions import parse
from archscope.comparison.expressions import where as holding
from archscope.comparison.measured import measurements, with_measurements
from archscope.comparison.order import RELATIVE, SUFFIX
from archscope.comparison.order import relative_to as in_multiples
from archscope.comparison.order import sort as sorted_by
from archscope.comparison.origin import origin
from archscope.comparison.pareto import pareto
from archscope.comparison.remembered import row as network_row
from archscope.comparison.row import DEFAULT, check_analyses, failed_row, reason
from archscope.errors import ArchscopeError, InvalidInput, UnknownName, UnknownOption
from archscope.sources import check_positive, expand, resolve
from archscope.sources.inputs import specs
from archscope.trace.execution import Execution, choices

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

    from archscope.sources.inputs import Input

    Models = str | nn.Module | Iterable[str | nn.Module | tuple[str, nn.Module]]

Named = tuple[str, Any]  # what to call it; a reference or a module

_EXAMPLES = {"text": "", "shape": (1,), "flag": True}  # values of a column, by its kind

_FEW = 12  # names in a note

INTERRUPTED = "interrupted before it was analysed"


@checked(
    batch=positive,
    analyses=texts,
    effective_depth=flag,
    execution=choices,
    accuracy=file,
    protocol=text,
    measured=files,
    measured_where=text,
    relative_to=reference,
    where=text,
    sort=texts,
    progress=function,
)
def compare(
    models: Models | Mapping[str, nn.Module],
    inputs: Any = None,
    *,
    batch: int | None = None,
    input: Input = None,
    analyses: Collection[str] = DEFAULT,
    effective_depth: bool = False,
    execution: Mapping[str, Any] | None = None,
    accuracy: str | Path | None = None,
    protocol: str = "single-crop",
    measured: Iterable[str | Path] = (),
    measured_where: str | None = None,
    relative_to: str | None = None,
    where: str | None = None,
    sort: str | Sequence[str] = (),
    progress: Callable[[str], None] | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Networks beside each other.

    A network that cannot be built or run is a row that says why. An interrupt ends the analysis,
    and the rows that are left say that.

    Args:
        models: references, patterns of them ("timm:resnet*"), modules or pairs of a name and a
            module; or a dictionary of such pairs.
        inputs: of the modules, as for ``archscope.analyze``.
        batch: the batch size, 1 by default; that of ``inputs`` is theirs.
        input: the shape of one sample; a reference's own by default.
        analyses: some of ``ANALYSES``, see ``network_row``.
        effective_depth: measure it, too, with random weights.
        execution: how to run, choices of ``archscope.trace``: ``{"dtype": "bf16"}``.
        accuracy: a table of accuracies in place of the published ones, see
            ``archscope.accuracy.with_accuracy``.
        protocol: of accuracies; a network that has none of this protocol is shown with its own.
        measured: files of ``archscope latency`` and ``energy``, see ``with_measurements``.
        measured_where: which of their rows to use.
        relative_to: a network; what all cost in multiples of it are columns ``..._relative``. It is
            added if it is not among the models.
        where: keep the rows for which this is true, "params < 30M and top1 > 75".
        sort: by a column, "top1,desc", or by several.
        progress: called with a line of text for each network.
        options: options of every reference, ``num_classes=10``.

    Returns:
        A row per network with the columns of ``archscope.comparison.columns.COLUMNS``. MACs, FLOPs
        and activations are those of the whole batch. Published accuracies are missing where
        ``input`` or ``options`` make it another network than the published one. ``pareto`` marks
        the front of most top-1 accuracy for least MACs, among rows of one protocol. ``status`` is
        "ok", or says why a network has no figures; ``remarks`` say why it lacks some. ``attrs``:
        ``notes`` say what a reader should know, ``warnings`` what looks like a mistake, and
        ``failed`` has the statuses of all networks that are not "ok", shown or not.

    Raises:
        UnknownName: a network, column or analysis that there is not.
        InvalidInput: an expression or a file that cannot be read; no network at all.
        UnknownOption: no network takes the option.
    """
    specs(input)  # refuses what cannot be read
    listed = named(models)
    _refuse_unused(listed, inputs, input, measured, measured_where)
    if relative_to is not None and relative_to not in dict(listed):
        listed += named(relative_to)
    check_columns(where, sort, relative=relative_to is not None)
    taken = measurements(measured, condition=measured_where)
    with_accuracy(comparison_frame([]), accuracy, protocol=protocol)  # refuses what cannot be read
    rows = comparison_rows(
        listed,
        inputs,
        batch=batch,
        input=input,
        analyses=(*analyses, "effective_depth") if effective_depth else analyses,
        execution=execution,
        progress=progress,
        **options,
    )
    frame = typed(with_accuracy(comparison_frame(rows), accuracy, protocol=protocol))
    frame.attrs |= {"protocol": protocol, "relative_to": relative_to, "notes": ()}
    frame.attrs["warnings"] = unmatched(frame, accuracy)
    if accuracy is None:
        frame = _only_as_published(frame, input, options)
    if measured:
        frame = _noting_unmeasured(typed(with_measurements(frame, taken)))
    frame["top1_per_mparams"] = frame["top1"] / (frame["params"].astype("float64") / 1e6)
    frame["pareto"] = _fronts(frame)
    frame.attrs["failed"] = {row["model"]: row["status"] for row in rows if row["status"] != "ok"}
    return arranged(frame, relative_to=relative_to, where=where, sort=sort)


def _refuse_unused(
    listed: Sequence[Named], inputs: Any, input: Input, measured: Any, measured_where: str | None
) -> None:
    """Refuse arguments that would change nothing."""
    if measured_where is not None and not measured:
        raise InvalidInput("measured_where= chooses rows of measured= files; give some")
    if inputs is not None and all(isinstance(model, str) for _, model in listed):
        raise InvalidInput("inputs= are of modules; a reference takes input=, of one sample")
    if inputs is not None and input is not None:
        raise InvalidInput("give inputs= (with the batch) or input= (without), not both")


def arranged(
    frame: pd.DataFrame,
    *,
    relative_to: str | None = None,
    where: str | None = None,
    sort: str | Sequence[str] = (),
) -> pd.DataFrame:
    """A comparison's rows in multiples of one, only those that are wanted, and in order.

    Raises:
        UnknownName: a network or a column that there is not.
        InvalidInput: a condition or an order that cannot be read.
    """
    if relative_to is not None:
        frame = in_multiples(frame, relative_to)
        frame.attrs["relative_to"] = relative_to
    if where is not None:
        frame = holding(frame, where)
        frame["pareto"] = _fronts(frame)  # among those that are left
    return sorted_by(frame, sort).reset_index(drop=True)


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
    Execution(**execution or {})  # refuses a choice that there is not
    listed = named(models)
    say = progress or (lambda line: None)
    rows: list[dict[str, Any]] = []
    refusals: list[ArchscopeError] = []
    for place, (name, model) in enumerate(listed):
        say(f"{place + 1} of {len(listed)}: {name}")
        reference = isinstance(model, str)
        own: dict[str, Any] = {"batch": batch, "input": input}
        if reference:
            own |= options
        elif inputs is not None:  # which have their batch
            own = {}
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


def check_columns(
    where: str | None, sort: str | Sequence[str] = (), *, relative: bool = False
) -> None:
    """Refuse a condition or an order before an analysis, and not after it.

    Raises:
        UnknownName: a column that there is not.
        InvalidInput: it cannot be read.
    """
    kinds = known_columns(relative=relative)
    if where is not None:
        parse(where, kinds)({name: _EXAMPLES.get(kind, 1) for name, kind in kinds.items()})
    sorted_by(comparison_frame([]).reindex(columns=list(kinds)), sort)


def known_columns(*, relative: bool = False) -> dict[str, str]:
    """Every column that a comparison may have, with its kind."""
    multiples = {f"{name}{SUFFIX}": "number" for name in RELATIVE if relative}
    return {**COLUMNS, "disturbed": "text", **multiples}


def _only_as_published(
    frame: pd.DataFrame, input: Input, options: Mapping[str, Any]
) -> pd.DataFrame:
    """The frame without the accuracies of networks that are not as they were evaluated."""
    if input is None and not options:
        return frame
    known = frame[frame["top1"].notna()]
    altered = [
        place
        for place, model, shape in zip(
            known.index, known["model"], known["input_shape"], strict=True
        )
        if options or shape is None or _own_sample(model) != tuple(shape[1:])
    ]
    frame.loc[altered, ["top1", "top5"]] = float("nan")
    frame.loc[altered, ["protocol", "accuracy_source"]] = None
    altered = [place for place in altered if frame["input_shape"][place] is not None]
    if not altered:
        return frame
    names = ", ".join(frame["model"][altered][:_FEW]) + (", ..." if len(altered) > _FEW else "")
    notes = (f"Published accuracies are for a network's own input and classes, not for {names}.",)
    frame.attrs["notes"] += notes
    return frame


def _noting_unmeasured(frame: pd.DataFrame) -> pd.DataFrame:
    missing = list(frame["model"][frame["device"].isna()])
    if missing:
        names = ", ".join(missing[:_FEW]) + (", ..." if len(missing) > _FEW else "")
        frame.attrs["notes"] += (
            f"No measurement fits {len(missing)} of {len(frame)} networks in batch, input, "
            f"dtype and FLOPs: {names}.",
        )
    return frame


def _own_sample(reference: str) -> tuple[int, ...]:
    """The shape of the sample that a reference is built for."""
    first = resolve(reference).inputs[0]
    return tuple(getattr(first, "shape", first))[1:]


def _fronts(frame: pd.DataFrame) -> pd.Series:
    """The front of each protocol by itself, and where a frame says so of rows that ran alike."""
    front = pareto(frame)
    for _, group in frame.groupby(list(frame.attrs.get("alike", ["protocol"])), dropna=False):
        front[group.index] = pareto(group)
    return front


def named(models: Models | Mapping[str, nn.Module]) -> list[Named]:
    """Every network with its name: patterns are replaced by what they match.

    Raises:
        UnknownName: a name that a source does not have, or a pattern that matches nothing.
        InvalidInput: no network, or two of one name.
    """
    from torch import nn

    if not isinstance(models, str | nn.Module | Iterable):
        raise InvalidInput(
            f'models are references, such as ["resnet50", "vgg16"], or modules, not {shown(models)}'
        )
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
    for name, model in found.items():
        if isinstance(model, str) and model != name:
            raise InvalidInput(f"'{model}' is its own name; only a module is given another, {name}")
        if not isinstance(model, str | nn.Module):
            kind = type(model).__name__
            raise InvalidInput(f"networks are references or torch.nn.Modules, not {kind}")
        origin(model)  # a misspelt name is refused at once, not after all the others
    return list(found.items())


def _pairs(item: Any) -> list[Named]:
    if isinstance(item, str):
        return [(reference, reference) for reference in expand([item])]
    if isinstance(item, tuple) and len(item) == 2:
        return [(str(item[0]), item[1])]
    return [(type(item).__name__, item)]
