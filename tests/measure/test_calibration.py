"""Ceilings from known times, and where they are kept."""

import math
from itertools import chain, repeat

import pytest
from fake import Fake
from torch import nn

import archscope
from archscope.calibrated import cache_file, calibrated, ceilings, remember
from archscope.errors import ArchscopeError
from archscope.measure.calibration import Sizes, calibrate
from archscope.report.devices import calibration_table

SMALL = Sizes(matrix=64, copy=4096)


def kept(**of):
    """A calibration as the cache has it."""
    row = {"device": "cuda:0", "title": "fake", "threads": None, "torch": "2", "date": "2026-01-02"}
    return row | {"tflops": {"fp32": 2.0}, "bandwidth_gb_s": 100.0} | of


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_rates_are_work_over_the_device_s_time():
    (row,) = calibrate(Fake(repeat(0.002)), sizes=SMALL, dtypes=["fp32", "bf16"])
    assert row["tflops"]["fp32"] == pytest.approx(2 * 64**3 / 1e-3 / 1e12)
    assert row["bandwidth_gb_s"] == pytest.approx(2 * 4096 / 1e-3 / 1e9)
    assert row["torch"] and row["date"]


def test_a_dtype_that_does_not_run_has_no_rate():
    device = Fake([RuntimeError("not implemented"), *repeat(0.002, 200)])
    (row,) = calibrate(device, sizes=SMALL, dtypes=["fp16", "fp32"])
    assert row["tflops"]["fp16"] is None and row["tflops"]["fp32"] > 0


def test_an_interrupt_before_any_figure_leaves_nothing():
    with pytest.raises(KeyboardInterrupt):
        calibrate(Fake([KeyboardInterrupt()]), sizes=SMALL, dtypes=["fp32"])


def test_an_interrupt_keeps_the_figures_before_it():
    device = Fake(chain(repeat(0.002, 30), [KeyboardInterrupt()]))
    (row,) = calibrate(device, sizes=SMALL, dtypes=["fp32", "bf16"])
    assert row["status"] == "partial"
    assert list(row["tflops"]) == ["fp32"] and row["bandwidth_gb_s"] is None
    assert "partial" in calibration_table([row]).rows[0].cells[-1]


def test_a_disturbed_calibration_says_so():
    (row,) = calibrate(Fake(repeat(0.002)), sizes=SMALL, dtypes=["fp32"])
    assert not any("Disturbed" in line for line in calibration_table([row]).caption)
    told = calibration_table([row | {"disturbed": "thermal"}]).caption[-1]
    assert told == "Disturbed, measure again: fake: thermal."


def test_a_launch_is_one_of_many_in_a_row():
    (row,) = calibrate(Fake(repeat(0.002)), sizes=SMALL, dtypes=["fp32"])
    assert row["launch_us"] == pytest.approx(1e-3 / 200 * 1e6)
    assert row["status"] == "ok"


def test_the_newest_of_each_device_is_kept():
    assert calibrated() == []
    remember([kept(threads=1, bandwidth_gb_s=1.0), kept(threads=2, bandwidth_gb_s=1.0)])
    remember([kept(threads=2, bandwidth_gb_s=2.0)])
    assert [row["bandwidth_gb_s"] for row in calibrated()] == [1.0, 2.0]


@pytest.mark.parametrize(
    "broken",
    [
        *('"text"', "[1, null, [], {}]", "{", "[" * 100_000, '{"title": "fake"}'),
        '[{"title": "fake", "threads": null, "tflops": 5}]',
    ],
)
def test_a_cache_that_is_no_calibration_is_as_none(broken):
    cache_file().parent.mkdir()
    cache_file().write_text(broken)
    assert calibrated() == [] and ceilings("fake", None) is None
    remember([kept()])
    assert ceilings("fake", None) == kept()


@pytest.mark.parametrize(
    "wrong",
    [
        *({"date": None}, {"date": "long ago"}, {"torch": 2}, {"threads": "1"}, {"threads": True}),
        *({"tflops": {"fp32": "fast"}}, {"tflops": {"fp32": math.nan}}, {"bandwidth_gb_s": -1}),
        *({"launch_us": []}, {"tflops": {"fp4": 1.0}}, {"cache_bytes": "4M"}),
    ],
)
def test_a_row_of_the_cache_that_is_no_calibration_is_passed_over(wrong):
    remember([kept(title="other"), kept() | wrong])
    assert [row["title"] for row in calibrated()] == ["other"]
    calibration_table(calibrated())


def test_latency_is_put_beside_the_ceilings_of_its_device():
    model = nn.Linear(4, 4)
    rows = [kept(tflops={"fp32": 1e-6}, bandwidth_gb_s=1e-3)]
    plain = archscope.latency(model, ((1, 4),), device=Fake(repeat(0.004)))
    assert plain.compute_share[0] is None
    remember(rows)
    row = archscope.latency(model, ((1, 4),), device=Fake(repeat(0.004))).iloc[0]
    assert row.compute_share == pytest.approx(row.flops / 2e-3 / 1e6)
    assert row.bandwidth_share == pytest.approx(row.bytes / 2e-3 / 1e6)
    other = archscope.latency(model, ((1, 4),), device=Fake(repeat(0.004)), dtype="bf16")
    assert other.compute_share[0] is None


def test_an_unwritable_cache_is_told(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")
    with pytest.raises(ArchscopeError, match="cannot write"):
        remember([{"title": "a", "threads": 1}])
