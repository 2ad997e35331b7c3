// The filters: ranges over histograms, protocols, families.

const rangeHost = document.getElementById("ranges");
const moreRanges = document.getElementById("more-ranges");
const STOPS = 200; // positions of a slider, where whole numbers do not ask for fewer
const BARS = 32;
const FIRST_RANGES = ["params", "macs", "top1", "peak_bytes", "year"];
const rangeControls = new Map();

function makeFilters() {
  for (const name of FIRST_RANGES.filter(usable)) addRange(name);
  moreRanges.addEventListener("change", () => {
    addRange(moreRanges.value);
    rangeControls.get(moreRanges.value)?.low.focus();
    listMoreRanges();
  });
  listMoreRanges();
  makeChoices("protocols", [...protocols.keys()], "protocols", (name) => {
    return [protocolMark(name), ` ${name}`, count(protocols.get(name))];
  });
  const families = byCount(allRows.map(familyOf));
  if (families.length > 1 || families[0]?.[0] !== NOT_STATED) {
    const sizes = new Map(families);
    makeChoices("families", [...sizes.keys()], "families", (name) => {
      return [swatch("transparent"), ` ${name}`, count(sizes.get(name))];
    });
  }
}

function count(number) {
  return element("span", { className: "count" }, grouped(number));
}

function byCount(words) {
  const sizes = new Map();
  for (const word of words) sizes.set(word, (sizes.get(word) ?? 0) + 1);
  return [...sizes].sort(([a, n], [b, m]) => m - n || collator.compare(a, b));
}

// ---- ranges -------------------------------------------------------------------------------------

function listMoreRanges() {
  const rest = numericFields().filter((field) => field.known && !rangeControls.has(field.name));
  const choose = element("option", { value: "" }, "choose...");
  moreRanges.replaceChildren(
    choose,
    ...rest.map(({ name, title }) => element("option", { value: name }, title)),
  );
  moreRanges.closest("label").hidden = !rest.length;
}

function addRange(name) {
  const field = fields.get(name);
  if (!field || rangeControls.has(name)) return;
  const scale = rangeScale(field);
  const slider = (side, text) => {
    const made = element("input", { type: "range", min: 0, max: scale.stops, step: 1 });
    made.setAttribute("aria-label", `${field.title}, ${text}`);
    made.addEventListener("input", () => slid(field, scale, side, Number(made.value)));
    return made;
  };
  const entry = (side, text) => {
    const made = element("input", { type: "text", autocomplete: "off", spellcheck: false });
    made.setAttribute("aria-label", `${field.title}, ${text}`);
    made.addEventListener("change", () => typed(field, side, made));
    return made;
  };
  const control = {
    field,
    scale,
    low: slider(0, "least"),
    high: slider(1, "most"),
    least: entry(0, "least, as a number"),
    most: entry(1, "most, as a number"),
  };
  control.bars = histogram();
  rangeControls.set(name, control);
  drawHistogram(control);
  const track = element("div", { className: "track" }, control.bars, control.low, control.high);
  rangeHost.append(
    element(
      "div",
      { className: "range", role: "group", "aria-label": field.title },
      element("span", { className: "name" }, titleOf(field)),
      track,
      element(
        "div",
        { className: "bounds" },
        control.least,
        element("span", {}, "to"),
        control.most,
      ),
    ),
  );
}

function rangeScale(field) {
  const log = wantsLog(field);
  const values = [...field.numbers].filter(
    (value) => Number.isFinite(value) && (!log || value > 0),
  );
  const [least, most] = bounds(values);
  const { onto, back } = measure(log);
  const [low, high] = [onto(least), onto(most)];
  const whole = !log && values.every(Number.isInteger);
  const stops = whole && most - least < STOPS ? Math.max(most - least, 1) : STOPS;
  const step = 10 ** Math.floor(Math.log10((most - least) / stops || 1));
  return {
    least,
    most,
    stops,
    share: (value) => (high > low ? (onto(value) - low) / (high - low) : 0),
    value: (stop) => {
      const value = back(low + (stop / stops) * (high - low));
      return log
        ? Number(value.toPrecision(3))
        : Number((Math.round(value / step) * step).toPrecision(12));
    },
  };
}

function histogram() {
  const bars = Array.from({ length: BARS }, () => element("i"));
  return element("div", { className: "histogram", "aria-hidden": "true" }, ...bars);
}

