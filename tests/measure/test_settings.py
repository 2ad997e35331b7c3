"""Torch's settings during a measurement, and after it."""

import pytest
import torch

from archscope.measure.settings import running

matmul, cudnn, mkldnn = torch.backends.cuda.matmul, torch.backends.cudnn, torch.backends.mkldnn
NEWER = (matmul, cudnn.conv, cudnn.rnn, mkldnn.matmul, mkldnn.conv, mkldnn.rnn)


def older(ask):
    try:
        return ask()
    except RuntimeError:  # the interfaces disagree
        return "refused"


def everything():
    return (
        older(torch.get_float32_matmul_precision),
        older(lambda: matmul.allow_tf32),
        older(lambda: cudnn.allow_tf32),
        *(setting.fp32_precision for setting in NEWER),
        torch.get_num_threads(),
    )


@pytest.fixture(autouse=True)
def as_before():
    legacy = (torch.get_float32_matmul_precision(), cudnn.allow_tf32)
    newer = [setting.fp32_precision for setting in NEWER]
    yield
    torch.set_float32_matmul_precision(legacy[0])
    cudnn.allow_tf32 = legacy[1]
    for setting, value in zip(NEWER, newer, strict=True):
        setting.fp32_precision = value


def nothing(): ...


def older_interface():
    matmul.allow_tf32, cudnn.allow_tf32 = True, False


def newer_interface():
    matmul.fp32_precision = "tf32"


def one_of_cudnn():
    cudnn.conv.fp32_precision = "ieee"


def bfloat16_on_the_cpu():
    torch.set_float32_matmul_precision("medium")


@pytest.mark.parametrize("tf32", [True, False])
@pytest.mark.parametrize(
    "choose",
    [nothing, older_interface, newer_interface, one_of_cudnn, bfloat16_on_the_cpu],
)
def test_both_interfaces_say_the_same_and_are_put_back(choose, tf32):
    choose()
    before = everything()
    with running(tf32=tf32, threads=1):
        assert matmul.allow_tf32 == cudnn.allow_tf32 == tf32
        word = "tf32" if tf32 else "ieee"
        assert [setting.fp32_precision for setting in NEWER] == [word] * 3 + ["ieee"] * 3
        assert torch.get_num_threads() == 1
    assert everything() == before
