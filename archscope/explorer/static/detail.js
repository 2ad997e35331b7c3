// One network: its figures, the bars of where it spends along the way, the table of its layers.

const dialog = document.getElementById("detail");
const barsHost = document.getElementById("bars");
const barText = document.getElementById("bar-text");
const METRICS = {
  macs: { title: "MACs", kind: "count" },
  params: { title: "Parameters", kind: "count" },
  flops: { title: "FLOPs", kind: "count" },
  activations: { title: "Activations", kind: "count" },
  output_bytes: { title: "Output memory", kind: "bytes" },
};
const MOST_KINDS = 6;
let opened = { label: "", layers: null, sort: "", bar: null, bars: [] };
let barChart = null;

dialog.addEventListener("close", () => {
  opened.label = "";
  if (view.open) update({ open: "" });
});
dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close(); // beside it, on the backdrop
});
document.getElementById("detail-close").addEventListener("click", () => dialog.close());

/** Bring the dialog to what the view says. */
async function drawDetail() {
  if (!view.open) return dialog.open ? dialog.close() : undefined;
  if (opened.label === view.open) return opened.layers && drawBars();
  const row = rowOf.get(view.open);
  opened = { label: view.open, layers: null, sort: "", bar: null, bars: [] };
  document
    .getElementById("detail-title")
    .replaceChildren(swatch(state.colours.of(row)), labels[row]);
  document
    .getElementById("detail-figures")
    .replaceChildren(...figureList(row, { exact: true, boxed: true }));
  showLayers(false, "Unpacking the layers...");
  if (!dialog.open) dialog.showModal();
  try {
    const layers = await layersOf(row);
    if (opened.label !== labels[row]) return; // another was opened meanwhile
    opened.layers = layers;
    showLayers(Boolean(layers), "This page has no layers of this network.");
    if (layers) drawLayers();
  } catch (error) {
    showLayers(false, `The layers cannot be shown: ${error.message}.`);
  }
}

function showLayers(there, text) {
  document.getElementById("detail-layers").hidden = !there;
  const none = document.getElementById("detail-none");
  none.hidden = there;
  none.textContent = text;
}

function metrics() {
  const timed = Object.keys(opened.layers).filter((name) => name.endsWith("_ms"));
  const times = timed.map((name) => [
    name,
    { title: name.replaceAll("_", " "), kind: "number", unit: "ms" },
  ]);
  return Object.entries(METRICS)
    .concat(times)
    .filter(([name]) => opened.layers[name]);
}

function metric() {
  return opened.layers[view.metric] ? view.metric : metrics()[0]?.[0];
}

function drawLayers() {
  const [row, filed] = [rowOf.get(opened.label), source.table_of[rowOf.get(opened.label)]];
  const of = filed === row ? "" : ` (as counted for ${labels[filed]})`;
  document.getElementById("layers-title").textContent = `Where it spends${of}`;
  const buttons = metrics().map(([name, { title }]) => {
    const button = element("button", { type: "button" }, title);
    button.dataset.metric = name;
    button.addEventListener("click", () => update({ metric: name }));
    return button;
  });
  document.getElementById("metrics").replaceChildren(...buttons);
  drawBars();
  const order = opened.layers.path.map((_, n) => n);
  layerTable.show(order, opened.sort);
}

// ---- bars ---------------------------------------------------------------------------------------

function drawBars() {
  const name = metric();
  for (const button of document.querySelectorAll("#metrics button")) {
    button.setAttribute("aria-pressed", String(button.dataset.metric === name));
  }
  const values = opened.layers[name] ?? [];
  opened.bars = values.map((value, n) => n).filter((n) => values[n] > 0);
  barChart ??= echarts.init(barsHost.firstElementChild, null, { renderer: "canvas" });
  barChart.resize({ width: barsHost.clientWidth, height: barsHost.clientHeight });
  barChart.setOption(barOptions(name, values), true);
  barsHost.setAttribute("aria-label", `${metricField(name).title} of ${opened.bars.length} layers`);
  sayBar(null);
}

function metricField(name) {
  return METRICS[name] ?? { title: (name ?? "").replaceAll("_", " "), kind: "number", unit: "ms" };
}

const BAR_AREA = { left: 72, right: 12, top: 12, bottom: 22 };

function barOptions(name, values) {
  const inks = ink();
  const field = metricField(name);
  const kinds = byCount(opened.layers.kind.filter((_, n) => values[n] > 0)).map(([kind]) => kind);
  const colour = kindColours(kinds);
  const highest = Math.max(...opened.bars.map((n) => values[n]), 1e-9);
  const marks = linearTicks(field, 0, highest, 5);
  return {
    animation: false,
    grid: { ...BAR_AREA, containLabel: false },
    legend: { show: false },
    xAxis: {
      ...{ type: "category", data: opened.bars.map(String), axisLabel: { show: false } },
      ...{ axisTick: { show: false }, axisLine: { lineStyle: { color: inks.muted } } },
      ...{ name: "layers in the order in which they run", nameLocation: "middle", nameGap: 7 },
      nameTextStyle: { color: inks.muted },
    },
    yAxis: {
      ...{ type: "value", min: 0, max: highest * 1.03, axisTick: { customValues: marks } },
      axisLabel: { customValues: marks, color: inks.muted, formatter: (v) => tickText(field, v) },
      splitLine: { lineStyle: { color: inks.line } },
    },
    series: {
      ...{ type: "bar", silent: true, barCategoryGap: opened.bars.length > 120 ? "0%" : "18%" },
      data: opened.bars.map((n) => ({
        value: values[n],
        itemStyle: { color: colour(opened.layers.kind[n]), opacity: opened.bar === n ? 1 : 0.88 },
      })),
    },
  };
}

