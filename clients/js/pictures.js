import { notDecodable, wrongSize } from "./errors.js";

const ANIMATED = 0x02;

/**
 * @typedef {(file: Uint8Array, mimeType: string) =>
 *   Promise<{ width: number, height: number, data: Uint8Array | Uint8ClampedArray }>} DecodePicture
 */

/**
 * Decode a WebP or JPEG file with what the browser has: RGBA, straight alpha.
 *
 * ImageDecoder (WebCodecs) is exact; without it a canvas does it, whose premultiplied pixels lose
 * precision in colours of low alpha.
 *
 * @type {DecodePicture}
 */
export async function decodePictureInBrowser(file, mimeType) {
  const exactly = { premultiplyAlpha: "none", colorSpaceConversion: "none" };
  if (typeof ImageDecoder !== "undefined") {
    const decoder = new ImageDecoder({ data: file, type: mimeType, ...exactly });
    try {
      const { image } = await decoder.decode();
      return await copyPixels(image);
    } finally {
      decoder.close();
    }
  }
  if (typeof createImageBitmap === "undefined") {
    throw new TypeError("WEBP and JPEG_ALPHA frames need the option decodePicture here.");
  }
  const bitmap = await createImageBitmap(new Blob([file], { type: mimeType }), exactly);
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return { width, height, data: context.getImageData(0, 0, width, height).data };
}

/** The pixels of a VideoFrame, which is closed. */
async function copyPixels(image) {
  const { width, height } = image.visibleRect;
  const data = new Uint8Array(width * height * 4);
  if (image.format === "RGBA" || image.format === "BGRA") {
    // As they are: a conversion on the way would go through premultiplied pixels.
    await image.copyTo(data);
    if (image.format === "BGRA") swapRedAndBlue(data);
  } else {
    await image.copyTo(data, { format: "RGBA" });
  }
  image.close();
  return { width, height, data };
}

function swapRedAndBlue(data) {
  for (let i = 0; i < data.length; i += 4) {
    const blue = data[i];
    data[i] = data[i + 2];
    data[i + 2] = blue;
  }
}

/**
 * @param {Uint8Array} file
 * @param {string} mimeType
 * @param {number} width
 * @param {number} height
 * @param {DecodePicture} decodePicture
 * @returns {Promise<Uint8Array>}
 */
export async function decodeFile(file, mimeType, width, height, decodePicture) {
  const [declaredWidth, declaredHeight] = mimeType === "image/webp" ? webpSize(file) : jpegSize(file);
  if (declaredWidth !== width || declaredHeight !== height) {
    throw wrongSize(`The picture is ${declaredWidth}x${declaredHeight}, not ${width}x${height}.`);
  }
  let picture;
  try {
    picture = await decodePicture(file, mimeType);
  } catch (error) {
    if (error instanceof TypeError) throw error;
    throw notDecodable(`is a damaged ${mimeType} file`, error);
  }
  const { data } = picture;
  if (picture.width !== width || picture.height !== height || data.length !== width * height * 4) {
    throw wrongSize(`The picture is not ${width}x${height} RGBA.`);
  }
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** Width and height by the first chunk of a still WebP file. */
function webpSize(file) {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const text = (at) => String.fromCharCode(...file.subarray(at, at + 4));
  if (file.length < 30 || text(0) !== "RIFF" || text(8) !== "WEBP") {
    throw notDecodable("is not a WebP file");
  }
  if (view.getUint32(4, true) !== file.length - 8) {
    throw notDecodable("is a WebP file cut off, or followed by something else");
  }
  const u24 = (at) => view.getUint16(at, true) | (file[at + 2] << 16);
  switch (text(12)) {
    case "VP8X":
      if (file[20] & ANIMATED) throw notDecodable("is an animated WebP file");
      return [u24(24) + 1, u24(27) + 1];
    case "VP8L": {
      const bits = view.getUint32(21, true);
      return [(bits & 0x3fff) + 1, ((bits >>> 14) & 0x3fff) + 1];
    }
    case "VP8 ":
      return [view.getUint16(26, true) & 0x3fff, view.getUint16(28, true) & 0x3fff];
    default:
      throw notDecodable("is a WebP file of an unknown kind");
  }
}

/** Width and height by the frame header of a baseline JPEG of three components. */
function jpegSize(file) {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.length > 4 && view.getUint16(0) === 0xffd8) {
    for (let at = 2; at + 10 <= file.length; ) {
      const kind = view.getUint16(at);
      const length = view.getUint16(at + 2);
      const lone = kind >= 0xffd0 && kind <= 0xffd9;
      if (kind < 0xffc0 || kind === 0xffff || kind === 0xffda || lone || length < 2) break;
      if (kind === 0xffc0) {
        if (file[at + 4] !== 8 || file[at + 9] !== 3) break;
        return [view.getUint16(at + 7), view.getUint16(at + 5)];
      }
      at += 2 + length;
    }
  }
  throw notDecodable("holds no baseline JPEG of three components");
}
