/**
 * Decoder of Kuchipaku's frame codec, as specified in docs/frame-codec.md.
 *
 * @module
 */
export { FrameDecoder } from "./decoder.js";
export { FrameCodecError } from "./errors.js";
export { decodePictureInBrowser } from "./pictures.js";
