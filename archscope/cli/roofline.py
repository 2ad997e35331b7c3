"""``archscope roofline``: the least time of every layer on a device that need not be at hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from archscope.calibrated import device_named
from archscope.cli.cached import Given, cached, of_one
from archscope.cli.completion import references
from archscope.cli.errors import remark
from archscope.cli.options import Asked, OneOf, WholeNumber, model_options
from archscope.cli.tables import output_options, show_tables
from archscope.devices import DTYPES, Device
from archscope.errors import InvalidInput, unreadable

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from archscope.trace.records import Trace

_OWN_TIMES = ("path", "self_ms")


def _of_a_card(given: Given) -> Sequence[str] | None:
    """The ceilings of the device at hand were measured, and depend on what it does just now."""
    at_hand = given["device"].partition(":")[0] in ("cpu", "cuda")
    return None if at_hand else of_one("figure")(given)


@cached(_of_a_card)
@click.command()
@click.argument("model", shell_complete=references)
@model_options()
@click.option(
    "--device",
    required=True,
    metavar="NAME",
    help="h100, rtx-4090 (see archscope device list); cpu or cuda as calibrated here.",
)
@click.option("--dtype", type=OneOf("dtype", DTYPES), help="Of weights, inputs and arithmetic.")
@click.option("--threads", type=WholeNumber(), help="Of the CPU at hand.")
@click.option("--plot", "figure", metavar="FILE", help="Draw it: .svg, .png, .pdf or .html.")
@click.option(
    "--measured",
    metavar="FILE",
    help="Draw measured times too: of archscope latency --layers -o FILE.csv.",
)
@output_options
def roofline(
    model: str,
    asked: Asked,
    device: str,
    dtype: str | None,
    threads: int | None,
    figure: str | None,
    measured: str | None,
    format: str | None,
    width: int | None,
    file: str | None,
) -> None:
    """Show each layer's arithmetic intensity, what bounds it, and its least time on a device.

    MODEL is a reference, as for `archscope table`.
    """
    if measured and not figure:
        raise InvalidInput("--measured is for the picture; give --plot FILE too")
    card = device_named(device, threads)

    from archscope.report.roofline import RooflineReport

    if figure:
        from archscope.plots.files import picture_format

        picture_format(figure)
    times = own_times(measured) if measured else None
    trace = traced(model, card, dtype, **asked.arguments(model))
    if figure:
        from archscope.plots.files import save

        save(picture(trace, card, dtype, times), figure)
    found = RooflineReport(trace, card, tf32=dtype == "tf32")
    show_tables(
        found.tables(),
        data=found.data(),
        rows=found.layers,
        format=format,
        width=width,
        file=file,
    )


def traced(model: str, card: Device, dtype: str | None, **arguments: Any) -> Trace:
    """One run on shapes, with the kernels of the card's kind and in that dtype."""
    from archscope.analysis import analyze

    execution = {
        "device": "cpu" if card.kind == "cpu" else "cuda",
        "dtype": "fp32" if dtype == "tf32" else dtype,
    }
    report = analyze(model, execution=execution, **arguments)
    for warning in report.warnings:
        remark(f"warning: {warning}")
    return report.trace


def picture(
    trace: Trace, card: Device, dtype: str | None, measured: pd.DataFrame | None = None
) -> Figure:
    """The roofline of a run as a figure."""
    from archscope.analyzers import roofline as analyzed
    from archscope.plots.roofline import roofline as draw

    return draw(analyzed(trace, card, tf32=dtype == "tf32"), measured)


def own_times(path: str) -> pd.DataFrame:
    """The layers' own times from a table of ``archscope latency --layers``.

    Raises:
        InvalidInput: it cannot be read, or is of something else.
    """
    import pandas as pd

    try:
        found = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error
    if not set(_OWN_TIMES) <= set(found.columns):
        raise InvalidInput(
            f"{path} has no columns {' and '.join(_OWN_TIMES)}; "
            "archscope latency MODEL --layers -o FILE.csv writes them"
        )
    return found
