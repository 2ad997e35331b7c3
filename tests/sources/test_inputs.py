import pytest
import torch

import archscope
from archscope.errors import ArchscopeError, InvalidInput
from archscope.sources.inputs import InputSpec, arguments, parse_input, specs
from archscope.trace.inputs import TensorSpec


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("3x224x224", InputSpec((3, 224, 224))),
        ("int64:128", InputSpec((128,), "int64")),
        ("ids:int64:1x128", InputSpec((1, 128), "int64", "ids")),
        ("mask:1x128", InputSpec((1, 128), "", "mask")),
    ],
)
def test_an_input_is_read_as_it_is_written(text: str, spec: InputSpec) -> None:
    assert parse_input(text) == spec


@pytest.mark.parametrize("text", ["", "3x", "3,224", "ids:int65:1x2", "a:b:3", "0x3", "-1x3"])
def test_what_is_no_input_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"3x224x224|1 or more"):
        parse_input(text)


def test_the_batch_goes_in_front_of_positional_inputs_only() -> None:
    given = specs(["3x4", "int64:5", "ids:int64:1x128"])
    positional, named = arguments(given, batch=8)
    assert positional == (TensorSpec((8, 3, 4)), TensorSpec((8, 5), torch.int64))
    assert named == {"ids": TensorSpec((1, 128), torch.int64)}


def test_a_tuple_and_its_text_mean_the_same() -> None:
    assert specs((3, 4)) == specs("3x4")


def test_inputs_come_from_a_function_of_a_file(tmp_path) -> None:
    file = tmp_path / "made.py"
    file.write_text("import torch\ndef make(batch):\n    return torch.zeros(batch, 3)\n")
    report = archscope.analyze(torch.nn.Linear(3, 4), f"{file}:make", batch=5)
    assert report.totals["macs"] == 5 * 3 * 4


def test_a_function_that_raises_is_named(tmp_path) -> None:
    file = tmp_path / "made.py"
    file.write_text("def make():\n    return 1 / 0\n")
    with pytest.raises(ArchscopeError, match="make raised ZeroDivisionError"):
        archscope.analyze(torch.nn.Linear(3, 4), f"{file}:make")
