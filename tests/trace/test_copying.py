"""Copies of modules that ``copy.deepcopy`` refuses."""

import threading
import weakref

import pytest
import torch
from torch import nn

from archscope.errors import InvalidInput
from archscope.trace.copying import copied


def assert_apart(model, copy):
    own = {id(held) for held in (*model.modules(), *model.parameters(), *model.buffers())}
    assert not any(id(held) in own for held in (*copy.modules(), *copy.parameters()))
    pairs = zip(model.state_dict().values(), copy.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
def test_weights_that_are_computed_are_copied():
    model = nn.Sequential(nn.utils.weight_norm(nn.Linear(2, 2)))
    model[0].kept = {"states": [model[0](torch.ones(1, 2))]}
    copy = copied(model)
    assert_apart(model, copy)
    assert copy[0].kept["states"][0] is not model[0].kept["states"][0]
    assert torch.equal(copy(torch.ones(1, 2)), model(torch.ones(1, 2)))


def test_a_lock_is_shared_and_all_else_is_copied():
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    model[0].lock, model[0].sizes = threading.Lock(), [1, 2]
    copy = copied(model)
    assert_apart(model, copy)
    assert copy[0].lock is model[0].lock and copy[0].sizes is not model[0].sizes


def test_containers_may_hold_themselves():
    model = nn.Sequential(nn.Linear(2, 2))
    model[0].notes = {"all": [model[0](torch.ones(1, 2))]}
    model[0].notes["all"].append(model[0].notes)
    copy = copied(model)
    assert copy[0].notes["all"][1] is copy[0].notes
    assert copy[0].notes["all"][0] is not model[0].notes["all"][0]


def test_tied_weights_stay_tied():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[1].weight = model[0].weight
    copy = copied(model)
    assert copy[1].weight is copy[0].weight


def test_lazy_modules_are_copied_lazy():
    model = nn.Sequential(nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d())
    copy = copied(model)
    copy(torch.ones(1, 3, 8, 8))
    assert isinstance(model[1], nn.LazyBatchNorm2d) and type(copy[1]) is nn.BatchNorm2d


def test_a_scripted_copy_has_gradients_of_its_own():
    model = nn.Sequential(nn.Linear(2, 2), torch.jit.script(nn.Linear(2, 2)))
    model[1].bias.requires_grad_(False)
    copy = copied(model)
    copy(torch.ones(1, 2)).sum().backward()
    grads = [parameter.grad is not None for parameter in copy.parameters()]
    assert grads == [True, True, True, False]
    assert all(parameter.grad is None for parameter in model.parameters())


TALLIED = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))


def in_a_closure():
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))

    def norm(x):
        return model[1](x)

    model.forward = lambda x, *, twice=2: norm(model[0](x)) * twice
    return model


def in_a_global():
    TALLIED.forward = lambda x: TALLIED[1](TALLIED[0](x))
    return TALLIED


def in_a_hook():
    model = nn.Sequential(nn.Linear(2, 2), nn.Identity(), nn.BatchNorm1d(2))
    model[1].register_forward_hook(lambda module, args, out: model[2](out))
    return model


def in_a_weak_reference():
    class Norms(nn.Module):
        def forward(self, x):
            return self.around()[2](x)

    model = nn.Sequential(nn.Linear(2, 2), Norms(), nn.BatchNorm1d(2))
    model[1].around = weakref.ref(model)
    return model


@pytest.mark.parametrize("make", [in_a_closure, in_a_global, in_a_hook, in_a_weak_reference])
def test_functions_that_refer_to_the_model_refer_to_the_copy(make):
    model = make().train()
    copy = copied(model)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    copy(torch.randn(4, 2)).sum().backward()
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(parameter.grad is not None for parameter in copy.parameters())


def test_what_cannot_be_copied_is_told_with_what_can_be_done():
    class Alone(nn.Module):
        def __deepcopy__(self, memo):
            raise RuntimeError("there is but one")

    with pytest.raises(InvalidInput, match=r"Sequential cannot be copied.*but one.*net\.py"):
        copied(nn.Sequential(Alone()))


def test_a_copy_that_shares_weights_is_refused():
    class Same(nn.Linear):
        def __deepcopy__(self, memo):
            return self

    with pytest.raises(InvalidInput, match="shares"):
        copied(nn.Sequential(Same(2, 2)))
