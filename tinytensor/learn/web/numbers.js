// ---------------------------------------------------------------- numbers

const ARRAYS = {f8: Float64Array, f4: Float32Array, i4: Int32Array, i2: Int16Array, u1: Uint8Array};

/** The numbers of {type, bytes}: little-endian bytes in base64. */
function unpacked({type, bytes}) {
  const text = atob(bytes), buffer = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) buffer[i] = text.charCodeAt(i);
  return new ARRAYS[type](buffer.buffer);
}

let allDigits = false;

/** A number as text: four decimals, or all digits that it has. */
function shown(x, single = false) {
  if (Number.isNaN(x)) return "nan";
  if (!Number.isFinite(x)) return x > 0 ? "inf" : "-inf";
  if (Object.is(x, -0)) return "\u22120";
  if (allDigits) return minus(single ? shortest(x) : String(x));
  const size = Math.abs(x);
  if (Number.isInteger(x) && size < 1e6) return minus(String(x));
  if (size >= 1e5 || size < 1e-3) return minus(x.toExponential(2));
  return minus(x.toFixed(4));
}

/** A count with its noun: 1 operation, 5,152 operations. */
const counted = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

const minus = (text) => text.replace("-", "\u2212").replace("e\u2212", "e-");

/** The shortest text of a float32 that gives the same float32 again. */
function shortest(x) {
  for (let digits = 6; digits < 9; digits++) {
    const text = x.toPrecision(digits);
    if (Math.fround(Number(text)) === x) return String(Number(text));
  }
  return x.toPrecision(9);
}

/** A number in a product or a sum: a negative one in brackets. */
const inside = (x, single) => x < 0 || Object.is(x, -0) ? `(${shown(x, single)})` : shown(x, single);

const sameNumber = (a, b) => Object.is(a, b) || Number.isNaN(a) && Number.isNaN(b);

/** The index of the last entry of sorted `list` in [from, to) that is at most x; from - 1 if none. */
function lastUpTo(list, x, from, to) {
  while (from < to) {
    const middle = from + to >> 1;
    if (list[middle] <= x) from = middle + 1; else to = middle;
  }
  return from - 1;
}

/** Lists for each of n keys, as one array: [starts, entries]; key(j) is the key of entry j. */
function grouped(n, count, key) {
  const starts = new Int32Array(n + 1), entries = new Int32Array(count);
  for (let j = 0; j < count; j++) starts[key(j) + 1]++;
  for (let i = 0; i < n; i++) starts[i + 1] += starts[i];
  const next = starts.slice();
  for (let j = 0; j < count; j++) entries[next[key(j)]++] = j;
  return [starts, entries];
}
