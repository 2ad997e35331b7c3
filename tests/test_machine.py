"""What a machine has to spare, from files as Linux has them."""

from archscope.machine import cores, memory_available

GIB = 2**30


def written(place, text):
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)


def machine(root, available=8 * GIB):
    written(root / "proc/meminfo", f"MemTotal: 9 kB\nMemAvailable: {available // 1024} kB\n")


def group(root, path, limit, used, cached=0):
    folder = root / "sys/fs/cgroup" / path
    written(folder / "memory.max", f"{limit}\n")
    written(folder / "memory.current", f"{used}\n")
    written(folder / "memory.stat", f"anon 1\ninactive_file {cached}\n")
    written(root / "proc/self/cgroup", f"0::/{path}\n")


def test_it_is_what_the_system_says(tmp_path):
    machine(tmp_path)
    assert memory_available(tmp_path) == 8 * GIB


def test_a_container_has_less(tmp_path):
    machine(tmp_path)
    group(tmp_path, "job/step", limit=4 * GIB, used=3 * GIB, cached=GIB // 2)
    assert memory_available(tmp_path) == GIB + GIB // 2
    group(tmp_path, "job", limit=2 * GIB, used=3 * GIB)
    group(tmp_path, "job/step", limit="max", used=3 * GIB)
    assert memory_available(tmp_path) == 0


def test_a_group_without_a_limit_has_what_the_machine_has(tmp_path):
    machine(tmp_path)
    group(tmp_path, "", limit="max", used=3 * GIB)
    assert memory_available(tmp_path) == 8 * GIB


def test_a_system_that_does_not_say_is_believed_to_have_enough(tmp_path):
    assert memory_available(tmp_path) is None


def test_a_container_has_fewer_cores(tmp_path, monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(16)))
    assert cores(tmp_path) == 16
    group(tmp_path, "job/step", limit="max", used=0)
    written(tmp_path / "sys/fs/cgroup/job/step/cpu.max", "max 100000\n")
    assert cores(tmp_path) == 16
    written(tmp_path / "sys/fs/cgroup/job/cpu.max", "250000 100000\n")
    assert cores(tmp_path) == 3
