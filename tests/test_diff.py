"""Two models aligned by path and shape."""

import json
import subprocess
from pathlib import Path

import pytest
from torch import nn

import archscope
from archscope.cli import main
from archscope.diff import diff, side
from archscope.errors import ArchscopeError


def report(*layers: nn.Module) -> archscope.Report:
    return archscope.analyze(nn.Sequential(*layers), inputs=(1, 8))


def test_a_model_does_not_differ_from_itself() -> None:
    found = diff(side("vgg11"), side("vgg11"))
    assert {change.status for change in found.changes} == {"same"}
    assert all(values["delta"] == 0 for values in found.totals.values())


def test_two_configurations_differ_in_their_last_layer() -> None:
    found = diff(side("resnet18"), side("resnet18", num_classes=10))
    changed = [change for change in found.changes if change.status != "same"]
    assert [change.path for change in changed] == ["fc"]
    assert changed[0].delta("params") == -990 * 513
    assert found.totals["macs"]["delta"] == -990 * 512


def test_a_layer_that_moved_down_is_renamed_and_the_new_one_added() -> None:
    before = report(nn.Linear(8, 4), nn.Linear(4, 2))
    after = report(nn.Linear(8, 8), nn.Linear(8, 4), nn.Linear(4, 2))
    statuses = [(change.path, change.status) for change in diff(before, after).changes]
    assert statuses[0] == ("input", "same")
    # By path "0" and "1" are the same layers, changed; "2" is new.
    assert statuses[1:] == [("0", "changed"), ("1", "changed"), ("2", "added")]


def test_layers_under_another_name_are_only_renamed() -> None:
    class Named(nn.Module):
        def __init__(self, prefix: str):
            super().__init__()
            self.layers = nn.ModuleDict({f"{prefix}{i}": nn.Linear(8, 8 + i) for i in range(2)})

        def forward(self, x):
            return [layer(x) for layer in self.layers.values()]

    before = archscope.analyze(Named("a"), inputs=(1, 8))
    after = archscope.analyze(Named("b"), inputs=(1, 8))
    found = diff(before, after)
    assert [change.status for change in found.changes] == ["same", "renamed", "renamed"]


def test_differences_of_the_layers_add_up_to_those_of_the_totals() -> None:
    found = diff(side("resnet18"), side("resnet34"))
    for cost in ("params", "macs", "flops", "activations"):
        assert sum(c.delta(cost) for c in found.changes) == found.totals[cost]["delta"]
    assert {change.status for change in found.changes} >= {"added", "same"}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    file = tmp_path / "net.py"
    file.write_text(
        "from torch import nn\nfrom width import WIDTH\n\n"
        "def net():\n    return nn.Linear(3, WIDTH)\n"
    )

    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=a", "-c", "user.email=a@b.c")
        subprocess.run(["git", "-C", str(tmp_path), *identity, *arguments], check=True)

    git("init", "--quiet")
    for width in (4, 5):
        (tmp_path / "width.py").write_text(f"WIDTH = {width}\n")
        git("add", ".")
        git("commit", "--quiet", "-m", str(width))
    return file


def test_a_model_is_compared_with_itself_at_another_revision(repository: Path) -> None:
    before = side(f"{repository}:net@HEAD~1", input=["3"])
    found = diff(before, side(f"{repository}:net", input=["3"]))
    assert found.totals["params"] == {"before": 16, "after": 20, "delta": 4}
    with pytest.raises(ArchscopeError, match="no-such"):
        side(f"{repository}:net@no-such", input=["3"])


def test_the_command_shows_what_changed(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["diff", "resnet18", "resnet18", "--set-after", "num_classes=10"]
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--format", "plain"])
    shown = capsys.readouterr().out
    assert ended.value.code == 0
    assert "1x1000 -> 1x10" in shown
    assert "-507,870" in shown
    with pytest.raises(SystemExit):
        main([*arguments, "--format", "json"])
    assert json.loads(capsys.readouterr().out)["totals"]["params"]["delta"] == -507_870
