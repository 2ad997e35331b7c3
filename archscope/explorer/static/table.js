// A sortable table of which only the rows in sight are in the page, so that 1,500 cost as 40.

const ROW_HEIGHT = 32;
const BEYOND = 20; // rows above and below those in sight

/** A table in a host.
 * @param columns() {name, title, about, width (characters), right, fill(cell, row)}
 * @param mark(line, row) sets what a line says of itself beyond its cells
 * @param sortBy(name) called when a heading is pressed
 */
function makeTable(host, { caption, columns, mark, sortBy, pointAt }) {
  const head = element("thead");
  const body = element("tbody");
  const widths = element("colgroup");
  const table = element(
    "table",
    {},
    element("caption", { className: "unseen" }, caption),
    widths,
    head,
    body,
  );
  const scroller = element(
    "div",
    { className: "scroller", tabIndex: 0, role: "region", "aria-label": caption },
    table,
  );
  host.replaceChildren(scroller);
  let rows = [];
  let shown = [];
  let inSight = "";

  function heading(column, sort) {
    const ascending = sort === column.name;
    const sorted = ascending || sort === `-${column.name}`;
    const arrow = sorted ? (ascending ? "▲" : "▼") : "";
    const button = element("button", { type: "button", title: column.about ?? "" }, column.title);
    button.append(element("span", { "aria-hidden": "true" }, arrow));
    button.dataset.focus = `sort ${column.name}`;
    button.addEventListener("click", () => sortBy(column.name));
    const direction = ascending ? "ascending" : "descending";
    const cell = element("th", { scope: "col", className: column.right ? "right" : "" }, button);
    cell.setAttribute("aria-sort", sorted ? direction : "none");
    return cell;
  }

  function line(row, index) {
    const made = element("tr", { "aria-rowindex": String(index + 2) });
    made.dataset.row = row;
    for (const column of shown) {
      const cell = element(column === shown[0] ? "th" : "td", {
        className: column.right ? "right" : "",
      });
      if (column === shown[0]) cell.scope = "row";
      column.fill(cell, row);
      made.append(cell);
    }
    mark?.(made, row);
    return made;
  }

  function draw(force) {
    const inSightOnly = Math.ceil(scroller.clientHeight / ROW_HEIGHT) + 2 * BEYOND + 1;
    const kept = printing ? rows.length : inSightOnly;
    const wanted = Math.floor(scroller.scrollTop / ROW_HEIGHT) - BEYOND;
    const first = Math.max(0, Math.min(wanted, rows.length - kept));
    const last = Math.min(rows.length, first + kept);
    if (!force && inSight === `${first} ${last}`) return;
    inSight = `${first} ${last}`;
    const focus = focusIn(scroller);
    body.replaceChildren(
      spacer(first, shown.length),
      ...rows.slice(first, last).map((row, n) => line(row, first + n)),
      spacer(rows.length - last, shown.length),
    );
    refocus(scroller, focus);
  }

  let waiting = false;
  scroller.addEventListener("scroll", () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      draw(false);
    });
  });
  body.addEventListener("pointerover", (event) => {
    const row = event.target.closest("tr")?.dataset.row;
    if (row !== undefined) pointAt?.(Number(row));
  });
  body.addEventListener("pointerleave", () => pointAt?.(null));
  onPrint(() => draw(true));

  return {
    show(newRows, sort) {
      const focus = focusIn(scroller);
      rows = newRows;
      shown = columns();
      widths.replaceChildren(...shown.map(columnWidth));
      head.replaceChildren(element("tr", {}, ...shown.map((column) => heading(column, sort))));
      table.setAttribute("aria-rowcount", rows.length + 1);
      table.style.width = `${shown.reduce((sum, column) => sum + room(column), 0)}ch`;
      draw(true);
      refocus(scroller, focus);
    },
    reveal(row) {
      scroller.scrollTop = Math.max(0, rows.indexOf(row) * ROW_HEIGHT - scroller.clientHeight / 2);
      draw(true);
      return body.querySelector(`tr[data-row="${row}"]`);
    },
  };
}

function columnWidth(column) {
  const made = element("col");
  made.style.width = `${room(column)}ch`;
  return made;
}

/** In widths of a digit; most letters are narrower. */
function room(column) {
  return (column.right ? 1 : 0.88) * column.width + 2.5;
}

function spacer(count, span) {
  const cell = element("td", { colSpan: span });
  const made = element("tr", { className: "spacer", "aria-hidden": "true" }, cell);
  cell.style.height = `${count * ROW_HEIGHT}px`;
  made.hidden = count === 0;
  return made;
}

