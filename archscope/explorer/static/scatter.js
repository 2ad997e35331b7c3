// The scatter: what is placed where, in which colour and size, and the library that draws it.

const plot = document.getElementById("plot");
const chart = echarts.init(document.getElementById("chart"), null, { renderer: "canvas" });
const still = matchMedia("(prefers-reduced-motion: reduce)");
const darkSystem = matchMedia("(prefers-color-scheme: dark)");

let printing = false; // on paper, which is white, and whole tables

function isDark() {
  if (printing) return false;
  return view.theme ? view.theme === "dark" : darkSystem.matches;
}

addEventListener("beforeprint", () => (printing = true));
addEventListener("afterprint", () => (printing = false));

/** Draw before the paper is filled, and again for the screen. */
function onPrint(redraw) {
  for (const moment of ["beforeprint", "afterprint"]) addEventListener(moment, redraw);
}

function ink() {
  const style = getComputedStyle(document.documentElement);
  const named = (name) => style.getPropertyValue(name).trim();
  return {
    text: named("--text"),
    muted: named("--muted"),
    line: named("--line"),
    page: named("--page"),
  };
}

// What is drawn now, for pointing: {points: [{row, x, y, radius}], axes: {x, y}, area}.
let drawn = { points: [], axes: null, area: null };

function drawScatter(state) {
  const { placed, selected, fronts: found, front: onFront } = state;
  if (!fields.has(view.x) || !fields.has(view.y)) return { colours: colourScale(), sizes: {} };
  const area = plotArea();
  const axes = {
    x: makeAxis(
      fields.get(view.x),
      isLog("x"),
      placed,
      view.range?.slice(0, 2),
      area.left,
      area.right,
    ),
    y: makeAxis(
      fields.get(view.y),
      isLog("y"),
      placed,
      view.range?.slice(2),
      area.bottom,
      area.top,
    ),
  };
  const sizes = sizeScale(placed);
  const colours = colourScale();
  const points = placed
    .map((row) => ({
      row,
      x: axes.x.pixel(axes.x.field.numbers[row]),
      y: axes.y.pixel(axes.y.field.numbers[row]),
      radius: sizes.of(row),
    }))
    .filter((point) => insideArea(point, area))
    .sort((a, b) => b.radius - a.radius || a.row - b.row);
  const named = placedLabels(points, wantedNames(points, onFront, selected), onFront, area);
  drawn = { points, axes, area };
  fitted(chart, plot);
  chart.setOption(options(axes, area, points, found, { selected, onFront, colours, named }), {
    replaceMerge: ["series"],
  });
  if (printing) chart.getZr().flush(); // paper does not wait for the next frame
  plot.setAttribute("aria-label", plotText(points.length));
  return { colours, sizes };
}

/** A picture of the size of its host; to tell it a size that it has costs as much as a drawing. */
function fitted(picture, { clientWidth: width, clientHeight: height }) {
  if (picture.getWidth() === width && picture.getHeight() === height) return;
  picture.resize({ width, height });
}

function plotText(number) {
  const [x, y] = [fields.get(view.x), fields.get(view.y)];
  return `${several(number)}, ${titleOf(y)} against ${titleOf(x)}`;
}

function plotArea() {
  const [width, height] = [plot.clientWidth, plot.clientHeight];
  const narrow = width < 520;
  return {
    left: narrow ? 58 : 76,
    right: width - (narrow ? 12 : 24),
    top: 16,
    bottom: height - 54,
  };
}

function insideArea({ x, y }, area) {
  return x >= area.left - 1 && x <= area.right + 1 && y >= area.top - 1 && y <= area.bottom + 1;
}

function wantedNames(points, onFront, selected) {
  if (view.names === "none") return [];
  const shown = points.map((point) => point.row);
  const chosen = shown.filter((row) => selected.has(row));
  if (view.names === "selected") return chosen;
  const all = view.names === "all" || (view.names === "" && points.length <= 40);
  return [...new Set([...chosen.slice(0, 60), ...onFront, ...(all ? shown : [])])];
}

