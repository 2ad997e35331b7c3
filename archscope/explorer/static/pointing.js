// Pointing at networks: mouse, finger and keyboard; a click, a box, a ring around the one meant.

const cursor = document.getElementById("cursor");
const band = document.getElementById("band");
const announcement = document.getElementById("announcement");
const REACH = 16; // pixels around a point that still mean it
const DRAG = 5; // pixels before a press becomes a box
let meant = null; // the row that the ring is around
let lastMeant = null; // where the keyboard goes on
let press = null;
let byFinger = false; // whether the last press was: then the card has buttons

function pointOf(row) {
  return drawn.points.find((point) => point.row === row);
}

function placeOf(event) {
  const box = plot.getBoundingClientRect();
  return { x: event.clientX - box.left, y: event.clientY - box.top };
}

/** The point nearest to a place, by the distance to its rim; small ones lie on top. */
function nearest({ x, y }) {
  let [best, least] = [null, REACH];
  for (const point of drawn.points) {
    const away = Math.max(Math.hypot(point.x - x, point.y - y) - point.radius, -point.radius / 50);
    if (away <= least) [best, least] = [point, away];
  }
  return best;
}

/** Put the ring and the card on a row; null takes them away. */
function mean(row, { card = true } = {}) {
  meant = row;
  lastMeant = row ?? lastMeant;
  const point = row === null ? null : pointOf(row);
  cursor.hidden = !point;
  if (point) {
    const size = 2 * point.radius + 8;
    cursor.style.width = cursor.style.height = `${size}px`;
    cursor.style.transform = `translate(${point.x - size / 2}px, ${point.y - size / 2}px)`;
  }
  if (point && card) showCard(row, point);
  else hideCard();
  plot.style.cursor = point ? "pointer" : "crosshair";
}

plot.addEventListener("pointermove", (event) => {
  if (press) return stretch(event);
  if (event.pointerType === "touch") return;
  const row = nearest(placeOf(event))?.row ?? null;
  const changed = row !== meant || byFinger;
  byFinger = false;
  if (changed) mean(row);
});

plot.addEventListener("pointerleave", (event) => {
  if (!press && event.pointerType !== "touch") mean(null);
});

plot.addEventListener("pointerdown", (event) => {
  byFinger = event.pointerType === "touch";
  if (event.button !== 0) return;
  press = { ...placeOf(event), id: event.pointerId, box: null };
});

function stretch(event) {
  const here = placeOf(event);
  const far = Math.max(Math.abs(here.x - press.x), Math.abs(here.y - press.y)) > DRAG;
  const scrolls = event.pointerType === "touch" && !view.zoom; // a finger moves the page
  if (!press.box && (!far || scrolls)) return;
  if (!press.box) {
    plot.setPointerCapture(press.id);
    mean(null);
  }
  const { area } = drawn;
  const clampX = (x) => Math.min(Math.max(x, area.left), area.right);
  const clampY = (y) => Math.min(Math.max(y, area.top), area.bottom);
  press.box = {
    left: clampX(Math.min(press.x, here.x)),
    right: clampX(Math.max(press.x, here.x)),
    top: clampY(Math.min(press.y, here.y)),
    bottom: clampY(Math.max(press.y, here.y)),
  };
  showBand(press.box);
}

plot.addEventListener("pointerup", (event) => {
  const ended = press;
  press = null;
  if (!ended) return;
  if (ended.box) return boxed(ended.box);
  const row = nearest(placeOf(event))?.row ?? null;
  if (row === null) return event.pointerType === "touch" ? mean(null) : undefined;
  if (event.shiftKey || event.ctrlKey || event.metaKey) return update(toggled(row, state.seen));
  if (event.pointerType === "touch") return mean(row);
  mean(null);
  update({ open: labels[row] });
});

plot.addEventListener("pointercancel", () => {
  press = null;
  band.hidden = true;
});

plot.addEventListener("dblclick", () => update({ range: null }));

function showBand({ left, right, top, bottom }) {
  band.hidden = false;
  Object.assign(band.style, {
    left: `${left}px`,
    top: `${top}px`,
    width: `${right - left}px`,
    height: `${bottom - top}px`,
  });
}

/** A box was drawn: select what is in it, or make it the whole plot. */
function boxed(box) {
  const { x, y } = drawn.axes;
  const edges = [
    ...[box.left, box.right].map((pixel) => valueAt(x, pixel)),
    ...[box.bottom, box.top].map((pixel) => valueAt(y, pixel)),
  ];
  if (view.zoom) return update({ range: edges, zoom: false });
  const hit = state.placed.some((row) => inBox(row, edges));
  update({ brush: hit ? edges : null, picked: [] });
}

/** The value at a pixel, with the digits that tell it from a tenth of a pixel beside it. */
function valueAt(axis, pixel) {
  const value = axis.value(pixel);
  const digits = Math.ceil(Math.log10(Math.abs(value / (axis.value(pixel + 0.1) - value))));
  return Number(value.toPrecision(Math.min(Math.max(digits, 1), 15)));
}

/** The box that stays while it selects. */
function drawBrush() {
  band.hidden = !view.brush;
  if (!view.brush) return;
  const { x, y } = drawn.axes;
  const [left, right, low, high] = view.brush;
  const box = {
    left: x.pixel(left),
    right: x.pixel(right),
    top: y.pixel(high),
    bottom: y.pixel(low),
  };
  if (Object.values(box).every(Number.isFinite)) showBand(box);
  else band.hidden = true;
}

// ---- keyboard -----------------------------------------------------------------------------------

const STEPS = {
  ArrowRight: ["x", 1],
  ArrowLeft: ["x", -1],
  ArrowUp: ["y", -1],
  ArrowDown: ["y", 1],
};

plot.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  const acted = keyActions[event.key]?.() ?? stepped(event.key);
  if (acted) event.preventDefault();
});

const keyActions = {
  Home: () => meanByKey(ordered("x")[0]),
  End: () => meanByKey(ordered("x").at(-1)),
  Enter: () => meant !== null && (update({ open: labels[meant] }), true),
  " ": () => {
    if (meant !== null) update(toggled(meant, state.seen));
    return true;
  },
  Escape: () => {
    if (!document.getElementById("card").hidden) mean(meant, { card: false });
    else update({ brush: null, picked: [] });
    return true;
  },
};

/** The points in the order of an axis, in pixels; those at one place by the other axis. */
function ordered(axis) {
  const other = axis === "x" ? "y" : "x";
  return [...drawn.points].sort(
    (a, b) => a[axis] - b[axis] || a[other] - b[other] || a.row - b.row,
  );
}

function stepped(key) {
  const step = STEPS[key];
  if (!step || !drawn.points.length) return false;
  const points = ordered(step[0]);
  const at = points.findIndex((point) => point.row === meant);
  const next = at < 0 ? 0 : Math.min(Math.max(at + step[1], 0), points.length - 1);
  return meanByKey(points[next]);
}

function meanByKey(point) {
  if (!point) return false;
  mean(point.row);
  const [x, y] = [drawn.axes.x.field, drawn.axes.y.field];
  const texts = [y, x].map((field) => `${field.title} ${written(field, point.row)}`);
  announcement.textContent = `${labels[point.row]}: ${texts.join(", ")}`;
  return true;
}

plot.addEventListener("focus", () => {
  if (!plot.matches(":focus-visible") || meant !== null) return;
  meanByKey(pointOf(lastMeant) ?? ordered("x")[0]);
});
plot.addEventListener("blur", () => mean(null));
