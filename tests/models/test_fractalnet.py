from collections import Counter

import pytest
import torch
from counting import conv_and_linear_macs, expected_rows, layer_rows, parameter_count
from paths import path_lengths
from torch import nn

from archscope.errors import InvalidInput
from archscope.models import build
from archscope.models.fractalnet import DropPath, Join

TOTALS = {
    "fractalnet20-cifar": (33_734_922, 845_222_912),
    "fractalnet40-cifar": (76_128_714, 2_036_077_568),
}

# The paper's ultra-deep table, CIFAR-100: 0.3, 0.8, 2.1, 4.8, 10.2 and 21.1 M parameters.
ULTRA_DEEP = {1: 258_660, 2: 848_820, 3: 2_127_780, 4: 4_784_340, 5: 10_196_100, 6: 21_118_260}


def on_meta(name="fractalnet20-cifar", **options):
    with torch.device("meta"):
        return build(name, **options).eval()


def small(**options):
    """Five narrow blocks, with running statistics that are not those of a fresh network."""
    torch.manual_seed(0)
    model = build("fractalnet20-cifar", channels=(4, 4, 8, 8, 8), **options).double()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return model


@pytest.fixture
def image():
    return torch.randn(2, 3, 32, 32, dtype=torch.float64)


@pytest.mark.parametrize("name", TOTALS)
def test_parameters_and_macs_are_exact(name):
    model = on_meta(name)
    params, macs = TOTALS[name]
    assert parameter_count(model) == params
    assert conv_and_linear_macs(model, (3, 32, 32)) == macs


@pytest.mark.parametrize("name", TOTALS)
def test_layers_are_the_listed_ones(name):
    # As sets of rows with their multiplicity: the list goes down one path after the other, and has
    # no pooling, since it does not matter to the list whether the columns are pooled or their join.
    rows = [row for row in layer_rows(on_meta(name), (3, 32, 32)) if row["type"] != "MaxPool2d"]
    assert multiset(rows) == multiset(expected_rows(name))


def multiset(rows):
    return Counter(tuple(row.items()) for row in rows)


def test_parameters_without_biases():
    assert parameter_count(on_meta(bias=False)) == 33_724_618


@pytest.mark.parametrize("columns", ULTRA_DEEP)
def test_parameters_of_the_papers_ultra_deep_table(columns):
    model = on_meta(columns=columns, channels=(16, 32, 64, 128, 128), num_classes=100)
    assert parameter_count(model) == ULTRA_DEEP[columns]


@pytest.mark.parametrize(
    ("name", "paths", "longest", "mean"),
    [("fractalnet20-cifar", 5**5, 20, 13.0), ("fractalnet40-cifar", 26**5, 40, 25.2)],
)
def test_paths_follow_the_expansion_rule(name, paths, longest, mean):
    lengths = path_lengths(on_meta(name))
    assert lengths.total() == paths
    assert max(lengths) == longest + 1  # and the classifier
    assert min(lengths) == 5 + 1
    average = sum(length * count for length, count in lengths.items()) / paths
    assert average == pytest.approx(mean + 1, abs=0.05)


def test_a_block_of_two_columns_is_the_formula_written_out():
    block = build("fractalnet20-cifar", columns=2).blocks[0].eval()
    (shallow,), (first, second) = block.columns
    z = torch.randn(1, 3, 8, 8)
    join = (
        nn.functional.max_pool2d(second(first(z)), 2) + nn.functional.max_pool2d(shallow(z), 2)
    ) / 2
    torch.testing.assert_close(block(z, None, None), join)


def test_a_block_of_three_columns_joins_the_two_deep_ones_halfway_and_all_at_its_end():
    block = build("fractalnet20-cifar", columns=3).blocks[0].eval()
    (a1,), (b1, b2), (c1, c2, c3, c4) = block.columns
    pool = block.pool
    z = torch.randn(1, 3, 8, 8)
    half = (b1(z) + c2(c1(z))) / 2
    end = (pool(a1(z)) + pool(b2(half)) + pool(c4(c3(half)))) / 3
    torch.testing.assert_close(block(z, None, None), end)


