// CPU milliseconds per frame of the JavaScript decoder; called by frames.py.
import { readFileSync } from "node:fs";

import { FrameDecoder } from "../clients/js/index.js";

const [file, passes] = process.argv.slice(2);
const stream = JSON.parse(readFileSync(file, "utf8"));
const frames = stream.frames.map((frame) => ({
  ...frame,
  data: frame.data === null ? null : new Uint8Array(Buffer.from(frame.data, "base64")),
}));

async function decodeAll() {
  const decoder = new FrameDecoder(stream);
  for (const frame of frames) await decoder.decode(0, frame);
}

await decodeAll(); // compiles the code
const times = [];
for (let pass = 0; pass < Number(passes); pass++) {
  const started = process.cpuUsage();
  await decodeAll();
  const { user, system } = process.cpuUsage(started);
  times.push((user + system) / 1000 / frames.length);
}
console.log(Math.min(...times));
