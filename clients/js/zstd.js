import { Decompress } from "fzstd";

import { FrameCodecError, notDecodable, wrongSize } from "./errors.js";

const MAGIC = 0xfd2fb528;
const MAX_WINDOW = 8 << 20;
const RESERVED_BLOCK = 3;
const RLE_BLOCK = 1;

/**
 * Unpack one Zstandard frame (RFC 8878) that must declare `size` bytes and fill `data`.
 *
 * The header is read first: fzstd allocates what a header asks for, and ignores what follows.
 *
 * @param {Uint8Array} data
 * @param {number} size
 * @returns {Uint8Array}
 */
export function unpack(data, size) {
  checkFrame(data, size);
  const out = new Uint8Array(size);
  let at = 0;
  const stream = new Decompress((part) => {
    if (at + part.length > size) throw notDecodable("unpacks to more than it declares");
    out.set(part, at);
    at += part.length;
  });
  try {
    stream.push(data, true);
  } catch (error) {
    throw error instanceof FrameCodecError ? error : notDecodable("is damaged", error);
  }
  if (at !== size) throw notDecodable("unpacks to less than it declares");
  return out;
}

function checkFrame(data, size) {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  if (data.length < 9 || view.getUint32(0, true) !== MAGIC) throw notDecodable("is not Zstandard");
  const flags = data[4];
  const singleSegment = (flags >> 5) & 1;
  const sizeFlag = flags >> 6;
  if (flags & 0x08 || flags & 0x03) throw notDecodable("needs a dictionary");
  let at = 5;
  if (!singleSegment) {
    const base = 2 ** (10 + (data[at] >> 3));
    if (base + (base / 8) * (data[at] & 7) > MAX_WINDOW) throw notDecodable("has a large window");
    at += 1;
  }
  const sizeBytes = sizeFlag === 0 ? singleSegment : 1 << sizeFlag;
  if (sizeBytes === 0) throw wrongSize(`The frame does not declare that it unpacks to ${size} bytes.`);
  let declared = sizeFlag === 1 ? 256 : 0;
  for (let i = 0; i < sizeBytes; i++) declared += data[at + i] * 2 ** (8 * i);
  if (declared !== size) throw wrongSize(`The frame unpacks to ${declared} bytes, not ${size}.`);
  if (endOfBlocks(data, at + sizeBytes) + (flags & 0x04) !== data.length) {
    throw notDecodable("is cut off, or followed by other bytes");
  }
}

/** Where the last block ends; NaN where it is missing. */
function endOfBlocks(data, start) {
  let at = start;
  while (at + 3 <= data.length) {
    const header = data[at] | (data[at + 1] << 8) | (data[at + 2] << 16);
    const kind = (header >> 1) & 3;
    if (kind === RESERVED_BLOCK) return NaN;
    at += 3 + (kind === RLE_BLOCK ? 1 : header >> 3);
    if (header & 1) return at;
  }
  return NaN;
}
