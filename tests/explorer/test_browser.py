"""The page in a browser: what a person sees, points at, presses and takes away.

``visit`` fails a test at its end for any error on the console and any request to the network.
"""

import csv
import io
import re

import pandas as pd
import pytest

from archscope.explorer import page
from tests.explorer.conftest import (
    address,
    colour_at,
    deep_table,
    layer_table,
    many,
    names,
    settled,
    spot,
)


def test_a_page_shows_every_network_and_its_conditions(visit, html):
    shown = visit(html)
    assert len(names(shown)) == 6
    caption = shown.locator("#caption").inner_text()
    assert "Placed: 4 of 6 networks." in caption
    assert "1 not measured for an axis, 1 with an accuracy of another protocol." in caption
    assert "1x3x224x224" in caption
    assert "MAC = one multiply and one add" in shown.locator("#convention").inner_text()


def test_points_are_drawn_where_pointing_finds_them(visit, html):
    shown = visit(html)
    red, green, blue = colour_at(shown, *spot(shown, "vgg16"))
    assert green > red + 60  # the family's green, #009E73, not the page's white
    assert green > blue


def test_hovering_shows_a_card_with_all_figures(visit, html):
    shown = visit(html)
    x, y = spot(shown, "resnet50")
    shown.locator("#plot").blur()
    assert shown.locator("#card").is_hidden()
    shown.mouse.move(x, y)
    card = shown.locator("#card").inner_text()
    for text in ("resnet50", "25.6M", "4.09G", "75.99 %", "98.5 MiB", "2016", "single-crop"):
        assert text in card
    assert "Not measured for any network here: Effective depth, Latency, median." in card


def test_what_is_missing_says_so_and_is_not_zero(visit, html):
    shown = visit(html)
    cells = shown.locator("#table tr", has_text="resnet110-cifar").locator("td").all_inner_texts()
    assert "not measured" in cells
    assert "0" not in cells


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("resnet", {"resnet18", "resnet50", "resnet110-cifar"}),
        ("ResNet 50", {"resnet50"}),
        ("no such network", set()),
    ],
)
def test_search_leaves_what_has_all_words(visit, html, query, left):
    shown = visit(html)
    settled(shown, lambda: shown.get_by_role("searchbox").fill(query))
    assert set(names(shown)) == left
    assert shown.locator("#nothing").is_visible() == (not left)


def test_a_family_and_a_range_filter_together(visit, html):
    shown = visit(html)
    settled(shown, lambda: shown.locator("#families").get_by_label("vgg").check())
    assert set(names(shown)) == {"vgg16", "vgg16-c"}
    most = shown.get_by_label("MACs, most, as a number")
    most.fill("12 G")
    settled(shown, lambda: most.press("Enter"))
    assert names(shown) == ["vgg16-c"]
    settled(shown, lambda: shown.get_by_role("button", name="Clear", exact=True).click())
    assert len(names(shown)) == 6


def test_a_slider_filters_by_keyboard(visit, html):
    shown = visit(html)
    slider = shown.get_by_label("Parameters, least", exact=True)
    slider.focus()
    settled(shown, lambda: slider.press("ArrowRight"))
    assert "resnet110-cifar" not in names(shown)


def test_a_wrong_number_is_told_and_filters_nothing(visit, html):
    shown = visit(html)
    least = shown.get_by_label("MACs, least, as a number")
    least.fill("a lot")
    least.press("Enter")
    assert "a lot" in shown.get_by_role("alert").inner_text()
    assert len(names(shown)) == 6


def test_another_range_can_be_added(visit, html):
    shown = visit(html)
    shown.get_by_label("Another range").select_option("depth")
    least = shown.get_by_label("Depth, least, as a number")
    least.fill("12")
    settled(shown, lambda: least.press("Enter"))
    assert names(shown) == ["resnet50", "resnet110-cifar"]


