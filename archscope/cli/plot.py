"""``archscope plot``: pictures of one model or of several together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from archscope.cli.completion import references
from archscope.cli.errors import remark
from archscope.cli.options import OneOf, WholeNumber
from archscope.devices import DTYPES
from archscope.errors import ArchscopeError, InvalidInput

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KINDS = ("depth", "gradient-flow", "through-time", "graph", "roofline")


@click.command()
@click.argument("kind", type=OneOf("kind", KINDS))
@click.argument("models", nargs=-1, required=True, shell_complete=references)
@click.option("-o", "--output", "file", required=True, metavar="FILE", help=".png, .pdf or .svg.")
@click.option("--samples", type=WholeNumber(), default=4, help="Samples of each network; 4.")
@click.option("--seeds", type=WholeNumber(), default=1, help="Initialisations; 1.")
@click.option("--seq-len", type=WholeNumber(), default=50, help="Steps, for through-time; 50.")
@click.option("--device", metavar="NAME", help="Of a roofline: h100; see archscope device list.")
@click.option("--dtype", type=OneOf("dtype", DTYPES), help="Of a roofline.")
@click.option("--measured", metavar="FILE", help="Of a roofline: from latency --layers, .csv.")
def plot(
    kind: str,
    models: tuple[str, ...],
    file: str,
    samples: int,
    seeds: int,
    seq_len: int,
    device: str | None,
    dtype: str | None,
    measured: str | None,
) -> None:
    """Draw a picture of MODELS into a file.

    KIND is depth (paths and gradient by length), gradient-flow (the gradient at every layer) or
    through-time (paths and gradient of recurrent networks by time lag), graph (the modules of one
    model with their costs, .svg, or .dot for Graphviz) or roofline (the layers of one model under
    the ceilings of a --device).
    """
    if kind == "graph":
        _graph(models, file)
        return
    if not file.lower().endswith((".png", ".pdf", ".svg")):
        raise InvalidInput(f"a picture is a .png, .pdf or .svg file, not {file}")
    if kind == "depth":
        figure = _depth(models, samples, seeds)
    elif kind == "gradient-flow":
        figure = _gradient_flow(models, samples)
    elif kind == "roofline":
        figure = _roofline(models, device, dtype, measured)
    else:
        figure = _through_time(models, samples, seeds, seq_len)
    try:
        figure.savefig(file)
    except OSError as error:
        raise ArchscopeError(f"cannot write {file}: {error.strerror}") from error


def _graph(models: tuple[str, ...], file: str) -> None:
    from archscope.analysis import analyze
    from archscope.export import module_graph, to_dot, to_svg
    from archscope.report.files import write_text

    if len(models) != 1 or not file.lower().endswith((".svg", ".dot")):
        raise InvalidInput("a graph is of one model, and a .svg or .dot file")
    graph = module_graph(analyze(models[0]).trace)
    write_text(file, to_svg(graph) if file.lower().endswith(".svg") else to_dot(graph))


def _roofline(
    models: tuple[str, ...], device: str | None, dtype: str | None, measured: str | None
) -> Figure:
    from archscope.calibrated import device_named
    from archscope.cli.roofline import own_times, picture, traced

    if len(models) != 1 or device is None:
        raise InvalidInput("a roofline is of one model, and of a device: --device h100")
    card = device_named(device)
    times = own_times(measured) if measured else None
    return picture(traced(models[0], card, dtype), card, dtype, times)


def _depth(models: tuple[str, ...], samples: int, seeds: int) -> Figure:
    from archscope.gradients import gradient_paths
    from archscope.plots import depth

    tables = []
    for model in models:
        remark(f"{model}:")
        tables.append(gradient_paths(model, samples=samples, seeds=seeds, progress=remark))
    return depth(tables)


def _gradient_flow(models: tuple[str, ...], samples: int) -> Figure:
    from archscope.gradients import gradient_flow
    from archscope.models.catalog import architectures
    from archscope.plots import gradient_flow as draw

    panels: dict[str, list] = {}
    for model in models:
        known = architectures().get(model)
        family = known.family if known else "other"
        panels.setdefault(family, []).append(gradient_flow(model, samples=samples))
    return draw(panels)


def _through_time(models: tuple[str, ...], samples: int, seeds: int, seq_len: int) -> Figure:
    from archscope.gradients import gradient_through_time
    from archscope.plots import through_time as draw
    from archscope.recurrent_depth import through_time

    static = {model: through_time(model, steps=seq_len) for model in models}
    measured = {
        model: gradient_through_time(model, samples=samples, seeds=seeds, seq_len=seq_len)
        for model in models
    }
    return draw(static, measured)
