from pathlib import Path

import pandas as pd
import pytest

from archscope.accuracy import torchvision_accuracy, with_accuracy
from archscope.errors import InvalidInput, UnknownName


def frame(*models: str) -> pd.DataFrame:
    return pd.DataFrame({"model": models, "macs": range(len(models))})


def test_torchvision_brings_its_accuracy_and_protocol() -> None:
    pytest.importorskip("torchvision")
    first, second = torchvision_accuracy("resnet50")
    assert (first["top1"], first["top5"]) == (76.130, 92.862)
    assert first["crop"] == "resize 256, centre crop 224"
    assert second["weights"] == "IMAGENET1K_V2"
    assert torchvision_accuracy("fcn_resnet50") == []
    assert torchvision_accuracy("r3d_18")[0]["dataset"] == "Kinetics-400"


def test_published_figures_join_a_table_of_models() -> None:
    pytest.importorskip("torchvision")
    joined = with_accuracy(frame("vgg16", "torchvision:resnet50", "inception-naive"))
    assert joined["top1"][1] == 76.130
    assert joined["protocol"][1] == "single-crop"
    assert pd.isna(joined["top1"][2])
    assert list(joined["macs"]) == [0, 1, 2]


def test_the_wanted_protocol_comes_first_and_any_other_says_so() -> None:
    joined = with_accuracy(frame("vgg16", "resnet18-a", "resnet56-cifar"))
    assert list(joined["protocol"]) == ["single-crop", "10-crop", "other (CIFAR-10 test set)"]
    dense = with_accuracy(frame("vgg16"), protocol="dense")
    assert (dense["top1"][0], dense["protocol"][0]) == (74.4, "dense")


def test_a_complete_figure_of_its_own_source_comes_before_one_read_off_a_chart() -> None:
    joined = with_accuracy(frame("resnet152"))
    assert joined["top5"][0] == 94.046


def test_accuracies_on_other_data_are_another_protocol() -> None:
    pytest.importorskip("torchvision")
    assert torchvision_accuracy("r3d_18")[0]["protocol"] == "other (Kinetics-400)"


def test_a_persons_own_table_may_have_a_model_by_several_protocols(tmp_path: Path) -> None:
    file = tmp_path / "results.csv"
    file.write_text("model,top1,protocol\nvgg16,75,dense\nvgg16,71,single-crop\n")
    assert with_accuracy(frame("vgg16"), file)["top1"][0] == 71
    assert with_accuracy(frame("vgg16"), file, protocol="dense")["top1"][0] == 75


def test_a_protocol_that_there_is_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="single-crop"):
        with_accuracy(frame("vgg16"), protocol="singel-crop")
    file = tmp_path / "results.csv"
    file.write_text("model,top1,protocol\nvgg16,75,at 288\n")
    assert with_accuracy(frame("vgg16"), file, protocol="at 288")["top1"][0] == 75


def test_a_persons_own_table_joins(tmp_path: Path) -> None:
    pytest.importorskip("timm")
    file = tmp_path / "results.csv"
    file.write_text(
        "model,img_size,top1,top5\n"
        "resnet50.a1_in1k,224,80.2,94.6\n"
        "vgg16,224,71.6,90.4\n"
        "resnet18.tv_in1k,224,69.8,\n"
    )
    models = ["timm:resnet50", "vgg16", "timm:resnet18.tv_in1k", "timm:resnet34"]
    joined = with_accuracy(frame(*models), file)
    assert list(joined["top1"][:3]) == [80.2, 71.6, 69.8]
    assert joined["accuracy_source"][0].endswith("resnet50.a1_in1k")
    assert pd.isna(joined["top5"][2])
    assert pd.isna(joined["top1"][3])


@pytest.mark.parametrize(
    ("content", "message"),
    [("name,top1\n", "no column model"), ("model,top1\nvgg16,high\n", "no number")],
)
def test_a_table_that_cannot_be_read_is_refused(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "results.csv"
    file.write_text(content)
    with pytest.raises(InvalidInput, match=message):
        with_accuracy(frame("vgg16"), file)


def test_a_missing_table_is_refused() -> None:
    with pytest.raises(InvalidInput, match="cannot be read"):
        with_accuracy(frame("vgg16"), "no-such.csv")


@pytest.mark.parametrize("figure", ["0.6976", "1.0", "697.6", "-3", "nan"])
def test_what_cannot_be_percent_is_refused(tmp_path, figure):
    file = tmp_path / "own.csv"
    file.write_text(f"model,top1\nresnet18,{figure}\n")
    with pytest.raises(InvalidInput, match="write percent"):
        with_accuracy(pd.DataFrame({"model": ["resnet18"]}), str(file))


def test_figures_without_the_blacklisted_images_are_another_protocol() -> None:
    joined = with_accuracy(frame("googlenet", "inception-v4", "inception-resnet-v1"))
    assert list(joined["top1"]) == [68.7, 80.2, 78.7]
    assert list(joined["protocol"]) == ["single-crop", "single-crop", "single-crop-subset"]


def test_one_evaluator_comes_before_many() -> None:
    joined = with_accuracy(frame("vgg16", "vgg19", "resnet50", "inception-v3"))
    assert list(joined["top1"]) == [71.592, 72.376, 76.13, 77.294]
    assert joined["accuracy_source"].str.startswith("torchvision").all()
