"""What a report shows in a notebook: modules to fold, whose numbers add up, in sound HTML."""

from html.parser import HTMLParser

import pytest
from torch import nn

import archscope
from archscope.report.levels import COUNTED
from archscope.report.tree import Node, tree

VOID = {"br", "hr", "img", "meta"}


class Balanced(HTMLParser):
    """Refuses an end that does not close what was opened last."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.text = [], [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def read(html: str) -> Balanced:
    parser = Balanced()
    parser.feed(html)
    assert not parser.open
    return parser


def holders(node: Node):
    for child in node.children:
        if child.children:
            yield child
            yield from holders(child)


@pytest.mark.parametrize("model", ["alexnet", "resnet50", "googlenet", "lstm"])
def test_every_module_is_the_sum_of_what_it_holds(model):
    report = archscope.analyze(model)
    root = tree(report)
    for node in [root, *holders(root)]:
        for column in COUNTED:
            assert node.sums[column] == sum(child.sums[column] for child in node.children)
    for column in ("params", "macs", "flops", "activations"):
        assert root.sums[column] == report.totals[column]
    assert len(list(root.leaves())) == len(report.layers)


def test_modules_are_folded_in_a_large_model_and_open_in_a_small_one():
    large, small = archscope.analyze("resnet50"), nn.Sequential(nn.Sequential(nn.Linear(2, 3)))
    html = read(large._repr_html_())
    assert html.tags.count("details") == len(list(holders(tree(large))))
    assert "<details>" in large._repr_html_()
    shown = archscope.analyze(small, inputs=((1, 2),))._repr_html_()
    assert "<details open>" in shown
    assert "<details>" not in shown


def test_bars_are_as_long_as_the_share():
    model = nn.Sequential(nn.Linear(4, 3, bias=False), nn.Linear(3, 4, bias=False))
    html = archscope.analyze(model, inputs=((1, 4),))._repr_html_()
    assert html.count('title="12, 50.0 %"') == 4  # parameters and MACs of both


def test_names_are_escaped():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.add_module("<b>&", nn.Linear(2, 2))

        def forward(self, x):
            return self._modules["<b>&"](x)

    html = archscope.analyze(Net(), inputs=((1, 2),), name="<i>")._repr_html_()
    parsed = read(html)
    assert "b" not in parsed.tags
    assert "<b>&" in parsed.text
    assert "<i>" in parsed.text


def test_warnings_and_conditions_are_shown():
    text = read(archscope.analyze("vgg16")._repr_html_()).text
    assert "138,357,544 parameters" in text
    assert "Input 1x3x224x224 float32, batch 1, inference" in text
