// Numbers as a reader wants them: K, M, G, T are 10^3k, memory is in KiB, MiB, GiB.

const COUNT_UNITS = ["", "K", "M", "G", "T", "P", "E"];
const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

function writtenCount(value, digits = 3) {
  if (Math.abs(value) < 10000 && Number.isInteger(value)) return grouped(value);
  if (Math.abs(value) >= 1e21) return value.toExponential(digits - 1).replace("e+", "e");
  let scaled = value;
  for (const unit of COUNT_UNITS) {
    const decimals = Math.max(digits - String(Math.trunc(Math.abs(scaled))).length, 0);
    if (Math.abs(Number(scaled.toFixed(decimals))) < 1000) return scaled.toFixed(decimals) + unit;
    scaled /= 1000;
  }
  return value.toExponential(digits - 1).replace("e+", "e");
}

function writtenBytes(value) {
  let scaled = value;
  let unit = 0;
  while (Math.abs(scaled) >= 1023.95 && unit < BYTE_UNITS.length - 1) {
    scaled /= 1024;
    unit += 1;
  }
  return `${unit ? scaled.toFixed(1) : wholly(scaled)} ${BYTE_UNITS[unit]}`;
}

/** Commas between the thousands of a number, or of its digits. */
function grouped(value) {
  const [whole, ...rest] = String(value).split(/(?=[.e])/);
  return whole.replace(/\B(?=(\d{3})+$)/g, ",") + rest.join("");
}

function significant(value, digits = 4) {
  if (Math.abs(value) >= 10 ** digits) return writtenCount(value, digits);
  return String(Number(value.toPrecision(digits)));
}

/** All digits of a whole number that a double holds exactly. */
function wholly(value) {
  return Number.isSafeInteger(value) ? grouped(value) : significant(value);
}

/** A number of a field, without its unit where the field's title or axis says it. */
function writtenNumber(field, value) {
  if (!Number.isFinite(value)) return NOT_MEASURED;
  if (field.kind === "count") return writtenCount(value);
  if (field.kind === "bytes") return writtenBytes(value);
  if (field.kind === "whole") return wholly(value);
  if (field.kind === "year") return String(value);
  if (field.kind === "share") return `${significant(100 * value)} %`;
  return significant(value);
}

function unitOf(field) {
  return field.kind === "percent" ? "%" : (field.unit ?? "");
}

/** A field's value in a row, for people. */
function written(field, row, withUnit = true) {
  const value = given(field, row);
  if (value === null) return field.text || field.kind === "year" ? NOT_STATED : NOT_MEASURED;
  if (field.text) return value;
  if (field.kind === "flag") return value ? "yes" : "no";
  const unit = withUnit ? unitOf(field) : "";
  const number = field.numbers[row];
  const text = Number.isFinite(number) ? writtenNumber(field, number) : beyondDoubles(value);
  return text + (unit && ` ${unit}`);
}

/** The digits of a whole number that no double holds, as 1.23e400. */
function beyondDoubles(digits) {
  const [, sign, first, next] = /^(-?)(\d)(\d\d)/.exec(digits);
  return `${sign}${first}.${next}e${digits.length - sign.length - 1}`;
}

/** All digits and the unit, where the written number has fewer; else "". */
function exactly(field, row) {
  const value = given(field, row);
  if (!field.axis || value === null || field.kind === "year") return "";
  const share = field.kind === "share";
  const digits = share ? Number((100 * value).toPrecision(15)) : grouped(value);
  const unit = { bytes: "bytes", share: "%" }[field.kind] ?? unitOf(field);
  const all = `${digits} ${unit}`.trim();
  return all === written(field, row) ? "" : all;
}

function titleOf(field) {
  const unit = unitOf(field);
  return unit ? `${field.title} (${unit})` : field.title;
}

const TYPED = /^([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*([kmgtpe]?)(i?)(b?)$/i;

/** What a person typed for a field: 30M, 2.5 G, 4GiB, 4,096, 76.1 %; null if that is no number. */
function quantity(field, text) {
  const unit = field.kind === "share" ? "%" : unitOf(field);
  let bare = text.trim();
  if (unit && bare.toLowerCase().endsWith(unit.toLowerCase())) bare = bare.slice(0, -unit.length);
  const thousands = /^[+-]?\d{1,3}(,\d{3})+(?![\d,])/.test(bare);
  const found = TYPED.exec(bare.replaceAll(",", thousands ? "" : ".").trim());
  if (!found) return null;
  const power = found[2] ? "kmgtpe".indexOf(found[2].toLowerCase()) + 1 : 0;
  const value = Number(found[1]) * (found[3] ? 1024 : 1000) ** power;
  if (!Number.isFinite(value)) return null;
  return field.kind === "share" ? value / 100 : value;
}
