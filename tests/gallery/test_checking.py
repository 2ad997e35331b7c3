"""A difference between report and code is found, and one that no eye sees is none."""

import base64
import gzip
import json
import time

import pytest

from archscope.errors import InvalidInput
from archscope.gallery import checking
from archscope.gallery.folder import MANIFEST, write

DRAWING = """<svg><defs><clipPath id="p1a"><rect x="1.5" width="40"/></clipPath></defs>
<g clip-path="url(#p1a)"><path d="M 1.25 2 L 3e-1 -4"/><text x="3">ResNet-50</text></g></svg>"""


@pytest.fixture
def report(tmp_path):
    write(tmp_path, {"README.md": b"one\ntwo\n", "figures/a.svg": DRAWING.encode()})
    return tmp_path


def found(root, readme="one\ntwo\n", drawing=DRAWING, **more):
    files = {"README.md": readme.encode(), "figures/a.svg": drawing.encode()}
    return checking.differences(root, files | dict.fromkeys(more.values(), b""))


def test_the_same_files_have_no_differences(report):
    assert found(report) == []


def test_a_line_that_changed_is_named(report):
    assert found(report, readme="one\n2\n") == ["README.md: line 2 is 'two' and should be '2'"]
    assert found(report, readme="one\n") == ["README.md: it has 2 lines and should have 1"]


def test_files_that_are_missing_or_no_longer_made_are_named(report):
    (report / "README.md").unlink()
    assert found(report, new="tables/new.md") == [
        "README.md is missing",
        "tables/new.md is missing",
    ]
    assert "figures/a.svg is no longer made" in checking.differences(report, {"README.md": b""})


def test_rounding_and_names_of_identifiers_are_no_difference(report):
    same = DRAWING.replace("p1a", "p9f").replace("1.25", "1.251").replace("-4", "-3.99")
    assert found(report, drawing=same) == []


def test_drawings_of_many_marks_are_compared_in_no_time():
    def marks(prefix):
        return "".join(
            f'<path id="{prefix}{n}" d="M 1 2"/><use href="#{prefix}{n}"/>' for n in range(5000)
        )

    began = time.process_time()
    assert checking.same_drawing(marks("a"), marks("b"))
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("was", "now"),
    [("1.25", "1.35"), ("L 3e-1", "L 4e-1"), ("<rect", "<line"), ("(#p1a)", "(#other)")],
)
def test_another_drawing_is_a_difference(report, was, now):
    assert found(report, drawing=DRAWING.replace(was, now)) == [
        "figures/a.svg: it is drawn differently"
    ]


def test_another_text_is_named(report):
    drawing = DRAWING.replace("ResNet-50", "ResNet-51")
    assert found(report, drawing=drawing) == ["figures/a.svg: 'ResNet-51' is not in it"]


def test_of_another_matplotlib_only_texts_are_compared(report):
    manifest = report / MANIFEST
    manifest.write_text(manifest.read_text().replace('"matplotlib": "', '"matplotlib": "0.'))
    assert not checking.same_matplotlib(report)
    assert found(report, drawing=DRAWING.replace("1.25", "7")) == []
    assert found(report, drawing=DRAWING.replace("ResNet-50", "VGG")) != []


def test_pages_are_compared_by_what_is_packed_into_them(tmp_path):
    def page(text, level):
        packed = base64.b64encode(gzip.compress(text, level, mtime=level)).decode()
        return f'<script type="text/plain" id="pack-0">{packed}</script>'.encode()

    write(tmp_path, {"explorer.html": page(b"layers", 1)})
    assert checking.differences(tmp_path, {"explorer.html": page(b"layers", 9)}) == []
    assert checking.differences(tmp_path, {"explorer.html": page(b"others", 1)}) != []


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("figures/a.svg", DRAWING.replace("1.25", "1.26").encode(), "another checksum"),
        ("figures/a.svg", DRAWING.encode().replace(b"d=", b"\xff="), "it is no text"),
        ("README.md", b"one\r\ntwo\r\n", "its lines end otherwise"),
        ("README.md", b"one\ntwo", "its lines end otherwise"),
    ],
)
def test_one_byte_that_changed_is_found_in_any_file(report, name, content, says):
    (report / name).write_bytes(content)
    (line,) = found(report)
    assert line.startswith(f"{name}: ") and says in line


def test_a_manifest_that_lost_a_file_is_found(report):
    manifest = json.loads((report / MANIFEST).read_text())
    del manifest["files"]["README.md"]
    (report / MANIFEST).write_text(json.dumps(manifest))
    assert found(report) == ["manifest.json: it does not list README.md"]


@pytest.mark.parametrize("was, now", [("H4s", "H5s"), ("H4sI", "H4"), ('">H4s', '">!4s')])
def test_a_page_whose_layers_cannot_be_unpacked_is_a_difference(tmp_path, was, now):
    packed = base64.b64encode(gzip.compress(b"layers", mtime=0)).decode()
    page = f'<script type="text/plain" id="pack-0">{packed}</script>'
    write(tmp_path, {"explorer.html": page.encode()})
    assert was in page
    (tmp_path / "explorer.html").write_text(page.replace(was, now))
    (line,) = checking.differences(tmp_path, {"explorer.html": page.encode()})
    assert line == "explorer.html: it holds something else"


def test_a_folder_without_a_report_is_refused(tmp_path):
    with pytest.raises(InvalidInput, match="holds no report; `archscope report -o"):
        checking.differences(tmp_path, {})
