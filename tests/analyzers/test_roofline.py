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


def test_memory_that_is_only_asked_for_starts_no_kernel():
    """Batch normalisation in inference makes an empty tensor beside its result."""
    found = rows(nn.BatchNorm2d(4).eval(), (1, 4, 8, 8), made(launch=1.0))
    assert list(found.least_ms) == [1e3]


def test_a_cache_s_bandwidth_is_for_what_fits_there():
    n = 1000
    cached = made(cache_bandwidth=1e11, cache_bytes=8 * n)
    small, large = (rows(nn.ReLU(), (size,), cached).least_ms[0] for size in (n, n + 1))
    assert small == pytest.approx(1e3 * 8 * n / 1e11)
    assert large == pytest.approx(1e3 * 8 * (n + 1) / 1e10)


def test_the_frame_says_what_it_is_of():
    found = rows(nn.Linear(4, 4), (2, 4), "h100", dtype="bf16")
    assert found.attrs["device"] is find_device("h100")
    assert (found.attrs["dtype"], found.attrs["batch"]) == ("bf16", 2)


def test_the_inputs_are_no_layer_that_takes_time():
    assert list(rows(nn.ReLU(), (1, 4), "h100").kind) == ["ReLU"]


def test_every_card_is_whole():
    assert {"k40", "titan-x", "tx1", "v100", "a100", "h100", "h200"} <= set(devices())
    assert {"rtx-3090", "rtx-4090", "rtx-5090"} <= set(devices())
    for card in devices().values():
        assert card.source and card.kind in ("cpu", "gpu")
        assert set(card.peaks) <= set(DTYPES)
        assert 1e11 < card.peaks["fp32"] < 2e14
        assert card.checked or card.basis == "measured"
        assert set(card.unconfirmed) <= {*card.peaks, "bandwidth"}
        assert 1e10 < card.bandwidth < 1e13


def test_h100_is_dense_and_h200_differs_in_memory_alone():
    h100, h200 = find_device("H100"), find_device("h200")
    assert h100.product_rate("bf16") == pytest.approx(989.4e12)
    assert h100.peaks == h200.peaks
    assert h200.bandwidth / h100.bandwidth == pytest.approx(4.8 / 3.35)


def test_tensor_core_rates_are_dense_and_accumulate_in_fp32():
    """Half of the printed sparse rates; on GeForce half again of those that accumulate in fp16."""
    assert find_device("a100").peaks["fp16"] == pytest.approx(624e12 / 2)
    assert find_device("h100-pcie").peaks["bf16"] == pytest.approx(1513e12 / 2)
    assert find_device("rtx-4090").peaks["fp16"] == pytest.approx(660.6e12 / 4, rel=1e-3)
    for name in ("rtx-3090", "rtx-4090", "rtx-5090"):
        assert find_device(name).peaks["tf32"] == find_device(name).peaks["fp32"]


@pytest.mark.parametrize(
    ("name", "cores", "clock", "flop_a_cycle"),
    [
        ("k40", 2880, 745e6, 2),
        ("titan-x", 3072, 1075e6, 2),
        ("titan-x-pascal", 3584, 1531e6, 2),
        ("tx1", 256, 1e9, 2),
        ("v100", 5120, 1530e6, 2),
        ("a100", 6912, 1410e6, 2),
        ("h100", 16896, 1980e6, 2),
        ("rtx-3090", 10496, 1695e6, 2),
        ("rtx-4090", 16384, 2520e6, 2),
        ("rtx-5090", 21760, 2407e6, 2),
        ("xeon-8380", 40, 2.3e9, 64),
        ("epyc-7763", 64, 2.45e9, 32),
        ("epyc-9654", 96, 2.4e9, 32),
        ("ryzen-7950x", 16, 4.5e9, 32),
    ],
)
def test_fp32_is_units_times_clock_a_multiply_add_counted_twice(name, cores, clock, flop_a_cycle):
    assert find_device(name).peaks["fp32"] == pytest.approx(cores * clock * flop_a_cycle, rel=5e-3)


def test_a_device_is_found_as_people_write_it():
    assert find_device("RTX 4090") is find_device("rtx4090") is devices()["rtx-4090"]
    with pytest.raises(UnknownName, match="did you mean h100"):
        find_device("h101")
