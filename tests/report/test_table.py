"""The table: what it shows, and that its columns add up to its footer."""

import csv
import io
import json

import pytest
import torch
import torch.utils.checkpoint
from torch import nn

import archscope
from archscope.errors import ArchscopeError
from archscope.report.columns import NAMES
from archscope.report.costs import View, tables
from archscope.report.formats import FORMATS, render
from archscope.report.levels import COUNTED, lines
from archscope.report.table import Heading, Row, Table, sides
from archscope.report.terminal import plain

NETWORKS = ["vgg16", "alexnet", "googlenet", "resnet50", "inception-naive", "char-rnn"]


def number(cell):
    """The number that a cell shows; an equation's is on the right."""
    return int(sides(cell)[1].replace(",", "") or 0)


def widest(report, **view):
    return next(tables(report, View(**view)))


def column(table, title):
    index = [heading.title for heading in table.headings].index(title)
    return [row.cells[index] for row in table.rows], table.footer[index]


@pytest.mark.parametrize("mode", ["inference", "training"])
@pytest.mark.parametrize("level", ["layer", "block", "op"])
@pytest.mark.parametrize("name", NETWORKS)
def test_every_column_adds_up_to_the_total(report_of, name, level, mode):
    report = report_of(name, mode=mode)
    summed = {c: sum(line.values[c] for line in lines(report, level)) for c in COUNTED}
    for key in set(COUNTED) & set(report.sums):
        if key != "activations" or level != "op":
            assert summed[key] == report.sums[key], key


@pytest.mark.parametrize("level", ["layer", "block"])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("name", NETWORKS)
def test_shown_parameters_add_up_to_the_footer(report_of, name, bias, level):
    cells, footer = column(widest(report_of(name), bias=bias, level=level), "Parameters")
    assert sum(map(number, cells)) == number(footer)


@pytest.mark.parametrize("name", NETWORKS)
def test_rows_left_out_have_nothing_in_any_column_shown(report_of, name):
    report = report_of(name)
    for asked in (("path", "flops"), ("path", "output_bytes"), ("path", "macs")):
        shown = {row.cells[0] for row in widest(report, columns=asked).rows}
        hidden = [line for line in lines(report) if line.label not in shown]
        assert all(line.values[asked[1]] == 0 for line in hidden)


def test_vgg16_is_the_lectures_table(report_of):
    table = widest(report_of("vgg16"))
    activations, made = column(table, "Activations")
    parameters, learned = column(table, "Parameters")
    assert (made, learned) == ("15,237,608", "138,344,128")
    assert activations[0] == "3x224x224 = 151K"
    assert activations[2] == "64x224x224 = 3.2M"
    assert parameters[2] == "(3*3*64)*64 = 36,864"
    assert [row.cells[0] for row in table.rows][:3] == ["input", "block1.conv1", "block1.conv2"]
    assert "13,416 biases; 138,357,544 with them" in " ".join(table.caption)


def test_bias_counts_the_biases(report_of):
    parameters, learned = column(widest(report_of("vgg16"), bias=True), "Parameters")
    assert parameters[2] == "(3*3*64)*64 + 64 = 36,928"
    assert learned == "138,357,544"


def test_training_shows_the_backward_pass(report_of):
    report = report_of("alexnet", mode="training")
    cells, footer = column(widest(report), "Backward")
    assert footer == f"{report.sums['backward_macs']:,}"
    assert cells[1] == "105M"


def test_resnet152_fits_a_screen_by_block(report_of):
    table = widest(report_of("resnet152"), level="block")
    labels = [row.cells[0] for row in table.rows]
    assert len(labels) < 50
    assert "conv4_x.1-35 x 35" in labels


@pytest.mark.parametrize(
    ("name", "kind", "count"),
    [("resnet50", "Bottleneck", 8), ("googlenet", "Inception", 9), ("fractalnet20-cifar", None, 5)],
)
def test_blocks_are_what_the_papers_call_blocks(report_of, name, kind, count):
    rows = [line.values["kind"] for line in lines(report_of(name), "block")]
    assert rows.count(kind or "FractalBlock") == count


def test_blocks_of_a_transformer_are_its_layers():
    layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
    report = archscope.analyze(nn.TransformerEncoder(layer, 6), inputs=((1, 10, 32),))
    assert [line.label for line in lines(report, "block")] == ["input", "layers.0-5 x 6"]


def test_a_recurrent_layer_shows_the_cost_of_a_step(report_of):
    below = [remark for row in widest(report_of("lstm")).rows for remark in row.below]
    assert below == ["per step 98,304 MACs x 100 steps"]
    batched = [remark for row in widest(report_of("lstm", batch=8)).rows for remark in row.below]
    assert batched == ["per step 98,304 MACs x 800 steps, up to 100 in a sequence"]


class Sharing(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Linear(4, 6, bias=False)
        self.middle = nn.Linear(6, 6)
        self.decoder = nn.Linear(4, 6, bias=False)
        self.decoder.weight = self.embedding.weight
        self.spare = nn.Linear(3, 3)

    def forward(self, x):
        return self.middle(self.middle(self.embedding(x))) + self.decoder(x)


def test_shared_repeated_and_unused_modules_are_marked():
    table = widest(archscope.analyze(Sharing(), inputs=((1, 4),)))
    rows = {row.cells[0]: row for row in table.rows}
    assert "middle (again, call 2)" in rows
    assert "spare (not used)" in rows
    assert rows["decoder"].below == ("shared with embedding.weight",)


@torch.library.custom_op("archscope_tests::opaque", mutates_args=())
def opaque(x: torch.Tensor) -> torch.Tensor:
    return x.clone()


@opaque.register_fake
def _(x):
    return torch.empty_like(x)


class Opaque(nn.Module):
    def forward(self, x):
        return opaque(x)


def test_an_operator_without_a_formula_is_listed():
    table = widest(archscope.analyze(Opaque(), inputs=((4, 5),)), columns=("path", "macs"))
    assert table.caption[-1].startswith("Without a cost formula, and in no sum: ")
    assert table.caption[-1].endswith("opaque in Opaque (4x5).")
    assert [row.cells[0] for row in table.rows] == ["input", "Opaque"]


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 140, 200])
@pytest.mark.parametrize("format", ["plain", "rich"])
@pytest.mark.parametrize("name", ["vgg16", "googlenet", "char-rnn"])
def test_no_line_is_wider_than_the_terminal(report_of, name, format, width):
    text = render(report_of(name), format, width=width, colour=False)
    assert max(map(len, text.splitlines())) <= width


