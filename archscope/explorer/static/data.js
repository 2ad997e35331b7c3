// The comparison as the page got it: its fields, and each field's value in a row.

const source = JSON.parse(document.getElementById("data").textContent);
const labels = source.labels;
const allRows = labels.map((_, row) => row);
const rowOf = new Map(labels.map((label, row) => [label, row]));
const fields = new Map(source.fields.map((field) => [field.name, prepared(field)]));
const ROW = sameNetworkTwice() ? "row" : "network";
const NOT_MEASURED = "not measured";
const NOT_STATED = "not stated";

function prepared(field) {
  if (field.codes) {
    return { ...field, text: true, known: field.codes.filter((code) => code >= 0).length };
  }
  const numbers = Float64Array.from(field.values, (v) => (v === null ? NaN : Number(v)));
  const known = field.values.filter((value) => value !== null).length;
  return { better: 0, ...field, numbers, known, axis: field.kind !== "flag" };
}

function sameNetworkTwice() {
  const { codes } = source.fields.find((field) => field.name === "model");
  return new Set(codes).size < codes.length;
}

/** 6 networks; 6 rows, where a network has several. */
function several(number) {
  return `${grouped(number)} ${ROW}${number === 1 ? "" : "s"}`;
}

function textOf(name, row) {
  const field = fields.get(name);
  return field?.text ? (field.words[field.codes[row]] ?? null) : null;
}

/** Whether the row says why it has no figures. */
function hasFailed(row) {
  return (textOf("status", row) ?? "ok") !== "ok";
}

/** The value as it was given: a text, a number, a whole number in digits, true or false, null. */
function given(field, row) {
  return field.text ? textOf(field.name, row) : field.values[row];
}

/** Fields of numbers, some of which may be unknown throughout; those that are usable can be an
 * axis, a size or a range. */
function numericFields() {
  return [...fields.values()].filter((field) => field.axis);
}

function usable(name) {
  return Boolean(fields.get(name)?.axis && fields.get(name).known);
}

const accuracies = source.fields.filter((field) => field.accuracy);
const protocolOfRow = allRows.map((row) =>
  accuracies.some((field) => field.values[row] !== null)
    ? (textOf("protocol", row) ?? NOT_STATED)
    : null,
);

/** How an accuracy was evaluated; null for a row that has none. */
function protocolOf(row) {
  return protocolOfRow[row];
}

/** The protocols, the one that is shown by default first: the one that was asked for,
 * single-crop, or what most rows have. */
const protocols = (() => {
  const counts = new Map();
  for (const row of allRows) {
    const protocol = protocolOf(row);
    if (protocol) counts.set(protocol, (counts.get(protocol) ?? 0) + 1);
  }
  const rank = (name) => 2 * (name === source.protocol) + (name === "single-crop");
  const first = ([a, n], [b, m]) => rank(b) - rank(a) || m - n || a.localeCompare(b);
  return new Map([...counts].sort(first));
})();

/** The number to be placed, compared or filtered by; NaN where it is missing or of a protocol
 * that is not chosen: accuracies of different protocols are not the same quantity. */
function numberOf(field, row) {
  return field.accuracy && !chosenProtocol(row) ? NaN : field.numbers[row];
}

function chosenProtocol(row) {
  const protocol = protocolOf(row);
  return protocol !== null && view.protocols.includes(protocol);
}

/** The layers of a row, unpacked, in columns; null where the page has none. */
async function layersOf(row) {
  const number = source.pack_of[row];
  if (number < 0) return null;
  if (!unpacked.has(number)) unpacked.set(number, unpack(`pack-${number}`));
  const pack = await unpacked.get(number);
  const table = pack.tables[source.table_of[row]];
  const columns = { path: table.path.map((code) => pack.words[code]) };
  pack.columns.forEach((name, n) => {
    const values = table.layer.map((code) => pack.layers[n][code]);
    if (pack.texts[n]) columns[name] = values.map((code) => pack.words[code]);
    else if (values.some((value) => value !== null)) columns[name] = values;
  });
  return columns;
}

const unpacked = new Map();

async function unpack(id) {
  if (!window.DecompressionStream) {
    throw new Error("this browser cannot unpack the layers; any of 2023 or later can");
  }
  const bytes = Uint8Array.from(atob(document.getElementById(id).textContent), (character) =>
    character.charCodeAt(0),
  );
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).json();
}
