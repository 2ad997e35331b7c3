"""The law of peak memory over batch, resolution and sequence: exact, in pieces, invertible."""

from fractions import Fraction

import pytest
from torch import nn

import archscope
from archscope.analyzers.memory import peak_bytes
from archscope.errors import ArchscopeError, InvalidInput
from archscope.scaling import Polynomial, memory_law, sampler


def convolutions():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 64, 3, stride=2, padding=1)
    )


def test_a_batch_costs_a_constant_and_a_slope_per_image():
    """Beside weights an image needs its input, and a ReLU's input and output."""
    model = nn.Sequential(nn.Linear(10, 100), nn.ReLU())
    law = memory_law(lambda n: archscope.trace(model, ((n, 10),), "inference"))
    weights = 4 * (10 * 100 + 100)
    assert [piece.polynomial for piece in law.pieces] == [
        Polynomial(Fraction(weights), Fraction(4 * (10 + 100 + 100)), Fraction(0))
    ]
    assert law.exact
    assert law.pieces[0].operator == "relu"


def test_the_law_is_exact_where_the_peak_changes_its_operator():
    """Adam's update needs what does not grow; from some batch on the backward pass needs more."""
    model = nn.Sequential(nn.Linear(64, 256), nn.GELU(), nn.Linear(256, 64))

    def sample(n):
        return archscope.trace(model, ((n, 64),), "training", optimizer="adam")

    law = memory_law(sample)
    assert len(law.pieces) > 1
    for batch in (1, 2, 7, 30, 64, 129, 500):
        assert law.at(batch) == peak_bytes(sample(batch))


def test_memory_is_quadratic_in_the_resolution():
    def sample(size):
        return archscope.trace(convolutions(), ((1, 3, size, size),), "inference")

    law = memory_law(sample, over="size", start=32, step=2)
    assert law.exact
    assert law.pieces[-1].polynomial.quadratic == 4 * (3 + 8 + 64 // 4)
    assert law.at(100) == peak_bytes(sample(100))


def test_stored_scores_are_quadratic_in_the_sequence_and_fused_attention_is_not():
    def sample(attention):
        model = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
        return lambda n: archscope.trace(model, ((1, n, 32),), "training", attention=attention)

    fused = memory_law(sample("fused"), over="seq_len", start=64)
    scored = memory_law(sample("math"), over="seq_len", start=64)
    assert fused.pieces[-1].polynomial.quadratic == 0
    assert scored.pieces[-1].polynomial.quadratic >= 4 * 4  # four heads of floats
    assert fused.exact and scored.exact


def test_backpropagation_through_time_has_a_slope_per_step():
    law = memory_law(sampler("lstm", "seq_len", mode="training"), "seq_len", start=10)
    assert law.exact
    assert law.pieces[-1].polynomial.quadratic == 0
    assert law.pieces[-1].polynomial.linear > 0


def test_an_unrolled_loop_has_a_law_although_its_operators_change_in_number():
    sample = sampler("rnn", "seq_len", mode="training", options={"unrolled": True})
    law = memory_law(sample, "seq_len", start=10)
    assert all(abs(check.error) < 0.01 for check in law.checks)


@pytest.mark.parametrize("budget", [2**20, 2**24, 10**9])
def test_the_largest_batch_fits_and_one_more_does_not(budget):
    def sample(n):
        return archscope.trace(convolutions(), ((n, 3, 32, 32),), "training")

    largest = memory_law(sample).largest(budget)
    assert peak_bytes(sample(largest)) <= budget < peak_bytes(sample(largest + 1))


def test_nothing_fits_in_too_little():
    law = memory_law(lambda n: archscope.trace(convolutions(), ((n, 3, 32, 32),), "training"))
    assert law.largest(1000) is None


def test_what_does_not_grow_has_no_largest():
    class Constant(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(nn.Linear(3, 3).weight.data)

        def forward(self, x):
            return self.weight * 2

    law = memory_law(lambda n: archscope.trace(Constant(), ((4, 3),), "inference"))
    with pytest.raises(ArchscopeError, match="does not grow"):
        law.largest(2**30)


def test_a_size_needs_an_image():
    with pytest.raises(InvalidInput, match="no image"):
        sampler("lstm", "size")
    with pytest.raises(InvalidInput, match="batch, size, seq_len"):
        memory_law(sampler("alexnet", "batch"), "colour")
