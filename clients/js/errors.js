/** A frame does not fit its stream; the stream cannot go on. */
export class FrameCodecError extends Error {
  /**
   * @param {"FRAME_OUT_OF_ORDER" | "FRAME_REFERENCE_UNKNOWN" | "FRAME_NOT_DECODABLE" | "FRAME_SIZE_WRONG"} reason
   * @param {string} message
   * @param {ErrorOptions} [options]
   */
  constructor(reason, message, options) {
    super(message, options);
    this.name = "FrameCodecError";
    this.reason = reason;
  }
}

export const notDecodable = (what, cause) =>
  new FrameCodecError("FRAME_NOT_DECODABLE", `The frame ${what}.`, { cause });

export const wrongSize = (what) => new FrameCodecError("FRAME_SIZE_WRONG", what);