def test_headings_sort_both_ways_with_missing_last(visit, html):
    shown = visit(html)
    heading = shown.get_by_role("button", name="Top-1 accuracy (%)")
    settled(shown, heading.click)
    assert names(shown)[:2] == ["resnet50", "vgg16"]
    header = shown.locator("#table th", has=heading)
    assert header.get_attribute("aria-sort") == "descending"
    settled(shown, heading.click)
    assert names(shown)[0] == "alexnet"
    # no accuracy, and one of another protocol, which is not compared
    assert set(names(shown)[-2:]) == {"resnet110-cifar", "vgg16-c"}


def test_a_box_selects_and_the_table_follows(visit, html):
    shown = visit(html)
    (ax, ay), (bx, by) = spot(shown, "vgg16"), spot(shown, "resnet18")
    shown.mouse.move(min(ax, bx) - 40, min(ay, by) - 40)
    shown.mouse.down()
    shown.mouse.move(ax, ay, steps=3)
    settled(shown, lambda: (shown.mouse.move(max(ax, bx) + 40, max(ay, by) + 40), shown.mouse.up()))
    assert "vgg16" in names(shown)
    assert "alexnet" not in names(shown)
    settled(shown, shown.get_by_role("button", name="Selected only").click)
    assert len(names(shown)) == 6
    settled(shown, shown.get_by_role("button", name="Clear selection").click)
    assert "brush" not in address(shown)


def test_zooming_by_a_box_and_back(visit, html):
    shown = visit(html)
    shown.get_by_role("button", name="Zoom").click()
    x, y = spot(shown, "resnet50")
    shown.mouse.move(x - 60, y - 10)
    shown.mouse.down()
    settled(shown, lambda: (shown.mouse.move(x + 60, y + 60, steps=4), shown.mouse.up()))
    assert "range=" in address(shown)
    centre = shown.locator("#plot").bounding_box()
    zx, _ = spot(shown, "resnet50")
    assert abs(zx - centre["x"] - centre["width"] / 2) < 60
    settled(shown, shown.get_by_role("button", name="Reset zoom").click)
    assert "range=" not in address(shown)


def test_a_click_opens_the_layers_of_one_network(visit, html, layers):
    shown = visit(html)
    x, y = spot(shown, "resnet50")
    shown.mouse.click(x, y)
    dialog = shown.get_by_role("dialog")
    dialog.get_by_role("cell", name="Conv2d").first.wait_for()
    assert "resnet50" in dialog.get_by_role("heading", level=2).inner_text()
    paths = shown.locator("#layer-table tbody th").all_inner_texts()
    assert paths == list(layers["resnet50"]["path"])
    assert "in 12 of 12 layers" in shown.locator("#bar-text").inner_text()
    settled(shown, lambda: shown.keyboard.press("Escape"))
    assert dialog.is_hidden()
    assert "open=" not in address(shown)


def test_bars_name_their_layer_and_the_cost_can_be_chosen(visit, html, layers):
    shown = visit(html, "#open=resnet50")
    shown.locator("#layer-table tbody th").first.wait_for()
    shown.locator("#bars").focus()
    shown.keyboard.press("ArrowRight")
    assert "stage0.block0.conv" in shown.locator("#bar-text").inner_text()
    settled(shown, shown.get_by_role("dialog").get_by_role("button", name="Parameters").first.click)
    assert address(shown).endswith("metric=params")
    table = shown.locator("#layer-table")
    table.get_by_role("button", name="Parameters").click()
    largest = layers["resnet50"].sort_values("params").iloc[-1]["path"]
    assert table.locator("tbody th").first.inner_text() == largest


def test_a_network_without_layers_says_so(visit, html):
    shown = visit(html, "#open=resnet110-cifar")
    text = "This page has no layers of this network; in a terminal, archscope table"
    shown.get_by_text(f"{text} 'resnet110-cifar' shows them.").wait_for()


