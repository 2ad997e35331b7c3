"""The roofline against closed forms."""

import pytest
from torch import nn

import archscope
from archscope.analyzers import roofline
from archscope.devices import DTYPES, Device, devices, find_device
from archscope.errors import InvalidInput, UnknownName


def made(**changes):
    """A device with round numbers: ridge at 100 FLOP/B in fp32, no time to launch."""
    fields = {
        "name": "round",
        "title": "round",
        "kind": "gpu",
        "year": 2000,
        "peaks": {"fp32": 1e12, "tf32": 4e12, "bf16": 8e12},
        "bandwidth": 1e10,
        "launch": 0.0,
        "power_w": 1,
        "source": "made up",
    }
    return Device(**{**fields, **changes})


def rows(model, inputs, device, *, mode=None, tf32=False, **execution):
    trace = archscope.trace(model, (inputs,), mode, **execution)
    return roofline(trace, device, tf32=tf32)


def test_the_ridge_point_is_where_both_ceilings_meet():
    device = made()
    assert device.ridge("fp32") == 100
    assert device.ridge("bf16") == 800
    assert device.bandwidth * device.ridge("fp32") == device.product_rate("fp32")


def test_a_dtype_without_a_rate_runs_at_that_of_fp32():
    assert made().product_rate("fp16") == 1e12
    assert made().vector_rate("bf16") == 1e12
    with pytest.raises(InvalidInput, match="fp32"):
        made().product_rate("fp8")


def test_a_linear_layer_at_batch_1_tends_to_half_a_flop_per_byte():
    """2 n^2 FLOP over 4 (n^2 + 2 n) bytes."""
    n = 2048
    row = rows(nn.Linear(n, n, bias=False), (1, n), made()).iloc[0]
    assert row.intensity == pytest.approx(2 * n**2 / (4 * (n**2 + 2 * n)))
    assert row.intensity == pytest.approx(0.5, rel=2e-3)
    assert row.bound == "memory"
    assert row.least_ms == pytest.approx(1e3 * row.bytes / 1e10)
    assert row.attainable_gflops == pytest.approx(1e10 * row.intensity / 1e9)


def test_a_linear_layer_at_a_large_batch_is_bound_by_arithmetic():
    n, batch = 1024, 1024
    row = rows(nn.Linear(n, n, bias=False), (batch, n), made()).iloc[0]
    assert row.intensity == pytest.approx(2 * n**2 * batch / (4 * 3 * n**2))
    assert row.bound == "compute"
    assert row.least_ms == pytest.approx(1e3 * 2 * n**2 * batch / 1e12)
    assert row.attainable_gflops == pytest.approx(1000)


def test_a_small_layer_is_bound_by_its_launch():
    row = rows(nn.Linear(4, 4), (1, 4), made(launch=1e-5)).iloc[0]
    assert (row.bound, row.least_ms) == ("launch", pytest.approx(0.01))


@pytest.mark.parametrize(
    ("execution", "tf32", "rate"), [({}, False, 1), ({}, True, 4), ({"dtype": "bf16"}, False, 8)]
)
def test_products_run_at_the_rate_of_their_dtype(execution, tf32, rate):
    n = 2048
    found = rows(nn.Linear(n, n, bias=False), (8 * n, n), made(), tf32=tf32, **execution)
    assert found.least_ms[0] == pytest.approx(1e3 * 2 * 8 * n**3 / (rate * 1e12))


def test_what_is_no_product_never_runs_on_tensor_cores():
    slow = made(peaks={"fp32": 1.0, "bf16": 1e12})
    found = rows(nn.ReLU(), (10,), slow, dtype="bf16")
    assert found.least_ms[0] == pytest.approx(1e3 * 10)


def test_layers_add_up_to_the_whole_forward_and_backward():
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten())
    found = rows(model, (4, 3, 16, 16), made(launch=1e-6), mode="training")
    totals = found.attrs["totals"]
    assert found.share.sum() == pytest.approx(1)
    assert found.least_ms.sum() == pytest.approx(totals["least_ms"])
    assert sum(totals["bound_ms"].values()) == pytest.approx(totals["least_ms"])
    assert found.flops.sum() == totals["flops"]
    assert found.bytes.sum() == totals["bytes"]


def test_the_inputs_are_no_layer_that_takes_time():
    assert list(rows(nn.ReLU(), (1, 4), "h100").kind) == ["ReLU"]


def test_every_card_is_whole():
    assert {"k40", "titan-x", "tx1", "v100", "a100", "h100", "h200"} <= set(devices())
    assert {"rtx-3090", "rtx-4090", "rtx-5090"} <= set(devices())
    for card in devices().values():
        assert card.source and card.kind in ("cpu", "gpu")
        assert set(card.peaks) <= set(DTYPES)
        assert 1e11 < card.peaks["fp32"] < 2e14
        assert 1e10 < card.bandwidth < 1e13


def test_h100_is_dense_and_h200_differs_in_memory_alone():
    h100, h200 = find_device("H100"), find_device("h200")
    assert h100.product_rate("bf16") == pytest.approx(989.4e12)
    assert h100.peaks == h200.peaks
    assert h200.bandwidth / h100.bandwidth == pytest.approx(4.8 / 3.35)


def test_a_device_is_found_as_people_write_it():
    assert find_device("RTX 4090") is find_device("rtx4090") is devices()["rtx-4090"]
    with pytest.raises(UnknownName, match="did you mean h100"):
        find_device("h101")
