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
  const pointsNear = makeGrid();
  for (const point of wanted.length ? points : []) pointsNear.add(square(point), point);
  const takenNear = makeGrid();
  const found = new Map();
  for (const row of wanted) {
    const point = pointOf.get(row);
    if (!point) continue;
    const width = pen.measureText(shortName(row)).width + 2;
    const sides = onFront.has(row) ? BESIDE_FRONT : BESIDE;
    for (const side of sides) {
      const place = rectangle(point, side, width);
      if (isFree(place, point, pointsNear, takenNear, area)) {
        takenNear.add(place, place);
        found.set(row, side);
        break;
      }
    }
  }
  return found;
}

const CELL = 32; // pixels

/** Things by the cells of a grid that their boxes touch, so that a box meets only its neighbours. */
function makeGrid() {
  const cells = new Map();
  function* touched({ left, right, top, bottom }) {
    for (let x = Math.floor(left / CELL); x <= right / CELL; x += 1)
      for (let y = Math.floor(top / CELL); y <= bottom / CELL; y += 1) yield `${x} ${y}`;
  }
  return {
    add(box, thing) {
      for (const cell of touched(box)) {
        if (!cells.has(cell)) cells.set(cell, []);
        cells.get(cell).push(thing);
      }
    },
    some(box, test) {
      for (const cell of touched(box)) if (cells.get(cell)?.some(test)) return true;
      return false;
    },
  };
}

function square({ x, y, radius }) {
  return { left: x - radius, right: x + radius, top: y - radius, bottom: y + radius };
}

function rectangle({ x, y, radius }, side, width) {
  const away = radius + GAP;
  const left = { right: x + away, left: x - away - width }[side] ?? x - width / 2;
  const top = { top: y - away - LABEL_HEIGHT, bottom: y + away }[side] ?? y - LABEL_HEIGHT / 2;
  return { left, top, right: left + width, bottom: top + LABEL_HEIGHT };
}

function isFree(place, own, pointsNear, takenNear, area) {
  const outside =
    place.left < area.left ||
    place.right > area.right ||
    place.top < area.top ||
    place.bottom > area.bottom;
  return (
    !outside &&
    !takenNear.some(place, (other) => overlap(place, other)) &&
    !pointsNear.some(place, (point) => point !== own && covers(point, place))
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
