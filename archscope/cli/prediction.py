"""``archscope latency --predict``: the latency on a device that need not be at hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from archscope.cli.tables import show_tables
from archscope.errors import InvalidInput

# What changes a measurement, and no prediction knows of.
_UNKNOWN = ("layers", "channels_last", "compile", "graph", "cold")


def show_prediction(
    model: str,
    inputs: Any,
    batches: Sequence[int],
    how: Mapping[str, Any],
    options: Mapping[str, Any],
    where: Mapping[str, Any],
) -> None:
    """Predict a row for each batch size and show them.

    Args:
        how: the options of ``archscope latency`` that say how to measure.
        where: where to write, and in which format.

    Raises:
        ArchscopeError: an option that predictions know nothing of, an unknown model or device.
    """
    for name in _UNKNOWN:
        if how[name]:
            raise InvalidInput(
                f"--predict knows nothing of --{name.replace('_', '-')}; leave it out"
            )
    if how["mode"] != "inference":
        raise InvalidInput("--predict is of inference; leave --mode out")

    from archscope.prediction.predict import prediction_rows
    from archscope.report.prediction import prediction_table

    rows = prediction_rows(
        model,
        inputs,
        device=how["device"],
        batch=batches,
        dtype=how["dtype"],
        threads=how["threads"],
        options=options,
    )
    show_tables([prediction_table(rows)], data=rows, rows=rows, **where)
