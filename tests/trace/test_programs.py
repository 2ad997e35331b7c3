"""Scripted, traced and exported programs are seen through and stay as they were."""

import pytest
import torch
from torch import nn

import archscope
from archscope.errors import InvalidInput

MACS = 2 * 8 * 4


def network():
    return nn.Sequential(nn.Linear(8, 4), nn.BatchNorm1d(4))


def scripted():
    return torch.jit.script(network())


def traced():
    return torch.jit.trace(network(), torch.randn(2, 8))


def inside():
    return nn.Sequential(scripted(), nn.ReLU())


@pytest.mark.parametrize("build", [scripted, traced, inside])
@pytest.mark.parametrize("mode", ["inference", "training", None])
def test_a_scripted_program_stays_as_it_was(build, mode):
    model = build().train(mode != "training")
    held = dict(model.state_dict())
    values = {name: tensor.clone() for name, tensor in held.items()}
    training = [module.training for module in model.modules()]
    assert archscope.analyze(model, (torch.randn(2, 8),), mode=mode).totals["macs"] == MACS
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, values[name])
        assert tensor.data_ptr() == held[name].data_ptr()
    assert [module.training for module in model.modules()] == training
    assert all(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize("mode", ["inference", "training", None])
def test_an_exported_program_is_run_in_the_mode_of_its_export(mode):
    exported = torch.export.export(network().eval(), (torch.randn(2, 8),)).module()
    model = nn.Sequential(exported, nn.ReLU())
    assert archscope.analyze(exported, (torch.randn(2, 8),), mode=mode).totals["macs"] == MACS
    assert archscope.analyze(model, (torch.randn(2, 8),), mode=mode).totals["macs"] == MACS
    with pytest.raises(NotImplementedError):
        exported.train()


@pytest.mark.parametrize("mode", ["inference", None])
def test_a_frozen_program_has_no_mode_and_counts(mode):
    frozen = torch.jit.freeze(torch.jit.script(network().eval()))
    model = nn.Sequential(frozen, nn.ReLU())
    for program in (frozen, model):
        assert archscope.analyze(program, (torch.randn(2, 8),), mode=mode).totals["macs"] == MACS
    assert not hasattr(frozen, "training")


@pytest.mark.parametrize("layout", [torch.strided, torch.jagged])
def test_nested_inputs_are_refused(layout):
    nested = torch.nested.nested_tensor([torch.zeros(3, 8), torch.zeros(5, 8)], layout=layout)
    with pytest.raises(InvalidInput, match="nested tensors have no one shape"):
        archscope.analyze(nn.Linear(8, 4), (nested,))
