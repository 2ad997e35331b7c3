"""Other tools' counts beside archscope's, with the reasons for their differences."""

import json
from pathlib import Path

import pytest

from archscope.audit import audit
from archscope.audit.counters import COUNTERS, own
from archscope.audit.explain import Module, differences
from archscope.cli import main
from archscope.errors import UnknownName

ATTENTION = """
import torch.nn.functional as F
from torch import nn

class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.project = nn.Linear(16, 48, bias=False)

    def forward(self, x):
        q, k, v = self.project(x).unflatten(-1, (3, 2, 8)).permute(2, 0, 3, 1, 4)
        return F.scaled_dot_product_attention(q, k, v)

class Net(nn.Sequential):
    def __init__(self):
        super().__init__(Attention(), nn.Flatten(1, 2), nn.Linear(8, 4))
"""


def test_fvcore_omits_attention_and_the_audit_says_where(tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    file.write_text(ATTENTION)
    found = audit(f"{file}:Net", batch=2, input="5x16", counters=["fvcore", "torch"])
    fvcore, torch = found.verdicts
    attention = 2 * 2 * 2 * 5 * 5 * 8  # two products, batch, heads, queries, keys, head's size
    assert torch.macs == found.macs == 2 * 5 * 16 * 48 + attention + 2 * 10 * 8 * 4
    assert fvcore.macs == found.macs - attention
    (difference,) = fvcore.differences
    assert difference.reason == "omits scaled_dot_product_attention"
    assert difference.macs == -attention
    assert difference.modules == ("0",)
    assert fvcore.unexplained(found.macs) == 0
    assert "torch agrees exactly." in found.conclusion
    assert any("2 x heads x L x S x d" in line for line in found.conclusion)


def test_a_tool_that_is_missing_or_fails_has_a_verdict(monkeypatch) -> None:
    monkeypatch.setitem(COUNTERS, "none", ("no_such_package", "cpu"))
    found = audit("inception-naive", counters=["none"])
    assert found.verdicts[0].macs is None
    assert found.verdicts[0].error


def test_an_unknown_tool_is_refused() -> None:
    with pytest.raises(UnknownName, match="did you mean fvcore"):
        audit("vgg16", counters=["fvcor"])


def test_own_counts_leave_the_children_out() -> None:
    inclusive = {"": 10, "a": 7, "a.b.c": 4, "d": 3}
    assert own(inclusive) == {"": 0, "a": 3, "a.b.c": 4, "d": 3}


@pytest.mark.parametrize(
    ("module", "count", "reason"),
    [
        (Module("x", "LSTM", 100, ("lstm",), 10, False), 0, "omits lstm"),
        (Module("x", "Linear", 100, ("addmm",), 10, False), 110, "counts the bias of addmm"),
        (Module("x", "Linear", 100, ("addmm",), 10, False), 300, "counts addmm 3 times"),
        (Module("x", "Linear", 100, ("addmm",), 10, False), 50, "only a part of addmm"),
        (Module("x", "BatchNorm2d", 0, (), 0, False), 20, "counts BatchNorm2d as MACs"),
        (
            Module("x", "ConvTranspose2d", 100, ("convolution",), 10, True),
            400,
            "counts a transposed convolution at its output: x4",
        ),
    ],
)
def test_a_difference_is_told_by_its_arithmetic(module: Module, count: int, reason: str) -> None:
    (found,), agreeing = differences({"x": module}, {"x": count})
    assert reason in found.reason
    assert (found.macs, agreeing) == (count - module.macs, 0)


def test_modules_of_one_kind_are_told_together() -> None:
    ours = {
        f"encoder.{i}.attention": Module(f"encoder.{i}.attention", "A", 5, ("bmm",), 0, False)
        for i in range(12)
    }
    (found,), _ = differences(ours, {})
    assert found.macs == -60
    assert found.where == "encoder.*.attention"


def test_the_command_prints_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["audit", "inception-naive", "--with", "torch", "--format", "json"])
    found = json.loads(capsys.readouterr().out)
    assert ended.value.code == 0
    assert found["macs"] == found["verdicts"][0]["macs"] == 854_196_224
