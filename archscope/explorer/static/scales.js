// Colours and sizes: from a network's values to how its point looks.

// A protocol's marker as the library draws it, around its place, and as a letter.
const MARKERS = [
  ["circle", "●"],
  ["diamond", "◆"],
  ["triangle", "▲"],
  ["rect", "■"],
  ["path://M0,0L2,0L1,2Z", "▼"],
  ["path://M1,0h1v1h1v1h-1v1h-1v-1h-1v-1h1z", "✚"],
  ["path://M10,0L13,7L20,8L15,13L16,20L10,16L4,20L5,13L0,8L7,7Z", "★"],
];
const SMALLEST = 3; // pixels of radius: a point must be seen and pointed at
const UNKNOWN = ["#9aa0a8", "#8a8f98"]; // on light and on dark ground, like all pairs
const RAMPS = [
  ["#440154", "#3b528b", "#21918c", "#5ec962", "#d0ce20"],
  ["#7a6ff0", "#3f9bd8", "#2fc0a3", "#8fdc60", "#fde725"],
]; // viridis, from Smith and van der Walt 2015, its dark end raised on a dark page

function colourScale() {
  const field = fields.get(view.colour);
  const dark = Number(isDark());
  if (!field) return { of: () => source.palette.words[0][dark] };
  if (field.axis) return rampScale(field, RAMPS[dark]);
  const families = source.palette.families;
  const words = field.text ? field.words : [];
  const pairs = (word) =>
    view.colour === "family" && Object.hasOwn(families, word)
      ? families[word]
      : source.palette.words[Math.max(words.indexOf(word), 0) % source.palette.words.length];
  const cache = new Map(words.map((word) => [word, pairs(word)[dark]]));
  const flagged = (row) =>
    field.values[row] === null
      ? UNKNOWN[dark]
      : source.palette.words[Number(field.values[row])][dark];
  return {
    field,
    words,
    colour: (text) => cache.get(text) ?? UNKNOWN[dark],
    of: field.text ? (row) => cache.get(textOf(field.name, row)) ?? UNKNOWN[dark] : flagged,
  };
}

function rampScale(field, stops) {
  const log = wantsLog(field);
  const { onto, back } = measure(log);
  const numbers = allRows.map((row) => onto(numberOf(field, row)));
  const [low, high] = bounds(numbers.filter(Number.isFinite));
  const of = (row) => {
    const share = (onto(numberOf(field, row)) - low) / (high - low || 1);
    return Number.isFinite(share) ? blended(stops, share) : UNKNOWN[Number(isDark())];
  };
  return { field, stops, of, low: back(low), high: back(high), log };
}

function blended(stops, share) {
  const place = Math.min(Math.max(share, 0), 1) * (stops.length - 1);
  const left = Math.min(Math.floor(place), stops.length - 2);
  const channel = (colour, n) => parseInt(colour.slice(1 + 2 * n, 3 + 2 * n), 16);
  const mixed = [0, 1, 2].map((n) => {
    const [from, to] = [channel(stops[left], n), channel(stops[left + 1], n)];
    return Math.round(from + (place - left) * (to - from));
  });
  return `#${mixed.map((level) => level.toString(16).padStart(2, "0")).join("")}`;
}

/** Radius of a point: its area is proportional to the value, but never too small to see. */
function sizeScale(placed) {
  const field = fields.get(view.size);
  const crowd = placed.length > 400 ? 24 : 28;
  const largest = Math.min(crowd, plot.clientWidth / 18);
  if (!field) return { of: () => Math.max(SMALLEST + 1, 7 - placed.length / 400) };
  const [, high] = bounds(placed.map((row) => numberOf(field, row)).filter(Number.isFinite));
  const share = (value) => (high > 0 ? Math.max(value, 0) / high : 0);
  const radius = (value) => Math.max(SMALLEST, largest * Math.sqrt(share(value)));
  return {
    field,
    high,
    radius,
    of: (row) => {
      const found = radius(numberOf(field, row));
      return Number.isFinite(found) ? found : SMALLEST;
    },
  };
}

function markerOf(protocol) {
  const place = [...protocols.keys()].indexOf(protocol);
  const [symbol, letter] = MARKERS[Math.max(place, 0) % MARKERS.length];
  return { symbol, letter };
}
