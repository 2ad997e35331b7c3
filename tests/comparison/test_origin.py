"""Where networks come from; years are known or missing, never guessed."""

import pytest
from torch import nn

from archscope.comparison.origin import Origin, origin


@pytest.mark.parametrize(
    ("reference", "package", "wanted"),
    [
        ("resnet110-cifar", "torch", Origin("zoo", "resnet-cifar", 2015)),
        ("torchvision:resnext50_32x4d", "torchvision", Origin("torchvision", "resnet", 2016)),
        ("torchvision:swin_v2_t", "torchvision", Origin("torchvision", "swin_transformer", 2021)),
        ("torchvision:squeezenet1_1", "torchvision", Origin("torchvision", "squeezenet", None)),
        ("timm:vit_tiny_patch16_224", "timm", Origin("timm", "vision_transformer", None)),
        ("hf:llama", "transformers", Origin("hf", "llama", None)),
        ("package.nets:Net", "torch", Origin("module", "nets", None)),
    ],
)
def test_a_reference_tells_its_source_family_and_year(reference, package, wanted):
    pytest.importorskip(package)
    assert origin(reference) == wanted


def test_a_file_is_not_run_to_know_where_it_is(tmp_path):
    file = tmp_path / "net.py"
    file.write_text("raise SystemExit('run')")
    assert origin(f"{file}:Net") == Origin("file", "net", None)


def test_a_modules_family_is_its_class():
    assert origin(nn.Linear(1, 1)) == Origin("module", "Linear", None)
