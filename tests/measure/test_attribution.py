"""Whose time it was, from events whose answer is known by construction."""

import random
from dataclasses import replace

import pytest

from archscope.measure.attribution import (
    Events,
    Kernel,
    Launch,
    Operator,
    Span,
    Wait,
    attribute,
)

CALLER, ENGINE = 1, 2


def own(times):
    return {key: spent.own for key, spent in times.calls.items() if spent.own}


def adds_up(times):
    return times.own + times.host + times.launch + times.idle == pytest.approx(times.whole)


# caller  | a: launch 1 | b: launch 2 | b again: launch 3 |        wait         |
# device       .....|  kernel 1  | kernel 2 |     .....    | kernel 3 |  ....
FORWARD = Events(
    start=0,
    end=1000,
    caller=CALLER,
    spans=[
        Span("", 1, CALLER, 0, 700),
        Span("a", 1, CALLER, 100, 200),
        Span("b", 1, CALLER, 200, 300),
        Span("b", 2, CALLER, 600, 700),
    ],
    launches=[Launch(1, CALLER, 110), Launch(2, CALLER, 210), Launch(3, CALLER, 650)],
    kernels=[Kernel(1, 150, 350), Kernel(2, 350, 450), Kernel(3, 680, 900)],
    waits=[Wait(720, 1000)],
)


def test_kernels_belong_to_the_call_that_launched_them():
    times = attribute(FORWARD, on_cpu=False)
    assert own(times) == {("a", 1): 200, ("b", 1): 100, ("b", 2): 220}
    assert times.calls["b", 2].kernels == 1
    assert adds_up(times)


def test_the_gap_has_its_three_names():
    times = attribute(FORWARD, on_cpu=False)
    assert times.launch == (150 - 110) + (680 - 650)
    assert times.idle == 100  # waiting, with nothing left to do
    # Up to the first launch, and from the second kernel's end to the third launch.
    assert times.host == 110 + (650 - 450)
    assert times.calls["a", 1].host == 10
    assert times.calls["", 1].host == 100 + (600 - 450)
    assert times.calls["b", 2].host == 50


def test_the_order_of_events_does_not_matter():
    shuffled = random.Random(0)
    events = FORWARD
    for name in ("spans", "launches", "kernels"):
        values = list(getattr(events, name))
        shuffled.shuffle(values)
        events = replace(events, **{name: values})
    times, known = attribute(events, on_cpu=False), attribute(FORWARD, on_cpu=False)
    assert (own(times), times.launch, times.host) == (own(known), known.launch, known.host)


def test_calls_know_the_call_that_made_them():
    times = attribute(FORWARD, on_cpu=False)
    assert times.parents == {("", 1): None, ("a", 1): ("", 1), ("b", 1): ("", 1), ("b", 2): ("", 1)}


def test_a_kernel_that_nobody_launched_is_outside():
    lost = replace(FORWARD, kernels=[*FORWARD.kernels, Kernel(99, 920, 940)])
    times = attribute(lost, on_cpu=False)
    assert times.outside.own == 20 and times.outside.kernels == 1
    assert times.idle == 80
    assert adds_up(times)


def test_kernels_at_the_same_time_share_it():
    both = replace(
        FORWARD,
        kernels=[Kernel(1, 150, 350), Kernel(2, 250, 450)],
        launches=[Launch(1, CALLER, 110), Launch(2, CALLER, 210)],
    )
    times = attribute(both, on_cpu=False)
    assert own(times) == {("a", 1): 150, ("b", 1): 150}
    assert adds_up(times)


def test_backward_on_another_thread_belongs_to_the_forward_s_module():
    events = Events(
        start=0,
        end=1000,
        caller=CALLER,
        spans=[Span("a", 1, CALLER, 0, 100), Span("b", 1, CALLER, 100, 200)],
        operators=[
            # Without a node of its own an operator carries the number of the next one.
            Operator(CALLER, 10, 20, sequence=7),
            Operator(CALLER, 30, 40, sequence=7),
            Operator(CALLER, 110, 120, sequence=8),
            Operator(CALLER, 210, 220, sequence=9),  # the loss
            Operator(ENGINE, 290, 295, sequence=9, node=True),
            Operator(ENGINE, 300, 400, sequence=8, node=True),
            Operator(ENGINE, 305, 390, sequence=8, node=True),
            Operator(ENGINE, 410, 420, node=True),  # accumulates the gradient of b
            Operator(ENGINE, 500, 600, sequence=7, node=True),
        ],
        launches=[
            Launch(1, CALLER, 35),
            Launch(2, ENGINE, 310),
            Launch(3, ENGINE, 415),
            Launch(4, ENGINE, 510),
            Launch(5, ENGINE, 292),
        ],
        kernels=[
            Kernel(1, 40, 60),
            Kernel(2, 320, 400),
            Kernel(3, 420, 430),
            Kernel(4, 520, 820),
            Kernel(5, 300, 301),
        ],
    )
    times = attribute(events, on_cpu=False)
    assert own(times) == {("a", 1): 320, ("b", 1): 90}
    assert times.calls["a", 1].backward == 300 and times.calls["b", 1].backward == 90
    assert times.outside.own == 1
    assert adds_up(times)


def test_on_a_cpu_operators_are_the_work_and_the_rest_is_the_caller_s():
    events = Events(
        start=0,
        end=1000,
        caller=CALLER,
        spans=[Span("", 1, CALLER, 0, 500), Span("a", 1, CALLER, 100, 400)],
        operators=[
            Operator(CALLER, 20, 60),
            Operator(CALLER, 150, 350, sequence=3),
            Operator(CALLER, 160, 340, sequence=3),  # inside the other
            Operator(CALLER, 600, 700, sequence=3, node=True),
        ],
    )
    times = attribute(events, on_cpu=True)
    assert own(times) == {("", 1): 40, ("a", 1): 300}
    assert times.calls["a", 1].backward == 100 and times.calls["a", 1].kernels == 2
    assert times.calls["a", 1].host == 100 and times.calls["", 1].host == 160
    assert times.outside.host == 400
    assert (times.launch, times.idle) == (0, 0)
    assert adds_up(times)


def test_recomputed_calls_count_where_they_run():
    """A checkpoint calls its modules again, inside of a node of the backward pass."""
    events = Events(
        start=0,
        end=100,
        caller=CALLER,
        spans=[Span("a", 1, CALLER, 0, 10), Span("a", 2, ENGINE, 30, 40)],
        operators=[Operator(CALLER, 2, 4, sequence=1), Operator(ENGINE, 20, 60, 1, node=True)],
        launches=[Launch(1, ENGINE, 35), Launch(2, ENGINE, 50)],
        kernels=[Kernel(1, 36, 46), Kernel(2, 51, 71)],
    )
    assert own(attribute(events, on_cpu=False)) == {("a", 1): 20, ("a", 2): 10}


def test_random_passes_always_add_up():
    dice = random.Random(1)
    for _ in range(50):
        launches = [Launch(i, dice.choice((1, 2, 3)), dice.randrange(900)) for i in range(30)]
        kernels = [
            Kernel(i, start := dice.randrange(950), start + dice.randrange(1, 90))
            for i in range(5, 35)
        ]
        spans = [Span("", 1, CALLER, 0, 900)]
        spans += [Span("m", i, CALLER, 90 * i, 90 * i + dice.randrange(1, 90)) for i in range(9)]
        events = Events(0, 1000, CALLER, spans, (), launches, kernels, [Wait(900, 1000)])
        assert adds_up(attribute(events, on_cpu=False))
