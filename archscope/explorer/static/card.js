// The card beside a point: every figure of the network.

const card = document.getElementById("card");

function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role") made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function isNarrow() {
  return innerWidth < 640;
}

function swatch(colour) {
  const made = element("i", { className: "swatch", "aria-hidden": "true" });
  made.style.background = colour;
  return made;
}

/** Fields that some row has, beside its name. */
function knownFields() {
  return [...fields.values()].filter((field) => field.name !== "model" && field.known);
}

/** Figures of a row, as terms and values. */
function figureList(row, shown, { exact = false, boxed = false } = {}) {
  return shown.flatMap((field) => {
    const value = element("dd", {}, written(field, row));
    if (given(field, row) === null) value.className = "missing";
    const digits = exactly(field, row);
    if (digits && exact) value.title = digits;
    if (field.accuracy && given(field, row) !== null && !chosenProtocol(row)) {
      value.append(element("small", {}, ` ${protocolOf(row)}`));
    }
    const pair = [element("dt", { title: field.about ?? "" }, field.title), value];
    return boxed ? element("div", {}, ...pair) : pair;
  });
}

/** What a row has not, in one line each: it was not measured or stated, and is not 0. */
function missingList(row) {
  const nowhere = numericFields().filter((field) => !field.known);
  const here = knownFields().filter((field) => given(field, row) === null);
  return [
    [`${NOT_MEASURED} or stated for this one`, here],
    [`${NOT_MEASURED} for any ${ROW} here`, nowhere],
  ]
    .filter(([, missing]) => missing.length)
    .map(([what, missing]) => {
      const names = missing.map((field) => field.title).join(", ");
      const sentence = `${what[0].toUpperCase()}${what.slice(1)}: ${names}.`;
      return element("p", { className: "missing" }, sentence);
    });
}

function showCard(row, point) {
  const colour = state.colours.of(row);
  const present = knownFields().filter((field) => given(field, row) !== null);
  card.replaceChildren(
    element("h3", {}, swatch(colour), labels[row]),
    element("dl", {}, ...figureList(row, present)),
    ...missingList(row),
  );
  if (byFinger) card.append(cardActions(row));
  card.hidden = false;
  card.classList.toggle("sheet", isNarrow());
  if (isNarrow()) {
    card.style.left = card.style.top = "";
    return;
  }
  const room = plot.clientWidth;
  const [width, height] = [card.offsetWidth, card.offsetHeight];
  const away = point.radius + 14;
  const left = point.x + away + width <= room ? point.x + away : point.x - away - width;
  const above = plot.getBoundingClientRect().top;
  const lowest = innerHeight - above - height - 8;
  const top = Math.max(Math.min(point.y - height / 3, lowest), 8 - above); // whole on the screen
  card.style.left = `${Math.max(left, point.x < room / 2 ? point.x + away : 0)}px`;
  card.style.top = `${top}px`;
}

// A press on the card leaves the focus on the plot, which would take the card away.
card.addEventListener("mousedown", (event) => event.preventDefault());

function cardActions(row) {
  const open = element("button", { type: "button" }, "Layers");
  open.addEventListener("click", () => update({ open: labels[row] }));
  const pick = element("button", { type: "button" }, "Select");
  pick.addEventListener("click", () => update(toggled(row, state.seen)));
  const close = element("button", { type: "button" }, "Close");
  close.addEventListener("click", () => mean(null));
  return element("div", { className: "actions" }, open, pick, close);
}

function hideCard() {
  card.hidden = true;
}
