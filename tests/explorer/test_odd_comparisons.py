"""Comparisons that nobody would draw by hand: ties, gaps, negative and huge numbers, odd names."""

import csv
import io
import random

import pandas as pd
import pytest

from archscope.explorer import page
from tests.explorer.conftest import address, layer_table, many, names, settled


def download(shown):
    with shown.expect_download() as given:
        shown.get_by_role("button", name="Download CSV").click()
    return list(csv.reader(io.StringIO(given.value.path().read_text(encoding="utf-8"))))


def front_of(frame, x, y):
    """Networks such that no other is as good on both figures and better on one."""
    points = list(zip(frame["model"], frame[x], frame[y], strict=True))
    return {
        name
        for name, a, b in points
        if not any(p <= a and q >= b and (p, q) != (a, b) for _, p, q in points)
    }


def test_the_front_is_that_of_a_comparison_of_all_pairs(visit):
    chance = random.Random(5)
    frame = many(300).assign(year=[2000 + chance.randrange(8) for _ in range(300)])
    frame["depth"] = [chance.randrange(12) for _ in range(300)]  # many ties, also of both
    shown = visit(page(frame), "#x=year&y=depth&xbest=-1&ybest=1")
    shown.evaluate("document.querySelector('#table .scroller').style.maxHeight = '20000px'")
    for query in ("", "_5"):
        settled(shown, lambda text=query: shown.get_by_role("searchbox").fill(text + " "))
        left = frame[frame["model"].str.contains(query)]
        front = shown.locator("#table tr.front .link").all_inner_texts()
        assert set(front) == front_of(left, "year", "depth")


def test_years_and_depths_slide_by_whole_numbers(visit, frame):
    shown = visit(page(frame))
    slider = shown.get_by_label("Year, least", exact=True)
    for left in (5, 4, 3):
        settled(shown, lambda: slider.press("ArrowRight"))
        assert len(names(shown)) == left
    assert slider.get_attribute("aria-valuetext") == "2015"


def test_a_narrow_range_can_be_slid_through(visit):
    frame = pd.DataFrame({"model": list("abcde"), "top1": [76.1301 + n / 1e4 for n in range(5)]})
    shown = visit(page(frame.assign(protocol="single-crop", macs=range(1, 6))))
    slider = shown.get_by_label("Top-1 accuracy, least", exact=True)
    settled(shown, lambda: slider.fill("100"))
    assert names(shown) == ["c", "d", "e"]


@pytest.mark.parametrize(
    ("name", "typed", "left"),
    [
        ("MACs", "1,814,073,345", 3),
        ("Depth", ".9e1", 5),
        ("Coverage", "99.5 %", 3),
        ("Coverage", "99.5", 3),
        ("Latency, median", "5 ms", 2),
    ],
)
def test_bounds_are_read_as_the_page_writes_them(visit, frame, name, typed, left):
    coverage = [1, 1, 0.995, 0.9, 0.9, None]
    latency = [1, 2, 3, 4, 5, 6]
    shown = visit(page(frame.assign(coverage=coverage, latency_ms_p50=latency)))
    if name not in ("MACs",):
        shown.get_by_label("Another range").select_option(label=name)
    least = shown.get_by_label(f"{name}, least, as a number")
    least.fill(typed)
    settled(shown, lambda: least.press("Enter"))
    assert len(names(shown)) == left


def test_numbers_that_no_double_tells_apart_sort_by_their_digits(visit):
    paths = [2**54 + 1, 2**54, 2**54 + 2, 10**400 + 1, 10**400, None, 3]
    frame = pd.DataFrame({"model": list("abcdefg"), "paths": pd.Series(paths, dtype=object)})
    frame["own"] = frame["paths"]
    for column in ("paths", "own"):
        shown = visit(page(frame), f"#sort={column}&columns=paths,own")
        assert "".join(names(shown)) == "gbaced" + "f"
        shown = visit(page(frame), f"#sort=-{column}&columns=paths,own")
        assert "".join(names(shown)) == "decabg"[0:2] + "cabg" + "f"
    cells = shown.locator("#table tr", has_text="1.00e400").first.locator("td").all_inner_texts()
    assert cells == ["1.00e400", "1.00e400"]
    exact = shown.get_by_role("row", name="Select a").locator("td").nth(1)
    assert exact.get_attribute("title") == "18,014,398,509,481,985"


def test_negative_numbers_have_a_linear_axis_and_zeros_are_told_under_a_logarithm(visit):
    values = {"model": list("abcde"), "gain": [-900, -3, 2, 40, 1500], "macs": [0, 1, 10, 1e3, 1e6]}
    shown = visit(page(pd.DataFrame(values)), "#x=gain&y=macs&colour=macs")
    assert shown.locator("#x-log").get_attribute("aria-pressed") == "false"
    caption = shown.locator("#caption").inner_text()
    assert "Placed: 4 of 5 networks. Not placed: 1 with no logarithm." in caption
    settled(shown, shown.locator("#y-log").click)
    assert "Placed: 5 of 5 networks." in shown.locator("#caption").inner_text()
    assert "no value on this scale: 1" in shown.locator("#legend").inner_text()


