// The decoder against the repository's test vectors, and against damaged data.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { inflateSync } from "node:zlib";

import { FrameCodecError, FrameDecoder } from "../index.js";

const FOLDER = new URL("../../../tests/frames/vectors/", import.meta.url);
const LOSSY_MEAN_LEVELS = 3;

const load = (name) => JSON.parse(readFileSync(new URL(name, FOLDER), "utf8"));
const bytes = (text) => new Uint8Array(Buffer.from(text, "base64"));

/** Browsers decode WebP and JPEG themselves; here sharp stands in for them. */
async function decodePicture(file) {
  const { default: sharp } = await import("sharp");
  const pipeline = sharp(file).ensureAlpha().raw();
  const { data, info } = await pipeline.toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, data };
}

const decoderOf = (vector) =>
  new FrameDecoder({
    encoding: vector.encoding,
    width: vector.width,
    height: vector.height,
    referenceWindowBytes: vector.reference_window_bytes,
    decodePicture,
  });

const messageOf = (entry) => ({
  frameId: entry.frame_id,
  baseFrameId: entry.base_frame_id,
  sameAsFrameId: entry.same_as_frame_id,
  data: entry.data === undefined ? undefined : bytes(entry.data),
});

function assertPixels(pixels, entry) {
  if (entry.sha256 !== undefined) {
    assert.equal(createHash("sha256").update(pixels).digest("hex"), entry.sha256);
    return;
  }
  const source = inflateSync(bytes(entry.rgba_zlib));
  assert.equal(pixels.length, source.length);
  let sum = 0;
  for (let i = 0; i < source.length; i += 4) {
    assert.equal(pixels[i + 3], source[i + 3], `alpha of pixel ${i / 4}`);
    for (let c = i; c < i + 3; c++) sum += (Math.abs(pixels[c] - source[c]) * source[i + 3]) / 255;
  }
  assert.ok(sum / (source.length * 0.75) < LOSSY_MEAN_LEVELS, `mean error ${sum / source.length}`);
}

for (const name of readdirSync(FOLDER).filter((file) => file.endsWith(".json"))) {
  if (name === "refused.json") continue;
  test(`decodes ${name}`, async () => {
    const vector = load(name);
    const decoder = decoderOf(vector);
    for (const entry of vector.frames) {
      assertPixels(await decoder.decode(entry.epoch, messageOf(entry)), entry);
    }
  });
}

for (const vector of load("refused.json")) {
  test(`refuses: ${vector.description} (${vector.encoding})`, async () => {
    const decoder = decoderOf(vector);
    const last = vector.frames.pop();
    for (const entry of vector.frames) await decoder.decode(entry.epoch, messageOf(entry));
    await assert.rejects(decoder.decode(last.epoch, messageOf(last)), (error) => {
      assert.ok(error instanceof FrameCodecError, String(error?.stack));
      assert.equal(error.reason, vector.refused);
      return true;
    });
  });
}

test("frames are decoded in the order of the calls, without waiting for each", async () => {
  const vector = load("png.json");
  const decoder = decoderOf(vector);
  const results = await Promise.all(
    vector.frames.map((entry) => decoder.decode(entry.epoch, messageOf(entry))),
  );
  results.forEach((pixels, i) => assertPixels(pixels, vector.frames[i]));
});

test("after an error the stream does not go on", async () => {
  const vector = load("delta.json");
  const decoder = decoderOf(vector);
  const first = messageOf(vector.frames[0]);
  await assert.rejects(decoder.decode(0, { ...first, frameId: 3 }), FrameCodecError);
  await assert.rejects(decoder.decode(0, first), FrameCodecError);
});

test("ids may be strings and BigInts", async () => {
  const vector = load("delta.json");
  const decoder = decoderOf({ ...vector, encoding: "FRAME_ENCODING_DELTA_ZSTD" });
  for (const entry of vector.frames) {
    const message = messageOf(entry);
    message.frameId = BigInt(message.frameId);
    if (message.baseFrameId !== undefined) message.baseFrameId = String(message.baseFrameId);
    assertPixels(await decoder.decode(String(entry.epoch), message), entry);
  }
});

test("damaged data raises the codec's error or decodes to a whole frame", async () => {
  // Numbers that repeat from run to run.
  let state = 1;
  const random = (below) => (state = (state * 48271) % 0x7fffffff) % below;
  for (const name of ["delta.json", "png.json", "png_filters.json", "webp.json", "jpeg_alpha.json"]) {
    const vector = load(name);
    const size = vector.width * vector.height * 4;
    for (let round = 0; round < 150; round++) {
      const data = bytes(vector.frames[0].data);
      for (let i = random(4); i >= 0; i--) data[random(data.length)] = random(256);
      const cut = random(3) === 0 ? data.subarray(0, random(data.length)) : data;
      try {
        const pixels = await decoderOf(vector).decode(0, { frameId: 0, data: cut });
        assert.equal(pixels.length, size);
      } catch (error) {
        assert.ok(error instanceof FrameCodecError, `${name}: ${error?.stack}`);
      }
    }
  }
});
