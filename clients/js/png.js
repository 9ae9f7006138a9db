import { notDecodable, wrongSize } from "./errors.js";

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const RGBA_8_BIT = [8, 6, 0, 0, 0];
const PIXEL = 4;
const FILTER_UP = 2;

/**
 * Decode a PNG of 8-bit RGBA without interlacing.
 *
 * A browser's own decoder is not used since canvases hold premultiplied colours, which lose
 * precision where alpha is low.
 *
 * @param {Uint8Array} data
 * @param {number} width
 * @param {number} height
 * @returns {Promise<Uint8Array>}
 */
export async function decodePng(data, width, height) {
  if (!SIGNATURE.every((byte, i) => data[i] === byte)) throw notDecodable("is not a PNG");
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const parts = [];
  let at = SIGNATURE.length;
  for (let kind = ""; kind !== "IEND"; ) {
    if (at + 12 > data.length) throw notDecodable("is a PNG cut off");
    const length = view.getUint32(at);
    kind = String.fromCharCode(...data.subarray(at + 4, at + 8));
    const body = data.subarray(at + 8, at + 8 + length);
    at += 12 + length;
    if (at > data.length) throw notDecodable("is a PNG cut off");
    if (parts.length === 0 && kind === "IHDR") checkHeader(body, width, height);
    else if (at === 20 + length) throw notDecodable("is a PNG without a header");
    if (kind === "IDAT") parts.push(body);
  }
  if (at !== data.length) throw notDecodable("is a PNG followed by something else");
  const stride = 1 + width * PIXEL;
  return unfilter(await inflate(parts, stride * height), width, height);
}

function checkHeader(body, width, height) {
  if (body.length !== 13) throw notDecodable("is a damaged PNG");
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  if (view.getUint32(0) !== width || view.getUint32(4) !== height) {
    throw wrongSize(`The PNG is not ${width}x${height}.`);
  }
  if (!RGBA_8_BIT.every((byte, i) => body[8 + i] === byte)) {
    throw notDecodable("is not a PNG of 8-bit RGBA without interlacing");
  }
}

async function inflate(parts, size) {
  const out = new Uint8Array(size);
  let at = 0;
  try {
    const packed = new Blob(parts).stream();
    const reader = packed.pipeThrough(new DecompressionStream("deflate")).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      if (at + value.length > size) {
        await reader.cancel();
        throw notDecodable("is a PNG with too much data");
      }
      out.set(value, at);
      at += value.length;
    }
  } catch (error) {
    throw error.reason === undefined ? notDecodable("is a damaged PNG", error) : error;
  }
  if (at !== size) throw notDecodable("is a PNG with too little data");
  return out;
}

function unfilter(rows, width, height) {
  const stride = width * PIXEL;
  const out = new Uint8Array(stride * height);
  for (let y = 0; y < height; y++) {
    const filter = rows[y * (stride + 1)];
    const from = y * (stride + 1) + 1;
    const to = y * stride;
    if (filter === FILTER_UP && y > 0) {
      // What Kuchipaku's sender uses for every row.
      for (let x = 0; x < stride; x++) out[to + x] = rows[from + x] + out[to + x - stride];
      continue;
    }
    const predict = PREDICTORS[filter];
    if (predict === undefined) throw notDecodable("is a PNG with an unknown filter");
    for (let x = 0; x < stride; x++) {
      const left = x >= PIXEL ? out[to + x - PIXEL] : 0;
      const above = y > 0 ? out[to + x - stride] : 0;
      const corner = x >= PIXEL && y > 0 ? out[to + x - stride - PIXEL] : 0;
      out[to + x] = rows[from + x] + predict(left, above, corner);
    }
  }
  return out;
}

const PREDICTORS = [
  () => 0,
  (left) => left,
  (_, above) => above,
  (left, above) => (left + above) >> 1,
  (left, above, corner) => {
    const sum = left + above - corner;
    const toLeft = Math.abs(sum - left);
    const toAbove = Math.abs(sum - above);
    const toCorner = Math.abs(sum - corner);
    if (toLeft <= toAbove && toLeft <= toCorner) return left;
    return toAbove <= toCorner ? above : corner;
  },
];
