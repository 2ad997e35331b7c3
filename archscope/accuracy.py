"""Accuracy beside cost: what torchvision publishes with its weights, and any table a person has.

Accuracies only compare within a protocol, so each comes with its own.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archscope.errors import InvalidInput, UnknownName, unreadable
from archscope.published import CONFIDENCES, PROTOCOLS

if TYPE_CHECKING:
    import pandas as pd

_IMAGENET = "ImageNet-1K"  # as torchvision's metadata calls it

_FEW = 3  # names in a warning

COLUMNS = ("top1", "top5", "protocol", "accuracy_source")


def torchvision_accuracy(name: str) -> list[dict[str, Any]]:
    """What torchvision's metadata says of a classifier: a row for each entry of its weights.

    Args:
        name: a builder of torchvision, without the prefix.

    Returns:
        ``model`` ("torchvision:NAME"), ``weights``, ``dataset``, ``top1`` and ``top5`` in percent,
        ``protocol`` ("single-crop", or for other data than ImageNet "other (DATASET)"), ``crop``
        (the sizes of resize and crop) and ``accuracy_source``. A model without such figures has
        no rows.

    Raises:
        ArchscopeError: torchvision is not installed.
    """
    from archscope.sources.torchvision import weights

    rows = []
    for entry in weights(name):
        for dataset, metrics in entry.meta.get("_metrics", {}).items():
            if "acc@1" in metrics:
                rows.append(
                    {
                        "model": f"torchvision:{name}",
                        "weights": entry.name,
                        "dataset": dataset,
                        "top1": metrics["acc@1"],
                        "top5": metrics["acc@5"],
                        "protocol": (
                            "single-crop" if dataset == _IMAGENET else f"other ({dataset})"
                        ),
                        "crop": _crop(entry),
                        "accuracy_source": f"torchvision {type(entry).__name__}.{entry.name}",
                    }
                )
    return rows


def with_accuracy(
    frame: pd.DataFrame, file: str | Path | None = None, *, protocol: str = "single-crop"
) -> pd.DataFrame:
    """A table of models with their accuracies.

    Of several figures for a model, one of the wanted protocol is taken, and else one of the first
    protocol of ``published.PROTOCOLS`` that there is: its ``protocol`` says so. Among those, a
    source's own figures come before ones read off a chart; then torchvision's come first, which
    one program evaluated for all and anyone can repeat; then complete ones before a top-1 alone.

    Args:
        frame: has a column ``model`` of references.
        file: a CSV file with the columns ``model`` and ``top1`` (percent), such as timm's results.
            Its names may leave out the reference's prefix; of a timm model without the tag of its
            weights, the tag that timm loads by default is meant. Without a file, torchvision's
            metadata and archscope's table of published figures answer.
        protocol: the wanted one, of ``published.PROTOCOLS`` or as the file has it.

    Returns:
        The frame with ``top1``, ``top5``, ``protocol`` and ``accuracy_source``, missing where
        nothing is known.

    Raises:
        InvalidInput: the file cannot be read, or lacks one of the two columns.
        UnknownName: there is no such protocol.
    """
    table = _published() if file is None else _read(Path(file))
    stated = {row.get("protocol") or "" for rows in table.values() for row in rows}
    protocols = list(dict.fromkeys([*PROTOCOLS, *sorted(stated - {""})]))
    if protocol not in protocols:
        raise UnknownName("protocol", protocol, protocols)
    own = frame["source"] == "module" if "source" in frame and file is None else None
    found = []
    for place, model in enumerate(frame["model"]):
        # A module of a person's own is not the published network of the same name.
        known = [] if own is not None and own.iloc[place] else _looked_up(model, table, file)
        found.append(_chosen(known, protocol))
    return frame.assign(**{name: [row.get(name) for row in found] for name in COLUMNS})


def unmatched(frame: pd.DataFrame, file: str | Path | None) -> tuple[str, ...]:
    """A warning where a person's table of accuracies names no network of the frame.

    Args:
        frame: of ``with_accuracy``, with all its networks.
        file: that was given.
    """
    if file is None or frame.empty or frame["top1"].notna().any():
        return ()
    named = list(_read(Path(file)))
    some = ", ".join(named[:_FEW]) + (", ..." if len(named) > _FEW else "")
    has = f"it has {some}" if named else "it has no row"
    return (f"{file} has no accuracy of any of these networks; {has}",)


def _chosen(rows: Sequence[Mapping[str, Any]], protocol: str) -> Mapping[str, Any]:
    """The figure to show of several; the first of equally good ones."""

    def kind(text: str | None) -> str | None:
        return text and text.partition(" (")[0]  # "other (CIFAR-10 test set)"

    def rank(row: Mapping[str, Any]) -> tuple[bool, int, int, bool, bool]:
        return (
            kind(row["protocol"]) != protocol,
            _place(kind(row["protocol"]), PROTOCOLS),
            _place(row.get("confidence"), CONFIDENCES),
            not (row.get("accuracy_source") or "").startswith("torchvision "),
            row["top5"] is None,
        )

    return min(rows, key=rank, default={})


def _place(word: str | None, words: Sequence[str]) -> int:
    return words.index(word) if word in words else len(words)


def _published() -> dict[str, list[dict[str, Any]]]:
    """The table of published figures that have a top-1, by model."""
    from archscope.published import published

    found: dict[str, list[dict[str, Any]]] = {}
    for row in published().dropna(subset=["top1"]).to_dict("records"):
        data = row["crop"].partition(",")[0]  # "CIFAR-10 test set, whole image"
        figure = {
            "top1": row["top1"],
            "top5": None if row["top5"] != row["top5"] else row["top5"],
            "protocol": f"other ({data})" if row["protocol"] == "other" else row["protocol"],
            "accuracy_source": row["source"],
            "confidence": row["confidence"],
        }
        found.setdefault(row["model"], []).append(figure)
    return found


def _read(path: Path) -> dict[str, list[dict[str, Any]]]:
    """A person's table, by model."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            columns = reader.fieldnames or []
            missing = [name for name in ("model", "top1") if name not in columns]
            if missing:
                raise InvalidInput(f"{path} has no column {' and no column '.join(missing)}")
            rows: dict[str, list[dict[str, Any]]] = {}
            for row in reader:
                rows.setdefault(row["model"], []).append(row)
            return rows
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise unreadable(path, error) from error


