"""``archscope plot``: pictures of one model or of several together."""

from __future__ import annotations

import re
from typing import Any

import click

from archscope.cli.compare import of_study
from archscope.cli.completion import references
from archscope.cli.figure_frames import Range, Request
from archscope.cli.figures import DRAWN, figure
from archscope.cli.kinds import refuse_unused
from archscope.cli.options import Asked, OneOf, WholeNumber, model_options
from archscope.devices import DTYPES
from archscope.errors import InvalidInput

KINDS = (*DRAWN, "graph")
_PROTOCOLS = ("single-crop", "10-crop", "multi-crop", "dense", "other")
_DEPTHS = {"effective": "effective_depth", "mean": "mean_path", "longest": "depth"}


class Inches(click.ParamType):
    """7x4.6; or the width alone."""

    name = "WxH"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, float]:
        found = re.fullmatch(r"(\d+(?:\.\d+)?)(?:x(\d+(?:\.\d+)?))?", str(value).strip())
        if found is None:
            raise InvalidInput(f"--size '{value}' is no size in inches; write 3.4x3.6 or 7")
        width = float(found[1])
        tall = 0.66 if width >= 5.5 else 1.1  # below narrow panels stands the key
        height = float(found[2]) if found[2] else round(tall * width, 2)
        if not 2 <= min(width, height) <= max(width, height) <= 50:
            raise InvalidInput(f"--size {value} is not between 2 and 50 inches; write 3.4x3.6")
        return width, height


class Over(click.ParamType):
    """input=128..512, batch=1..64, seq_len=128..4096:128."""

    name = "RANGE"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Range:
        from archscope.cli.memory import Range as MemoryRange

        text = re.sub(r"^\s*input\s*=", "size=", str(value))
        try:
            return MemoryRange().convert(text, param, ctx)
        except InvalidInput:
            raise InvalidInput(
                f"--over '{value}' is no range; write input=128..512, batch=1..64 or "
                "seq_len=128..4096:128"
            ) from None


@click.command()
@click.argument("kind", type=OneOf("kind", KINDS), metavar="KIND")
@click.argument("models", nargs=-1, shell_complete=references)
@click.option("--from", "stored", metavar="FILE", help="A study, or a table of rows; nothing runs.")
@click.option("--where", metavar="CONDITION", help='Its rows: "batch == 1 and size == 224".')
@click.option(
    "-o", "--output", "file", required=True, metavar="FILE", help=".svg, .png, .pdf or .html."
)
@click.option("--size", type=Inches(), help="Inches: 7x4.6; 3.4x3.6 is a paper's column.")
@model_options()
@click.option("--dtype", type=OneOf("dtype", DTYPES), help="Of weights and inputs.")
@click.option("--accuracy", metavar="FILE", help="A CSV table with the columns model, top1.")
@click.option(
    "--protocol",
    type=OneOf("protocol", _PROTOCOLS),
    default="single-crop",
    help="Of accuracies; others are drawn hollow.",
)
@click.option(
    "--measured", multiple=True, metavar="FILE", help="Of latency, energy or report --measure."
)
@click.option("--measured-where", metavar="CONDITION", help="Its rows: \"device == 'cuda:0'\".")
@click.option("--ops", type=OneOf("ops", ("flops", "macs")), default="flops", help="What counts.")
@click.option("--density-lines", is_flag=True, help="Lines of equal accuracy per operation.")
@click.option("--log/--linear", default=None, help="Axis of operations; by its range if absent.")
@click.option("--over", type=Over(), help="Of scaling: input=128..512, batch=1..64, seq_len=...")
@click.option("--cost", metavar="COLUMN", help="Of scaling, timeline and layers: macs, params, ...")
@click.option("--depth", type=OneOf("depth", _DEPTHS), help="Of accuracy-vs-depth.")
@click.option(
    "--level", type=OneOf("level", ("layer", "block")), default="layer", help="Of layers."
)
@click.option(
    "--optimizer",
    type=OneOf("optimizer", ("sgd", "momentum", "adam", "adamw")),
    help="Of a memory-timeline in --mode training.",
)
@click.option("--device", metavar="NAME", help="Of a roofline: h100; see archscope device list.")
@click.option("--samples", type=WholeNumber(), default=4, help="Of gradients; 4.")
@click.option("--seeds", type=WholeNumber(), default=1, help="Initialisations; 1.")
@click.pass_context
def plot(
    ctx: click.Context,
    kind: str,
    models: tuple[str, ...],
    stored: str | None,
    where: str | None,
    file: str,
    asked: Asked,
    dtype: str | None,
    optimizer: str | None,
    depth: str | None,
    ops: str,
    density_lines: bool,
    log: bool | None,
    **given: Any,
) -> None:
    """Draw a picture of MODELS into a file.

    MODELS are references as for `archscope table`, or patterns: 'resnet*', 'timm:resnet*'; with
    --from those of the study's networks that are wanted.

    \b
    KIND after Canziani et al., arXiv:1605.07678:
      accuracy                a bar per network          (Fig. 1)
      accuracy-vs-ops         area for parameters        (Fig. 2)
      time-vs-batch           from --measured            (Fig. 3)
      power-vs-batch          from --measured            (Fig. 4)
      memory-vs-batch                                    (Fig. 5)
      memory-vs-params        with a linear fit          (Fig. 6)
      ops-vs-time             from --measured            (Fig. 7)
      ops-vs-power            from --measured            (Fig. 8)
      accuracy-vs-throughput  from --measured            (Fig. 9)
      density                 accuracy per parameter     (Fig. 10)
    \b
    KIND of one network:
      layers                  costs along the network
      memory-timeline         bytes alive at each operator
      roofline                under the ceilings of a --device
      graph                   its modules, .svg, or .dot for Graphviz
    \b
    KIND of several:
      scaling                 a --cost --over a range
      accuracy-vs-depth, timeline (by year)
      depth                   paths and gradient by length
      gradient-flow           the gradient at every layer
      through-time            paths and gradient of recurrent networks
    """
    if not models and stored is None:
        raise InvalidInput("there is nothing to draw; give references, such as resnet50 vgg16")
    if where is not None and stored is None:
        raise InvalidInput("--where is for the rows of a study: --from study.db")
    refuse_unused(ctx, kind)
    if kind == "graph":
        _graph(models, asked, file)
        return

    from archscope.plots.files import picture_format, save

    picture_format(file)
    if stored is not None:
        wanted = {"accuracy": given["accuracy"], "protocol": given["protocol"], "where": where}
        given["stored"] = of_study(ctx, stored, models, wanted)
    stated = {"dtype": dtype, "optimizer": optimizer}
    request = Request(
        kind,
        models,
        asked,
        execution={name: value for name, value in stated.items() if value is not None},
        depth=_DEPTHS[depth] if depth else None,
        style={"ops": ops, "density_lines": density_lines, "log": log},
        **given,
    )
    save(figure(request), file)
    if request.failed:
        ctx.exit(1)


def _graph(models: tuple[str, ...], asked: Asked, file: str) -> None:
    from archscope.analysis import analyze
    from archscope.export import module_graph, to_dot, to_svg
    from archscope.report.files import write_text

    if len(models) != 1 or not file.lower().endswith((".svg", ".dot")):
        raise InvalidInput("a graph is of one model, and a .svg or .dot file")
    graph = module_graph(analyze(models[0], **asked.arguments(models[0])).trace)
    write_text(file, to_svg(graph) if file.lower().endswith(".svg") else to_dot(graph))
