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
  while (scaled >= 1023.95 && unit < BYTE_UNITS.length - 1) {
    scaled /= 1024;
    unit += 1;
  }
  return unit ? `${scaled.toFixed(1)} ${BYTE_UNITS[unit]}` : `${grouped(scaled)} B`;
}

function grouped(value) {
  return String(value).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

function significant(value, digits = 4) {
  if (value === 0) return "0";
  if (Math.abs(value) >= 10 ** digits) return writtenCount(value, digits);
  return String(Number(value.toPrecision(digits)));
}

/** A number of a field, without its unit where the field's title or axis says it. */
function writtenNumber(field, value) {
  if (!Number.isFinite(value)) return NOT_MEASURED;
  if (field.kind === "count") return writtenCount(value);
  if (field.kind === "bytes") return writtenBytes(value);
  if (field.kind === "whole") return Number.isInteger(value) ? grouped(value) : significant(value);
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
  if (field.kind === "count" && !Number.isFinite(field.numbers[row])) {
    return `${value[0]}.${value.slice(1, 3)}e${value.length - 1}`; // beyond what a double holds
  }
  const unit = withUnit ? unitOf(field) : "";
  return writtenNumber(field, field.numbers[row]) + (unit && ` ${unit}`);
}

/** All digits, where the written number has fewer. */
function exactly(field, row) {
  const value = given(field, row);
  const rounded = value !== null && (field.kind === "count" || field.kind === "bytes");
  if (!rounded) return "";
  return grouped(value) + (field.kind === "bytes" ? " bytes" : "");
}

function titleOf(field) {
  const unit = unitOf(field);
  return unit ? `${field.title} (${unit})` : field.title;
}

/** What a person typed: 30M, 2.5 G, 4GiB, 76.1; null if that is no number. */
function quantity(text) {
  const found = /^\s*(-?\d+(?:[.,]\d+)?(?:e[+-]?\d+)?)\s*([kmgtpe]?)(i?)b?\s*$/i.exec(text);
  if (!found) return null;
  const power = found[2] ? "kmgtpe".indexOf(found[2].toLowerCase()) + 1 : 0;
  return Number(found[1].replace(",", ".")) * (found[3] ? 1024 : 1000) ** power;
}
