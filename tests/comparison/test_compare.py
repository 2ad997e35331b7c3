"""Networks beside each other: a row each, whatever happens to one of them."""

import importlib

import pytest
import torch
from torch import nn

import archscope
from archscope.comparison import ANALYSES, compare, network_row
from archscope.comparison.columns import COLUMNS
from archscope.errors import InvalidInput, UnknownName, UnknownOption

COUNTS = ("compute",)  # what most of these tests need
MODULE = importlib.import_module("archscope.comparison.compare")


class Dead(nn.Linear):
    """No gradient arrives at its input."""

    def forward(self, x):
        return super().forward(x) * 0


def row_of(frame, model):
    (row,) = frame[frame["model"] == model].to_dict("records")
    return row


def fail(*args, **kwargs):
    raise AssertionError("something ran")


class Broken(nn.Module):
    def forward(self, x):
        raise ValueError("it is broken")


def test_every_row_is_what_analyze_says_of_that_network():
    frame = archscope.compare(["alexnet", "vgg16"], batch=2)
    for model in ("alexnet", "vgg16"):
        row, totals = row_of(frame, model), archscope.analyze(model, batch=2).totals
        for column in ("params", "trainable_params", "macs", "flops", "activations", "depth"):
            assert row[column] == totals[column]
        for column in ("weight_bytes", "peak_bytes", "shortest_path", "paths", "mean_path"):
            assert row[column] == totals[column]
        training = archscope.analyze(model, batch=2, mode="training").totals
        assert row["training_peak_bytes"] == training["peak_bytes"]
        assert (row["batch"], row["dtype"], row["status"]) == (2, "float32", "ok")
    assert row_of(frame, "alexnet")["input_shape"] == (2, 3, 227, 227)
    assert list(frame.columns)[: len(COLUMNS)] == list(COLUMNS)


def test_patterns_are_all_that_they_match_and_numbers_of_paths_stay_exact():
    frame = compare(["resnet*-cifar"], analyses=("depth",))
    assert len(frame) == 6
    assert row_of(frame, "resnet110-cifar")["paths"] == 2**54
    assert row_of(frame, "resnet1202-cifar")["paths"] == 2**600
    assert set(frame["year"]) == {2015}


def test_an_analysis_that_is_not_asked_for_is_not_made():
    one = network_row("alexnet", analyses=("compute",))
    assert one["macs"] == 724406816 and "peak_bytes" not in one and "depth" not in one
    frame = compare(["alexnet"], analyses=("memory",))
    assert frame["macs"].isna().all() and frame["peak_bytes"][0] > 0
    with pytest.raises(UnknownName, match="compute, memory"):
        compare(["alexnet"], analyses=("flops",))
    assert set(ANALYSES) >= {"compute", "memory", "depth"}


def test_a_network_that_fails_is_a_row_that_says_why():
    net = nn.Linear(4, 2)
    frame = compare({"good": net, "bad": Broken(), "odd": nn.Linear(3, 3)}, inputs=((1, 4),))
    assert list(frame["status"] == "ok") == [True, False, False]
    assert "it is broken" in row_of(frame, "bad")["status"]
    assert row_of(frame, "good")["macs"] == 8
    assert frame["macs"].isna().tolist() == [False, True, True]
    assert set(frame.attrs["failed"]) == {"bad", "odd"}


def test_modules_stand_beside_references_and_stay_as_they_were():
    net = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)).train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    frame = compare([("mine", net), "resnet20-cifar"], inputs=(torch.ones(2, 4),))
    assert row_of(frame, "mine")["macs"] == 2 * 12
    assert row_of(frame, "mine")["source"] == "module"
    assert net.training
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_a_single_module_is_not_taken_for_a_list_of_its_layers():
    frame = compare(nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2)), inputs=((1, 4),))
    assert list(frame["model"]) == ["Sequential"] and frame["macs"][0] == 24


def test_a_module_takes_the_shape_of_a_sample_too():
    frame = compare(nn.Linear(4, 2), input="4", batch=3)
    assert (frame["macs"][0], frame["batch"][0]) == (3 * 8, 3)


@pytest.mark.parametrize("models", [[3], {"mine": "resnet50"}, [("a", nn.Identity(), 1)]])
def test_what_is_no_network_is_refused(models):
    with pytest.raises(InvalidInput):
        compare(models)


