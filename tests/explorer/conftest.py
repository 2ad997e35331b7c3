"""Networks to explore, and a browser that opens their page and lets nothing go wrong unseen."""

import os
import random

import pandas as pd
import pytest

from archscope.explorer import page

FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]

# model, family, params, macs, top1, protocol
_NETWORKS = [
    ("alexnet", "alexnet", 61_100_840, 714_188_480, 57.1, "single-crop"),
    ("vgg16", "vgg", 138_357_544, 15_470_264_320, 71.5, "single-crop"),
    ("vgg16-c", "vgg", 133_000_000, 11_770_000_000, 72.7, "dense"),
    ("resnet18", "resnet", 11_689_512, 1_814_073_344, 69.57, "single-crop"),
    ("resnet50", "resnet", 25_557_032, 4_089_184_256, 75.99, "single-crop"),
    ("resnet110-cifar", "resnet-cifar", 1_730_714, 253_000_000, None, None),
]


def comparison():
    """Six networks: one without accuracy, one of another protocol, nothing measured."""
    rows = [
        {
            "model": model,
            "family": family,
            "source": "zoo",
            "year": 2012 + place,
            "batch": 1,
            "input_shape": (1, 3, 224, 224),
            "dtype": "float32",
            "params": params,
            "macs": macs,
            "peak_bytes": 4 * params + 2**20,
            "depth": 8 + place,
            "paths": 2 ** (10 * place),
            "effective_depth": None,
            "top1": top1,
            "protocol": protocol,
            "top1_per_mparams": top1 and top1 / (params / 1e6),
            "latency_ms_p50": None,
            "status": "ok",
        }
        for place, (model, family, params, macs, top1, protocol) in enumerate(_NETWORKS)
    ]
    frame = pd.DataFrame(rows)
    frame["paths"] = pd.Series([row["paths"] for row in rows], dtype=object)
    return frame


def layer_table(seed=0, number=12):
    """Layers as a report has them."""
    chance = random.Random(seed)
    return pd.DataFrame(
        {
            "path": [f"stage{n // 4}.block{n % 4}.conv" for n in range(number)],
            "kind": ["Linear" if n == number - 1 else "Conv2d" for n in range(number)],
            "call": [1] * number,
            "input_shape": [(1, 3, 8, 8)] * number,
            "output_shape": [(1, 8, 8, 8)] * number,
            "params": [chance.randrange(10**6) for _ in range(number)],
            "macs": [chance.randrange(1, 10**9) for _ in range(number)],
            "activations": [512] * number,
        }
    )


def deep_table(seed, blocks=18):
    """Five stages of equal blocks, as networks have them: 6 layers a block, 540 in all."""
    chance = random.Random(seed)
    rows = []
    for stage in range(5):
        width, side = chance.randrange(16, 2048, 8), 112 >> stage
        shape = (1, width, side, side)
        sizes = (width * width, width, 0, 9 * width * width, width, 0)
        kinds = ("Conv2d", "BatchNorm2d", "ReLU") * 2
        for block in range(blocks):
            for place, (kind, params) in enumerate(zip(kinds, sizes, strict=True)):
                macs = params * side * side if kind == "Conv2d" else 0
                path = f"stages.{stage}.blocks.{block}.{kind.lower()}{place}"
                elements = width * side * side
                rows.append((path, kind, 1, shape, shape, params, macs, 2 * macs, elements))
    names = ("path", "kind", "call", "input_shape", "output_shape", "params", "macs", "flops")
    return pd.DataFrame(rows, columns=[*names, "activations"])


def many(number):
    """So many networks of 60 families."""
    chance = random.Random(0)
    params = [int(10 ** chance.uniform(5.5, 9.5)) for _ in range(number)]
    macs = [int(p * 10 ** chance.uniform(1, 2.5)) for p in params]
    return pd.DataFrame(
        {
            "model": [f"timm:network_{n}_of_family_{n % 60}" for n in range(number)],
            "family": [f"family_{n % 60}" for n in range(number)],
            "source": "timm",
            "year": [2012 + n % 14 for n in range(number)],
            "params": params,
            "macs": macs,
            "top1": [60 + 3 * chance.gauss(5, 1) for _ in range(number)],
            "protocol": "single-crop",
            "status": "ok",
        }
    )


@pytest.fixture(scope="session")
def frame():
    return comparison()


@pytest.fixture(scope="session")
def layers(frame):
    return {model: layer_table(seed) for seed, model in enumerate(frame["model"][:-1])}


@pytest.fixture(scope="session")
def html(frame, layers):
    return page(frame, layers)


@pytest.fixture(scope="session")
def browser(program):
    if not os.environ.get("CI"):
        pytest.importorskip("playwright")
    from playwright.sync_api import sync_playwright

    executable = program("chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def visit(browser, tmp_path):
    """Open a page from a file. At the end: no error on the console, nothing fetched."""
    complaints, contexts = [], []

    def note_request(request):
        if not request.url.startswith(("file:", "data:", "blob:")):
            complaints.append(f"fetched {request.url}")

    def open_page(html, fragment="", width=1280, height=900, **settings):
        file = tmp_path / "explorer.html"
        file.write_text(html, encoding="utf-8")
        context = browser.new_context(
            viewport={"width": width, "height": height}, reduced_motion="reduce", **settings
        )
        contexts.append(context)
        shown = context.new_page()
        shown.on(
            "console",
            lambda said: said.type in ("error", "warning") and complaints.append(said.text),
        )
        shown.on("pageerror", lambda error: complaints.append(str(error)))
        shown.on("request", note_request)
        shown.goto(f"{file.as_uri()}{fragment}")
        shown.wait_for_selector("html[data-drawings]")
        return shown

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def names(shown):
    return shown.locator("#table tbody th .link").all_inner_texts()


def settled(shown, act):
    """Act, and wait until the page has been drawn anew."""
    before = shown.evaluate("document.documentElement.dataset.drawings")
    act()
    shown.wait_for_selector(f"html:not([data-drawings='{before}'])")


def address(shown):
    """The page's address with the view in it, as it is when the page is left for another."""
    return shown.evaluate(
        "document.dispatchEvent(new Event('visibilitychange')), document.location.href"
    )


def spot(shown, name):
    """Where on the screen a network is, found as a blind person would: by the arrow keys."""
    shown.locator("#plot").focus()
    shown.keyboard.press("Home")
    for _ in range(50):
        if shown.locator("#announcement").inner_text().startswith(f"{name}:"):
            box = shown.locator("#cursor").bounding_box()
            return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        shown.keyboard.press("ArrowRight")
    raise AssertionError(f"the arrow keys do not come by {name}")


def colour_at(shown, x, y):
    """Of the plot's canvas under a place on the screen, as (red, green, blue)."""
    return shown.evaluate(
        """([x, y]) => {
            const canvas = document.querySelector("#chart canvas");
            const box = canvas.getBoundingClientRect();
            const scale = canvas.width / box.width;
            const pen = new OffscreenCanvas(1, 1).getContext("2d");
            pen.drawImage(canvas, (box.left - x) * scale, (box.top - y) * scale);
            return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3);
        }""",
        [x, y],
    )