def test_the_download_is_the_selection_with_all_digits(visit, html, frame):
    shown = visit(html)
    for name in ("resnet50", "resnet110-cifar"):
        settled(shown, shown.get_by_label(f"Select {name}").check)
        if name == "resnet50":
            settled(shown, shown.get_by_role("button", name="Selected only").click)
    settled(shown, shown.get_by_role("button", name="Selected only").click)
    with shown.expect_download() as download:
        shown.get_by_role("button", name="Download CSV").click()
    text = download.value.path().read_text(encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["model"] for row in rows] == ["resnet50", "resnet110-cifar"]
    assert rows[0]["macs"] == "4089184256"
    assert rows[1]["paths"] == str(2**50)
    assert rows[1]["top1"] == ""
    assert list(rows[0]) == list(frame.columns)


def test_the_fragment_brings_the_same_view(visit, html):
    shown = visit(html)
    shown.locator("#x").select_option("params")
    shown.locator("#colour").select_option("macs")
    shown.locator("#protocols").get_by_label("dense").check()
    shown.get_by_role("searchbox").fill("16")
    settled(shown, shown.get_by_role("button", name="Pareto front").click)
    settled(shown, shown.get_by_label("Select vgg16-c").check)
    again = visit(html, "#" + address(shown).partition("#")[2])
    for part in ("#caption", "#legend", "#table", "#summary"):
        assert again.locator(part).inner_text() == shown.locator(part).inner_text()
    assert address(again) == address(shown)
    assert again.locator("#pareto").get_attribute("aria-pressed") == "false"


def test_a_fragment_of_another_page_is_told(visit, html):
    shown = visit(html, "#x=no_such_column&picked=nobody&range=1,2&y=params")
    told = shown.get_by_role("alert").inner_text()
    assert "x=no_such_column" in told
    assert "picked=nobody" in told
    assert "range=1,2" in told
    assert shown.locator("#y").input_value() == "params"


def test_the_plot_works_by_keyboard_alone(visit, html):
    shown = visit(html)
    for _ in range(60):
        shown.keyboard.press("Tab")
        if shown.evaluate("document.activeElement.id") == "plot":
            break
    assert shown.locator("#cursor").is_visible()
    first = shown.locator("#announcement").inner_text()
    assert first.startswith("alexnet: Top-1 accuracy 57.1 %, MACs 714M")
    shown.keyboard.press("ArrowRight")
    assert shown.locator("#announcement").inner_text().startswith("resnet18")
    shown.keyboard.press("ArrowUp")
    assert shown.locator("#announcement").inner_text().startswith("vgg16")
    settled(shown, lambda: shown.keyboard.press("Space"))
    assert names(shown) == ["vgg16"]
    settled(shown, lambda: shown.keyboard.press("Enter"))
    assert shown.get_by_role("dialog").is_visible()
    shown.keyboard.press("Escape")
    # back where it was, not at the first
    assert shown.locator("#announcement").inner_text().startswith("vgg16")
    shown.keyboard.press("Escape")  # the card
    settled(shown, lambda: shown.keyboard.press("Escape"))  # the selection
    assert len(names(shown)) == 6


def test_every_control_has_a_name(visit, html):
    shown = visit(html)
    nameless = shown.evaluate(
        """() => [...document.querySelectorAll("button, input, select, [tabindex='0']")]
            .filter(e => e.offsetParent && !(e.innerText || e.ariaLabel || e.labels?.length
                || e.getAttribute("aria-label")))
            .map(e => e.outerHTML)"""
    )
    assert nameless == []


def test_accuracies_of_another_protocol_join_only_when_asked(visit, html):
    shown = visit(html)
    assert shown.locator("#legend").get_by_text("dense").count() == 0
    settled(shown, lambda: shown.locator("#protocols").get_by_label("dense").check())
    assert "Placed: 5 of 6 networks" in shown.locator("#caption").inner_text()
    assert "Accuracy: single-crop, dense" in shown.locator("#caption").inner_text()
    assert "◆ dense" in re.sub(r"\s+", " ", shown.locator("#legend").inner_text())


