"""Measurements join the networks that they were taken of, and no others."""

import json

import pytest

from archscope.comparison import compare
from archscope.comparison.measured import measurements
from archscope.errors import InvalidInput, UnknownName

COUNTS = ("compute",)
ROW = {
    "model": "alexnet",
    "device": "cuda:0",
    "device_title": "A GPU",
    "batch": 1,
    "input_shape": [1, 3, 227, 227],
    "dtype": "fp32",
    "mode": "inference",
    "status": "ok",
    "latency_ms_p50": 2.5,
    "throughput_per_s": 400.0,
    "steady": True,
    "disturbed": "",
}


@pytest.fixture
def written(tmp_path):
    def write(*rows, name="latency.json"):
        file = tmp_path / name
        file.write_text(json.dumps(list(rows)))
        return file

    return write


def measured(file, *files, **settings):
    return compare(["alexnet"], analyses=COUNTS, measured=[file, *files], **settings).iloc[0]


def test_latency_and_energy_join_with_their_device(written):
    energy = {k: ROW[k] for k in ("model", "batch", "dtype", "device", "device_title")}
    energy |= {"energy_mj": 300.0, "power_w": 120.0}
    row = measured(written(ROW), written(energy, name="energy.json"))
    assert (row["latency_ms_p50"], row["throughput_per_s"]) == (2.5, 400.0)
    assert (row["energy_mj"], row["power_w"], row["device"]) == (300.0, 120.0, "A GPU")
    assert row["disturbed"] is None


@pytest.mark.parametrize(
    "other",
    [
        {"model": "torchvision:alexnet"},
        {"batch": 8},
        {"dtype": "bf16"},
        {"input_shape": [1, 3, 300, 300]},
        {"mode": "training"},
        {"flops": 7},  # another number of classes, say
        {"latency_ms_p50": None, "throughput_per_s": None, "status": "out of memory"},
    ],
)
def test_what_was_measured_of_something_else_is_left_aside(written, other):
    frame = compare(["alexnet"], analyses=COUNTS, measured=[written({**ROW, **other})])
    assert frame["latency_ms_p50"].isna().all() and frame["device"].isna().all()
    assert "alexnet" in frame.attrs["notes"][0]


def test_the_same_flops_are_the_same_network(written):
    assert measured(written({**ROW, "flops": 1456003592}))["latency_ms_p50"] == 2.5


def test_a_csv_file_says_the_same(tmp_path):
    file = tmp_path / "latency.csv"
    file.write_text(
        "model,device,batch,input_shape,dtype,latency_ms_p50,disturbed,steady\n"
        "alexnet,cpu,1,1x3x227x227,fp32,9.5,,True\n"
    )
    row = measured(file)
    assert (row["latency_ms_p50"], row["device"]) == (9.5, "cpu")


def test_a_disturbed_measurement_says_so(written):
    row = measured(written({**ROW, "disturbed": "hot", "steady": False, "status": "partial"}))
    assert row["disturbed"] == "partial, never steady, hot"


def test_one_of_several_measurements_is_never_taken_unseen(written):
    file = written(ROW, {**ROW, "device": "cpu", "latency_ms_p50": 30.0})
    with pytest.raises(InvalidInput, match=r"differ in device \(cuda:0, cpu\)"):
        measured(file)
    assert measured(file, measured_where="device == 'cpu'")["latency_ms_p50"] == 30.0
    with pytest.raises(UnknownName, match="did you mean device"):
        measured(file, measured_where="devise == 'cpu'")


def test_latency_and_energy_of_different_devices_are_not_one_row(written):
    energy = {**ROW, "device_title": "Another", "energy_mj": 3.0, "latency_ms_p50": None}
    energy["throughput_per_s"] = None
    with pytest.raises(InvalidInput, match="2 measurements of alexnet"):
        measured(written(ROW, energy))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "no list"),
        ("[1]", "no list"),
        ("[{", "cannot be read"),
        ('[{"model": "alexnet", "latency_ms_p50": 1}]', "without 'batch'"),
        ('[{"model": "alexnet", "batch": 1}]', "measures none of"),
        ('[{"model": "alexnet", "batch": 1, "latency_ms_p50": "fast"}]', "no number"),
    ],
)
def test_a_file_of_anything_else_is_refused(tmp_path, text, message):
    file = tmp_path / "latency.json"
    file.write_text(text)
    with pytest.raises(InvalidInput, match=message):
        measured(file)


def test_a_whole_devices_file_tells_its_conditions_with_every_row(tmp_path):
    conditions = {"device": "cpu", "title": "Some CPU", "date": "2026-11-20", "dtype": "fp32"}
    rows = [
        {"kind": "ceilings", "model": "", "batch": 0, "tflops": 1.0},
        {"kind": "latency", "model": "alexnet", "batch": 1, "latency_ms_p50": 5.0, "status": "ok"},
        {"kind": "energy", "model": "alexnet", "batch": 1, "status": "not measured"},
    ]
    file = tmp_path / "some-cpu.json"
    file.write_text(json.dumps({"conditions": conditions, "rows": rows}))
    (row,) = measurements([file])
    assert row["latency_ms_p50"] == 5.0
    assert (row["device_title"], row["date"], row["dtype"]) == ("Some CPU", "2026-11-20", "fp32")
