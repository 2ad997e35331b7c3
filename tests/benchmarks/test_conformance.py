import pytest
import torch

import archscope
from benchmarks import cases


@pytest.mark.parametrize("train", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("grad", [False, True], ids=["no_grad", "grad"])
@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize("name", cases.CASES)
def test_macs_are_the_closed_form_under_every_condition(
    name: str, device: str, grad: bool, train: bool
) -> None:
    case = cases.build(name).to(device)
    torch.compiler.reset()
    case.module.train(train)
    with torch.set_grad_enabled(grad):
        report = archscope.analyze(case.module, inputs=case.args, kwargs=case.kwargs)
    assert report.totals["macs"] == case.macs
    assert report.totals["coverage"] == 1
    assert case.module.training == train
