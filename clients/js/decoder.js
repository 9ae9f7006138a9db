import { FrameCodecError, notDecodable, wrongSize } from "./errors.js";
import { decodeJpegAlpha } from "./jpegalpha.js";
import { decodeFile, decodePictureInBrowser } from "./pictures.js";
import { decodePng } from "./png.js";
import { ReferenceWindow } from "./window.js";
import { unpack } from "./zstd.js";

const ENCODINGS = ["RAW", "DELTA_ZSTD", "PNG", "WEBP", "JPEG_ALPHA"];
const MAX_SIDE = 16384;

/**
 * Decodes the frames of one stream in order.
 *
 * Memory is bounded by the reference window plus the frames under way. Returned pixels must not be
 * changed since later frames may refer to them; copy them first.
 */
export class FrameDecoder {
  #encoding;
  #width;
  #height;
  #frameBytes;
  #window;
  #decodePicture;
  #epoch = null;
  #nextId = 0;
  #last = Promise.resolve();

  /**
   * @param {object} options
   * @param {string} options.encoding "DELTA_ZSTD", or as the protocol says "FRAME_ENCODING_DELTA_ZSTD"
   * @param {number} options.width of every frame, in pixels
   * @param {number} options.height
   * @param {number | bigint | string} [options.referenceWindowBytes] as in the effective FrameFormat
   * @param {import("./pictures.js").DecodePicture} [options.decodePicture] for WEBP and JPEG_ALPHA;
   *   by default the browser's own
   */
  constructor({ encoding, width, height, referenceWindowBytes = 0, decodePicture = decodePictureInBrowser }) {
    this.#encoding = String(encoding).replace(/^FRAME_ENCODING_/, "");
    if (!ENCODINGS.includes(this.#encoding)) throw new RangeError(`unknown encoding ${encoding}`);
    for (const side of [width, height]) {
      if (!Number.isInteger(side) || side < 1 || side > MAX_SIDE) throw new RangeError("wrong frame size");
    }
    this.#width = width;
    this.#height = height;
    this.#frameBytes = width * height * 4;
    this.#window = new ReferenceWindow(integer(referenceWindowBytes));
    this.#decodePicture = decodePicture;
  }

  /**
   * Decode the next frame of `epoch`; a change of epoch forgets all earlier frames.
   *
   * Calls may overlap: frames are decoded in the order of the calls. After an error the stream
   * cannot go on, and every later call fails with the same error.
   *
   * @param {number | bigint | string} epoch of the frame's batch
   * @param {object} frame a `kuchipaku.type.v1.Frame`
   * @returns {Promise<Uint8Array>} RGBA, straight alpha, rows from the top
   */
  decode(epoch, frame) {
    const result = this.#last.then(() => this.#decode(String(epoch), frame));
    this.#last = result;
    // The caller hears of it from `result`.
    result.catch(() => {});
    return result;
  }

  async #decode(epoch, frame) {
    if (epoch !== this.#epoch) {
      this.#epoch = epoch;
      this.#nextId = 0;
      this.#window.clear();
    }
    const id = integer(frame.frameId);
    if (id !== this.#nextId) {
      throw new FrameCodecError("FRAME_OUT_OF_ORDER", `Frame ${this.#nextId} was expected, frame ${id} came.`);
    }
    let pixels;
    if (isSet(frame.sameAsFrameId)) {
      const known = integer(frame.sameAsFrameId);
      pixels = this.#window.takeOver(known, id) ?? unknown(id, known);
    } else {
      pixels = await this.#decodeData(id, frame);
      this.#window.add(id, pixels);
    }
    this.#nextId += 1;
    return pixels;
  }

  async #decodeData(id, frame) {
    const [width, height] = [this.#width, this.#height];
    const data = frame.data;
    if (!(data instanceof Uint8Array) || data.length === 0) throw notDecodable("has no data");
    if (isSet(frame.baseFrameId) && this.#encoding !== "DELTA_ZSTD") unknown(id, integer(frame.baseFrameId));
    switch (this.#encoding) {
      case "RAW":
        if (data.length !== this.#frameBytes) throw wrongSize(`The frame has ${data.length} bytes.`);
        return Uint8Array.from(data);
      case "DELTA_ZSTD":
        return this.#undoDelta(unpack(data, this.#frameBytes), id, frame);
      case "PNG":
        return decodePng(data, width, height);
      case "WEBP":
        return decodeFile(data, "image/webp", width, height, this.#decodePicture);
      default:
        return decodeJpegAlpha(data, width, height, this.#decodePicture);
    }
  }

  #undoDelta(delta, id, frame) {
    if (!isSet(frame.baseFrameId)) return delta;
    const baseId = integer(frame.baseFrameId);
    const base = this.#window.find(baseId) ?? unknown(id, baseId);
    addBytes(new Uint32Array(delta.buffer), new Uint32Array(base.buffer));
    return delta;
  }
}

/** Add `more` to `sum`, each of the four bytes of a word modulo 256. Both own their buffers. */
function addBytes(sum, more) {
  for (let i = 0; i < sum.length; i++) {
    const a = sum[i];
    const b = more[i];
    // The top bits are added apart, so that nothing is carried into the next byte.
    sum[i] = ((a & 0x7f7f7f7f) + (b & 0x7f7f7f7f)) ^ ((a ^ b) & 0x80808080);
  }
}

/** Whether an optional field is set; generated code leaves others out as undefined or null. */
const isSet = (value) => value !== undefined && value !== null;

/** An int64 as generated code gives it: number, string, BigInt, or an object of the package long. */
function integer(value) {
  const number = Number(typeof value === "object" && value !== null ? value.toString() : value ?? 0);
  if (!Number.isSafeInteger(number)) throw notDecodable("has an id that is no integer");
  return number;
}

function unknown(id, knownId) {
  throw new FrameCodecError(
    "FRAME_REFERENCE_UNKNOWN",
    `Frame ${id} refers to frame ${knownId}, which is not in the window.`,
  );
}