def test_two_networks_of_one_name_are_refused():
    with pytest.raises(InvalidInput, match="two networks are called 'Linear'"):
        compare([nn.Linear(4, 2), nn.Linear(4, 3)], inputs=((1, 4),))


def test_a_reference_given_twice_is_one_row():
    assert len(compare(["alexnet", "alexne[t]"], analyses=COUNTS)) == 1


@pytest.mark.parametrize(
    ("models", "message"),
    [
        (["vgg61"], "did you mean vgg"),
        (["alexnet", "no.such.file.py:Net"], "there is no file"),
        ([], "nothing to compare"),
        (["weights.pth"], "holds weights"),
    ],
)
def test_a_wrong_name_is_refused_before_anything_runs(models, message, monkeypatch):
    monkeypatch.setattr(MODULE, "network_row", fail)
    with pytest.raises(archscope.ArchscopeError, match=message):
        compare(models)


@pytest.mark.parametrize("model", ["torchvision:resnet05", "timm:resnet05"])
def test_a_wrong_name_of_a_package_is_refused(model):
    pytest.importorskip(model.partition(":")[0])
    with pytest.raises(UnknownName, match="did you mean"):
        compare([model])


def test_an_option_that_no_network_takes_is_a_wrong_request():
    with pytest.raises(UnknownOption, match="it takes"):
        compare(["alexnet", "vgg16"], classes=3, analyses=COUNTS)
    frame = compare(["alexnet", "char-rnn"], num_classes=3, analyses=COUNTS)
    assert list(frame["status"] == "ok") == [True, False]


def test_dtype_changes_the_bytes_and_not_the_counts():
    plain = compare(["alexnet"])
    half = compare(["alexnet"], execution={"dtype": "bf16"})
    assert half["dtype"][0] == "bfloat16"
    assert half["macs"][0] == plain["macs"][0]
    assert 2 * half["weight_bytes"][0] == plain["weight_bytes"][0]


def test_the_optimizer_belongs_to_the_training_step():
    plain, adam = (
        compare(["resnet20-cifar"], execution=how) for how in ({}, {"optimizer": "adam"})
    )
    assert adam["status"][0] == "ok"
    assert adam["peak_bytes"][0] == plain["peak_bytes"][0]
    assert adam["training_peak_bytes"][0] > plain["training_peak_bytes"][0]


def test_effective_depth_is_measured_on_demand_only():
    assert compare(["resnet20-cifar"], analyses=COUNTS)["effective_depth"].isna().all()
    frame = compare(["resnet20-cifar"], analyses=COUNTS, effective_depth=True)
    measured = archscope.gradient_paths("resnet20-cifar").attrs["effective_depth"]
    assert frame["effective_depth"][0] == pytest.approx(measured)


def test_an_effective_depth_that_cannot_be_measured_leaves_the_rest():
    frame = compare(Dead(4, 2), inputs=(torch.ones(1, 4),), effective_depth=True)
    assert "no effective depth" in frame["remarks"][0]
    assert (frame["status"][0], frame["macs"][0]) == ("ok", 8)


def test_a_network_without_a_training_step_keeps_its_other_figures():
    pytest.importorskip("torchvision")
    frame = compare(["torchvision:ssdlite320_mobilenet_v3_large", "alexnet"])
    assert "no training step" in frame["remarks"][0] and frame["remarks"][1] is None
    assert frame["training_peak_bytes"].isna().tolist() == [True, False]
    assert frame["peak_bytes"][0] > 0 and set(frame["status"]) == {"ok"}


def test_an_interrupt_leaves_what_is_done(monkeypatch):
    whole = MODULE.network_row

    def row(model, *args, **kwargs):
        if model == "vgg16":
            raise KeyboardInterrupt
        return whole(model, *args, **kwargs)

    monkeypatch.setattr(MODULE, "network_row", row)
    frame = compare(["alexnet", "vgg16", "googlenet"], analyses=COUNTS)
    assert frame["macs"].notna().tolist() == [True, False, False]
    assert list(frame["status"][1:]) == [MODULE.INTERRUPTED] * 2
    with pytest.raises(KeyboardInterrupt):
        compare(["vgg16"], analyses=COUNTS)


def test_progress_tells_where_it_is():
    said = []
    compare(["alexnet", "vgg16"], analyses=COUNTS, progress=said.append)
    assert said == ["1 of 2: alexnet", "2 of 2: vgg16"]


# -- accuracy --------------------------------------------------------------------------------------


