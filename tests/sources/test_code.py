"""A person's own files, whatever else was run in the process before."""

import pytest
import torch

import archscope

NET = """
from torch import nn

from {module} import WIDTH


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(8, WIDTH)

    def forward(self, x):
        from {late} import TIMES

        for _ in range(TIMES):
            y = self.linear(x)
        return y
"""


@pytest.fixture
def projects(tmp_path, monkeypatch):
    """Two folders with files of the same names: a layer of 16, and one of 32 that is used twice."""
    for name, width, times in (("one", 16, 1), ("two", 32, 2)):
        (tmp_path / name / "parts").mkdir(parents=True)
        (tmp_path / name / "net.py").write_text(NET.format(module="sizes", late="late"))
        (tmp_path / name / "packed.py").write_text(NET.format(module="parts.sizes", late="late"))
        (tmp_path / name / "sizes.py").write_text(f"WIDTH = {width}\n")
        (tmp_path / name / "parts" / "sizes.py").write_text(f"WIDTH = {width}\n")
        (tmp_path / name / "late.py").write_text(f"TIMES = {times}\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("file", ["net", "packed"])
def test_a_file_imports_what_lies_beside_it_and_no_namesake(projects, file):
    macs = [
        archscope.analyze(f"{folder}/{file}.py:Net", input=(8,)).totals["macs"]
        for folder in ("one", "two", "one")
    ]
    assert macs == [8 * 16, 2 * 8 * 32, 8 * 16]


def test_a_namesake_is_none_where_the_path_has_the_first_folder(projects, monkeypatch):
    monkeypatch.syspath_prepend(str(projects / "one"))
    macs = [
        archscope.analyze(f"{folder}/net.py:Net", input=(8,)).totals["params"]
        for folder in ("one", "two")
    ]
    assert macs == [9 * 16, 9 * 32]


OPERATOR = """
import torch
from torch import nn

from sizes import WIDTH

library = torch.library.Library("of_a_test", "DEF")
library.define("same(Tensor x) -> Tensor")
library.impl("same", lambda x: x * 1, "CompositeExplicitAutograd")


class Net(nn.Linear):
    def __init__(self):
        super().__init__(8, WIDTH)

    def forward(self, x):
        return torch.ops.of_a_test.same(super().forward(x))
"""


def test_a_file_that_defines_an_operator_is_analysed_twice(projects):
    (projects / "one" / "operator_of_mine.py").write_text(OPERATOR)
    params = [
        archscope.analyze("one/operator_of_mine.py:Net", input=(8,), batch=batch).totals["params"]
        for batch in (1, 2)
    ]
    assert params == [9 * 16, 9 * 16]


@pytest.mark.parametrize("file", ["one/net.py", "one/sizes.py"])
def test_a_file_that_has_changed_is_run_again(projects, file):
    (projects / "one" / "other.py").write_text(NET.format(module="sizes", late="late"))

    def params(name):
        return archscope.analyze(f"one/{name}.py:Net", input=(8,)).totals["params"]

    assert params("net") == params("other") == 9 * 16
    text = (projects / file).read_text()
    (projects / file).write_text(
        text.replace("Linear(8, WIDTH)", "Linear(8, 128)") + "\nWIDTH = 128"
    )
    assert params("net") == 9 * 128
    assert params("other") == 9 * (128 if file.endswith("sizes.py") else 16)


def test_a_network_that_a_file_makes_is_made_anew(projects):
    (projects / "made.py").write_text("from torch import nn\nmodel = nn.Linear(8, 4)\n")
    from archscope.sources import resolve

    first, second = (resolve("made.py:model", input=(8,)).model for _ in range(2))
    assert first is not second


def test_a_network_that_changes_the_directory_is_found_again(projects):
    (projects / "moves.py").write_text(
        "import os\nfrom torch import nn\nos.chdir('/')\n\n\n"
        "class Net(nn.Linear):\n    def __init__(self):\n"
        "        os.chdir('/')\n        super().__init__(8, 4)\n"
    )
    found = archscope.compare(["moves.py:Net", "one/net.py:Net"], input=(8,))
    assert found["status"].tolist() == ["ok", "ok"]


DOUBLE = """
import torch
from torch import nn

torch.set_default_dtype(torch.float64)


class Net(nn.Linear):
    def __init__(self):
        super().__init__(8, 4)
        torch.set_default_device("meta")
        torch.set_grad_enabled(False)


def broken():
    raise ValueError("no")
"""


def test_what_a_network_sets_in_torch_holds_for_it_alone_and_every_time(projects):
    (projects / "double.py").write_text(DOUBLE)
    networks = ["double.py:broken", "double.py:Net", "one/net.py:Net"]
    for _ in range(2):
        found = archscope.compare(networks, input=(8,))
        assert found["dtype"].tolist()[1:] == ["float64", "float32"]
    assert torch.get_default_dtype() == torch.float32 and torch.is_grad_enabled()
    assert torch.get_default_device().type == "cpu"
