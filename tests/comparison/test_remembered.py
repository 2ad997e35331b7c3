"""While rows are remembered a network of the zoo is analysed once, and shown as if it were anew."""

import pandas as pd
import pytest
from torch import nn

from archscope.comparison import compare, remembered
from archscope.comparison.remembered import remembering

NETWORKS = ["alexnet", "resnet18"]


@pytest.fixture
def analysed(monkeypatch):
    """The networks that were analysed, each time that they were."""
    seen, real = [], remembered.network_row

    def counting(model, *args, **settings):
        seen.append(model)
        return real(model, *args, **settings)

    monkeypatch.setattr(remembered, "network_row", counting)
    return seen


@pytest.mark.parametrize(
    "analyses", [("compute",), ("memory", "depth"), ("training",), ("compute", "training")]
)
def test_what_is_remembered_is_what_would_be_analysed(analyses):
    fresh = compare(NETWORKS, analyses=analyses)
    with remembering():
        compare(NETWORKS)
        pd.testing.assert_frame_equal(compare(NETWORKS, analyses=analyses), fresh)


def test_the_same_settings_are_analysed_once(analysed):
    with remembering():
        compare(NETWORKS, analyses=("compute",))
        compare(NETWORKS, analyses=("depth",), execution={})
        assert analysed == NETWORKS
        compare(NETWORKS, analyses=("compute",), batch=2)
        compare(NETWORKS, analyses=("compute",), execution={"dtype": "bf16"})
        assert analysed == 3 * NETWORKS
        compare(NETWORKS, analyses=("training",))
        assert analysed == 4 * NETWORKS
    compare(NETWORKS, analyses=("compute",))
    assert analysed == 5 * NETWORKS


def test_one_remembers_what_the_one_around_it_does(analysed):
    with remembering():
        compare(NETWORKS, analyses=("compute",))
        with remembering():
            compare([*NETWORKS, "vgg11"], analyses=("compute",))
        compare(["vgg11"], analyses=("compute",))
    assert analysed == [*NETWORKS, "vgg11"]
    compare(["vgg11"], analyses=("compute",))
    assert analysed == [*NETWORKS, "vgg11", "vgg11"]


def test_modules_may_change_and_are_analysed_anew():
    module = nn.Linear(4, 4)
    with remembering():
        before = compare({"net": module}, (1, 4), analyses=("compute",))
        module.weight = nn.Parameter(module.weight[:2].detach())
        module.bias = nn.Parameter(module.bias[:2].detach())
        after = compare({"net": module}, (1, 4), analyses=("compute",))
    assert [frame["params"][0] for frame in (before, after)] == [20, 10]
