"""A file, option, version or surrounding that changed is never answered for from the cache."""

import os
import shutil

import pytest
from conftest import ROOT

NOW = "import time\n\n\ndef show():\n    return f'{VALUE} {time.time_ns()}'\n"


def is_kept(place, *arguments, change=lambda: None, before=None, after=None):
    """Whether the answer before a change is given after it. Before it, it is given twice."""
    before, after = before or {}, after or {}
    first = place.show(*arguments, **before)
    assert first.status == 0, first.err
    assert place.show(*arguments, **before) == first, "not kept at all"
    change()
    second = place.show(*arguments, **{**before, **after})
    assert second.status == 0, second.err
    return second == first


def net(place, value):
    return place.write("net.py", f"{value}\n{NOW}")


def test_what_has_not_changed_is_kept(place):
    assert is_kept(place, "now.py:show")


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("VALUE = 1", "net.py"),
        ("from helper import VALUE", "helper.py"),
        ("from package.helper import VALUE", "package/helper.py"),
        ("from package import helper\nVALUE = helper.VALUE", "package/__init__.py"),
        ("import importlib\nVALUE = importlib.import_module('helper').VALUE", "helper.py"),
        ("VALUE = open('helper.py').read()", "helper.py"),
        ("from pathlib import Path\nVALUE = Path('data/a.txt').read_bytes()", "data/a.txt"),
        ("import os\nVALUE = sorted(os.listdir('data'))", "data/new.txt"),
        ("import os\nVALUE = os.path.exists('data/new.txt')", "data/new.txt"),
        ("from pathlib import Path\nVALUE = Path('data').is_file()", "data"),
        ("import os\nVALUE = os.access('data/new.txt', os.R_OK)", "data/new.txt"),
        ("import os\nVALUE = os.path.getsize('data/a.txt')", "data/a.txt"),
        ("from pathlib import Path\nVALUE = Path('data/a.txt').stat().st_size", "data/a.txt"),
        ("try: import later as VALUE\nexcept ImportError: VALUE = None", "later.py"),
        ("try: import later as VALUE\nexcept ImportError: VALUE = None", "later/part.py"),
        ("from package import helper as VALUE", "package/helper/__init__.py"),
        ("from helper import VALUE", "helper/__init__.py"),
    ],
)
def test_a_file_that_changes_or_comes_is_read_again(place, value, name):
    place.write("helper.py", "VALUE = 1\n")
    place.write("package/__init__.py", "")
    place.write("package/helper.py", "VALUE = 1\n")
    place.write("data/a.txt", "")
    net(place, value)

    def change():
        file = place.folder / name
        if file.is_dir():
            shutil.rmtree(file)
        place.write(name, file.read_text() + "VALUE = 2\n" if file.is_file() else "VALUE = 3\n")

    assert not is_kept(place, "net.py:show", change=change)


def test_a_link_that_leads_elsewhere_counts(place):
    place.write("data/a.txt", "1")
    place.write("data/b.txt", "1")
    link = place.folder / "link.txt"
    link.symlink_to("data/a.txt")
    net(place, "import os\nVALUE = os.path.realpath('link.txt')")

    def change():
        link.unlink()
        link.symlink_to("data/b.txt")

    assert not is_kept(place, "net.py:show", change=change)


def test_a_module_that_a_function_imports_when_it_runs_counts(place):
    place.write("late.py", "import time\n\n\ndef show():\n    import part\n    return part.A\n")
    place.write("part.py", "A = 1\n")
    first = place.show("late.py:show")
    place.write("part.py", "A = 2\n")
    assert place.show("late.py:show").out != first.out


def test_a_content_of_the_same_size_and_time_is_another_one(place):
    file = place.write("data.txt", "1")
    net(place, "VALUE = open('data.txt').read()")
    then = file.stat()

    def change():
        file.write_text("2")
        os.utime(file, ns=(then.st_atime_ns, then.st_mtime_ns))

    assert not is_kept(place, "net.py:show", change=change)


def test_a_file_that_is_touched_and_not_changed_is_kept(place):
    file = net(place, "VALUE = 1")
    assert is_kept(place, "net.py:show", change=file.touch)