def test_accuracies_of_the_wanted_protocol_come_first():
    frame = compare(["vgg16", "resnet18-a"], analyses=COUNTS)
    assert row_of(frame, "vgg16")["protocol"] == "single-crop"
    assert row_of(frame, "resnet18-a")["protocol"] == "10-crop"  # it has no other
    dense = compare(["vgg16"], analyses=COUNTS, protocol="dense")
    assert row_of(dense, "vgg16")["top1"] == 74.4


def test_density_is_top1_per_million_parameters():
    frame = compare(["alexnet"], analyses=COUNTS)
    wanted = frame["top1"][0] / 60.965224
    assert frame["top1_per_mparams"][0] == pytest.approx(wanted)


def test_each_protocol_has_a_front_of_its_own():
    frame = compare(["vgg16", "resnet50", "resnet18-a", "resnet56-cifar"], analyses=COUNTS)
    front = dict(zip(frame["model"], frame["pareto"], strict=True))
    assert front == {
        "vgg16": False,  # ResNet-50 has more for less
        "resnet50": True,
        "resnet18-a": True,  # 10-crop: no other
        "resnet56-cifar": True,  # CIFAR-10: no other
    }


def test_accuracies_are_only_of_the_network_that_was_evaluated():
    other = compare(["resnet18", "googlenet"], input="3x160x160", analyses=COUNTS)
    assert other["top1"].isna().all() and other["protocol"].isna().all()
    assert "resnet18, googlenet" in other.attrs["notes"][0]
    same = compare(["resnet18"], input="3x224x224", analyses=COUNTS)
    assert same["top1"][0] > 60
    assert compare(["resnet18"], num_classes=10, analyses=COUNTS)["top1"].isna().all()


def test_a_module_does_not_inherit_the_accuracy_of_its_namesake():
    frame = compare({"resnet50": nn.Linear(4, 2)}, inputs=((1, 4),))
    assert frame["top1"].isna().all()


def test_a_persons_own_accuracies_count_instead(tmp_path):
    file = tmp_path / "mine.csv"
    file.write_text("model,top1,protocol\nalexnet,61.5,single-crop\nmine,12.5,\n")
    models = [("mine", nn.Linear(4, 2)), "alexnet"]
    frame = compare(models, inputs=((1, 4),), accuracy=file, analyses=COUNTS)
    assert list(frame["top1"]) == [12.5, 61.5]


# -- order, scale, conditions ----------------------------------------------------------------------


def test_conditions_and_order():
    frame = compare(
        ["alexnet", "vgg16", "resnet18", "resnet50"],
        where="params < 100M and top1 > 60",
        sort="top1,desc",
        analyses=COUNTS,
    )
    assert list(frame["model"]) == ["resnet50", "resnet18"]
    assert list(frame.index) == [0, 1]


def test_the_front_is_of_the_rows_that_are_left():
    models = ["vgg16", "resnet50", "alexnet"]
    assert not row_of(compare(models, analyses=COUNTS), "vgg16")["pareto"]
    left = compare(models, where="family != 'resnet'", analyses=COUNTS)
    assert row_of(left, "vgg16")["pareto"]


def test_multiples_are_of_the_named_network_which_is_added():
    frame = compare(["vgg16"], relative_to="resnet50", analyses=COUNTS)
    vgg = row_of(frame, "vgg16")
    assert vgg["macs_relative"] == pytest.approx(15470264320 / 4089184256)
    assert row_of(frame, "resnet50")["params_relative"] == 1
    assert "depth_relative" in frame and frame["depth_relative"].isna().all()


def test_a_failed_network_cannot_be_the_measure():
    with pytest.raises(InvalidInput, match="nothing can be relative to bad"):
        compare({"bad": Broken(), "good": nn.Linear(4, 2)}, inputs=((1, 4),), relative_to="bad")


@pytest.mark.parametrize(
    "request_",
    [
        {"where": "parms < 3"},
        {"sort": "top,desc"},
        {"where": "params < 'x'"},
        {"accuracy": "no-such.csv"},
        {"measured": ["no-such.csv"]},
        {"analyses": ("flops",)},
        {"batch": 0},
    ],
)
def test_a_wrong_request_is_refused_before_anything_runs(request_, monkeypatch):
    monkeypatch.setattr(MODULE, "network_row", fail)
    with pytest.raises(archscope.ArchscopeError):
        compare(["alexnet"], **request_)
