/** A number of 64 bits as generated code gives it. */
export type Int64 = number | bigint | string | { toString(): string };

export type FrameEncoding = "RAW" | "DELTA_ZSTD" | "PNG" | "WEBP" | "JPEG_ALPHA";

/** A `kuchipaku.type.v1.Frame`; unset fields are undefined or null. */
export interface Frame {
  frameId?: Int64;
  baseFrameId?: Int64 | null;
  sameAsFrameId?: Int64 | null;
  data?: Uint8Array | null;
}

/** Decodes a file of "image/webp" or "image/jpeg" to RGBA, straight alpha, rows from the top. */
export type DecodePicture = (
  file: Uint8Array,
  mimeType: string,
) => Promise<{ width: number; height: number; data: Uint8Array | Uint8ClampedArray }>;

export interface FrameDecoderOptions {
  encoding: FrameEncoding | `FRAME_ENCODING_${FrameEncoding}`;
  width: number;
  height: number;
  referenceWindowBytes?: Int64;
  decodePicture?: DecodePicture;
}

export class FrameDecoder {
  constructor(options: FrameDecoderOptions);
  decode(epoch: Int64, frame: Frame): Promise<Uint8Array>;
}

export class FrameCodecError extends Error {
  readonly reason:
    | "FRAME_OUT_OF_ORDER"
    | "FRAME_REFERENCE_UNKNOWN"
    | "FRAME_NOT_DECODABLE"
    | "FRAME_SIZE_WRONG";
}

export const decodePictureInBrowser: DecodePicture;
