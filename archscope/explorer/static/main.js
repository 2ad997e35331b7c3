// What happens when something is pressed: the view changes, and the page is drawn from the view.

const byId = (id) => document.getElementById(id);
const state = { dragging: false, seen: [], placed: [], selected: new Set(), fronts: [] };

/** Change the view; everything follows from it. */
function update(changes) {
  const axes = ["x", "y", "xlog", "ylog"].some(
    (name) => name in changes && changes[name] !== view[name],
  );
  if (axes && view.brush) {
    const picked = [...selectedRows(state.seen)].map((row) => labels[row]);
    Object.assign(view, { brush: null, picked }); // the selection outlives the axes of its box
  }
  if (axes && !("range" in changes)) view.range = null;
  if (changes.open && !view.open) enterNetwork();
  Object.assign(view, changes);
  keep();
  draw();
}

let due = false;

function draw() {
  if (due) return;
  due = true;
  requestAnimationFrame(() => {
    due = false;
    drawNow();
  });
}

function drawNow() {
  document.documentElement.dataset.theme = isDark() ? "dark" : "light";
  const seen = seenRows();
  const { placed, without } = placedRows(seen);
  const selected = selectedRows(seen);
  Object.assign(state, { seen, placed, without, selected });
  state.fronts = view.pareto ? fronts(placed) : [];
  state.front = new Set(state.fronts.flatMap(({ rows }) => rows));
  Object.assign(state, drawScatter(state));
  state.dragging = false;
  drawControls();
  drawBrush();
  drawFilters();
  drawLegend();
  drawCaption();
  drawTable();
  drawDetail();
  if (meant !== null) mean(pointOf(meant) ? meant : null, { card: !card.hidden });
  state.drawings = (state.drawings ?? 0) + 1;
  document.documentElement.dataset.drawings = state.drawings; // lets a test wait for a drawing
}

// ---- controls -----------------------------------------------------------------------------------

function drawControls() {
  for (const name of ["x", "y", "colour", "size", "names"]) byId(name).value = view[name];
  for (const axis of ["x", "y"]) {
    byId(`${axis}-log`).setAttribute("aria-pressed", String(isLog(axis)));
    byId(`${axis}-best`).textContent = bestOf(axis) > 0 ? "more is better" : "less is better";
    byId(`${axis}-best`).hidden = !view.pareto;
  }
  byId("pareto").setAttribute("aria-pressed", String(view.pareto));
  byId("zoom").setAttribute("aria-pressed", String(view.zoom));
  plot.classList.toggle("zooming", view.zoom);
  byId("reset").hidden = !view.range;
  byId("theme").textContent = isDark() ? "Light" : "Dark";
  const nothing = byId("nothing");
  nothing.hidden = state.placed.length > 0;
  nothing.textContent = state.seen.length
    ? "None of these networks has a value on both axes."
    : "No network passes the filters.";
  drawSummary();
}

function drawSummary() {
  const all = labels.length;
  const { seen, selected } = state;
  const parts = [seen.length === all ? several(all) : `${grouped(seen.length)} of ${several(all)}`];
  if (isSelecting()) parts.push(`${grouped(selected.size)} selected`);
  const failed = allRows.filter(hasFailed).length;
  if (failed) parts.push(`${failed} not ok, the column Status says why`);
  byId("summary").textContent = parts.join(" · ");
}

function tableRows() {
  const only = isSelecting() && view.only;
  const chosen = only ? state.seen.filter((row) => state.selected.has(row)) : state.seen;
  return sortedRows(chosen, view.sort);
}

function drawTable() {
  const any = isSelecting();
  byId("only").hidden = byId("clear-selection").hidden = !any;
  byId("only").setAttribute("aria-pressed", String(view.only));
  const rows = tableRows();
  byId("table-title").textContent = several(rows.length) + (any && view.only ? " selected" : "");
  networkTable.show(rows, view.sort);
  const shown = new Set(tableColumns());
  for (const tick of document.querySelectorAll("#columns input"))
    tick.checked = shown.has(tick.value);
}

