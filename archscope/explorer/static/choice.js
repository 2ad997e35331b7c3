// Which networks are seen, which of them can be placed, which are selected, which no other beats.

/** Rows that pass the search and all filters. */
function seenRows() {
  const words = view.query.toLowerCase().split(/\s+/).filter(Boolean);
  const bounds = Object.entries(view.ranges).map(([name, range]) => [fields.get(name), ...range]);
  return allRows.filter(
    (row) =>
      words.every((word) => haystack(row).includes(word)) &&
      (!view.families.length || view.families.includes(familyOf(row))) &&
      bounds.every(([field, low, high]) => within(numberOf(field, row), low, high)),
  );
}

function within(value, low, high) {
  return !Number.isNaN(value) && value >= (low ?? -Infinity) && value <= (high ?? Infinity);
}

function familyOf(row) {
  return textOf("family", row) ?? NOT_STATED;
}

const haystacks = new Map();

function haystack(row) {
  if (!haystacks.has(row)) {
    const texts = [labels[row], textOf("family", row), textOf("source", row)];
    haystacks.set(row, texts.filter(Boolean).join(" ").toLowerCase());
  }
  return haystacks.get(row);
}

/** Rows with a place on both axes, and how many have none for which reason. */
function placedRows(rows) {
  const axes = [fields.get(view.x), fields.get(view.y)];
  const logs = [isLog("x"), isLog("y")];
  const without = { missing: 0, protocol: 0, logarithm: 0, large: 0 };
  const placed = rows.filter((row) => {
    const reason = axes.map((field, n) => obstacle(field, logs[n], row)).find(Boolean);
    if (reason) without[reason] += 1;
    return !reason;
  });
  return { placed, without };
}

function obstacle(field, log, row) {
  if (!field || Number.isNaN(field.numbers[row])) return "missing";
  if (!Number.isFinite(field.numbers[row])) return "large";
  if (field.accuracy && !chosenProtocol(row)) return "protocol";
  return log && field.numbers[row] <= 0 ? "logarithm" : "";
}

function isSelecting() {
  return view.brush !== null || view.picked.length > 0;
}

/** Selected rows among those that are seen: in the brushed box, or picked one by one. */
function selectedRows(seen) {
  const picked = new Set(view.picked);
  const { placed } = view.brush ? placedRows(seen) : { placed: [] };
  const inside = new Set(placed.filter((row) => inBox(row, view.brush)));
  return new Set(seen.filter((row) => picked.has(labels[row]) || inside.has(row)));
}

function inBox(row, [left, right, low, high]) {
  const x = numberOf(fields.get(view.x), row);
  const y = numberOf(fields.get(view.y), row);
  return x >= left && x <= right && y >= low && y <= high;
}

/** The box and the picks as picks alone, so that one more or one less can be said. */
function toggled(row, seen) {
  const selected = selectedRows(seen);
  if (!selected.delete(row)) selected.add(row);
  return { brush: null, picked: [...selected].map((chosen) => labels[chosen]) };
}

function bestOf(axis) {
  return view[`${axis}best`] ?? (fields.get(view[axis])?.better || (axis === "x" ? -1 : 1));
}

/** Fronts: the rows that no other beats on both axes, from left to right. One front for each
 * protocol where an axis is an accuracy, which only compares within one. */
function fronts(placed) {
  const x = fields.get(view.x);
  const y = fields.get(view.y);
  const groups = new Map();
  for (const row of placed) {
    const key = x.accuracy || y.accuracy ? protocolOf(row) : "";
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(row);
  }
  return [...groups].map(([protocol, rows]) => ({ protocol, rows: front(rows, x, y) }));
}

function front(rows, x, y) {
  const [wantX, wantY] = [bestOf("x"), bestOf("y")];
  const gain = (row) => [x.numbers[row] * wantX, y.numbers[row] * wantY];
  const ordered = [...rows].sort((a, b) => {
    const [p, q] = [gain(a), gain(b)];
    return q[0] - p[0] || q[1] - p[1] || a - b;
  });
  const kept = [];
  let highest = -Infinity;
  let last = null;
  for (const row of ordered) {
    const [p, q] = gain(row);
    const equal = last && last[0] === p && last[1] === q; // neither beats the other
    if (q > highest || equal) {
      kept.push(row);
      highest = Math.max(highest, q);
      last = [p, q];
    }
  }
  return kept.sort((a, b) => x.numbers[a] - x.numbers[b] || a - b);
}

/** Rows by a field; whole numbers that no double tells apart by their digits. */
function sortedRows(rows, sort) {
  const field = fields.get(sort.replace(/^-/, ""));
  if (!field) return rows;
  const value = (row) => (field.text ? textOf(field.name, row) : numberOf(field, row));
  const order = field.text
    ? (a, b) => collator.compare(value(a), value(b))
    : (a, b) => value(a) - value(b) || byDigits(given(field, a), given(field, b));
  return arranged(rows, value, order, sort);
}

function byDigits(a, b) {
  if (typeof a !== "string" && typeof b !== "string") return 0;
  const more = BigInt(a) - BigInt(b);
  return Number(more > 0n) - Number(more < 0n);
}

/** In an order, or in the other where the sort begins with "-"; what is missing comes last. */
function arranged(rows, value, order, sort) {
  const sign = sort.startsWith("-") ? -1 : 1;
  const missing = new Map(
    rows.map((row) => [row, Number(value(row) === null || Number.isNaN(value(row)))]),
  );
  return [...rows].sort(
    (a, b) => missing.get(a) - missing.get(b) || (missing.get(a) ? 0 : sign * order(a, b)),
  );
}

/** What a press on a heading sorts by: one way, the other way, not at all. */
function nextSort(sort, first) {
  const second = first.startsWith("-") ? first.slice(1) : `-${first}`;
  if (sort === first) return second;
  return sort === second ? "" : first;
}

const collator = new Intl.Collator("en", { numeric: true });
