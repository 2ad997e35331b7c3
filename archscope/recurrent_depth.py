"""The static depth of recurrent networks through time: one step, traced, tells about all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from archscope.analyzers.recurrence import StepGraph, lags, step_graph
from archscope.arguments import checked, positive, reference_or_module
from archscope.errors import InvalidInput
from archscope.models.recurrent import Cell, Recurrent, Unrolled, unroll
from archscope.sources import resolve
from archscope.trace import trace

if TYPE_CHECKING:
    import pandas as pd


@checked(model=reference_or_module, steps=positive)
def through_time(
    model: str | nn.Module, inputs: Any = None, *, steps: int = 50, **options: Any
) -> pd.DataFrame:
    """Fewest and most weight layers between the loss at T and the input at T - lag.

    Args:
        model: a recurrent architecture of the zoo; torch's recurrent layer or cell; or a module
            that is one step, called with (x, state, ...) and returning (y, state, ...).
        inputs: of such a step, the tensors or shapes that it is called with.
        steps: how many lags.
        options: options of a reference.

    Returns:
        ``lag``, ``shortest`` and ``longest``. ``attrs`` hold ``recurrent_depth``,
        ``feedforward_depth`` and ``skip_coefficient`` (Zhang et al. 2016; see
        ``analyzers.recurrence``).

    Raises:
        ArchscopeError: a model that is none of these.
    """
    graph, name = step_of(model, inputs, options)
    table = lags(graph, steps)
    table.attrs = {
        "model": name,
        "recurrent_depth": float(graph.recurrent_depth),
        "feedforward_depth": float(graph.feedforward_depth),
        "skip_coefficient": float(graph.skip_coefficient),
    }
    return table


def step_of(model: str | nn.Module, inputs: Any, options: dict[str, Any]) -> tuple[StepGraph, str]:
    """The graph of one step of a model, and the model's name."""
    name = model if isinstance(model, str) else type(model).__name__
    built = resolve(model, options=options).model if isinstance(model, str) else model
    cells, readout = _cells_of(built, name)
    if not cells:
        if inputs is None:
            raise InvalidInput(
                f"{name} has no recurrent layer or cell; a module that is one step itself needs "
                "inputs=, those of x_t and of every state"
            )
        return step_graph(trace(built, inputs, name=name)), name
    x, hidden = _sizes(cells[0])[0], [_sizes(cell)[1] for cell in cells]
    states = [(1, h) for cell, h in zip(cells, hidden, strict=True) for _ in range(_parts(cell))]
    return step_graph(trace(OneStep(cells, readout), ((1, x), *states), name=name)), name


class OneStep(nn.Module):
    """Cells stacked on each other and a readout, called with (x, state, ...) for one step."""

    def __init__(self, cells: list[nn.Module], readout: nn.Module | None):
        super().__init__()
        self.cells = nn.ModuleList(cells)
        self.readout = readout

    def forward(self, x: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        given = list(states)
        made: list[Tensor] = []
        for cell in self.cells:
            state = tuple(given.pop(0) for _ in range(_parts(cell)))
            bare = isinstance(cell, nn.RNNCellBase) and len(state) == 1
            new = cell(x, state[0] if bare else state)
            made += (new,) if bare else new
            x = new if bare else new[0]
        return (x if self.readout is None else self.readout(x), *made)


def _cells_of(model: nn.Module, name: str) -> tuple[list[nn.Module], nn.Module | None]:
    if isinstance(model, nn.RNNBase):
        model = Recurrent(model, None)
    if isinstance(model, nn.RNNCellBase | Cell):
        return [model], None
    if not isinstance(model, Recurrent):
        if any(isinstance(module, nn.RNNBase) for module in model.modules()):
            raise InvalidInput(f"{name} holds recurrent layers among others; give one by itself")
        return [], None
    if isinstance(model.recurrence, nn.RNNBase) and model.recurrence.bidirectional:
        raise InvalidInput("a bidirectional layer reads the future too: it has no time lag")
    if isinstance(model.recurrence, nn.RNNBase) and model.recurrence.proj_size:
        raise InvalidInput("the depth through time of a layer with a projection is not known")
    unrolled = unroll(model)
    assert isinstance(unrolled.recurrence, Unrolled)
    return list(unrolled.recurrence.cells), model.readout


def _sizes(cell: Any) -> tuple[int, int]:
    """Of x and of h."""
    if isinstance(cell, nn.RNNCellBase):
        return cell.input_size, cell.hidden_size
    return cell.W_in.in_features, cell.W_rec.in_features


def _parts(cell: Any) -> int:
    """Tensors in the state."""
    if isinstance(cell, nn.RNNCellBase):
        return 2 if isinstance(cell, nn.LSTMCell) else 1
    return cell.parts
