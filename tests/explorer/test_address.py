"""The address and the browser's history: links, nonsense in them, back, forward and reload."""

import pytest

from tests.explorer.conftest import address, names, settled


def test_back_closes_a_network_and_leaves_the_rest_as_it_is(visit, html):
    shown = visit(html)
    dialog = shown.get_by_role("dialog")
    for name in ("resnet50", "vgg16"):  # however many are opened, the way out stays as short
        shown.get_by_role("button", name=name, exact=True).click()
        dialog.get_by_role("button", name="Parameters").first.click()
        shown.keyboard.press("Escape")
        shown.wait_for_url(lambda url: "open=" not in url)
    shown.locator("#colour").select_option("macs")
    shown.get_by_role("button", name="vgg16", exact=True).click()
    dialog.wait_for()
    shown.go_back()
    dialog.wait_for(state="hidden")
    assert "colour=macs" in address(shown)
    assert "metric=params" in address(shown)
    shown.go_forward()
    dialog.get_by_role("heading", name="vgg16").wait_for()
    shown.go_back()
    dialog.wait_for(state="hidden")
    shown.go_back()
    assert shown.url == "about:blank"


def test_a_reload_shows_the_same(visit, html):
    shown = visit(html)
    shown.locator("#y").select_option("params")
    shown.locator("#families input[value=resnet]").check()
    settled(shown, lambda: shown.get_by_role("searchbox").fill("5"))
    before = address(shown)
    shown.reload()
    shown.wait_for_selector("html[data-drawings]")
    assert address(shown) == before
    assert names(shown) == ["resnet50"]
    assert shown.get_by_role("searchbox").input_value() == "5"


def test_the_address_follows_the_view_by_itself(visit, html):
    shown = visit(html)
    for query in ("v", "vg", "vgg"):  # faster than an address may change
        settled(shown, lambda text=query: shown.get_by_role("searchbox").fill(text))
    shown.wait_for_url(lambda url: url.endswith("#query=vgg"), timeout=3000)


@pytest.mark.parametrize(
    "part",
    [
        "metric=constructor",
        "range=5,1,1,5",
        "brush=1,,1,1",
        "pareto=perhaps",
        "xbest=up",
        "ranges=macs:Infinity:",
        "ranges=macs",
        "constructor=1",
        "picked=%E0%A4%A",
    ],
)
def test_nonsense_in_a_link_is_told_and_changes_nothing(visit, html, part):
    shown = visit(html, f"#open=resnet50&{part}")
    shown.locator("#layer-table tbody th").first.wait_for()
    assert part in shown.get_by_role("alert").inner_text()
    settled(shown, lambda: shown.keyboard.press("Escape"))
    assert "#" not in address(shown)


def test_a_range_that_an_axis_cannot_have_shows_the_whole(visit, html):
    shown = visit(html, "#range=-5,1e9,50,80&xlog=1")
    assert "Placed: 4 of 6" in shown.locator("#caption").inner_text()
    assert shown.locator("#cursor").is_hidden()
    shown.locator("#plot").focus()
    shown.keyboard.press("Home")
    assert shown.locator("#announcement").inner_text().startswith("alexnet")


def test_a_page_in_a_frame_of_another_keeps_its_view(visit, html):
    host = visit(html)
    host.evaluate(
        """(text) => {
            const frame = document.createElement("iframe");
            Object.assign(frame, { srcdoc: text, width: 1000, height: 800 });
            document.body.append(frame);
        }""",
        html,
    )
    inside = host.frames[1]
    inside.wait_for_selector("html[data-drawings]")
    inside.locator("#query").fill("vgg")
    inside.locator("#table").get_by_role("button", name="alexnet").wait_for(state="detached")