function options(axes, area, points, found, drawing) {
  const inks = ink();
  const moving = points.length <= 400 && !still.matches && !state.dragging;
  const byProtocol = axes.x.field.accuracy || axes.y.field.accuracy;
  const look = { ...drawing, inks, byProtocol, crowded: points.length > 300 };
  return {
    animation: moving,
    animationDuration: 350,
    animationDurationUpdate: 450,
    grid: {
      left: area.left,
      right: plot.clientWidth - area.right,
      top: area.top,
      bottom: 54,
      containLabel: false,
    },
    xAxis: axisOptions(axes.x, inks, 30),
    yAxis: axisOptions(axes.y, inks, plot.clientWidth < 520 ? 44 : 60),
    series: [
      ...found.map(({ protocol, rows }) => frontSeries(axes, protocol, rows, inks)),
      {
        id: "networks",
        type: "scatter",
        silent: true,
        z: 3,
        data: points.map((point) => item(point, axes, look, drawing.named.get(point.row))),
      },
    ],
  };
}

function axisOptions(axis, inks, gap) {
  const texts = new Map(axis.ticks.map(({ at, text }) => [at.toFixed(9), text]));
  const places = axis.ticks.map(({ at }) => at);
  return {
    type: "value",
    min: axis.low,
    max: axis.high,
    nameLocation: "middle",
    nameGap: gap,
    name: titleOf(axis.field) + (axis.log ? ", log scale" : ""),
    nameTextStyle: { color: inks.text, fontSize: 13, fontWeight: 600 },
    axisLine: { show: true, onZero: false, lineStyle: { color: inks.muted } },
    axisTick: { show: true, customValues: places, lineStyle: { color: inks.muted } },
    axisLabel: {
      color: inks.muted,
      fontSize: 12,
      customValues: places,
      hideOverlap: true,
      showMinLabel: true,
      showMaxLabel: true,
      formatter: (value) => texts.get(Number(value).toFixed(9)) ?? "",
    },
    splitLine: { lineStyle: { color: inks.line } },
  };
}

function item({ row, radius }, axes, look, side) {
  const { selected, onFront, colours, inks, byProtocol, crowded } = look;
  const faded = selected.size > 0 && !selected.has(row);
  const outlined = onFront.has(row) || (selected.has(row) && selected.size <= 40);
  const { symbol } = byProtocol ? markerOf(protocolOf(row)) : { symbol: "circle" };
  const colour = colours.of(row);
  return {
    id: String(row),
    value: [axes.x.onto(axes.x.field.numbers[row]), axes.y.onto(axes.y.field.numbers[row])],
    symbol,
    symbolSize: 2 * radius,
    itemStyle: {
      color: colour,
      opacity: faded ? 0.13 : crowded && !outlined ? 0.68 : 0.88,
      borderColor: outlined && !faded ? inks.text : rim(colour, inks),
      borderWidth: outlined && !faded ? 1.5 : crowded ? 0.5 : 1,
    },
    ...(side && { label: nameLabel(row, side, inks, faded) }),
  };
}

function nameLabel(row, side, inks, faded) {
  return {
    show: true,
    position: side,
    distance: GAP,
    formatter: () => shortName(row),
    color: inks.text,
    fontSize: 11,
    fontWeight: 600,
    opacity: faded ? 0.35 : 1,
    textBorderColor: inks.page,
    textBorderWidth: 3,
  };
}

const rims = new Map();

/** The edge of a point: of a light colour on white, it is what tells the point from the page. */
function rim(colour, inks) {
  if (isDark()) return inks.page;
  if (!rims.has(colour)) rims.set(colour, blended([colour, inks.text], 0.4));
  return rims.get(colour);
}

/** The staircase of what can be had: as good as the next one that is no worse on either axis. */
function frontSeries(axes, protocol, rows, inks) {
  return {
    id: `front ${protocol}`,
    type: "line",
    silent: true,
    z: 2,
    symbol: "none",
    animation: false, // a staircase on its way to another is none
    step: bestOf("x") < 0 ? "end" : "start",
    lineStyle: { color: inks.muted, width: 1.5, type: [5, 4] },
    data: rows.map((row) => [axes.x, axes.y].map((axis) => axis.onto(axis.field.numbers[row]))),
  };
}
