"""The page as a file: what is in it, that it is the same each time, what is refused."""

import base64
import gzip
import hashlib
import json
import re
from importlib.resources import files

import pandas as pd
import pytest

from archscope.errors import InvalidInput
from archscope.explorer import page
from archscope.explorer.layers import pack
from archscope.explorer.networks import networks
from tests.explorer.conftest import comparison, deep_table, layer_table, many


def data_of(html):
    return json.loads(re.search(r'id="data">(.*?)</script>', html, re.S)[1])


def field(data, name):
    return next(field for field in data["fields"] if field["name"] == name)


def test_the_same_comparison_gives_the_same_page(frame, layers):
    assert page(frame, layers) == page(comparison(), dict(layers))


def test_missing_numbers_are_null_and_never_zero(frame):
    data = data_of(page(frame))
    assert field(data, "top1")["values"][-1] is None
    assert set(field(data, "effective_depth")["values"]) == {None}
    assert field(data, "protocol")["codes"][-1] == -1


def test_whole_numbers_beyond_a_double_keep_all_digits():
    frame = pd.DataFrame({"model": ["a"], "paths": pd.Series([2**54 + 1], dtype=object)})
    assert field(networks(frame), "paths")["values"] == [str(2**54 + 1)]


@pytest.mark.parametrize(
    "name",
    ["</script><img src=x onerror=alert(1)>", "<!--<script>", "a & b", "%%data%%", "\u2028", "é"],
)
def test_a_name_stays_a_name(name):
    html = page(pd.DataFrame({"model": [name], "family": [name], "params": [1]}), title=name)
    plain = page(pd.DataFrame({"model": ["m"], "family": ["m"], "params": [1]}))
    assert html.count("<script") == plain.count("<script")
    assert html.count("<!--") == plain.count("<!--")
    assert "<img src=x" not in html
    assert data_of(html)["labels"] == [name]


def test_rows_of_one_network_are_told_by_their_conditions():
    frame = pd.DataFrame(
        {"model": ["a", "a", "a", "b"], "batch": [1, 8, 8, 1], "dtype": ["float32"] * 4}
    )
    assert networks(frame)["labels"] == ["a · batch 1", "a · batch 8 #1", "a · batch 8 #2", "b"]


def test_labels_differ_even_when_models_are_named_like_labels():
    labels = networks(pd.DataFrame({"model": ["a", "a", "a #1"]}))["labels"]
    assert len(set(labels)) == 3


def test_unknown_columns_are_kept_with_their_unit():
    frame = pd.DataFrame({"model": ["a"], "wall_ms_p50": [1.5], "kept_bytes": [8], "note": ["x"]})
    data = networks(frame)
    wall = field(data, "wall_ms_p50")
    assert (wall["title"], wall["unit"]) == ("Wall p50", "ms")
    assert wall["better"] == -1  # less time is better
    assert field(data, "kept_bytes")["kind"] == "bytes"
    assert field(data, "note")["kind"] == "text"
    data = networks(pd.DataFrame({"model": ["a"], "other_cpu_ms": [1.5], "seen_per_s": [2]}))
    assert field(data, "other_cpu_ms")["title"] == "Other CPU"
    assert field(data, "seen_per_s")["better"] == 1


def test_layers_come_out_as_they_went_in():
    tables = {"a": layer_table(1), "b": layer_table(2)}
    packed = pack(["a", "b", "a"], tables)
    content = json.loads(gzip.decompress(base64.b64decode(packed.packs[0])))
    assert packed.table_of == (0, 1, 0)
    table = content["tables"]["1"]
    macs = content["layers"][content["columns"].index("macs")]
    assert [macs[code] for code in table["layer"]] == list(tables["b"]["macs"])
    assert [content["words"][code] for code in table["path"]] == list(tables["b"]["path"])


def test_networks_without_layers_have_no_pack(frame, layers):
    assert data_of(page(frame, layers))["pack_of"] == [0, 0, 0, 0, 0, -1]


@pytest.mark.parametrize(
    ("frame", "layers", "message"),
    [
        (pd.DataFrame({"macs": [1]}), {}, "column 'model'"),
        (pd.DataFrame({"model": []}), {}, "no row"),
        (pd.DataFrame({"model": range(20_001)}), {}, "20,000 rows and this comparison has 20,001"),
        (pd.DataFrame([["a", 1, 2]], columns=["model", "x", "x"]), {}, "twice"),
        (pd.DataFrame({"model": ["a"], "macs": ["many"]}), {}, "'macs' has 'many'"),
        (pd.DataFrame({"model": ["a"]}), {"b": layer_table()}, "'b'"),
        (pd.DataFrame({"model": ["a"]}), {"a": pd.DataFrame({"path": ["x"]})}, "'kind'"),
    ],
)
def test_what_is_no_comparison_is_refused(frame, layers, message):
    with pytest.raises(InvalidInput, match=message):
        page(frame, layers)


def test_1500_networks_with_their_layers_are_under_5_mb():
    frame = many(1500)
    layers = {model: deep_table(n) for n, model in enumerate(frame["model"])}
    assert len(page(frame, layers).encode()) < 5_000_000


def test_the_library_is_the_one_that_its_readme_names():
    folder = files("archscope.explorer").joinpath("vendor/echarts")
    library = folder.joinpath("echarts.common.min.js").read_bytes()
    assert hashlib.sha256(library).hexdigest() in folder.joinpath("README.md").read_text()
    assert b"</script" not in library
    assert "Apache License" in folder.joinpath("LICENSE").read_text()


def test_the_policy_lets_only_the_pages_own_scripts_run(frame):
    html = page(frame)
    policy = re.search(r'Security-Policy" content="([^"]*)"', html)[1]
    scripts = re.findall(r"<script(?: type=\"module\")?>(.*?)</script>", html, re.S)
    digests = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts]
    assert len(digests) == 2
    assert all(f"'sha256-{digest}'" in policy for digest in digests)
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy.split("style-src")[0]
    assert "unsafe-eval" not in policy