def test_a_maker_of_inputs_counts(place):
    place.write("inputs.py", "def make():\n    return 1\n")
    arguments = ("now.py:show", "--inputs-from", "inputs.py:make")
    change = lambda: place.write("inputs.py", "def make():\n    return 2\n")  # noqa: E731
    assert not is_kept(place, *arguments, change=change)


def test_an_installed_package_that_is_edited_in_place_counts(place):
    package = place.write("site-packages/package/__init__.py", "VALUE = 1\n")
    net(place, "from package import VALUE")
    path = {"PYTHONPATH": f"{ROOT}{os.pathsep}{place.folder / 'site-packages'}"}
    change = lambda: package.write_text("VALUE = 2\n")  # noqa: E731
    assert not is_kept(place, "net.py:show", before=path, change=change)


def test_a_package_that_is_installed_later_counts(place):
    place.write("site-packages/other.py", "")
    net(place, "try: import package as VALUE\nexcept ImportError: VALUE = None")
    path = {"PYTHONPATH": f"{ROOT}{os.pathsep}{place.folder / 'site-packages'}"}
    change = lambda: place.write("site-packages/package/__init__.py", "")  # noqa: E731
    assert not is_kept(place, "net.py:show", before=path, change=change)


@pytest.mark.parametrize("package", ["torch", "timm", "numpy", "click"])
def test_another_version_of_a_package_counts(place, package):
    place.write(f"versions/{package}-99.dist-info/METADATA", f"Name: {package}\nVersion: 99\n")
    path = {"PYTHONPATH": f"{place.folder / 'versions'}{os.pathsep}{ROOT}"}
    assert not is_kept(place, "now.py:show", after=path)


def test_the_code_of_archscope_counts(place):
    own = place.folder / "own" / "archscope"
    shutil.copytree(ROOT / "archscope", own, ignore=shutil.ignore_patterns("__pycache__"))
    changed = own / "trace" / "records.py"
    change = lambda: changed.write_text(changed.read_text() + "\n")  # noqa: E731
    assert not is_kept(place, "now.py:show", before={"PYTHONPATH": own.parent}, change=change)


@pytest.mark.parametrize(
    "further",
    [["--times", "2"], ["--width", "60"], ["--format", "csv"], ["-o", "out.txt"]],
    ids=lambda further: further[0],
)
def test_every_option_counts(place, further):
    first = place.show("now.py:show")
    assert place.show("now.py:show", *further).out != first.out
    assert place.show("now.py:show") == first


def test_the_name_of_the_output_does_not_count_but_its_ending_does(place):
    def shown(name):
        assert place.show("now.py:show", "-o", name).status == 0
        return (place.folder / name).read_bytes()

    first = shown("a.csv")
    assert shown("b.csv") == first
    assert shown("b.json") != first


@pytest.mark.parametrize(
    ("name", "value"), [("COLUMNS", "60"), ("WIDTH_OF_MY_NETWORK", "8"), ("LANG", "de_DE.UTF-8")]
)
def test_the_environment_counts(place, name, value):
    assert not is_kept(place, "now.py:show", after={name: value})


@pytest.mark.parametrize("name", ["SHLVL", "OLDPWD", "WINDOWID"])
def test_what_changes_from_shell_to_shell_does_not_count(place, name):
    assert is_kept(place, "now.py:show", before={name: "1"}, after={name: "2"})


def test_the_working_directory_of_a_persons_own_code_counts(place):
    (place.folder / "there").mkdir()
    reference = f"{place.folder / 'now.py'}:show"
    first = place.show(reference)
    assert place.show(reference, folder=place.folder / "there") != first
    assert place.show(reference) == first


def test_a_file_of_a_package_reference_counts(place):
    place.write("mine/__init__.py", "")
    place.write("mine/nets.py", "VALUE = 1\n" + NOW)
    path = {"PYTHONPATH": f"{ROOT}{os.pathsep}{place.folder}"}
    change = lambda: place.write("mine/nets.py", "VALUE = 2\n" + NOW)  # noqa: E731
    assert not is_kept(place, "mine.nets:show", before=path, change=change)


def test_another_python_counts(place):
    assert not is_kept(place, "now.py:show", after={"PYTHONOPTIMIZE": "1"})