@pytest.mark.parametrize("column", [0, 1, 2])
def test_a_column_alone_keeps_every_parameter_and_has_one_path(column):
    model = on_meta(column=column)
    assert parameter_count(model) == TOTALS["fractalnet20-cifar"][0]
    assert path_lengths(model) == {5 * 2**column + 1: 1}


@pytest.mark.parametrize("column", [0, 1, 2])
def test_global_drop_path_is_that_column_alone(column, image):
    model = small(global_drop_path=1.0).eval()
    draw = model.draw(image.device)
    draw.column = torch.arange(3) == column
    x = image
    for block in model.blocks:
        x = block(x, None, draw)
    model.column = column
    torch.testing.assert_close(model.fc(x.flatten(1)), model(image))


def test_global_drop_path_draws_every_column_and_keeps_it_throughout():
    kept = Counter()
    for _ in range(60):
        draw = DropPath(0.15, 1.0, 3, torch.device("cpu"))
        once = draw.keep(3)
        assert once.sum() == 1
        assert torch.equal(once, draw.keep(3))
        if once[1:].any():
            assert torch.equal(draw.keep(2), once[1:])
        kept[once.int().argmax().item()] += 1
    assert set(kept) == {0, 1, 2}


@pytest.mark.parametrize("drop", [0.15, 0.9, 1.0])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_every_join_keeps_at_least_one_column(drop, share):
    for count in (2, 3, 4):
        for _ in range(30):
            draw = DropPath(drop, share, 4, torch.device("cpu"))
            assert draw.keep(count).any()


def test_local_drop_path_drops_its_share():
    torch.manual_seed(0)
    draw = DropPath(0.15, 0.0, 3, torch.device("cpu"))
    kept = torch.stack([draw.keep(3) for _ in range(3000)]).double().mean()
    assert kept.item() == pytest.approx(0.85, abs=0.02)


def test_half_of_the_mini_batches_drop_globally():
    torch.manual_seed(0)
    draws = [DropPath(0.15, 0.5, 3, torch.device("cpu")).is_global for _ in range(1000)]
    assert torch.stack(draws).double().mean().item() == pytest.approx(0.5, abs=0.05)


def test_a_join_is_the_mean_of_the_kept_columns():
    columns = [torch.randn(2, 3) for _ in range(3)]
    draw = DropPath(0.15, 0.0, 3, torch.device("cpu"))
    draw.keep = lambda count: torch.tensor([True, False, True])
    torch.testing.assert_close(Join()(columns, draw), (columns[0] + columns[2]) / 2)
    torch.testing.assert_close(Join()(columns, None), torch.stack(columns).mean(0))


def test_evaluation_is_deterministic_and_training_is_not(image):
    model = small()
    model.eval()
    assert torch.equal(model(image), model(image))
    model.train()
    assert not torch.equal(model(image), model(image))


def test_training_without_any_dropping_is_deterministic(image):
    model = small(drop_path=0.0, global_drop_path=0.0, dropout=0.0).train()
    assert torch.equal(model(image), model(image))


def test_dropout_grows_from_block_to_block():
    rates = [
        {m.p for m in block.modules() if isinstance(m, nn.Dropout)} or {0.0}
        for block in build("fractalnet20-cifar", channels=(4,) * 5).blocks
    ]
    assert [pytest.approx(rate) for (rate,) in rates] == [0.0, 0.1, 0.2, 0.3, 0.4]


def test_training_step_reaches_every_parameter_on_meta():
    with torch.device("meta"):
        model = build("fractalnet20-cifar").train()
        logits = model(torch.empty(2, 3, 32, 32))
    assert logits.shape == (2, 10)
    logits.sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_real_build_starts_with_caffes_xavier():
    model = build("fractalnet20-cifar", columns=2)
    weight = model.blocks[4].columns[0][0][0].weight
    bound = (3 / (512 * 9)) ** 0.5
    assert bound * 0.99 < weight.abs().max().item() <= bound
    assert not model.fc.bias.any()


def test_an_impossible_column_says_what_would_be_right():
    with pytest.raises(InvalidInput, match="columns are 0 to 2; there is no column 3"):
        on_meta(column=3)