function tell(text) {
  byId("problem").hidden = !text;
  byId("problem").textContent = text;
}

function fillSelect(id, choices) {
  byId(id).replaceChildren(
    ...choices.map(([value, text, off]) =>
      element("option", { value, disabled: Boolean(off) }, text),
    ),
  );
  byId(id).addEventListener("change", () => update({ [id]: byId(id).value, ...forgotten(id) }));
}

/** Another quantity on an axis has its own scale and its own better direction. */
function forgotten(id) {
  return id === "x" || id === "y" ? { [`${id}log`]: null, [`${id}best`]: null } : {};
}

function numericChoices() {
  return numericFields().map((field) => [
    field.name,
    field.known ? titleOf(field) : `${field.title}: ${NOT_MEASURED}`,
    !field.known,
  ]);
}

function makeControls() {
  fillSelect("x", numericChoices());
  fillSelect("y", numericChoices());
  fillSelect("size", [["", "equal"], ...numericChoices()]);
  const words = [...fields.values()].filter(
    (field) => field.known && !field.axis && !["model", "accuracy_source"].includes(field.name),
  );
  const colours = words.map((field) => [field.name, field.title]);
  fillSelect("colour", [["", "one colour"], ...colours, ...numericChoices()]);
  fillSelect("names", [
    ["", "automatic"],
    ["front", "on the front"],
    ["selected", "selected"],
    ["all", "as many as fit"],
    ["none", "none"],
  ]);
  for (const axis of ["x", "y"]) {
    onPress(`${axis}-log`, () => ({ [`${axis}log`]: !isLog(axis) }));
    onPress(`${axis}-best`, () => ({ [`${axis}best`]: -bestOf(axis) }));
  }
  onPress("pareto", () => ({ pareto: !view.pareto }));
  onPress("zoom", () => ({ zoom: !view.zoom }));
  onPress("reset", () => ({ range: null }));
  onPress("theme", () => ({ theme: isDark() ? "light" : "dark" }));
  onPress("only", () => ({ only: !view.only }));
  onPress("clear-selection", () => ({ brush: null, picked: [] }));
  onPress("clear-filters", () => ({ query: "", families: [], ranges: {} }));
  byId("query").addEventListener("input", () => update({ query: byId("query").value }));
  byId("download").addEventListener("click", () => save(csv(tableRows())));
  byId("copy-link").addEventListener("click", copyLink);
  byId("skip").addEventListener("click", (event) => {
    event.preventDefault(); // the fragment is the view's
    plot.focus();
  });
  makeColumnMenu();
}

function onPress(id, changes) {
  byId(id).addEventListener("click", (event) => {
    event.preventDefault();
    update(changes());
  });
}

function makeColumnMenu() {
  const host = byId("columns").querySelector("div");
  for (const field of [...fields.values()].filter(({ name }) => name !== "model")) {
    const tick = element("input", { type: "checkbox", value: field.name });
    tick.addEventListener("change", () => {
      const kept = tableColumns().filter((name) => name !== field.name);
      update({ columns: tick.checked ? [...kept, field.name] : kept });
    });
    host.append(element("label", {}, tick, ` ${titleOf(field)}`));
  }
  closeOnLeaving(byId("columns"));
}

/** A menu closes by Escape, and by a press beside it. */
function closeOnLeaving(menu) {
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
  addEventListener("pointerdown", (event) => {
    if (!menu.contains(event.target)) menu.open = false;
  });
}

function save(text) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  const link = element("a", { href: address, download: "networks.csv" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

// ---- begin --------------------------------------------------------------------------------------

byId("notes").append(...source.notes.map((note) => element("li", {}, note)));
byId("convention").textContent = `archscope ${source.version}. ${source.convention}`;
if (innerWidth < 900) byId("filters").open = false;
makeFilters();
makeControls();
onPrint(drawNow);
darkSystem.addEventListener("change", draw);
new ResizeObserver(draw).observe(plot);
readAddress();
