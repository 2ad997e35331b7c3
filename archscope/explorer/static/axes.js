// Axes: from values to pixels and back, and the round numbers beside them. The library draws in
// plain linear coordinates; a logarithm is taken here, so that pointing and drawing agree.

function isLog(axis) {
  return view[`${axis}log`] ?? wantsLog(fields.get(view[axis]));
}

const spread = new Map();

/** Whether the values span so many orders that most would crowd into a corner. */
function wantsLog(field) {
  if (!field || ["percent", "share", "year"].includes(field.kind)) return false;
  if (!spread.has(field.name)) {
    const finite = [...field.numbers].filter(Number.isFinite);
    const positive = finite.filter((value) => value > 0);
    const [low, high] = bounds(positive);
    const negative = finite.some((value) => value < 0);
    spread.set(field.name, !negative && positive.length > 2 && high / low > 20);
  }
  return spread.get(field.name);
}

function bounds(values) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
}

/** From values to places along an axis, and back. */
function measure(log) {
  return log
    ? { onto: Math.log10, back: (place) => 10 ** place }
    : { onto: (value) => value, back: (place) => place };
}

/** An axis over values, between two pixels.
 * @param {number[]|null} range the values at its ends; those of the rows, with a margin, if null */
function makeAxis(field, log, rows, range, from, to) {
  const { onto, back } = measure(log);
  const asked = range?.map(onto).every(Number.isFinite); // a logarithm has no place for 0
  let [low, high] = bounds((asked ? range : rows.map((row) => field.numbers[row])).map(onto));
  if (!Number.isFinite(low)) [low, high] = [0, 1];
  if (!asked) {
    const margin = (high - low) * 0.07 || Math.abs(high) * 0.1 || 1;
    [low, high] = [low - margin, high + margin];
  }
  const pixel = (place) => from + ((place - low) / (high - low)) * (to - from);
  return {
    field,
    log,
    low,
    high,
    onto,
    pixel: (value) => pixel(onto(value)),
    value: (at) => back(low + ((at - from) / (to - from)) * (high - low)),
    ticks: ticks(field, log, low, high, Math.abs(to - from) / (to > from ? 74 : 52)),
  };
}

/** Round numbers along an axis, in its own coordinates, each with its text. */
function ticks(field, log, low, high, most) {
  const room = Math.max(2, Math.floor(most));
  const places = log ? logTicks(field, low, high, room) : linearTicks(field, low, high, room);
  return places.map((value) => ({
    at: log ? Math.log10(value) : value,
    text: tickText(field, value),
  }));
}

function linearTicks(field, low, high, room) {
  const unit =
    field.kind === "bytes" ? 1024 ** Math.floor(Math.log(Math.max(high, 1)) / Math.log(1024)) : 1;
  const rough = (high - low) / unit / room;
  const power = 10 ** Math.floor(Math.log10(rough));
  let step = [1, 2, 5, 10].find((factor) => factor * power >= rough) * power;
  if (["year", "whole"].includes(field.kind)) step = Math.max(1, Math.round(step));
  const found = [];
  for (let n = Math.ceil(low / unit / step); n * step * unit <= high && found.length < 50; n += 1) {
    found.push(Number((n * step).toPrecision(12)) * unit);
  }
  return found;
}

function logTicks(field, low, high, room) {
  if (high - low < 0.7) {
    return linearTicks(field, 10 ** low, 10 ** high, room).filter((value) => value > 0);
  }
  const base = field.kind === "bytes" ? 2 : 10;
  const choices =
    base === 2
      ? [
          [1, 1],
          [1, 2],
          [1, 5],
          [1, 10],
          [1, 20],
        ]
      : [
          [9, 1],
          [3, 1],
          [1, 1],
          [1, 2],
          [1, 3],
          [1, 6],
        ];
  const sets = choices.map(([within, every]) => powers(base, within, every, low, high));
  const gap = (high - low) / (room * 2);
  const apart = (value, n, values) => n === 0 || Math.log10(value / values[n - 1]) >= gap;
  return sets.find((values) => values.every(apart)) ?? sets.at(-1);
}

/** base^(every n) between two logarithms; with 3 within a decade also 2 and 5, with 9 all. */
function powers(base, within, every, low, high) {
  const factors = { 1: [1], 3: [1, 2, 5], 9: [1, 2, 3, 4, 5, 6, 7, 8, 9] }[within];
  const exponent = (place) => place / Math.log10(base);
  const found = [];
  for (let n = Math.floor(exponent(low) / every) * every; n <= exponent(high); n += every) {
    for (const factor of factors) {
      const value = factor * base ** n;
      if (Math.log10(value) >= low && Math.log10(value) <= high) found.push(value);
    }
  }
  return found;
}

function tickText(field, value) {
  if (field.kind === "bytes") return writtenBytes(value).replace(".0 ", " ");
  if (field.kind === "count") return shortCount(value);
  if (["year", "share"].includes(field.kind)) return writtenNumber(field, value);
  return Math.abs(value) >= 10000 ? shortCount(value) : String(Number(value.toPrecision(6)));
}

/** 500M and not 500.00M. */
function shortCount(value) {
  return writtenCount(value, 6)
    .replace(/(\.\d*?)0+(?=\D|$)/, "$1")
    .replace(/\.(?=\D|$)/, "");
}
