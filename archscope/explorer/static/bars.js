// The bars of one network: what each layer costs, in the order in which they run.

const barsHost = document.getElementById("bars");
const barText = document.getElementById("bar-text");
const MOST_KINDS = 6; // that have a colour of their own
let barChart = null;

function drawBars() {
  const name = metric();
  for (const button of document.querySelectorAll("#metrics button")) {
    button.setAttribute("aria-pressed", String(button.dataset.metric === name));
  }
  const values = opened.layers[name] ?? [];
  opened.bars = values.map((value, n) => n).filter((n) => values[n] > 0);
  barChart ??= echarts.init(barsHost.firstElementChild, null, { renderer: "canvas" });
  fitted(barChart, barsHost);
  barChart.setOption(barOptions(name, values), true);
  barsHost.setAttribute("aria-label", `${metricField(name).title} of ${opened.bars.length} layers`);
  sayBar(null);
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
      type: "category",
      data: opened.bars.map(String),
      axisLabel: { show: false },
      axisTick: { show: false },
      axisLine: { lineStyle: { color: inks.muted } },
      name: "layers in the order in which they run",
      nameLocation: "middle",
      nameGap: 7,
      nameTextStyle: { color: inks.muted },
    },
    yAxis: {
      type: "value",
      min: 0,
      max: highest * 1.03,
      axisTick: { customValues: marks },
      axisLabel: { customValues: marks, color: inks.muted, formatter: (v) => tickText(field, v) },
      splitLine: { lineStyle: { color: inks.line } },
    },
    series: {
      type: "bar",
      silent: true,
      barCategoryGap: opened.bars.length > 120 ? "0%" : "18%",
      data: opened.bars.map((n) => ({
        value: values[n],
        itemStyle: { color: colour(opened.layers.kind[n]), opacity: opened.bar === n ? 1 : 0.88 },
      })),
    },
  };
}

function kindColours(kinds) {
  const dark = Number(isDark());
  const shown = new Map(
    kinds.slice(0, MOST_KINDS).map((kind, n) => [kind, source.palette.words[n][dark]]),
  );
  opened.kinds = [...shown];
  return (kind) => shown.get(kind) ?? UNKNOWN[dark];
}

/** What a bar is: the layer, its cost and its share; without a bar, the sum and the colours. */
function sayBar(n) {
  opened.bar = n;
  const name = metric();
  const field = metricField(name);
  const values = opened.layers[name] ?? [];
  const sum = total(values);
  const unit = field.unit ? ` ${field.unit}` : "";
  if (n === null) {
    const keys = opened.kinds.map(([kind, colour]) => element("span", {}, swatch(colour), kind));
    const rest = new Set(opened.layers.kind.filter((_, i) => values[i] > 0)).size - keys.length;
    const layers = `${opened.bars.length} of ${values.length} layers`;
    barText.replaceChildren(
      element("b", {}, `${writtenNumber(field, sum)}${unit} in ${layers}`),
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