/** What has the focus, by a name that outlives the redrawing. */
function focusIn(host) {
  return host.contains(document.activeElement) ? document.activeElement.dataset.focus : undefined;
}

function refocus(host, name) {
  if (name === undefined || document.activeElement?.dataset.focus === name) return;
  host.querySelector(`[data-focus="${CSS.escape(name)}"]`)?.focus({ preventScroll: true });
}

// ---- the networks -------------------------------------------------------------------------------

const USUAL = [
  "model",
  "family",
  "year",
  "params",
  "macs",
  "peak_bytes",
  "depth",
  "top1",
  "top1_per_mparams",
  "latency_ms_p50",
  "throughput_per_s",
  "energy_mj",
  "device",
];

function tableColumns() {
  const failed = allRows.some(hasFailed);
  const shown = isNarrow() ? USUAL.filter((name) => !["family", "year"].includes(name)) : USUAL;
  const usual = shown.filter((name) => fields.get(name)?.known);
  if (protocols.size > 1) usual.splice(usual.indexOf("top1") + 1, 0, "protocol");
  if (failed) usual.push("status");
  return [...new Set(["model", ...(view.columns ?? usual)])];
}

const widest = new Map();

function widthOf(field) {
  if (!widest.has(field.name)) {
    const texts = field.text ? field.words : allRows.map((row) => written(field, row));
    const longest = texts.reduce((most, text) => Math.max(most, text.length), 0);
    const words = titleOf(field)
      .split(" ")
      .map((word) => word.length);
    const heading = Math.max(...words, titleOf(field).length / 2 + 1) + 2; // on two lines
    widest.set(field.name, Math.min(Math.max(longest, heading), 40));
  }
  return widest.get(field.name);
}

const networkTable = makeTable(document.getElementById("table"), {
  caption: "Networks",
  columns: () => tableColumns().map((name) => networkColumn(fields.get(name))),
  mark: (line, row) => {
    line.classList.toggle("selected", !view.only && state.selected.has(row));
    line.classList.toggle("front", state.front.has(row));
  },
  sortBy: (name) => {
    update({ sort: nextSort(view.sort, fields.get(name).better === 1 ? `-${name}` : name) });
  },
  pointAt: (row) => mean(row, { card: false }),
});

function networkColumn(field) {
  if (field.name === "model") {
    const longest = labels.reduce((most, label) => Math.max(most, label.length), 8);
    const width = Math.min(longest + 6, isNarrow() ? 24 : 42);
    return { name: "model", title: "Model", width, fill: fillName };
  }
  return {
    name: field.name,
    title: titleOf(field),
    about: field.about,
    width: widthOf(field),
    right: !field.text,
    fill: (cell, row) => fillFigure(cell, field, row),
  };
}

function fillName(cell, row) {
  const tick = element("input", { type: "checkbox", checked: state.selected.has(row) });
  tick.setAttribute("aria-label", `Select ${labels[row]}`);
  tick.dataset.focus = `tick ${row}`;
  tick.addEventListener("change", () => update(toggled(row, state.seen)));
  const open = element(
    "button",
    { type: "button", className: "link", title: labels[row] },
    isNarrow() ? shortName(row) : labels[row],
  );
  open.dataset.focus = `open ${row}`;
  open.addEventListener("click", () => update({ open: labels[row] }));
  cell.append(tick, swatch(state.colours.of(row)), open);
}

function fillFigure(cell, field, row) {
  cell.textContent = written(field, row, false);
  if (given(field, row) === null) cell.classList.add("missing");
  const other = field.accuracy && given(field, row) !== null && !chosenProtocol(row);
  if (other) cell.classList.add("other");
  const title = other ? `${protocolOf(row)}: another protocol` : exactly(field, row);
  if (title || field.text) cell.title = title || cell.textContent;
}

/** Rows as a CSV file: all fields as they were given, nothing where nothing is known. */
function csv(rows) {
  const listed = [...fields.values()];
  const line = (cells) => cells.map(quoted).join(",");
  return [
    line(listed.map((field) => harmless(field.name))),
    ...rows.map((row) => line(listed.map((field) => figure(field, row)))),
    "",
  ].join("\r\n");
}

function figure(field, row) {
  const value = given(field, row);
  return field.text && value !== null ? harmless(value) : value;
}

/** A text that no spreadsheet takes for a formula: owasp.org/www-community/attacks/CSV_Injection */
function harmless(text) {
  return /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
}

function quoted(value) {
  const text = value === null ? "" : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
