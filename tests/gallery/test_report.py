"""``archscope report``: the committed report is the code's, and its commands make what it shows."""

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

from archscope.cli import main
from archscope.comparison.remembered import remembering
from archscope.gallery.checking import same_drawing, same_matplotlib, texts, unpacked

REPORT = Path(__file__).parents[2] / "reports"
PAGE = (REPORT / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"```sh\narchscope (.+)\n```", PAGE)


@pytest.fixture(scope="module", autouse=True)
def analysed_once():
    """The commands show the same networks; ``tests/comparison`` has that they are shown as anew."""
    with remembering():
        yield


def run(line):
    with pytest.raises(SystemExit) as end:
        main(shlex.split(line))
    return end.value.code


def command(start):
    (found,) = [line for line in COMMANDS if line.startswith(start)]
    return found


def test_the_committed_report_is_what_the_code_makes(capsys):
    code = run(f"report --check -o {REPORT}")
    assert (capsys.readouterr().out, code) == ("", 0), "run: archscope report -o reports"


@pytest.mark.parametrize(
    "start",
    [
        "plot layers vgg16",
        "plot gradient-flow",
        "plot accuracy-vs-ops alexnet",
        "plot accuracy-vs-ops 'torchvision:*' --from",
        "plot through-time",
        "plot depth",
    ],
)
def test_a_figures_command_makes_it(start, tmp_path, monkeypatch):
    line = command(start)
    shutil.copytree(REPORT / "data", tmp_path / "reports" / "data")
    (tmp_path / "reports" / "figures").mkdir()
    monkeypatch.chdir(tmp_path)
    assert run(line) == 0
    place = shlex.split(line)[-1]
    made = (tmp_path / place).read_text(encoding="utf-8")
    shown = (REPORT.parent / place).read_text(encoding="utf-8")
    assert place.removeprefix("reports/") in PAGE
    assert texts(made) == texts(shown)
    assert same_drawing(made, shown) or not same_matplotlib(REPORT)


@pytest.mark.parametrize(
    "start", ["table vgg16", "compare inception-naive", "memory resnet50", "depth lstm"]
)
def test_a_tables_command_prints_it(start, capsys):
    assert run(command(start)) == 0
    assert capsys.readouterr().out in PAGE


@pytest.mark.parametrize("name", ["googlenet", "resnet1202-cifar", "lstm"])
def test_a_networks_page_has_what_its_commands_print(name, capsys):
    page = (REPORT / "tables" / f"{name}.md").read_text(encoding="utf-8")
    lines = re.findall(r"```sh\narchscope (.+)\n```", page)
    assert lines
    for line in lines:
        assert run(line) == 0
        assert capsys.readouterr().out in page


def test_every_link_of_the_page_leads_somewhere():
    places = re.findall(r"\]\((?!https?:)([^)]+)\)", PAGE)
    anchors = {
        re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)
    }
    missing = [
        place
        for place in places
        if not (place[1:] in anchors if place.startswith("#") else (REPORT / place).is_file())
    ]
    assert len(places) > 80
    assert missing == []


def test_the_report_is_small_enough_for_a_repository():
    sizes = [path.stat().st_size for path in REPORT.rglob("*") if path.is_file()]
    assert sum(sizes) < 8e6


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("report --check -o {0}", "holds no report; `archscope report -o {0}` writes one"),
        ("report --check --measure", "either --check or --measure"),
        ("report -o {0}/no/where", "there is no directory"),
    ],
)
def test_a_wrong_request_is_refused_in_one_line(line, message, tmp_path, capsys):
    assert run(line.format(tmp_path)) == 2
    (told,) = capsys.readouterr().err.splitlines()
    assert message.format(tmp_path) in told


def test_a_foreign_folder_is_refused_before_anything_is_made(tmp_path, capsys):
    (tmp_path / "README.md").write_text("mine")
    assert run(f"report -o {tmp_path}") == 2
    assert "no report has written that" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]


def test_the_explorers_command_makes_it(tmp_path, monkeypatch):
    shutil.copytree(REPORT / "data", tmp_path / "reports" / "data")
    monkeypatch.chdir(tmp_path)
    assert run(command("explore '*'")) == 0
    made, shown = (root / "reports" / "explorer.html" for root in (tmp_path, REPORT.parent))
    assert unpacked(made.read_text("utf-8")) == unpacked(shown.read_text("utf-8"))


def test_the_committed_table_of_whole_zoos_is_explored_with_its_times(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = command("explore --from").replace("reports/", f"{REPORT}/")
    assert run(line) == 0
    page = (tmp_path / shlex.split(line)[-1]).read_text("utf-8")
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.S)[1])
    times = {field["name"]: field for field in data["fields"]}
    assert len(data["labels"]) == 1492 and times["fvcore_cpu_ms"]["unit"] == "ms"
    assert sum(value is not None for value in times["archscope_cpu_ms"]["values"]) == 1492
    assert "| [zoo-study.csv.gz](data/zoo-study.csv.gz) |" in PAGE
    assert "conditions are in zoo-study.json" in PAGE
