"""Bounds on a model's cost: in a test, on the command line, in pyproject.toml."""

import json
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch
from torch import nn

from archscope.budgets import parse_bound, quantity, read_budgets
from archscope.cli import main
from archscope.errors import ArchscopeError, InvalidInput
from archscope.testing import assert_cost


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("26M", 26_000_000),
        ("4.2G", 4_200_000_000),
        ("1e9", 10**9),
        ("200MiB", 200 * 2**20),
        ("1.5 GB", 1_500_000_000),
        ("0.995", Fraction(199, 200)),
        (1, 1),
    ],
)
def test_a_quantity_is_exact(text: str, value: Fraction) -> None:
    assert quantity(text) == value


@pytest.mark.parametrize("text", ["", "G", "-3M", "4.2X", "many"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="write 200MiB"):
        quantity(text)


def test_every_missed_bound_names_who_spends_most() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 8))
    most = {
        "params": "1 40, 0 20",
        "macs": "1 512, 0 256",
        "flops": "1 1,152, 0 576",
        "activations": "1 128, 0 64",
        "weights": "1 160 B, 0 80 B",
        "peak": "1 672 B, 0 336 B, input 256 B",
        "depth": "0 1, 1 1",
    }
    with pytest.raises(AssertionError) as caught:
        assert_cost(model, (16, 4), **dict.fromkeys(most, "<=1"))
    lines = str(caught.value).splitlines()[1:]
    found = {line.partition(" ")[0]: line.partition("most in ")[2] for line in lines}
    assert found == most


def test_a_missed_coverage_names_the_operators_without_a_formula() -> None:
    torch.library.define("archscope_budgets::unknown", "(Tensor x) -> Tensor")
    torch.library.impl("archscope_budgets::unknown", "Meta")(torch.empty_like)

    class Gap(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.ops.archscope_budgets.unknown(x + 1)

    with pytest.raises(AssertionError, match=r"by 50\.00 %.*most in archscope_budgets::unknown"):
        assert_cost(Gap(), (16, 4), coverage=">=1")


@pytest.mark.parametrize(
    ("cost", "text"), [("macs", "<=1MiB"), ("coverage", ">=99"), ("params", "<=1KB")]
)
def test_a_quantity_of_another_kind_is_refused(cost: str, text: str) -> None:
    with pytest.raises(InvalidInput, match="; write"):
        parse_bound(cost, text)


def test_a_bound_needs_a_comparison() -> None:
    assert str(parse_bound("macs", "<=4.2G")) == "macs <= 4.200G"
    with pytest.raises(InvalidInput, match=r"write macs='<=4\.2G'"):
        parse_bound("macs", "4.2G")
    with pytest.raises(ArchscopeError, match="did you mean macs"):
        parse_bound("mac", "<=1")


def test_assert_cost_passes_and_returns_the_report() -> None:
    report = assert_cost(
        nn.Linear(3, 4), (2, 3), macs="==24", params="<=16", depth="==1", coverage=">=1"
    )
    assert report.totals["macs"] == 24


def test_assert_cost_names_the_bound_and_who_spends_most() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 400))
    with pytest.raises(AssertionError) as caught:
        assert_cost(model, (1, 3), macs="<=1K", params="<=10K")
    assert "macs <= 1,000 is missed by 612 (61.2 %): 1,612; most in 1 1,600, 0 12" in str(
        caught.value
    )
    assert "params" not in str(caught.value)
    with pytest.raises(InvalidInput, match="nothing to assert"):
        assert_cost(model, (1, 3))


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_check_exits_0_when_bounds_are_kept_and_1_when_not(capsys) -> None:
    assert run("check", "resnet18", "--max-macs", "1.82G", "--min-coverage", "1") == 0
    assert "All bounds are kept" in capsys.readouterr().out
    assert run("check", "resnet18", "--max-macs", "1.8G", "--max-peak", "1GiB") == 1
    shown = capsys.readouterr().out
    assert "missed by 14.07M (0.8 %)" in " ".join(shown.split())


def test_check_exits_2_on_a_wrong_request(capsys, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("check", "resnet18", "--max-macs", "lots") == 2
    assert run("check", "--max-macs", "1G") == 2
    assert run("check", "resnet18") == 2
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert run("check") == 2
    assert "no [tool.archscope.budgets]" in capsys.readouterr().err


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "pyproject.toml"
    file.write_text(
        '[tool.archscope.budgets.resnet18]\nmax-params = "12M"\nmax-macs = "1G"\n'
        '[tool.archscope.budgets.lstm]\nmax-params = "10M"\noptions = { seq_len = 3 }\n'
    )
    return file


def test_budgets_are_read_from_the_project(project: Path, capsys) -> None:
    resnet, lstm = read_budgets(project)
    assert [str(bound) for bound in resnet.bounds] == ["params <= 12.00M", "macs <= 1.000G"]
    assert lstm.settings == {"seq_len": 3}
    assert run("check", "lstm") == 0
    capsys.readouterr()
    assert run("check", "--format", "json") == 1
    rows = json.loads(capsys.readouterr().out)
    assert [row["kept"] for row in rows] == [True, False, True]
    project.write_text("[tool.archscope.budgets.lstm]\nmax-mcs = 3\n")
    with pytest.raises(ArchscopeError, match="max-mcs"):
        read_budgets(project)


def test_ci_reads_junit_and_annotations(project: Path, capsys) -> None:
    assert run("check", "--format", "junit", "-o", "found.xml") == 1
    suites = ElementTree.parse("found.xml").getroot()
    assert [(s.get("tests"), s.get("failures")) for s in suites] == [("2", "1"), ("1", "0")]
    assert suites.find(".//failure").get("message").startswith("macs <= 1.000G is missed by")
    assert run("check", "--format", "github") == 1
    line = capsys.readouterr().out
    assert line.startswith("::error title=archscope%3A resnet18::macs <= 1.000G is missed")
    assert "%25" in line
    assert line.count("\n") == 1


def test_the_hook_runs_the_check() -> None:
    hook = (Path(__file__).parents[2] / ".pre-commit-hooks.yaml").read_text()
    assert "entry: archscope check" in hook
