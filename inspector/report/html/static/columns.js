// Columns of numbers: base64, little-endian, as report/html/columns.py writes them.

const COLUMN_TYPES = { u8: ["getUint8", 1], u16: ["getUint16", 2], u32: ["getUint32", 4], f64: ["getFloat64", 8] };
const ARRAYS = { u8: Uint8Array, u16: Uint16Array, u32: Uint32Array, f64: Float64Array };

function decodeColumn({ type, data }) {
  const text = atob(data);
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  const [read, size] = COLUMN_TYPES[type];
  const view = new DataView(bytes.buffer);
  const numbers = new ARRAYS[type](bytes.length / size);
  for (let at = 0; at < numbers.length; at++) numbers[at] = view[read](at * size, true);
  return numbers;
}

function decodeColumns(columns) {
  return Object.fromEntries(Object.entries(columns).map(([name, column]) => [name, decodeColumn(column)]));
}