def test_what_has_no_colour_or_size_is_told_in_the_legend(visit, frame):
    frame = frame.assign(
        seen=[True, False, None, None, True, False], latency_ms_p50=[1] + 5 * [None]
    )
    shown = visit(page(frame), "#y=params&colour=seen&size=latency_ms_p50")
    legend = shown.locator("#legend").inner_text()
    assert "not stated: 2" in legend
    assert "smallest if not measured: 5" in legend


def test_a_selection_that_filters_hide_is_empty_and_not_everything(visit, html):
    shown = visit(html)
    settled(shown, shown.get_by_label("Select vgg16", exact=True).check)
    settled(shown, lambda: shown.get_by_role("searchbox").fill("resnet"))
    assert shown.locator("#summary").inner_text() == "3 of 6 networks · 0 selected"
    assert names(shown) == []
    assert len(download(shown)) == 1  # the names of the columns
    settled(shown, shown.get_by_role("button", name="Clear selection").click)
    assert len(names(shown)) == 3


def test_a_box_around_nothing_selects_nothing(visit, html):
    shown = visit(html)
    settled(shown, shown.get_by_label("Select vgg16", exact=True).check)
    shown.evaluate("scrollTo(0, 0)")
    box = shown.locator("#plot").bounding_box()
    x, y = box["x"] + 85, box["y"] + 20  # the corner of few MACs and a high accuracy
    shown.mouse.move(x, y)
    shown.mouse.down()
    settled(shown, lambda: (shown.mouse.move(x + 30, y + 20, steps=3), shown.mouse.up()))
    assert len(names(shown)) == 6
    assert shown.locator("#band").is_hidden()


def test_a_box_selects_to_the_pixel_on_any_axis(visit):
    frame = pd.DataFrame({"model": list("abc"), "place": [2015.100, 2015.104, 2015.108]})
    shown = visit(page(frame.assign(macs=[1, 2, 3])), "#x=place&y=macs&size=&names=none")
    plot, ring = shown.locator("#plot"), shown.locator("#cursor")
    plot.focus()
    shown.keyboard.press("Home")
    shown.keyboard.press("ArrowRight")
    box = ring.bounding_box()
    shown.keyboard.press("Escape")
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    shown.mouse.move(x - 20, y - 20)
    shown.mouse.down()
    settled(shown, lambda: (shown.mouse.move(x + 20, y + 20, steps=3), shown.mouse.up()))
    assert names(shown) == ["b"]


def test_a_filter_brings_a_scrolled_table_back_to_its_rows(visit):
    shown = visit(page(many(1500)))
    shown.evaluate("document.querySelector('#table .scroller').scrollTop = 1e9")
    shown.get_by_role("button", name="timm:network_1499_of_family_59").wait_for()
    settled(shown, lambda: shown.get_by_role("searchbox").fill("_1498"))
    assert names(shown) == ["timm:network_1498_of_family_58"]


def test_texts_of_a_downloaded_table_are_no_formulas(visit):
    texts = ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", 'a "b", c', "plain", "🦄"]
    frame = pd.DataFrame({"model": texts, "gain": [-1.5] * len(texts), "=note": texts})
    header, *rows = download(visit(page(frame)))
    assert header == ["model", "gain", "'=note"]
    assert [row[0] for row in rows] == [f"'{text}" for text in texts[:5]] + texts[5:]
    assert {row[1] for row in rows} == {"-1.5"}  # a number stays one


def test_columns_may_be_called_as_what_every_object_has(visit):
    columns = {"constructor": [1, 2, 3], "__proto__": [3, 2, 1], "toString": [1, 5, 9]}
    shown = visit(page(pd.DataFrame({"model": list("abc"), **columns})), "#sort=constructor")
    for name in columns:
        shown.locator("#more-ranges").select_option(name)
    least = shown.locator("#ranges .range").nth(1).locator("input[type=text]").first
    least.fill("2")
    settled(shown, lambda: least.press("Enter"))
    assert names(shown) == ["a", "b"]
    assert "constructor" in shown.locator("#columns").inner_html()


def test_a_network_that_failed_is_not_said_to_have_layers_elsewhere(visit):
    frame = pd.DataFrame({"model": ["a"], "source": "zoo", "macs": [None], "status": ["it raised"]})
    shown = visit(page(frame), "#open=a")
    shown.get_by_text("This page has no layers of this network: it raised.").wait_for()


def test_odd_names_open_sort_and_keep_their_place_in_a_link(visit):
    odd = ["a,b;c", "new\nline", "a=b&c", "#", "a%20b", "x" * 300, "", "\udcff.py:Net", "__proto__"]
    texts = pd.Series(odd, dtype=object)  # pyarrow's strings refuse a lone surrogate
    frame = pd.DataFrame({"model": texts, "macs": range(1, 10), "params": range(1, 10)})
    shown = visit(page(frame, {name: layer_table() for name in odd}, title="\udcff"))
    assert shown.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for tick in shown.locator("#table tbody input").all():
        settled(shown, tick.check)
        if shown.locator("#only").get_attribute("aria-pressed") == "true":
            settled(shown, shown.locator("#only").click)  # show those that are not selected too
    again = visit(page(frame), "#" + address(shown).partition("#")[2])
    assert again.locator("#summary").inner_text() == "9 networks · 9 selected"
    assert names(again) == names(shown)
    assert {"(no name)", "?.py:Net", "a,b;c"} <= set(names(again))
