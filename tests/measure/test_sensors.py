"""What the CPU says of itself, from files of our own, and what disturbs."""

import os

import pytest

from archscope.measure.environment import conditions, disturbance
from archscope.measure.sensors import CpuSensors, Reading


class Sensed:
    def __init__(self, reading):
        self.sensors = self
        self.driver = ""
        self.reading = reading

    def read(self):
        return self.reading


def told(before, after):
    return disturbance(conditions(Sensed(before)), conditions(Sensed(after)))


def write(root, path, text):
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)


def test_a_cpu_is_read_from_linux_s_files(tmp_path):
    tick = os.sysconf("SC_CLK_TCK")
    write(tmp_path, "proc/stat", f"cpu  {5 * tick} 0 {tick} 99 99 0 0 {tick} 0 0\ncpu0 1 2 3\n")
    write(tmp_path, "proc/cpuinfo", "cpu MHz\t\t: 2000.0\nother: 1\ncpu MHz\t\t: 3000.0\n")
    write(tmp_path, "sys/class/thermal/thermal_zone0/type", "acpitz\n")
    write(tmp_path, "sys/class/thermal/thermal_zone0/temp", "1000\n")
    write(tmp_path, "sys/class/thermal/thermal_zone1/type", "x86_pkg_temp\n")
    write(tmp_path, "sys/class/thermal/thermal_zone1/temp", "61500\n")
    count = "sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count"
    write(tmp_path, count, "12\n")
    found = CpuSensors(tmp_path, own_cpu_s=lambda: 4.0).read()
    assert found.others_cpu_s == pytest.approx(5 + 1 + 1 - 4)
    assert (found.clock_mhz, found.temperature_c, found.throttle_count) == (2500, 62, 12)


def test_a_sensor_that_has_nothing_to_tell_now_is_passed_over(tmp_path):
    write(tmp_path, "sys/class/thermal/thermal_zone0/type", "x86_pkg_temp\n")
    (tmp_path / "sys/class/thermal/thermal_zone0/temp").mkdir()
    assert CpuSensors(tmp_path).read().temperature_c is None
    write(tmp_path, "sys/class/thermal/thermal_zone1/type", "cpu-thermal\n")
    write(tmp_path, "sys/class/thermal/thermal_zone1/temp", "50000\n")
    assert CpuSensors(tmp_path).read().temperature_c == 50


def test_a_cpu_that_shows_nothing_has_no_readings(tmp_path):
    found = CpuSensors(tmp_path).read()
    assert (found.clock_mhz, found.others_cpu_s, found.throttle_count) == (None, None, None)


def test_other_processes_disturb_from_a_tenth_of_the_cpus_on(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    start = Reading(at_s=100.0, others_cpu_s=50.0)
    assert told(start, Reading(at_s=110.0, others_cpu_s=53.0)) == ""
    busy = told(start, Reading(at_s=110.0, others_cpu_s=65.0))
    assert busy == "other processes took 1.5 of 4 CPUs"


def test_a_processor_that_got_too_hot_says_so():
    assert told(Reading(throttle_count=3), Reading(throttle_count=4)) == "thermal"
    assert told(Reading(throttle_count=3), Reading(throttle_count=3)) == ""
