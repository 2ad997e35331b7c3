"""Values that no function can take are refused in one line, by every function alike."""

import math

import pytest

import archscope

WRONG = {
    "no model": lambda: archscope.gradient_paths(None),
    "a number for a model": lambda: archscope.gradient_flow(5),
    "a number for a shape": lambda: archscope.analyze("vgg16", input=5),
    "text in a shape": lambda: archscope.analyze("vgg16", input=(3, "a", 4)),
    "a fraction in a shape": lambda: archscope.analyze("vgg16", input=(3, 2.5, 4)),
    "no samples": lambda: archscope.gradient_paths("alexnet", samples=0),
    "no batch": lambda: archscope.latency("alexnet", batch=[]),
    "seconds that never end": lambda: archscope.latency("alexnet", max_seconds=math.nan),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_wrong_value_is_told_in_one_line(wrong):
    with pytest.raises(archscope.ArchscopeError) as told:
        wrong()
    assert "\n" not in str(told.value)
