"""How the page looks to those who see less, hold less, print it, or have no mouse."""

import pandas as pd
import pytest

from archscope.explorer import page
from tests.explorer.conftest import colour_at, many, names, settled, spot

# The contrast of each text with what is behind it, by the formula of WCAG 2.2; texts on pictures
# and of controls that are off are left out, as WCAG leaves them.
_PALE = """() => {
  const levels = (colour) => {
    const pen = document.createElement("canvas").getContext("2d");
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 1, 1);
    return [...pen.getImageData(0, 0, 1, 1).data];
  };
  const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) =>
    [r, g, b].reduce((sum, c, n) => sum + [0.2126, 0.7152, 0.0722][n] * linear(c / 255), 0.05);
  const behind = (e) => {
    const own = levels(getComputedStyle(e).backgroundColor);
    return own[3] === 255 || !e.parentElement ? own : behind(e.parentElement);
  };
  const contrast = (colour, ground, opacity = 1) => {
    const seen = colour.map((level, n) => opacity * level + (1 - opacity) * ground[n]);
    const [a, b] = [light(seen), light(ground)].sort((p, q) => q - p);
    return a / b;
  };
  const pale = [];
  for (const e of document.querySelectorAll("body *")) {
    if (!e.getClientRects().length) continue;
    const [style, ground] = [getComputedStyle(e), behind(e)];
    const written = [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    const stands = (of) => contrast(levels(of.color), ground, of.opacity) >= 4.5;
    const field = e.matches("input:not([type=range], [type=checkbox]), select");
    const edged = () => contrast(levels(style.borderTopColor), ground) >= 3;
    if (written && !stands(style)) pale.push(e.outerHTML);
    if (field && !(stands(getComputedStyle(e, "::placeholder")) && edged())) pale.push(e.outerHTML);
  }
  return pale;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_and_fields_stand_out_from_their_ground(visit, html, scheme):
    shown = visit(html, "#sort=-macs&only=0&picked=vgg16&families=vgg,resnet", color_scheme=scheme)
    shown.locator("#columns summary").click()
    assert shown.evaluate(_PALE) == []
    shown.keyboard.press("Escape")
    shown.get_by_role("button", name="vgg16", exact=True).click()
    shown.locator("#layer-table tbody th").first.wait_for()
    assert shown.evaluate(_PALE) == []


def test_paper_gets_the_whole_table_in_dark_ink(visit):
    shown = visit(page(many(300)), color_scheme="dark")
    assert len(names(shown)) < 100
    shown.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert len(names(shown)) == 300
    assert shown.evaluate("document.documentElement.dataset.theme") == "light"
    shown.emulate_media(media="print")
    shown.set_viewport_size({"width": 700, "height": 900})  # A4 between its margins
    assert shown.evaluate("document.documentElement.scrollWidth") <= 700
    assert shown.locator("#chart canvas").bounding_box()["width"] <= 700
    shown.emulate_media(media="screen")
    shown.evaluate("dispatchEvent(new Event('afterprint'))")
    assert len(names(shown)) < 100
    assert shown.evaluate("document.documentElement.dataset.theme") == "dark"


def test_the_keyboard_stays_where_it_is_when_the_page_is_drawn_anew(visit, html):
    shown = visit(html)
    chip = shown.locator("#legend").get_by_role("button", name="resnet", exact=True)
    chip.focus()
    settled(shown, lambda: shown.keyboard.press("Enter"))
    assert len(names(shown)) == 2
    assert chip.evaluate("chip => chip === document.activeElement")
    settled(shown, lambda: shown.keyboard.press("Enter"))
    assert len(names(shown)) == 6


def test_a_menu_closes_by_escape_and_by_a_press_beside_it(visit, html):
    shown = visit(html)
    menu = shown.locator("#columns")
    menu.locator("summary").click()
    menu.get_by_role("checkbox", name="Depth", exact=True).focus()
    shown.keyboard.press("Escape")
    assert menu.get_attribute("open") is None
    assert menu.locator("summary").evaluate("summary => summary === document.activeElement")
    menu.locator("summary").click()
    shown.locator("#caption").click()
    assert menu.get_attribute("open") is None


def test_a_finger_can_press_the_card_on_a_wide_screen_too(visit, html):
    shown = visit(html, width=1024, has_touch=True)
    x, y = spot(shown, "resnet18")
    shown.locator("#plot").blur()
    shown.touchscreen.tap(x, y)
    button = shown.locator("#card").get_by_role("button", name="Layers").bounding_box()
    shown.touchscreen.tap(button["x"] + 10, button["y"] + 10)
    shown.get_by_role("dialog").get_by_role("heading", name="resnet18").wait_for()
    shown.keyboard.press("Escape")
    shown.mouse.move(x, y)
    assert shown.locator("#card .actions").count() == 0  # a mouse clicks the point itself


def test_a_scroll_bar_over_the_filters_leaves_their_sliders_free(visit, html):
    shown = visit(html)
    filters = shown.locator("aside").bounding_box()
    slider = shown.locator("aside input[type=range]").first.bounding_box()
    assert slider["x"] + slider["width"] <= filters["x"] + filters["width"] - 16


def test_every_marker_is_drawn_around_its_place(visit):
    protocols = ["single-crop", *(f"protocol {n}" for n in range(2, 8))]
    frame = pd.DataFrame({"model": protocols, "protocol": protocols, "family": "resnet"})
    frame = frame.assign(top1=range(70, 77), macs=range(1, 8), params=10**7)
    asked = f"#protocols={','.join(protocols)}&names=none&pareto=0".replace(" ", "%20")
    shown = visit(page(frame), asked)
    for name in protocols:
        red, green, _ = colour_at(shown, *spot(shown, name))
        assert red - green > 50  # the pink of residual networks


def test_a_card_of_many_figures_stays_on_the_screen(visit, frame):
    extra = {f"figure_{n}": [None, None, None, 1, None, 2] for n in range(24)}
    shown = visit(page(frame.assign(**extra)), height=640)
    shown.evaluate("scrollTo(0, 150)")
    for name in ("resnet50", "alexnet"):
        spot(shown, name)
        card = shown.locator("#card")
        box = card.bounding_box()
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= 640
        assert "Not measured or stated for this one: Figure 0, Figure 1," in card.inner_text()