def test_the_front_follows_the_better_direction_and_the_protocol(visit, html):
    shown = visit(html)
    front = shown.locator("#table tr.front .link")
    assert set(front.all_inner_texts()) == {"alexnet", "resnet18", "resnet50"}
    settled(shown, shown.locator("#x-best").click)  # more MACs are better
    assert set(front.all_inner_texts()) == {"vgg16", "resnet50"}
    settled(shown, shown.locator("#x-best").click)
    settled(shown, lambda: shown.locator("#protocols").get_by_label("dense").check())
    # vgg16-c is alone on the front of its protocol, and takes nobody from the other
    assert set(front.all_inner_texts()) == {"alexnet", "resnet18", "resnet50", "vgg16-c"}


def test_axes_without_any_value_cannot_be_chosen(visit, html):
    shown = visit(html)
    option = shown.locator("#x option[value=latency_ms_p50]")
    assert option.is_disabled()
    assert "not measured" in option.inner_text()


def test_dark_follows_the_system_and_the_toggle(visit, html):
    ground = "getComputedStyle(document.body).backgroundColor"
    shown = visit(html, color_scheme="dark")
    assert shown.evaluate(ground) == "rgb(18, 21, 26)"
    settled(shown, shown.get_by_role("button", name="Light").click)
    assert shown.evaluate(ground) == "rgb(255, 255, 255)"
    assert address(shown).endswith("#theme=light")
    assert visit(html).evaluate(ground) == "rgb(255, 255, 255)"


def test_a_phone_needs_no_sideways_scrolling(visit, html):
    shown = visit(html, width=390, height=844, has_touch=True, is_mobile=True)
    assert shown.evaluate("document.documentElement.scrollWidth") <= 390
    small = shown.evaluate(
        """() => [...document.querySelectorAll("body *")].filter(e => e.offsetParent
            && e.childNodes.length && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())
            && parseFloat(getComputedStyle(e).fontSize) < 11).map(e => e.outerHTML)"""
    )
    assert small == []
    x, y = spot(shown, "resnet50")
    shown.locator("#plot").blur()
    shown.touchscreen.tap(x, y)
    card = shown.locator("#card")
    assert "resnet50" in card.inner_text()
    box = card.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    card.get_by_role("button", name="Layers").click()
    shown.locator("#layer-table tbody th").first.wait_for()
    assert shown.evaluate("document.querySelector('dialog').scrollWidth") <= 390


def test_a_hostile_name_does_nothing(visit):
    name = "</script><img src=x onerror=document.title='owned'><b>&amp;"
    layers = pd.DataFrame({"path": [name], "kind": [name], "macs": [5]})
    frame = pd.DataFrame(
        {
            "model": [name, "b"],
            "family": [name, "c"],
            "macs": [5, 6],
            "params": [7, 8],
            name: [1, 2],
        }
    )
    shown = visit(page(frame, {name: layers}, title=name))
    assert shown.title() == name
    assert names(shown)[0] == name
    spot(shown, name)
    settled(shown, shown.locator("#table .link").first.click)
    shown.locator("#layer-table tbody th").first.wait_for()
    assert shown.locator("img, main b").count() == 0
    assert shown.locator("#layer-table tbody th").inner_text() == name


def test_a_single_row_is_a_page_too(visit):
    shown = visit(page(pd.DataFrame({"model": ["only"], "macs": [10**9], "params": [10**6]})))
    assert names(shown) == ["only"]
    assert "Placed: 1 of 1 network." in shown.locator("#caption").inner_text()


def test_names_alone_are_a_page_without_a_plot(visit):
    shown = visit(page(pd.DataFrame({"model": ["a", "b"]})))
    assert names(shown) == ["a", "b"]
    assert shown.locator("#nothing").is_visible()


