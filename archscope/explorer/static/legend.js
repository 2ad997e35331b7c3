// The legend: what colours, sizes, markers and the dashed line mean, and the caption.

const legendHost = document.getElementById("legend");
const MOST_WORDS = 12;

function drawLegend() {
  const parts = [colourLegend(), sizeLegend(), protocolLegend(), frontLegend()];
  const focus = focusIn(legendHost);
  legendHost.replaceChildren(...parts.filter(Boolean));
  refocus(legendHost, focus);
}

function part(title, ...children) {
  return element(
    "div",
    { className: "key" },
    element("span", { className: "name" }, title),
    ...children,
  );
}

function colourLegend() {
  const { field, words, stops, colour, low, high, log } = state.colours;
  if (!field) return null;
  if (stops) {
    const bar = element("i", { className: "ramp" });
    bar.style.background = `linear-gradient(to right, ${stops.join(", ")})`;
    const ends = [low, high].map((value) => writtenNumber(field, value));
    return part(titleOf(field) + (log ? ", log" : ""), ends[0], bar, ends[1], greyLegend(field));
  }
  if (!field.text) return part(field.title, ...flagLegend(), greyLegend(field));
  const here = byCount(
    state.placed.map((row) => textOf(field.name, row)).filter((w) => w !== null),
  );
  const chips = here.slice(0, MOST_WORDS).map(([name]) => wordChip(field, name, colour(name)));
  const more = here.length - chips.length;
  return part(field.title, ...chips, more > 0 ? `and ${more} more` : "", greyLegend(field));
}

/** What the grey points are: those that have no value for their colour. */
function greyLegend(field) {
  const unknown = UNKNOWN[Number(isDark())];
  const grey = state.placed.filter((row) => state.colours.of(row) === unknown).length;
  if (!grey) return "";
  const why = field.axis ? "no value on this scale" : NOT_STATED;
  return element("span", {}, swatch(unknown), `${why}: ${grey}`);
}

function flagLegend() {
  const pairs = source.palette.words;
  const dark = Number(isDark());
  return [
    ["no", 0],
    ["yes", 1],
  ].map(([text, n]) => element("span", {}, swatch(pairs[n][dark]), text));
}

/** A family's chip filters by it; other words are only a key. */
function wordChip(field, name, colour) {
  if (field.name !== "family") return element("span", {}, swatch(colour), name);
  const chip = element("button", { type: "button", className: "chip" }, swatch(colour), name);
  chip.dataset.focus = `chip ${name}`;
  const on = view.families.includes(name);
  chip.setAttribute("aria-pressed", String(on));
  chip.title = on ? "Show the other families too" : "Only this family";
  chip.addEventListener("click", () =>
    update({
      families: on ? view.families.filter((other) => other !== name) : [...view.families, name],
    }),
  );
  return chip;
}

function sizeLegend() {
  const { field, high, radius } = state.sizes;
  if (!field || !Number.isFinite(high) || high <= 0) return null;
  const values = [high / 25, high / 5, high].map(rounded);
  const circles = values.map((value) => {
    const circle = element("i", { className: "circle" });
    circle.style.width = circle.style.height = `${2 * radius(value)}px`;
    return element("span", {}, circle, tickText(field, value));
  });
  const unsized = state.placed.filter((row) => Number.isNaN(numberOf(field, row))).length;
  return part(titleOf(field), ...circles, unsized ? `smallest if ${NOT_MEASURED}: ${unsized}` : "");
}

function rounded(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  const steps = [1, 2, 5].filter((step) => step * power <= value * 1.0001);
  return steps.at(-1) * power;
}

function accuracyShown() {
  return [view.x, view.y].some((name) => fields.get(name)?.accuracy);
}

function protocolLegend() {
  if (!accuracyShown() || view.protocols.length < 2) return null;
  const keys = view.protocols.map((name) => element("span", {}, protocolMark(name), ` ${name}`));
  return part("Protocol", ...keys);
}

function protocolMark(protocol) {
  return element("span", { className: "mark", "aria-hidden": "true" }, markerOf(protocol).letter);
}

function frontLegend() {
  if (!view.pareto || !fields.has(view.x) || !fields.has(view.y)) return null;
  const wish = (axis) => {
    const field = fields.get(view[axis]);
    return `${bestOf(axis) > 0 ? "higher" : "lower"} ${field.title}`;
  };
  const line = element("i", { className: "dash", "aria-hidden": "true" });
  return part("Pareto front", line, `no other is as good on both: ${wish("y")}, ${wish("x")}`);
}

// ---- the caption --------------------------------------------------------------------------------

const OBSTACLES = {
  missing: "not measured for an axis",
  protocol: "with an accuracy of another protocol",
  logarithm: "with no logarithm",
  large: "beyond any axis",
};

function drawCaption() {
  const { placed, seen, without } = state;
  const sentences = [`Placed: ${grouped(placed.length)} of ${several(seen.length)}.`];
  const reasons = Object.entries(OBSTACLES).filter(([name]) => without[name]);
  const told = reasons.map(([name, text]) => `${grouped(without[name])} ${text}`);
  if (told.length) sentences.push(`Not placed: ${told.join(", ")}.`);
  if (accuracyShown() && view.protocols.length) {
    sentences.push(`Accuracy: ${view.protocols.join(", ")}.`);
  }
  sentences.push(conditions(placed));
  document.getElementById("caption").textContent = sentences.filter(Boolean).join(" ");
}

/** Under which conditions the numbers hold: what all rows share, and how many kinds else. */
function conditions(rows) {
  const told = [
    ["batch", "batch"],
    ["input_shape", "input"],
    ["dtype", ""],
    ["device", "measured on"],
  ].map(([name, title]) => {
    const field = fields.get(name);
    if (!field?.known) return "";
    const values = byCount(
      rows.filter((row) => given(field, row) !== null).map((row) => written(field, row)),
    );
    if (!values.length) return "";
    const few = values.slice(0, 3).map(([value]) => value);
    const rest = values.length - few.length;
    return `${title} ${few.join(", ")}${rest > 0 ? ` and ${rest} others` : ""}`.trim();
  });
  const text = told.filter(Boolean).join("; ");
  return text && `${text[0].toUpperCase()}${text.slice(1)}.`;
}
