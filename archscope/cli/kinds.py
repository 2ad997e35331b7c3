"""Which options each kind of picture has: one that would change nothing is refused."""

from __future__ import annotations

import click

from archscope.cli.options import given_options
from archscope.errors import InvalidInput

_ALWAYS = ("kind", "models", "file", "size")
_STUDY = ("stored", "where")
_BUILT = ("inputs", "settings", "seq_len")
_RUN = (*_BUILT, "batch", "inputs_from", "mode")
_TRAINED = (*_RUN, "dtype", "optimizer")
_COMPARED = (*_STUDY, *_BUILT, "batch", "inputs_from", "mode", "dtype")
_RATED = (*_COMPARED, "accuracy", "protocol")
_TIMED = (*_COMPARED, "measured", "measured_where")
_GRADIENT = (*_BUILT, "samples", "measured")

# The names of options as the command has them. --inputs-from and --mode of a comparison, and the
# batch of measurements, are refused where they are read, with what would be right.
OPTIONS: dict[str, tuple[str, ...]] = {
    "accuracy": _RATED,
    "accuracy-vs-ops": (*_RATED, "ops", "density_lines", "log"),
    "time-vs-batch": _TIMED,
    "power-vs-batch": _TIMED,
    "memory-vs-batch": (*_STUDY, *_BUILT, "inputs_from", "mode", "dtype", "over"),
    "memory-vs-params": _COMPARED,
    "ops-vs-time": (*_TIMED, "ops"),
    "ops-vs-power": (*_TIMED, "ops"),
    "accuracy-vs-throughput": (*_TIMED, "accuracy", "protocol"),
    "density": _RATED,
    "accuracy-vs-depth": (*_RATED, "depth", "measured"),
    "timeline": (*_RATED, "cost"),
    "layers": (*_TRAINED, "measured", "cost", "level"),
    "memory-timeline": _TRAINED,
    "scaling": (*_BUILT, "batch", "inputs_from", "mode", "dtype", "over", "cost"),
    "depth": (*_GRADIENT, "seeds"),
    "gradient-flow": _GRADIENT,
    "through-time": ("settings", "seq_len", "samples", "measured", "seeds"),
    "roofline": (*_RUN, "dtype", "device", "measured"),
    "graph": _RUN,
}
_OF_RUNS = ("inputs", "settings", "samples", "seeds")


def refuse_unused(ctx: click.Context, kind: str) -> None:
    """Refuse options that this kind of picture has no use for.

    Raises:
        InvalidInput: there is one; the message says which kinds it is for.
    """
    given = given_options(ctx)
    for name, option in given.items():
        if name not in (*_ALWAYS, *OPTIONS[kind]):
            kinds = ", ".join(other for other, names in OPTIONS.items() if name in names)
            raise InvalidInput(f"{option} changes nothing in {kind}; it is for {kinds}")
    if kind == "graph" and "size" in given:
        raise InvalidInput("--size changes nothing in graph, which is as large as its modules are")
    if kind in ("depth", "gradient-flow", "through-time") and "measured" in given:
        for name in _OF_RUNS:
            if name in given:
                raise InvalidInput(
                    f"{given[name]} is for gradients that are measured now; leave it or --measured"
                )
    if kind == "accuracy-vs-depth" and "measured" in given and "depth" not in given:
        raise InvalidInput("--measured of accuracy-vs-depth is for --depth effective; give it too")
    if kind == "scaling" and "over" in given:
        _refuse_what_varies(ctx, given)


def _refuse_what_varies(ctx: click.Context, given: dict[str, str]) -> None:
    variable = ctx.params["over"][0]
    fixed = {"batch": "batch", "seq_len": "seq_len"}.get(variable)
    if fixed in given:
        raise InvalidInput(f"{given[fixed]} is what --over {variable}=... varies; leave one out")