def _looked_up(
    model: str, table: Mapping[str, list[dict[str, Any]]], file: str | Path | None
) -> list[dict[str, Any]]:
    if file is None:
        prefix, _, name = model.rpartition(":")
        return torchvision_accuracy(name) if prefix == "torchvision" else table.get(model, [])
    found = next((name for name in _names(model) if name in table), None)
    return [] if found is None else [_figure(row, found, str(file)) for row in table[found]]


def _figure(row: Mapping[str, str], name: str, file: str) -> dict[str, Any]:
    return {
        "top1": _number(row["top1"], name, file),
        "top5": _number(row.get("top5"), name, file),
        "protocol": row.get("protocol") or None,
        "accuracy_source": row.get("accuracy_source") or f"{file}: {name}",
    }


def _names(model: str) -> list[str]:
    """The names under which a table may have a model, the most exact one first."""
    prefix, _, name = model.rpartition(":")
    names = [model, name]
    if prefix == "timm" and "." not in name:
        from archscope.sources.timm import default_tag

        names.append(f"{name}.{default_tag(name)}")
    return names


def _number(text: str | None, model: str, source: str) -> float | None:
    if not text:
        return None
    try:
        percent = float(text)
    except ValueError:
        raise InvalidInput(f"{source}: the accuracy of {model} is '{text}', no number") from None
    if not (percent == 0 or 1 < percent <= 100):  # a fraction, most likely
        raise InvalidInput(f"{source}: the accuracy of {model} is {text}; write percent, as 76.13")
    return percent


def _crop(entry: Any) -> str:
    settings = getattr(entry.transforms, "keywords", {})
    crop = settings.get("crop_size")
    resize = settings.get("resize_size", 256)
    return f"resize {resize}, centre crop {crop}"
