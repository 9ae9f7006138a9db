import { notDecodable } from "./errors.js";
import { decodeFile } from "./pictures.js";
import { unpack } from "./zstd.js";

const HEADER = 8;
const OPAQUE = 0;
const PLANE = 1;

/**
 * Decode a JPEG_ALPHA frame: colours from a JPEG, alpha from a plane under Zstandard.
 *
 * @param {Uint8Array} data
 * @param {number} width
 * @param {number} height
 * @param {import("./pictures.js").DecodePicture} decodePicture
 * @returns {Promise<Uint8Array>}
 */
export async function decodeJpegAlpha(data, width, height, decodePicture) {
  if (data.length < HEADER) throw notDecodable("is shorter than its header");
  const kind = data[0];
  if ((kind !== OPAQUE && kind !== PLANE) || data[1] || data[2] || data[3]) {
    throw notDecodable("has an unknown kind of alpha");
  }
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const end = HEADER + view.getUint32(4, true);
  if (end > data.length || (kind === OPAQUE && end < data.length)) {
    throw notDecodable("has another length than its parts");
  }
  const jpeg = data.subarray(HEADER, end);
  const alpha = kind === PLANE ? unpack(data.subarray(end), width * height) : null;
  // A copy: what the decoder of pictures returns is not ours to write to.
  const pixels = Uint8Array.from(await decodeFile(jpeg, "image/jpeg", width, height, decodePicture));
  for (let i = 0; i < width * height; i++) pixels[4 * i + 3] = alpha === null ? 255 : alpha[i];
  return pixels;
}
