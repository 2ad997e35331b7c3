"""A real Ctrl-C in the middle of a measurement: what was measured is shown, marked partial."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLAIN = "from archscope.cli import main; import sys; main(sys.argv[1:])"
# A counter that follows the clock, and windows short enough for a test.
WITH_A_METER = (
    """
import importlib, sys, time
from archscope.measure import devices
class Clock:
    title = "a clock"
    def joules(self):
        return 10 * time.monotonic()
devices.meter_of_cpu = Clock
importlib.import_module("archscope.measure.energy").LEAST_WINDOW = 0.2
"""
    + PLAIN
)

CASES = {
    "latency": (PLAIN, "latency resnet20-cifar --precision 1e-9 --max-seconds 60", ": run "),
    "layers": (PLAIN, "latency resnet20-cifar --layers --batch 8 --mode training", "profiled"),
    "energy": (WITH_A_METER, "energy rnn --device cpu --window 0.2 --repeats 99", "window 2 of"),
    "calibrate": (PLAIN, "device calibrate --threads 1 --max-seconds 1", "products in fp32"),
}


@pytest.mark.parametrize("case", CASES)
def test_ctrl_c_shows_what_was_measured_and_is_status_130(case, tmp_path):
    script, arguments, sign = CASES[case]
    process = subprocess.Popen(
        [sys.executable, "-c", script, *arguments.split()],
        cwd=ROOT,
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    told = []
    for line in process.stderr:
        told.append(line)
        if sign in line:
            process.send_signal(signal.SIGINT)
            break
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, "".join(told) + err
    assert "partial" in out and "Traceback" not in err
    assert not list(tmp_path.rglob("*.json"))  # half a calibration is not kept
