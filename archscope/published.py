"""Published accuracies, and the parameters and operations that papers print, each with its source.

Accuracies only compare within a protocol: a paper's 10-crop or dense figure is one to three points
above the same network's single crop.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas

TABLE = Path(__file__).parent / "data" / "published.csv"

# "single-crop-subset" leaves out the validation images that ILSVRC blacklisted, as the Inception
# papers do: about half a point above the whole set.
PROTOCOLS = ("single-crop", "single-crop-subset", "10-crop", "multi-crop", "dense", "other")
CONFIDENCES = ("confirmed", "read-off-chart", "remembered")


def published(model: str | None = None) -> pandas.DataFrame:
    """What has been published about a model, or about every model.

    Args:
        model: a name of the zoo, or "torchvision:NAME". A model without figures has no rows.

    Returns:
        A row per figure: model, top1 and top5 (accuracy in percent, on ImageNet's validation set
        unless ``crop`` names another), protocol (one of ``PROTOCOLS``), crop, params and macs (only
        as a paper prints them), source, year in which the figure appeared, confidence (one of
        ``CONFIDENCES``) and note. What a source does not say is missing.
    """
    import pandas

    frame = pandas.read_csv(
        TABLE,
        dtype={
            "top1": "float64",
            "top5": "float64",
            "params": "Int64",
            "macs": "Int64",
            "year": "Int64",
        },
    )
    texts = ["crop", "note"]
    frame[texts] = frame[texts].fillna("")
    if model is not None:
        frame = frame[frame["model"] == model]
    return frame.reset_index(drop=True)
