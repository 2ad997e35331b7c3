"""NVIDIA's management library, on one that answers as nvidia-ml-py does."""

import sys
from types import SimpleNamespace

import pytest

from archscope.errors import ArchscopeError
from archscope.measure.meters import meter_of_gpu
from archscope.measure.nvml import open_gpu
from archscope.measure.sensors import NoSensors, Nvml, Reading, sensors_of_gpu


class Library:
    """One GPU, which does not tell its power limit."""

    NVML_CLOCK_SM, NVML_CLOCK_MEM, NVML_TEMPERATURE_GPU = 1, 2, 0
    uuids, processes, divided = ("GPU-0",), (7, 8), 0

    class NVMLError(Exception):
        pass

    def nvmlInit(self): ...

    def nvmlSystemGetDriverVersion(self):
        return "580.1"

    def nvmlDeviceGetHandleByUUID(self, uuid):
        if uuid not in self.uuids:
            raise self.NVMLError("Not Found")
        return uuid

    def nvmlDeviceGetDeviceHandleFromMigDeviceHandle(self, handle):
        assert handle.startswith("MIG")
        return "board"

    def nvmlDeviceGetMigMode(self, handle):
        return [self.divided, self.divided]

    def nvmlDeviceGetClockInfo(self, handle, which):
        assert not handle.startswith("MIG")
        return {1: 1980, 2: 2619}[which]

    def nvmlDeviceGetTemperature(self, handle, which):
        return 41

    def nvmlDeviceGetEnforcedPowerLimit(self, handle):
        raise self.NVMLError("Not Supported")

    def nvmlDeviceGetCurrentClocksEventReasons(self, handle):
        return 0x01 | 0x04 | 0x40  # idle is no disturbance

    def nvmlDeviceGetComputeRunningProcesses(self, handle):
        return [SimpleNamespace(pid=pid) for pid in self.processes]

    def nvmlDeviceGetTotalEnergyConsumption(self, handle):
        return 12_500


class OldDriver(Library):
    """Before 535: the function of the new name is in the package, and not in the driver."""

    def nvmlDeviceGetCurrentClocksEventReasons(self, handle):
        raise self.NVMLError("Function Not Found")

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, handle):
        return 0x80

    def nvmlSystemGetDriverVersion(self):
        return b"470.1"


class Newer(Library):
    """What is to go with CUDA 14 is gone."""

    nvmlDeviceGetTemperature = None

    def nvmlDeviceGetTemperatureV(self, handle, which):
        return 42


class Instance(Library):
    uuids = ("MIG-0",)


class Divided(Library):
    divided = 1


class NoCounter(Library):
    def nvmlDeviceGetTotalEnergyConsumption(self, handle):
        raise self.NVMLError("Not Supported")


def sensors(library, process=7):
    return Nvml(open_gpu("0", library), process)


def test_a_gpu_is_read_and_may_stay_silent():
    found = sensors(Library())
    assert found.driver == "580.1"
    assert found.read() == Reading(1980, 2619, 41, None, ("power cap", "thermal (hardware)"), 1)


def test_names_of_older_drivers_and_of_newer_packages_are_known():
    assert sensors(OldDriver()).driver == "470.1"
    assert sensors(OldDriver()).read().throttled == ("power brake",)
    assert sensors(Newer()).read().temperature_c == 42


@pytest.mark.parametrize(
    ("process", "running", "others"),
    [
        (7, (7, 8), 1),
        (99, (7, 8), 1),  # in a container the driver knows us by another number
        (99, (), None),  # or shows nobody, though we are there
        (None, (7, 8), 2),  # we are not there yet
        (None, (), 0),
    ],
)
def test_other_processes_are_counted_without_ours(process, running, others):
    library = Library()
    library.processes = running
    assert sensors(library, process).read().other_processes == others


def test_an_instance_has_the_clocks_of_its_board_and_no_energy_of_its_own():
    assert sensors(Instance()).read().clock_mhz == 1980
    for library in (Instance(), Divided()):
        with pytest.raises(ArchscopeError, match=r"divided .MIG."):
            meter_of_gpu("0", library).joules()


def test_energy_is_counted_in_millijoules():
    assert meter_of_gpu("0", Library()).joules() == 12.5


def test_a_gpu_without_a_counter_says_so():
    with pytest.raises(ArchscopeError, match="begin with Volta"):
        meter_of_gpu("0", NoCounter()).joules()


def test_a_gpu_that_the_driver_does_not_know_says_so():
    with pytest.raises(ArchscopeError, match=r"does not answer .Not Found"):
        meter_of_gpu("1", Library()).joules()


def test_without_the_package_there_are_no_sensors_and_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert isinstance(sensors_of_gpu("0", 7), NoSensors)
    with pytest.raises(ArchscopeError, match="nvidia-ml-py is not installed"):
        meter_of_gpu("0").joules()
