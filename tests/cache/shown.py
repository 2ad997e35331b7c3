"""A command that is kept as those of archscope are, and takes no second: it needs no torch.

It prints what a function of a person's file returns. Functions that return the time tell whether
they ran again.
"""

import importlib
import importlib.util
import sys
from pathlib import Path

import click

from archscope.cli.cached import cached, of_one
from archscope.cli.errors import guarded, remark
from archscope.cli.tables import output_in
from archscope.report.drawing import FORMATS, draw, table


def load(reference):
    """What a reference names, as ``archscope.sources.code`` finds it, which needs torch."""
    place, _, name = reference.rpartition(":")
    if not place.endswith(".py"):
        return getattr(importlib.import_module(place), name)
    sys.path.insert(0, str(Path(place).parent.resolve()))
    spec = importlib.util.spec_from_file_location("persons_own", place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)


@cached(of_one())
@click.command()
@click.argument("model")
@click.option("--times", default=1)
@click.option("--inputs-from", "inputs_from")
@output_in(FORMATS)
def show(model, times, inputs_from, format, width, file):
    from archscope.cli.output import deliver

    text = str(load(model)())
    if inputs_from:
        text += str(load(inputs_from)())
    remark(f"warning: {model} returned {len(text)} characters")

    def render(format, *, width, colour):
        rows = [{"text": text, "width": width, "colour": colour}] * times
        shown = table("shown", ["text"], [[row["text"]] for row in rows])
        return draw([shown], format, data=rows, rows=rows, width=width, colour=colour)

    deliver(render, format=format, width=width, file=file)


if __name__ == "__main__":
    status = guarded(show, None)
    assert "torch" not in sys.modules
    raise SystemExit(status)