/** The bars over all networks; of an accuracy, over those of the protocols that are chosen. */
function drawHistogram({ field, scale, bars }) {
  const sizes = new Array(BARS).fill(0);
  for (const row of allRows) {
    const share = scale.share(numberOf(field, row));
    if (Number.isFinite(share))
      sizes[Math.min(Math.max(Math.floor(share * BARS), 0), BARS - 1)] += 1;
  }
  const most = Math.max(...sizes);
  sizes.forEach((size, n) => {
    bars.children[n].style.height = `${size ? Math.max(8, (100 * size) / most) : 0}%`;
  });
}

function slid(field, scale, side, stop) {
  const [low, high] = rangeOf(field.name);
  const end = side === 0 ? stop <= 0 : stop >= scale.stops;
  const value = end ? null : scale.value(stop);
  state.dragging = true;
  setRange(field.name, side === 0 ? [value, atLeast(high, value)] : [atMost(low, value), value]);
}

function atLeast(high, value) {
  return high !== null && value !== null && high < value ? value : high;
}

function atMost(low, value) {
  return low !== null && value !== null && low > value ? value : low;
}

function typed(field, side, entry) {
  const value = entry.value.trim() ? quantity(field, entry.value) : null;
  const wrong = entry.value.trim() !== "" && value === null;
  entry.setAttribute("aria-invalid", String(wrong));
  if (wrong) return tell(`"${entry.value}" is no number; write 25M, 2.5G or 4GiB`);
  tell("");
  const range = [...rangeOf(field.name)];
  range[side] = value;
  setRange(field.name, range);
}

function setRange(name, range) {
  const rest = { ...view.ranges };
  delete rest[name];
  update({ ranges: range.some((bound) => bound !== null) ? { ...rest, [name]: range } : rest });
}

function drawRanges() {
  for (const name of Object.keys(view.ranges)) addRange(name);
  for (const [name, control] of rangeControls) {
    const { field, scale, low, high, least, most, bars } = control;
    if (field.accuracy) drawHistogram(control);
    const [from, to] = rangeOf(name);
    const shares = [from === null ? 0 : scale.share(from), to === null ? 1 : scale.share(to)];
    const stops = shares.map((share) => Math.round(Math.min(Math.max(share, 0), 1) * scale.stops));
    [low.value, high.value] = stops;
    low.setAttribute("aria-valuetext", writtenNumber(field, from ?? scale.least));
    high.setAttribute("aria-valuetext", writtenNumber(field, to ?? scale.most));
    if (document.activeElement !== least)
      least.value = from === null ? "" : writtenNumber(field, from);
    if (document.activeElement !== most) most.value = to === null ? "" : writtenNumber(field, to);
    least.placeholder = writtenNumber(field, scale.least);
    most.placeholder = writtenNumber(field, scale.most);
    [...bars.children].forEach((bar, n) => {
      const middle = (n + 0.5) / BARS;
      bar.classList.toggle("out", middle < shares[0] || middle > shares[1]);
    });
  }
}

// ---- choices ------------------------------------------------------------------------------------

function makeChoices(id, names, key, content) {
  const box = document.getElementById(id);
  box.hidden = !names.length;
  const host = box.querySelector("div");
  for (const name of names) {
    const tick = element("input", { type: "checkbox", value: name });
    tick.addEventListener("change", () => {
      const ticked = [...host.querySelectorAll("input:checked")].map((input) => input.value);
      update({ [key]: ticked });
    });
    host.append(element("label", {}, tick, ...content(name)));
  }
}

function drawChoices() {
  for (const [id, key] of [
    ["protocols", "protocols"],
    ["families", "families"],
  ]) {
    for (const tick of document.querySelectorAll(`#${id} input`)) {
      tick.checked = view[key].includes(tick.value);
    }
  }
  const colours = view.colour === "family" ? state.colours : null;
  for (const label of document.querySelectorAll("#families label")) {
    const mark = label.querySelector(".swatch");
    mark.hidden = !colours;
    if (colours) mark.style.background = colours.colour(label.querySelector("input").value);
  }
}

function drawFilters() {
  const query = document.getElementById("query");
  if (query.value !== view.query) query.value = view.query;
  drawRanges();
  drawChoices();
  const filtered = view.query || view.families.length || Object.keys(view.ranges).length;
  document.getElementById("clear-filters").hidden = !filtered;
}
