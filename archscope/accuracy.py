"""Accuracy beside cost: what torchvision publishes with its weights, and any table a person has.

Accuracies only compare within a protocol, so each comes with its own.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archscope.errors import InvalidInput

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("top1", "top5", "protocol", "accuracy_source")


def torchvision_accuracy(name: str) -> list[dict[str, Any]]:
    """What torchvision's metadata says of a classifier: a row for each entry of its weights.

    Args:
        name: a builder of torchvision, without the prefix.

    Returns:
        ``model`` ("torchvision:NAME"), ``weights``, ``dataset``, ``top1`` and ``top5`` in percent,
        ``protocol`` ("single-crop"), ``crop`` (the sizes of resize and crop) and
        ``accuracy_source``. A model without such figures has no rows.

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
                        "protocol": "single-crop",
                        "crop": _crop(entry),
                        "accuracy_source": f"torchvision {type(entry).__name__}.{entry.name}",
                    }
                )
    return rows


def with_accuracy(frame: pd.DataFrame, file: str | Path | None = None) -> pd.DataFrame:
    """A table of models with their accuracies.

    Args:
        frame: has a column ``model`` of references.
        file: a CSV file with the columns ``model`` and ``top1`` (percent), such as timm's results.
            Its names may leave out the reference's prefix; of a timm model without the tag of its
            weights, the tag that timm loads by default is meant. Without a file, torchvision's
            metadata and archscope's table of published figures answer.

    Returns:
        The frame with ``top1``, ``top5``, ``protocol`` and ``accuracy_source``, missing where
        nothing is known.

    Raises:
        InvalidInput: the file cannot be read, or lacks one of the two columns.
    """
    table = _read(Path(file)) if file is not None else None
    found = [
        _published(model) if table is None else _looked_up(model, table, str(file))
        for model in frame["model"]
    ]
    return frame.assign(**{name: [row.get(name) for row in found] for name in COLUMNS})


def _read(path: Path) -> dict[str, dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            columns = reader.fieldnames or []
            missing = [name for name in ("model", "top1") if name not in columns]
            if missing:
                raise InvalidInput(f"{path} has no column {' and no column '.join(missing)}")
            rows: dict[str, dict[str, str]] = {}
            for row in reader:
                rows.setdefault(row["model"], row)
            return rows
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidInput(f"{path} cannot be read: {error}") from error


def _looked_up(model: str, table: Mapping[str, Mapping[str, str]], source: str) -> dict[str, Any]:
    for name in _names(model):
        if name in table:
            row = table[name]
            return {
                "top1": _number(row["top1"], name, source),
                "top5": _number(row.get("top5"), name, source),
                "protocol": row.get("protocol"),
                "accuracy_source": f"{source}: {name}",
            }
    return {}


def _names(model: str) -> list[str]:
    """The names under which a table may have a model, the most exact one first."""
    prefix, _, name = model.rpartition(":")
    names = [model, name]
    if prefix == "timm" and "." not in name:
        from archscope.sources.timm import default_tag

        names.append(f"{name}.{default_tag(name)}")
    return names


def _number(text: str | None, model: str, source: str) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        raise InvalidInput(f"{source}: the accuracy of {model} is '{text}', no number") from None


def _published(model: str) -> dict[str, Any]:
    from archscope.published import published

    prefix, _, name = model.rpartition(":")
    if prefix == "torchvision":
        return next(iter(torchvision_accuracy(name)), {})
    rows = published(model).dropna(subset=["top1"])
    if rows.empty:
        return {}
    first = rows.iloc[0]
    return {
        "top1": first["top1"],
        "top5": first["top5"],
        "protocol": first["protocol"],
        "accuracy_source": first["source"],
    }


def _crop(entry: Any) -> str:
    settings = getattr(entry.transforms, "keywords", {})
    crop = settings.get("crop_size")
    resize = settings.get("resize_size", 256)
    return f"resize {resize}, centre crop {crop}"
