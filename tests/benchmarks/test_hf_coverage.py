import pytest
from torch import nn

pytest.importorskip("transformers")

from benchmarks.hf_coverage import (
    analysed,
    changed,
    complaints_about,
    counts,
    few_layers,
    state_of,
)

ROW = {
    "reference": "hf:bert",
    "error": "",
    "ran_on": "shapes",
    "coverage": "1.0",
    "params": "10",
    "peak_bytes": "50",
    "macs": "7",
    "torch_macs": "7",
    "torch_ran_on": "shapes",
    "depth": "1",
    "residue": "",
}


@pytest.mark.parametrize("reference", ["hf:segformer", "hf:bert MaskedLM", "hf:olmoe"])
def test_a_row_agrees_with_torchs_own_count(reference) -> None:
    row = {key: str(value) for key, value in analysed(reference).items()} | {"error": ""}
    assert row["macs"] == row["torch_macs"]
    assert row["torch_ran_on"] == "shapes"
    assert complaints_about(row) == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"torch_macs": "8"}, "hf:bert: 7 MACs, FlopCounterMode 8"),
        ({"coverage": "0.5"}, "hf:bert: coverage 0.5"),
        ({"peak_bytes": "30"}, "hf:bert: a peak of 30 bytes, below its weights"),
        ({"depth": "0"}, "hf:bert: no depth"),
        ({"residue": "weight"}, "hf:bert: changed: weight"),
        ({"error": "ValueError: no"}, "hf:bert failed: ValueError: no"),
    ],
)
def test_what_should_not_be_is_complained_about(change, complaint) -> None:
    assert complaints_about({**ROW, **change}) == [complaint]


def test_rows_are_counted_by_what_came_out() -> None:
    rows = [
        ROW,
        {**ROW, "torch_macs": "8"},
        {**ROW, "torch_macs": ""},
        {**ROW, "error": "x is a part of other models: y"},
    ]
    found = counts(rows)
    assert found["models"] == 4
    assert found["analysed"] == 3
    assert found["not analysed, for a known reason"] == 1
    assert found["equal"] == found["different, unexplained"] == 1


def test_a_configuration_keeps_few_layers_in_all_of_its_parts() -> None:
    config = {
        "num_hidden_layers": 3,
        "text_config": {"model_type": "x", "num_layers": 9, "layer_types": ["a"] * 9, "width": 7},
    }
    text = {"model_type": "x", "num_layers": 4, "layer_types": ["a"] * 4, "width": 7}
    assert few_layers(config) == {"text_config": text}


def test_a_changed_model_is_noticed() -> None:
    model = nn.Sequential(nn.Linear(2, 2))
    before = state_of(model)
    assert changed(before, state_of(model)) == []
    model[0].weight.requires_grad_(False)
    model[0].extra = 1
    model.eval()
    assert changed(before, state_of(model)) == [".", "0.", "0.weight"]