function kindColours(kinds) {
  const dark = Number(isDark());
  const unknown = dark ? "#8a8f98" : "#9aa0a8";
  const shown = new Map(
    kinds.slice(0, MOST_KINDS).map((kind, n) => [kind, source.palette.words[n][dark]]),
  );
  opened.kinds = [...shown];
  return (kind) => shown.get(kind) ?? unknown;
}

/** What a bar is: the layer, its cost and its share; without a bar, the sum and the colours. */
function sayBar(n) {
  opened.bar = n;
  const name = metric();
  const field = metricField(name);
  const values = opened.layers[name] ?? [];
  const sum = values.reduce((total, value) => total + value, 0);
  const unit = field.unit ? ` ${field.unit}` : "";
  if (n === null) {
    const keys = opened.kinds.map(([kind, colour]) => element("span", {}, swatch(colour), kind));
    const rest = new Set(opened.layers.kind.filter((_, i) => values[i] > 0)).size - keys.length;
    const total = `${writtenNumber(field, sum)}${unit} in ${opened.bars.length} of ${values.length} layers`;
    barText.replaceChildren(
      element("b", {}, total),
      ...keys,
      rest > 0 ? `and ${rest} other kinds` : "",
    );
    return;
  }
  const share = sum ? ` (${((100 * values[n]) / sum).toFixed(1)} %)` : "";
  const what = `${writtenNumber(field, values[n])}${unit} ${field.title}${share}`;
  const { path, kind, output_shape } = opened.layers;
  barText.replaceChildren(
    element("b", {}, path[n] || "(the model)"),
    `${kind[n]}, ${output_shape?.[n] ?? ""}`,
    what,
  );
}

function barAt(event) {
  const box = barsHost.getBoundingClientRect();
  const width = box.width - BAR_AREA.left - BAR_AREA.right;
  const place = Math.floor(
    ((event.clientX - box.left - BAR_AREA.left) / width) * opened.bars.length,
  );
  return opened.bars[place] ?? null;
}

barsHost.addEventListener("pointermove", (event) => sayBar(barAt(event)));
barsHost.addEventListener("pointerleave", () => sayBar(null));
barsHost.addEventListener("click", (event) => revealLayer(barAt(event)));
barsHost.addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (event.key === "Enter" && opened.bar !== null) revealLayer(opened.bar);
  if (!step) return;
  event.preventDefault();
  const at = opened.bars.indexOf(opened.bar);
  const next = at < 0 ? 0 : Math.min(Math.max(at + step, 0), opened.bars.length - 1);
  sayBar(opened.bars[next]);
});

function revealLayer(n) {
  if (n === null) return;
  layerTable.reveal(n)?.classList.add("selected");
}

// ---- the table of layers ------------------------------------------------------------------------

const LAYER_TEXTS = { path: "Layer", kind: "Kind", output_shape: "Output" };

const layerTable = makeTable(document.getElementById("layer-table"), {
  caption: "Layers",
  columns: () => [
    ...Object.entries(LAYER_TEXTS)
      .filter(([name]) => opened.layers[name])
      .map(([name, title]) => textColumn(name, title)),
    ...metrics().map(([name, field]) => costColumn(name, field)),
  ],
  sortBy: (name) => {
    const first = LAYER_TEXTS[name] ? name : `-${name}`;
    const second = first === name ? `-${name}` : name;
    opened.sort = opened.sort === first ? second : opened.sort === second ? "" : first;
    layerTable.show(sortedLayers(), opened.sort);
  },
});

function sortedLayers() {
  const order = opened.layers.path.map((_, n) => n);
  if (!opened.sort) return order;
  const values = opened.layers[opened.sort.replace(/^-/, "")];
  const sign = opened.sort.startsWith("-") ? -1 : 1;
  const compare = typeof values[0] === "string" ? collator.compare : (a, b) => a - b;
  return order.sort((a, b) => sign * compare(values[a], values[b]) || a - b);
}

function textColumn(name, title) {
  const texts = opened.layers[name];
  const longest = texts.reduce((most, text) => Math.max(most, text.length), title.length);
  return {
    ...{ name, title, width: Math.min(longest, name === "path" ? 40 : 26) },
    fill: (cell, n) => {
      const called =
        name === "path" && opened.layers.call?.[n] > 1 ? ` (call ${opened.layers.call[n]})` : "";
      cell.textContent = cell.title = (texts[n] || (name === "path" ? "(the model)" : "")) + called;
    },
  };
}

function costColumn(name, field) {
  const values = opened.layers[name];
  const sum = values.reduce((total, value) => total + value, 0);
  return {
    ...{ name, title: field.title, right: true, width: Math.max(field.title.length / 2 + 3, 10) },
    fill: (cell, n) => {
      cell.textContent = values[n] === null ? NOT_MEASURED : writtenNumber(field, values[n]);
      if (values[n] === null) cell.classList.add("missing");
      if (!values[n]) return;
      const share = (100 * values[n]) / sum;
      cell.title = `${grouped(values[n])}, ${share.toFixed(2)} %`;
      if (share < 1) return;
      cell.classList.add("share");
      cell.style.setProperty("--share", `${share}%`);
    },
  };
}
