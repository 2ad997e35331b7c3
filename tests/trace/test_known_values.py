"""Values that a model makes of itself, and looks into, are known in a run on shapes."""

import sys

import pytest
import torch
from torch import nn

import archscope
from archscope.errors import TraceFailed


class Looks(nn.Module):
    """A linear layer behind a question about a tensor of the model's own."""

    def __init__(self, question):
        super().__init__()
        self.layer = nn.Linear(8, 8)
        self.question = question

    def forward(self, x):
        return self.layer(x) if self.question(x) else x


def filled_in(x):
    sizes = torch.empty((2, 2), dtype=torch.int64, device=x.device)
    for row, size in enumerate((3, 4)):
        sizes[row, 0] = size
        sizes[row, 1] = 2
    return sizes.prod(1).sum() == 14


@pytest.mark.parametrize("mode", ["inference", "training"])
@pytest.mark.parametrize(
    "question",
    [
        lambda x: torch.ones(2, 5, device=x.device).to(torch.bool).all(),
        lambda x: torch.ones(2, 5).eq(1)[:, :3].all(),
        lambda x: x.new_ones(2, 5).bool().all(),
        filled_in,
        lambda x: torch.tensor([3, 4], device=x.device).prod() == 12,
        lambda x: torch.as_tensor([(x.shape[0], 3)], device=x.device).prod(1).sum() == 6,
        lambda x: x.new_tensor([3, 4], dtype=torch.int64).sum() == 7,
    ],
)
def test_a_mask_or_a_table_of_sizes_is_looked_into_on_shapes(question, mode) -> None:
    trace = archscope.trace(Looks(question), (2, 8), mode)
    assert trace.ran_on == "shapes"
    assert trace.macs == 2 * 8 * 8


def test_makers_of_tensors_are_torch_s_own_again_after_a_run() -> None:
    makers = torch.tensor, torch.as_tensor, torch.Tensor.new_tensor
    archscope.trace(Looks(lambda x: True), (2, 8))
    assert (torch.tensor, torch.as_tensor, torch.Tensor.new_tensor) == makers


def test_ones_that_take_up_results_have_gradients() -> None:
    class Gathers(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(8, 8)

        def forward(self, x):
            out = torch.ones(2, 8, device=x.device)
            out[:] = self.layer(x)
            return out

    trace = archscope.trace(Gathers(), (2, 8), "training")
    assert trace.macs == 2 * 8 * 8
    assert sum(op.macs for op in trace.ops if op.phase == "backward") == 2 * 8 * 8


class Strided(nn.Module):
    """A convolution whose padding follows from a stride that is kept as a buffer."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(1, 4, 4, stride=4)
        self.stride = nn.Buffer(torch.tensor(4), persistent=False)

    def forward(self, x):
        return self.conv(nn.functional.pad(x, (0, int(-x.shape[-1] % self.stride))))


def test_a_whole_number_among_the_buffers_keeps_its_value() -> None:
    model = Strided()
    trace = archscope.trace(model, (1, 1, 10))
    assert trace.ran_on == "shapes"
    assert trace.macs == 4 * 4 * 3  # ten samples are padded to twelve
    assert model.stride == 4


def test_no_memory_for_a_run_on_data_is_told_in_one_line(monkeypatch) -> None:
    def none_left(tensor):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9")

    with torch.device("meta"):
        model = Looks(lambda x: x.sum() > 0)
    monkeypatch.setattr(sys.modules["archscope.trace.isolation"], "_random_like", none_left)
    with pytest.raises(TraceFailed, match="ran out of memory on data"):
        archscope.trace(model, (2, 8))
