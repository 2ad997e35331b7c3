"""Inputs as people give them, and what is said when they do not fit."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import archscope
from archscope.errors import ArchscopeError, InvalidInput


class TwoInputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 2)

    def forward(self, pair, *, scale=None, mask=None):
        a, b = pair
        y = self.fc(a + b["x"])
        if mask is not None:
            y = y.masked_fill(mask, 0.0)
        return {"out": y if scale is None else y * scale}


def test_inputs_may_be_nested_tensors_shapes_and_keywords():
    report = archscope.analyze(
        TwoInputs(),
        inputs=(((3, 4), {"x": torch.zeros(3, 4)}),),
        kwargs={"scale": torch.ones(3, 1), "mask": torch.zeros(3, 2, dtype=torch.bool)},
    )
    assert report.totals["macs"] == 24


@pytest.mark.parametrize(
    "inputs", [(2, 4), [(2, 4)], ((2, 4),), torch.zeros(2, 4), torch.zeros(2, 4, device="meta")]
)
def test_one_input_may_be_written_in_many_ways(inputs):
    assert archscope.analyze(nn.Linear(4, 3), inputs=inputs).totals["macs"] == 24


def test_a_dictionary_of_inputs_is_keywords():
    assert archscope.analyze(nn.Linear(4, 3), inputs={"input": (2, 4)}).totals["macs"] == 24


def test_a_sample_shape_and_a_batch_make_an_input():
    report = archscope.analyze(nn.Conv2d(3, 4, 1), input=(3, 5, 5), batch=7)
    assert report.totals["macs"] == 7 * 25 * 12 and report.trace.batch == 7


def test_packed_sequences_cost_their_lengths():
    lengths = torch.tensor([5, 3, 2])
    lstm = nn.LSTM(4, 6, batch_first=True)
    packed = pack_padded_sequence(torch.randn(3, 5, 4), lengths, batch_first=True)
    given = archscope.analyze(lstm, inputs=(packed,))

    class Packs(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = lstm

        def forward(self, x, lengths):
            packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            return pad_packed_sequence(self.lstm(packed)[0], batch_first=True)[0]

    made = archscope.analyze(Packs(), inputs=((3, 5, 4), lengths))
    assert given.totals["macs"] == made.totals["macs"] == 10 * 4 * 6 * (4 + 6)


def test_token_ids_keep_their_values():
    class Pools(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(10, 4)

        def forward(self, ids):
            last = int((ids == 0).int().argmax(-1)[0])  # reads values, as text models do
            return self.embedding(ids)[:, last]

    trace = archscope.trace(Pools(), (torch.tensor([[3, 4, 0, 0]]),))
    assert trace.ran_on == "shapes"


def test_the_layer_that_refuses_an_input_is_named():
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Sequential(nn.Conv2d(8, 4, 3)), nn.Linear(3, 3))
    with pytest.raises(InvalidInput) as refusal:
        archscope.analyze(model, inputs=(1, 3, 9, 9))
    message = str(refusal.value)
    assert "layer 2 Linear(in_features=3" in message and "1x4x5x5" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("call", "hint"),
    [
        (lambda: archscope.analyze(nn.Linear(2, 2)), "needs inputs"),
        (lambda: archscope.analyze(nn.Linear(2, 2), inputs=5), "tensors or shapes"),
        (lambda: archscope.analyze(nn.Linear(2, 2), inputs=(-1, 2)), "negative"),
        (lambda: archscope.analyze(nn.Linear(2, 2), inputs=(1, 2), mode="eval"), "'training'"),
        (lambda: archscope.analyze(nn.Linear(2, 2), inputs=(1, 2), hidden=3), "references only"),
        (lambda: archscope.analyze("vgg61"), "vgg16"),
        (lambda: archscope.analyze("vgg16", batch=-1), "batch"),
        (lambda: archscope.analyze("vgg16", batch=0), "batch"),
        (lambda: archscope.analyze("vgg16", numclasses=3), "num_classes"),
        (lambda: archscope.analyze("vgg16", input=(3, 225)), "vgg16"),
        (lambda: archscope.trace(lambda x: x, (1, 2)), "torch.nn.Module"),
    ],
)
def test_a_wrong_request_gets_one_line_that_says_what_would_be_right(call, hint):
    with pytest.raises(ArchscopeError) as refusal:
        call()
    assert hint in str(refusal.value) and "\n" not in str(refusal.value)


def test_a_model_without_a_backward_pass_says_so():
    with pytest.raises(InvalidInput, match="no backward pass"):
        archscope.trace(nn.Linear(2, 2).requires_grad_(False), (1, 2), "training")


def test_a_reference_takes_a_sample_and_keyword_inputs_beside_it(tmp_path):
    net = tmp_path / "net.py"
    net.write_text(
        "from torch import nn\n\n\nclass Net(nn.Linear):\n"
        "    def __init__(self):\n        super().__init__(4, 4)\n\n"
        "    def forward(self, x, *, scale):\n        return super().forward(x) * scale\n"
    )
    kwargs = {"scale": torch.ones(1)}
    report = archscope.analyze(f"{net}:Net", input=(4,), batch=3, kwargs=kwargs)
    assert report.totals["macs"] == 3 * 4 * 4
