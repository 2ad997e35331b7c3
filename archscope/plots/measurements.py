"""What a picture asks of measured columns, and what to say when they are not there."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from archscope.errors import InvalidInput
from archscope.plots.points import listed
from archscope.plots.tables import column_of_numbers

if TYPE_CHECKING:
    import pandas as pd


def measured_only(frame: pd.DataFrame, column: str, kind: str, command: str) -> pd.DataFrame:
    """The rows that were measured.

    Args:
        frame: a row per network and batch size.
        column: what the picture needs.
        kind: of picture, for the message.
        command: of archscope, which measures it.

    Raises:
        InvalidInput: no row was, the message names the command; or one has no number above 0.
    """
    if column not in frame or frame[column].isna().all():
        raise not_measured(kind, command)
    column_of_numbers("frame", frame, column)
    found = frame[frame[column].notna()]
    wrong = found[~found[column].astype("float64").between(0, inf, inclusive="neither")]
    if len(wrong):
        model, value = wrong.iloc[0][["model", column]]
        raise InvalidInput(f"the {column} of {model} is {value}; what is measured is above 0")
    return found


def not_measured(kind: str, command: str) -> InvalidInput:
    """The error of a picture of measurements that there are not."""
    return InvalidInput(
        f"{kind} is drawn from measurements; make them with `archscope {command} MODEL "
        "--batch 1,2,4,8,16,32,64 -o FILE.csv` and give --measured FILE.csv"
    )


def common_batches(frame: pd.DataFrame) -> list[int]:
    """The least and the largest batch size that every network has; one if they are the same.

    Raises:
        InvalidInput: there is none.
    """
    sizes = [set(group["batch"]) for _, group in frame.groupby("model")]
    common = set.intersection(*sizes)
    if not common:
        some = listed(sorted({str(model) for model in frame["model"]}))
        raise InvalidInput(f"no batch size was measured of all of {some}; measure them at the same")
    return sorted({int(min(common)), int(max(common))})
