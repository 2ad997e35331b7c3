"""A CPU's ceilings: the faster of two libraries, and a copy that the caches hold."""

from itertools import repeat

import pytest
from fake import Fake

from archscope.calibrated import device_of
from archscope.measure.calibration import Sizes, cache_bytes, calibrate


class Processor(Fake):
    name = "cpu"


SMALL = Sizes(matrix=64, copy=4096, convolution=(1, 8, 8), cached=(1024, 2048))
PRODUCT, CONVOLUTION = 2 * 64**3, 18 * 8**2 * 8**2


def test_the_rate_is_that_of_the_faster_kernel():
    (row,) = calibrate(Processor(repeat(0.002)), sizes=SMALL, dtypes=["fp32"], threads=[1])
    rates = row["kernels"]["fp32"]
    assert rates["mm"] == pytest.approx(PRODUCT / 1e-3 / 1e12)
    assert rates["convolution"] == pytest.approx(CONVOLUTION / 1e-3 / 1e12)
    assert row["tflops"]["fp32"] == max(rates.values())


def test_there_is_no_convolution_of_fp64_nor_any_on_a_gpu():
    (row,) = calibrate(Processor(repeat(0.002)), sizes=SMALL, dtypes=["fp64"], threads=[1])
    assert set(row["kernels"]["fp64"]) == {"mm"}
    plain = Sizes(matrix=64, copy=4096)
    (row,) = calibrate(Fake(repeat(0.002)), sizes=plain, dtypes=["fp32"])
    assert set(row["kernels"]["fp32"]) == {"mm"} and row["cache_gb_s"] is None


def test_the_cache_is_as_fast_as_the_fastest_copy_that_it_holds():
    (row,) = calibrate(Processor(repeat(0.002)), sizes=SMALL, dtypes=["fp32"], threads=[1])
    assert row["bandwidth_gb_s"] == pytest.approx(2 * 4096 / 1e-3 / 1e9)
    assert row["cache_gb_s"] == pytest.approx(2 * 2048 / 1e-3 / 1e9)
    assert row["cache_bytes"] == cache_bytes()


def test_a_calibration_is_a_device_with_two_bandwidths():
    (row,) = calibrate(Processor(repeat(0.002)), sizes=SMALL, dtypes=["fp32"], threads=[1])
    device = device_of({**row, "cache_bytes": 1000})
    assert (device.kind, device.threads, device.basis) == ("cpu", 1, "measured")
    assert device.bandwidth_for(1000) == pytest.approx(1e9 * row["cache_gb_s"])
    assert device.bandwidth_for(1001) == pytest.approx(1e9 * row["bandwidth_gb_s"])
