"""What every kind of reference resolves to, and how a wrong one is refused."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

import archscope
from archscope.errors import ArchscopeError, InvalidInput, UnknownName, UnknownOption
from archscope.sources import expand, names, resolve

NETWORK = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.layer = nn.Linear(3, width)

    def forward(self, x):
        return self.layer(x)

class ReadsItsWeights(Net):
    def __init__(self):
        super().__init__()
        self.scale = float(self.layer.weight.mean())

class ComputesItsWidth(Net):
    def __init__(self):
        super().__init__(int(torch.arange(6).max()))

def build(width):
    return Net(width)

number = 3
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "net.py"
    path.write_text(NETWORK)
    return path


def test_a_class_of_a_file_is_built_without_memory_for_weights(file: Path) -> None:
    subject = resolve(f"{file}:Net", input=(3,), batch=2)
    assert subject.name == "Net"
    assert subject.inputs[0].shape == (2, 3)
    assert all(parameter.is_meta for parameter in subject.model.parameters())
    assert subject.warnings == ()


def test_a_function_of_a_file_takes_options(file: Path) -> None:
    report = archscope.analyze(f"{file}:build", input="3", width=7)
    assert report.totals["macs"] == 3 * 7


def test_a_constructor_that_computes_sizes_is_built_on_the_cpu_and_says_so(file: Path) -> None:
    report = archscope.analyze(f"{file}:ComputesItsWidth", input="3")
    assert report.totals["macs"] == 3 * 5
    assert "constructor reads values" in report.warnings[0]


def test_a_constructor_that_reads_weights_gets_real_ones_and_says_so(file: Path) -> None:
    report = archscope.analyze(f"{file}:ReadsItsWeights", input="3")
    assert report.totals["macs"] == 3 * 4
    assert "real weights" in report.warnings[0]


def test_a_callable_of_an_importable_module(file: Path) -> None:
    report = archscope.analyze("torch.nn:Linear", input="3", in_features=3, out_features=4)
    assert report.totals["params"] == 16


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("{}:Nett", "did you mean Net"),
        ("{}", "does not say which class or function"),
        ("{}:number", "is a int, not a class or function"),
        ("{}x.py:Net", "there is no file"),
        ("no.such.module:Net", "there is no module no"),
        ("collections:OrderedDict", "gives a OrderedDict, not a torch.nn.Module"),
        ("weights.safetensors", "holds weights, not an architecture"),
        ("some/where", "is no reference"),
        ("resnet*", "names .* models; one is wanted"),
        ("hf:/no/such/place", "nothing is downloaded"),
    ],
)
def test_a_wrong_reference_is_told_in_one_line(file: Path, reference: str, message: str) -> None:
    with pytest.raises(ArchscopeError, match=message) as caught:
        resolve(reference.format(file), input=(3,))
    assert "\n" not in str(caught.value)


def test_a_wrong_option_names_the_right_ones(file: Path) -> None:
    with pytest.raises(UnknownOption, match="takes: width"):
        resolve(f"{file}:build", options={"depth": 3})


def test_a_model_without_inputs_says_how_to_give_them(file: Path) -> None:
    with pytest.raises(InvalidInput, match="3x224x224"):
        archscope.analyze(f"{file}:Net")


def test_patterns_name_many() -> None:
    assert set(expand(["vgg19", "vgg1?"])) == {"vgg11", "vgg13", "vgg16", "vgg19"}
    assert expand(["vgg19", "vgg16"]) == ["vgg19", "vgg16"]
    with pytest.raises(UnknownName, match="pattern"):
        expand(["no-such-*"])


def test_a_missing_package_is_one_line_with_what_to_install(monkeypatch) -> None:
    monkeypatch.setattr("archscope.sources.packages.find_spec", lambda name: None)
    with pytest.raises(ArchscopeError, match="pip install timm"):
        resolve("timm:resnet50")


def test_torchvision_resolves_with_its_evaluation_size() -> None:
    pytest.importorskip("torchvision")
    report = archscope.analyze("torchvision:inception_v3")
    assert report.trace.inputs[0][1] == (1, 3, 299, 299)
    assert report.totals["macs"] == 5_713_216_096
    assert "torchvision:resnet50" in names("torchvision")


@pytest.mark.parametrize(
    ("name", "giga_macs"),  # as torchvision publishes them
    [("regnet_y_400mf", 0.402), ("r3d_18", 40.697), ("vit_b_16", 17.564), ("raft_small", None)],
)
def test_torchvision_builders_agree_with_their_published_operations(name, giga_macs) -> None:
    pytest.importorskip("torchvision")
    report = archscope.analyze(f"torchvision:{name}")
    assert report.totals["coverage"] == 1
    if giga_macs is not None:
        assert round(report.totals["macs"] / 1e9, 3) == giga_macs


def test_a_torchvision_detector_runs_on_data_and_says_so() -> None:
    pytest.importorskip("torchvision")
    torch.manual_seed(0)
    report = archscope.analyze("torchvision:ssdlite320_mobilenet_v3_large", batch=2)
    assert len(report.trace.inputs) == 2
    assert report.trace.ran_on == "data"
    assert any("depends on what it detects" in warning for warning in report.warnings)


def test_timm_knows_its_inputs_and_takes_another_size() -> None:
    pytest.importorskip("timm")
    report = archscope.analyze("timm:vit_tiny_patch16_224")
    assert report.totals["params"] == 5_717_416
    larger = archscope.analyze("timm:vit_tiny_patch16_224", input="3x320x320", num_classes=10)
    assert larger.trace.inputs[0][1] == (1, 3, 320, 320)


@pytest.mark.parametrize(
    ("configuration", "options", "params"),
    [
        ({"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]}, {}, 124_439_808),
        ({"model_type": "bert"}, {"task": "MaskedLM"}, 109_514_298),
        ({"model_type": "vit"}, {"task": "ImageClassification", "num_labels": 10}, 85_806_346),
        ({"model_type": "t5"}, {"task": "Seq2SeqLM"}, 60_506_624),
    ],
)
def test_transformers_models_come_from_their_configuration(
    tmp_path: Path, configuration, options, params
) -> None:
    pytest.importorskip("transformers")
    (tmp_path / "config.json").write_text(json.dumps(configuration))
    report = archscope.analyze(f"hf:{tmp_path}", **options)
    assert report.totals["params"] == params
    assert report.totals["coverage"] == 1


def test_a_transformers_option_changes_the_configuration(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    file = tmp_path / "tiny.json"
    file.write_text(json.dumps({"model_type": "gpt2", "n_layer": 12}))
    subject = resolve(f"hf:{file}", options={"n_layer": 1, "seq_len": 9}, batch=3)
    assert subject.name == "tiny"
    assert len(subject.model.h) == 1
    assert subject.kwargs["input_ids"].shape == (3, 9)
    with pytest.raises(UnknownName, match="did you mean gpt2"):
        file.write_text(json.dumps({"model_type": "gpt22"}))
        resolve(f"hf:{file}")


def test_an_exported_program_brings_its_inputs(tmp_path: Path) -> None:
    path = tmp_path / "linear.pt2"
    torch.export.save(torch.export.export(nn.Linear(3, 4), (torch.zeros(2, 3),)), path)
    report = archscope.analyze(str(path))
    assert report.totals["macs"] == 2 * 3 * 4
    assert report.trace.batch == 2
    assert report.trace.model == "linear"


def test_a_function_of_a_file_may_import_its_neighbours_when_called(tmp_path: Path) -> None:
    (tmp_path / "neighbour_of_a_net.py").write_text("WIDTH = 7\n")
    (tmp_path / "late.py").write_text(
        "from torch import nn\n\n\ndef build():\n"
        "    from neighbour_of_a_net import WIDTH\n\n    return nn.Linear(WIDTH, 1)\n"
    )
    report = archscope.analyze(f"{tmp_path}/late.py:build", input=(7,))
    assert report.totals["params"] == 8
