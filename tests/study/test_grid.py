"""Grids: every combination once, and one line for a wrong one."""

import pytest

from archscope.errors import ArchscopeError
from archscope.study import Grid, read_plan


def cells(grid):
    return [(setting, pair) for setting in grid.settings() for pair in grid.analyses_of(setting)]


def test_every_combination_is_there_once():
    asked = Grid.of(
        {
            "models": ["alexnet", "vgg16", "alexnet"],
            "batch": [1, 8, 1],
            "size": [224, 288],
            "dtype": ["fp32", "bf16"],
            "analyses": ["compute", "latency"],
            "device": ["cpu", "cuda:0", "cuda"],
        }
    )
    found = cells(asked.expanded())
    assert len(found) == 2 * 2 * 2 * 2 * (1 + 2)
    assert {device for _, (analysis, device) in found if analysis == "compute"} == {""}


def test_patterns_are_expanded():
    models = Grid.of({"models": ["resnet1*", "resnet18"]}).expanded().models
    assert "resnet18" in models and len(models) == len(set(models)) > 1


def test_what_a_mode_already_says_is_not_asked_for_again():
    asked = Grid.of({"models": "alexnet", "mode": ["training"], "analyses": ["memory", "training"]})
    assert [analysis for _, (analysis, _) in cells(asked)] == ["memory"]


def test_a_file_of_a_windows_editor_is_read(tmp_path):
    file = tmp_path / "grid.toml"
    file.write_bytes(b'\xef\xbb\xbfmodels = ["alexnet"]\r\nsize = []\r\n')
    assert read_plan(file).grids[0].models == ("alexnet",)


def test_a_file_has_further_grids_that_inherit_from_it(tmp_path):
    file = tmp_path / "grid.toml"
    file.write_text(
        'batch = [1, 2]\n[limits]\nseconds = 5\nmemory = "4GiB"\n[measure]\nmax_seconds = 1\n'
        '[[grid]]\nmodels = ["alexnet"]\n[[grid]]\nmodels = "rnn"\noptions = { seq_len = 5 }\n'
    )
    plan = read_plan(file)
    assert plan.limits == {"seconds": 5, "memory_bytes": 4 << 30}
    first, second = plan.grids
    assert first.models == ("alexnet",) and second.options == {"seq_len": 5}
    assert first.batch == second.batch == (1, 2) and second.measure.max_seconds == 1


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "needs models"),
        ('models = ["alexnet"]\nbatches = [1]', "no option 'batches'"),
        ('models = ["alexnet"]\nbatch = [0]', "whole numbers of 1 or more"),
        ('models = ["alexnet"]\nbatch = ["1"]', "whole numbers of 1 or more"),
        ('models = ["alexnet"]\nbatch = []', "batch is empty"),
        ('models = ["alexnet"]\nanalyses = []', "analyses is empty"),
        ('models = ["alexnet"]\nmode = []', "mode is empty"),
        ('models = ["alexnet"]\nanalyses = ["dept"]', "did you mean depth"),
        ('models = ["alexnet"]\ndtype = ["fp23"]', "unknown dtype 'fp23'"),
        ('models = ["alexnet"]\ndevice = ["h100"]', "cpu, cuda or cuda:N"),
        ('models = ["alexnet"]\nsize = [9]\ninput = ["3x9x9"]', "not both"),
        ('models = ["alexnet"]\ninput = ["axb"]', "cannot be read"),
        ('models = ["alexnet"]\noptions = 5', "must be a table"),
        ('models = ["alexnet"]\noptions = { day = 2020-01-01 }', "plain values"),
        ('models = ["alexnet"]\n[limits]\nmemory = "many"', "no quantity"),
        ('models = ["alexnet"]\n[limits]\nseconds = -1', "more than 0"),
        ('models = ["alexnet"]\n[limits]\nmemory = 0.5', "more than 0"),
        ('models = ["alexnet"]\n[measure]\nthreads = 1.5', "threads of [measure] must be a whole"),
        ('models = ["alexnet"]\n[limits]\ntime = 1', "no option 'time'"),
        ("models = [", "cannot be read"),
        ("grid = 5", "[[grid]]"),
        ("models = 5", "list of texts"),
    ],
)
def test_a_wrong_file_is_told_in_one_line(tmp_path, content, says):
    file = tmp_path / "grid.toml"
    file.write_text(content)
    with pytest.raises(ArchscopeError) as error:
        read_plan(file)
    assert says in str(error.value) and "\n" not in str(error.value)