def test_numbers_beyond_any_axis_are_counted_and_keep_their_digits(visit):
    paths = pd.Series([10**400, 5, 7], dtype=object)
    frame = pd.DataFrame({"model": list("abc"), "paths": paths, "macs": [1, 0, 3]})
    shown = visit(page(frame), "#x=paths&y=macs&xlog=1&ylog=1")
    caption = shown.locator("#caption").inner_text()
    assert "Placed: 1 of 3 networks. Not placed: 1 with no logarithm, 1 beyond any axis." in caption
    with shown.expect_download() as download:
        shown.get_by_role("button", name="Download CSV").click()
    assert str(10**400) in download.value.path().read_text()
    settled(
        shown,
        lambda: (
            shown.locator("#columns").click(),
            shown.get_by_role("checkbox", name="Paths").check(),
        ),
    )
    assert "1.00e400" in shown.locator("#table").inner_text()


def test_the_notes_and_the_protocol_of_a_comparison_are_kept(visit, frame):
    chosen = frame.copy()
    chosen.attrs = {"protocol": "dense", "notes": ("<b>weights</b> are random",)}
    shown = visit(page(chosen))
    assert shown.locator("#notes li").all_inner_texts() == ["<b>weights</b> are random"]
    assert "Placed: 1 of 6 networks" in shown.locator("#caption").inner_text()


def test_batches_of_one_network_are_points_with_one_table_of_layers(visit):
    frame = pd.DataFrame({"model": ["a"] * 3, "batch": [1, 8, 64], "latency_ms_p50": [2, 9, 60.5]})
    shown = visit(page(frame, {"a": layer_table()}), "#x=batch&y=latency_ms_p50")
    assert names(shown) == ["a · batch 1", "a · batch 8", "a · batch 64"]
    assert shown.locator("#summary").inner_text() == "3 rows"
    spot(shown, "a · batch 64")
    assert "60.5 ms" in shown.locator("#card").inner_text()
    shown.keyboard.press("Enter")
    title = shown.get_by_role("heading", name="Where it spends (as counted for a · batch 1)")
    title.wait_for()


def test_networks_that_failed_say_why(visit):
    frame = pd.DataFrame({"model": ["a", "b"], "macs": [None, 1.0], "params": [None, 2.0]})
    shown = visit(page(frame.assign(status=["it raised", "ok"])))
    assert "it raised" in shown.locator("#table tbody").inner_text()
    assert "1 not ok" in shown.locator("#summary").inner_text()


def test_1500_networks_stay_quick(visit):
    frame = many(1500)
    shown = visit(page(frame, {frame["model"][7]: deep_table(7)}))
    assert shown.locator("#table tbody tr").count() < 120  # only those in sight
    before = int(shown.evaluate("document.documentElement.dataset.drawings"))
    search = shown.get_by_role("searchbox")
    shown.evaluate(
        """() => { for (let n = 0; n < 40; n += 1) {
            const query = document.getElementById("query");
            query.value = "network_" + n;
            query.dispatchEvent(new Event("input"));
        } }"""
    )
    settled(shown, lambda: search.fill("_1499"))
    assert names(shown) == ["timm:network_1499_of_family_59"]
    # however fast events come, it draws at most once a frame
    assert int(shown.evaluate("document.documentElement.dataset.drawings")) - before <= 4
    settled(shown, lambda: search.fill(""))
    box = shown.locator("#plot").bounding_box()
    drawings = shown.evaluate("document.documentElement.dataset.drawings")
    for step in range(60):
        shown.mouse.move(box["x"] + 100 + 10 * step, box["y"] + box["height"] / 2)
    assert shown.evaluate("document.documentElement.dataset.drawings") == drawings  # hover is free


def test_scrolling_the_table_reaches_its_last_row(visit):
    shown = visit(page(many(1500)))
    shown.evaluate("document.querySelector('#table .scroller').scrollTop = 1e9")
    shown.get_by_role("button", name="timm:network_1499_of_family_59").wait_for()
    assert shown.locator("#table table").get_attribute("aria-rowcount") == "1501"
