// What the page shows, and the address fragment that keeps it.

function preferred(names) {
  return names.find(usable) ?? numericFields().find((field) => field.known)?.name ?? "";
}

const defaults = (() => {
  const first = protocols.keys().next().value;
  const accurate = usable("top1") ? ["top1"] : [];
  return {
    x: preferred(["macs", "params"]),
    y: preferred([...accurate, "params", "peak_bytes"]),
    xlog: null, // null: as the values ask for
    ylog: null,
    xbest: null, // null: as the field says
    ybest: null,
    colour: fields.get("family")?.known ? "family" : "",
    size: usable("params") ? "params" : "",
    names: "", // as many as fit where there are few, else the front and what is selected
    pareto: true,
    zoom: false,
    range: null, // zoomed: [x from, to, y from, to]
    query: "",
    families: [],
    protocols: first ? [first] : [],
    ranges: {},
    sort: "",
    columns: null,
    only: true,
    brush: null, // selected: [x from, to, y from, to]
    picked: [], // and those that were selected one by one
    open: "",
    metric: "macs",
    theme: "",
  };
})();

const view = structuredClone(defaults);

const flag = {
  write: (value) => (value ? "1" : "0"),
  read: (text) => oneOf({ 1: true, 0: false }, text),
};
const word = { write: encodeURIComponent, read: decodeURIComponent };
const list = {
  write: (values) => values.map(encodeURIComponent).join(","),
  read: (text) => (text ? text.split(",").map(decodeURIComponent) : []),
};
const box = { write: (values) => values.join(","), read: (text) => fourNumbers(text) };
const direction = { write: String, read: (text) => oneOf({ 1: 1, "-1": -1 }, text) };
const ranges = {
  write: (value) =>
    Object.entries(value)
      .map(([name, [low, high]]) => `${encodeURIComponent(name)}:${low ?? ""}:${high ?? ""}`)
      .join(","),
  read: (text) => Object.fromEntries(text.split(",").filter(Boolean).map(oneRange)),
};

const codecs = {
  x: word,
  y: word,
  xlog: flag,
  ylog: flag,
  xbest: direction,
  ybest: direction,
  colour: word,
  size: word,
  names: word,
  pareto: flag,
  zoom: flag,
  range: box,
  query: word,
  families: list,
  protocols: list,
  ranges,
  sort: word,
  columns: list,
  only: flag,
  brush: box,
  picked: list,
  open: word,
  metric: word,
  theme: word,
};

function oneOf(values, text) {
  if (!Object.hasOwn(values, text)) throw new Error(`no such choice: ${text}`);
  return values[text];
}

function oneNumber(text) {
  if (!text?.trim() || !Number.isFinite(Number(text))) throw new Error(`no number: ${text}`);
  return Number(text);
}

function fourNumbers(text) {
  const numbers = text.split(",").map(oneNumber);
  if (numbers.length !== 4) throw new Error(`no box: ${text}`);
  return numbers;
}

function oneRange(text) {
  const [name, ...ends] = text.split(":");
  if (ends.length !== 2) throw new Error(`no range: ${text}`);
  return [decodeURIComponent(name), ends.map((end) => (end === "" ? null : oneNumber(end)))];
}

/** The bounds of a filter, null where it has none; also of a field that is called "constructor". */
function rangeOf(name) {
  return Object.hasOwn(view.ranges, name) ? view.ranges[name] : [null, null];
}

function same(a, b) {
  return JSON.stringify(a) === JSON.stringify(b);
}

function fragment() {
  return Object.entries(codecs)
    .filter(([name]) => !same(view[name], defaults[name]))
    .map(([name, codec]) => `${name}=${codec.write(view[name])}`)
    .join("&");
}

/** The view that a fragment tells; what this page does not have is left out and told.
 * @returns {string[]} what could not be shown */
function readFragment(text) {
  const wanted = structuredClone(defaults);
  const refused = [];
  for (const part of text.replace(/^#/, "").split("&").filter(Boolean)) {
    const name = part.split("=", 1)[0];
    try {
      const value = codecs[name].read(part.slice(name.length + 1));
      if (!possible(name, value)) throw new Error(name);
      wanted[name] = value;
    } catch {
      refused.push(part.length > 60 ? `${part.slice(0, 57)}...` : part);
    }
  }
  Object.assign(view, wanted);
  return refused;
}

function possible(name, value) {
  const tests = {
    x: usable,
    y: usable,
    size: (v) => v === "" || usable(v),
    colour: (v) => v === "" || fields.has(v),
    names: (v) => ["", "front", "all", "selected", "none"].includes(v),
    theme: (v) => ["", "light", "dark"].includes(v),
    protocols: (v) => v.every((protocol) => protocols.has(protocol)),
    families: (v) => v.every((family) => family === NOT_STATED || isFamily(family)),
    ranges: (v) => Object.keys(v).every(usable),
    range: ([left, right, low, high]) => left < right && low < high,
    brush: ([left, right, low, high]) => left <= right && low <= high,
    sort: (v) => fields.has(v.replace(/^-/, "")),
    columns: (v) => v.every((column) => fields.has(column)),
    picked: (v) => v.every((label) => rowOf.has(label)),
    open: (v) => v === "" || rowOf.has(v),
    metric: (v) => Object.hasOwn(METRICS, v) || v.endsWith("_ms"),
  };
  return tests[name]?.(value) ?? true;
}

function isFamily(name) {
  return fields.get("family")?.words.includes(name) ?? false;
}