def test_140_columns_show_all_default_columns(report_of):
    for mode in ("inference", "training"):
        report = report_of("googlenet", mode=mode)
        head = render(report, "plain", width=140).splitlines()[2].split()
        assert head == [heading.title for heading in widest(report).headings]


def test_columns_that_do_not_fit_are_named(report_of):
    view = View(columns=("path", "flops", "macs", "weight_bytes"))
    text = render(report_of("alexnet"), "plain", view=view, width=28)
    assert "Too narrow for" in text and "weight_bytes" in text


@pytest.mark.parametrize("name", ["vgg16", "char-rnn", "resnet50"])
def test_csv_holds_every_layer_in_raw_numbers(report_of, name):
    report = report_of(name)
    rows = list(csv.DictReader(io.StringIO(render(report, "csv"))))
    assert [row["path"] for row in rows] == [row["path"] for row in report.rows]
    for key in ("params", "macs", "flops", "activations", "weight_bytes"):
        assert sum(int(row[key]) for row in rows) == report.sums[key]


@pytest.mark.parametrize("name", ["vgg16", "char-rnn", "resnet50"])
def test_json_is_one_object_with_exact_totals(report_of, name):
    report = report_of(name)
    whole = json.loads(render(report, "json"))
    assert list(whole) == [
        "model",
        "input",
        "mode",
        "batch",
        "convention",
        "totals",
        "layers",
        "warnings",
    ]
    assert whole["totals"] == report.sums
    for key in ("params", "macs", "flops", "activations"):
        assert sum(layer[key] for layer in whole["layers"]) == report.sums[key]
    assert whole["input"]["shape"] == list(report.trace.inputs[0][1])


def test_json_counts_paths_exactly(report_of):
    text = render(report_of("resnet110-cifar"), "json")
    assert json.loads(text)["totals"]["paths"] == 2**54


def test_every_column_can_be_asked_for(report_of):
    report = report_of("alexnet")
    for format in ("plain", "csv", "html"):
        assert render(report, format, view=View(columns=NAMES), width=400)


@pytest.mark.parametrize(
    ("format", "view", "says"),
    [
        ("pdf", View(), "markdown"),
        ("plain", View(level="stage"), "block"),
        ("plain", View(columns=("flop",)), "flops"),
    ],
)
def test_an_unknown_choice_names_the_known_ones(report_of, format, view, says):
    with pytest.raises(ArchscopeError, match=says):
        render(report_of("vgg16"), format, view=view)


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_ends_its_last_line(report_of, format):
    assert render(report_of("lstm"), format).endswith("\n")


def test_a_number_at_the_end_of_a_name_makes_a_range():
    class Numbered(nn.Module):
        def __init__(self):
            super().__init__()
            for i in range(4):
                setattr(self, f"block_{i}", nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4)))

        def forward(self, x):
            return self.block_3(self.block_2(self.block_1(self.block_0(x))))

    report = archscope.analyze(Numbered(), inputs=((1, 4),))
    assert [line.label for line in lines(report, "block")] == ["input", "block_0-3 x 4"]


def test_the_memory_of_the_activations_is_told(report_of):
    assert "Activations take 58.1 MiB" in " ".join(widest(report_of("vgg16")).caption)


class Packed(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.GRU(8, 16)

    def forward(self, x):
        return self.layer(nn.utils.rnn.pack_padded_sequence(x, torch.tensor([5, 3, 2])))[1]


def test_a_packed_sequence_counts_the_steps_that_ran():
    table = widest(archscope.analyze(Packed(), inputs=((5, 3, 8),)))
    below = [remark for row in table.rows for remark in row.below]
    assert below == ["per step 1,152 MACs x 10 steps, up to 5 in a sequence"]


class Checkpointed(nn.Module):
    def __init__(self):
        super().__init__()
        self.block = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 8))

    def forward(self, x):
        return torch.utils.checkpoint.checkpoint(self.block, x, use_reentrant=False)


@pytest.mark.parametrize("level", ["layer", "op"])
def test_a_checkpointed_layer_shows_what_is_recomputed(level):
    report = archscope.analyze(Checkpointed(), inputs=((4, 8),), mode="training")
    cells, footer = column(widest(report, level=level), "Recomputed")
    assert sum(map(number, cells)) == number(footer) == report.sums["recomputed_macs"] > 0


def test_a_narrow_terminal_leaves_out_what_the_line_above_says(report_of):
    text = render(report_of("googlenet"), "plain", width=80)
    labels = [line.split()[0] for line in text.splitlines() if ".." in line]
    assert "..conv3x3_reduce.conv" in labels


def test_a_heading_that_is_cut_has_a_sign_of_it():
    heading = Heading("a long heading", "left")
    drawn = plain(
        [Table("t", (heading, Heading("wide" * 4, "right")), (Row(("x", "1" * 16)),))], 26
    )
    title = drawn.splitlines()[2]
    assert ".." in title and len(title) <= 26
