// Names beside points, such that no name lies on another name or on a point.

const LABEL_FONT = '600 11px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';
const LABEL_HEIGHT = 14;
const GAP = 4;
const BESIDE = ["right", "left", "top", "bottom"];
const BESIDE_FRONT = ["left", "top", "right", "bottom"]; // the staircase mostly leaves to the right
const pen = document.createElement("canvas").getContext("2d");

const shortNames = (() => {
  const short = labels.map((label) => label.replace(/^[a-z]+:/, ""));
  const times = new Map();
  for (const name of short) times.set(name, (times.get(name) ?? 0) + 1);
  return short.map((name, row) => (times.get(name) === 1 ? name : labels[row]));
})();

/** A name without its source, where that leaves no doubt. */
function shortName(row) {
  return shortNames[row];
}

/** Where the names go.
 * @param points {row, x, y, radius} of all points drawn
 * @param wanted rows to be named, the most wanted first
 * @param onFront those with a staircase beside them
 * @returns Map from row to "right", "left", "top" or "bottom"; rows without room are not in it */
function placedLabels(points, wanted, onFront, area) {
  pen.font = LABEL_FONT;
  const pointOf = new Map(points.map((point) => [point.row, point]));
  const taken = [];
  const found = new Map();
  for (const row of wanted) {
    const point = pointOf.get(row);
    if (!point) continue;
    const width = pen.measureText(shortName(row)).width + 2;
    const sides = onFront.has(row) ? BESIDE_FRONT : BESIDE;
    for (const side of sides) {
      const place = rectangle(point, side, width);
      if (isFree(place, point, points, taken, area)) {
        taken.push(place);
        found.set(row, side);
        break;
      }
    }
  }
  return found;
}

function rectangle({ x, y, radius }, side, width) {
  const away = radius + GAP;
  const left = { right: x + away, left: x - away - width }[side] ?? x - width / 2;
  const top = { top: y - away - LABEL_HEIGHT, bottom: y + away }[side] ?? y - LABEL_HEIGHT / 2;
  return { left, top, right: left + width, bottom: top + LABEL_HEIGHT };
}

function isFree(place, own, points, taken, area) {
  const outside =
    place.left < area.left ||
    place.right > area.right ||
    place.top < area.top ||
    place.bottom > area.bottom;
  return (
    !outside &&
    !taken.some((other) => overlap(place, other)) &&
    !points.some((point) => point !== own && covers(point, place))
  );
}

function overlap(a, b) {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

function covers({ x, y, radius }, place) {
  const nearX = Math.max(place.left, Math.min(x, place.right));
  const nearY = Math.max(place.top, Math.min(y, place.bottom));
  return (x - nearX) ** 2 + (y - nearY) ** 2 < radius ** 2;
}
