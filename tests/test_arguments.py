"""Arguments of public functions: what is wrong in kind, sign or range is refused in one line."""

import math

import pandas as pd
import pytest
import torch
from torch import nn

import archscope
from archscope import arguments
from archscope.errors import ArchscopeError, InvalidInput, UnknownName

TINY = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
X = torch.zeros(2, 4)


@pytest.mark.parametrize(
    "rule, right, wrong",
    [
        (arguments.positive, [1, 2**40], [0, -1, 1.5, True, "1", None, math.nan, 10**30]),
        (arguments.positives, [1, [1, 8], (2,)], [[], [0], [1, 1], [1.5], "8", None]),
        (arguments.not_negative, [0, 7], [-1, 0.5, "0"]),
        (arguments.above_zero, [1, 0.5], [0, -1, math.nan, math.inf, "1", None, True]),
        (arguments.inches, [(3, 4), [3.5, 2]], [3, (3,), (0, 1), (math.nan, 2), "3x4", None]),
        (arguments.text, ["", "x"], [5, None, b"x"]),
        (arguments.texts, ["a", ["a", "b"], ()], [5, None, [5], [None]]),
        (arguments.flag, [True, False], [1, "no", None]),
        (arguments.file, ["x.csv"], ["", 5, None]),
        (arguments.files, [["x.csv"], ()], ["x.csv", 5, [5], [""]]),
        (arguments.function, [print], [5, "print", None]),
        (arguments.mapping, [{}, {"a": 1}], [5, [], {1: "a"}, "x"]),
        (arguments.one_of("a", "b"), ["a"], ["c", 5, None, []]),
        (arguments.reference, ["resnet50"], ["", " ", 5, None, TINY]),
        (arguments.reference_or_module, ["resnet50", TINY], [5, None, nn.Linear, [TINY]]),
        (arguments.device_or_name, ["cpu"], ["", 5, None, {}]),
        (arguments.recorded, [archscope.analyze(TINY, X).trace], [5, None, "resnet50", TINY]),
    ],
)
def test_a_rule_takes_what_is_right_and_refuses_all_else(rule, right, wrong):
    for value in right:
        rule("it", value)
    for value in wrong:
        with pytest.raises(InvalidInput, match="it ") as refused:
            rule("it", value)
        assert "\n" not in str(refused.value)


def test_a_default_passes_and_a_given_value_is_checked():
    @arguments.checked(n=arguments.positive)
    def function(n=None, *, other=0):
        return n

    assert function() is None
    assert function(None) is None
    assert function(3) == 3
    assert function.__name__ == "function"
    for call in (lambda: function(0), lambda: function(n=-1)):
        with pytest.raises(InvalidInput, match="n must be a whole number of 1 or more"):
            call()


def test_a_long_value_is_shown_short_and_in_one_line():
    assert len(arguments.shown("x" * 1000)) < 100
    assert "\n" not in arguments.shown("a\nb")
    assert "\n" not in arguments.shown(torch.zeros(3, 3))
    assert "DataFrame" in arguments.shown(pd.DataFrame({"a": range(100)}))


@pytest.mark.parametrize(
    "call, says",
    [
        (lambda: archscope.analyze(None), "reference"),
        (lambda: archscope.analyze(nn.Linear), "the class Linear"),
        (lambda: archscope.analyze(TINY, X, kwargs=5), "kwargs"),
        (lambda: archscope.analyze(TINY, X, execution={"foo": 1}), "foo"),
        (lambda: archscope.analyze(TINY, X, execution=5), "execution"),
        (lambda: archscope.analyze(TINY, X, strict="no"), "strict"),
        (lambda: archscope.trace(TINY, X, batch=0), "batch"),
        (lambda: archscope.trace(TINY, X, optimizer=5), "optimizer"),
        (lambda: archscope.compare(None), "models are references"),
        (lambda: archscope.compare([]), "nothing to compare"),
        (lambda: archscope.compare("vgg11", where=5), "where"),
        (lambda: archscope.compare("vgg11", sort=5), "sort"),
        (lambda: archscope.compare("vgg11", execution={"devcie": "cpu"}), "did you mean device"),
        (lambda: archscope.compare("vgg11", input="x"), "input 'x'"),
        (lambda: archscope.compare("vgg11", inputs=X), "inputs= are of modules"),
        (lambda: archscope.compare("vgg11", measured="m.csv"), "a list of files"),
        (lambda: archscope.compare("vgg11", measured_where="batch == 1"), "measured= files"),
        (lambda: archscope.energy("vgg11", device=5), "device"),
        (lambda: archscope.energy("vgg11", device="cpu", window="5"), "window"),
        (lambda: archscope.predict_latency("vgg11", device=None), "device"),
        (lambda: archscope.predict_latency("vgg11", device="h100", batch=[1, 1]), "twice"),
        (lambda: archscope.memory_law(5), "sample"),
        (lambda: archscope.memory_law(lambda n: n, step=0), "step"),
        (lambda: archscope.generation_cost(5), "reference"),
        (lambda: archscope.generation_cost("hf:gpt2", prompt=1.5), "prompt"),
        (lambda: archscope.gradient_paths(TINY, X, samples=0), "samples"),
        (lambda: archscope.gradient_paths(TINY, X, seed=-1), "seed"),
        (lambda: archscope.gradient_paths(TINY, X, loss=5), "loss"),
        (lambda: archscope.gradient_flow(TINY, X, checkpoint=5), "checkpoint"),
        (lambda: archscope.gradient_through_time("rnn", seeds=0), "seeds"),
        (lambda: archscope.through_time("rnn", steps=0), "steps"),
        (lambda: archscope.gradient_paths(TINY, X, targets=5), "targets must be a tensor"),
        (lambda: archscope.analyze(TINY, input=X[0, 0]), "an input is a shape"),
        (lambda: archscope.study.frame(None), "path must be the name of a file"),
        (lambda: archscope.study.Store(5), "path must be the name of a file"),
        (lambda: archscope.study.engine(None), "name must be a text"),
        (lambda: archscope.study.read_plan({}), "path must be the name of a file"),
        (lambda: archscope.study.run("x.db", [5], None), "archscope.study.Grid"),
        (
            lambda: archscope.study.run("x.db", [archscope.study.Grid((), batch=(0,))], None),
            "whole numbers of 1 or more",
        ),
        (lambda: archscope.analyzers.paths("resnet50"), "Trace"),
        (lambda: archscope.analyzers.compute(None), "Trace"),
    ],
)
def test_a_public_function_refuses_a_wrong_argument_in_one_line(call, says):
    with pytest.raises(ArchscopeError) as refused:
        call()
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_misspelt_choice_is_told_the_near_ones():
    with pytest.raises(UnknownName, match="did you mean optimizer"):
        archscope.analyze(TINY, X, execution={"optimiser": "adam"})


@pytest.mark.parametrize("measure", [archscope.gradient_paths, archscope.gradient_flow])
def test_gradients_say_that_inputs_go_by_position(measure):
    with pytest.raises(InvalidInput, match="by position, and x is given by name; wrap"):
        measure(TINY, {"x": X})
    with pytest.raises(InvalidInput, match="inputs=, tensors with the batch first"):
        measure(TINY, kwargs={"x": X})
