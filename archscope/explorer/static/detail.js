// One network: its figures, the bars of where it spends along the way, the table of its layers.

const dialog = document.getElementById("detail");
const METRICS = {
  macs: { title: "MACs", kind: "count" },
  params: { title: "Parameters", kind: "count" },
  flops: { title: "FLOPs", kind: "count" },
  activations: { title: "Activations", kind: "count" },
  output_bytes: { title: "Output memory", kind: "bytes" },
};
let opened = { label: "", layers: null, sort: "", bar: null, bars: [] };

dialog.addEventListener("close", () => {
  opened.label = "";
  if (view.open) leaveNetwork();
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
    .replaceChildren(...figureList(row, knownFields(), { exact: true, boxed: true }));
  showLayers(false, "Unpacking the layers...");
  if (!dialog.open) dialog.showModal();
  try {
    const layers = await layersOf(row);
    if (opened.label !== labels[row]) return; // another was opened meanwhile
    opened.layers = layers;
    showLayers(Boolean(layers), noLayers(row));
    if (layers) drawLayers();
  } catch (error) {
    showLayers(false, `The layers cannot be shown: ${error.message}.`);
  }
}

/** One line: that there are none, and which command shows them if the network has a reference. */
function noLayers(row) {
  const none = "This page has no layers of this network";
  if (hasFailed(row)) return `${none}: ${textOf("status", row)}.`;
  const source = fields.get("source");
  if (!source || [null, "module"].includes(given(source, row))) return `${none}.`;
  return `${none}; in a terminal, archscope table '${given(fields.get("model"), row)}' shows them.`;
}

function showLayers(there, text) {
  document.getElementById("detail-layers").hidden = !there;
  const none = document.getElementById("detail-none");
  none.hidden = there;
  none.textContent = text;
}

function metrics() {
  const times = Object.keys(opened.layers).filter((name) => name.endsWith("_ms"));
  return [...Object.keys(METRICS), ...times]
    .filter((name) => opened.layers[name])
    .map((name) => [name, metricField(name)]);
}

function metricField(name) {
  return METRICS[name] ?? { title: (name ?? "").replaceAll("_", " "), kind: "number", unit: "ms" };
}

function metric() {
  const names = metrics().map(([name]) => name);
  return names.includes(view.metric) ? view.metric : names[0];
}

function total(values) {
  return values.reduce((sum, value) => sum + value, 0);
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
    opened.sort = nextSort(opened.sort, LAYER_TEXTS[name] ? name : `-${name}`);
    layerTable.show(sortedLayers(), opened.sort);
  },
});

function sortedLayers() {
  const order = opened.layers.path.map((_, n) => n);
  if (!opened.sort) return order;
  const values = opened.layers[opened.sort.replace(/^-/, "")];
  const compare = typeof values[0] === "string" ? collator.compare : (a, b) => a - b;
  return arranged(
    order,
    (n) => values[n],
    (a, b) => compare(values[a], values[b]),
    opened.sort,
  );
}

function textColumn(name, title) {
  const texts = opened.layers[name];
  const longest = texts.reduce((most, text) => Math.max(most, text.length), title.length);
  return {
    name,
    title,
    width: Math.min(longest, name === "path" ? 40 : 26),
    fill: (cell, n) => {
      const called =
        name === "path" && opened.layers.call?.[n] > 1 ? ` (call ${opened.layers.call[n]})` : "";
      cell.textContent = cell.title = (texts[n] || (name === "path" ? "(the model)" : "")) + called;
    },
  };
}

function costColumn(name, field) {
  const values = opened.layers[name];
  const sum = total(values);
  return {
    name,
    title: field.title,
    right: true,
    width: Math.max(field.title.length / 2 + 3, 10),
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
