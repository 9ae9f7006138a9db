// Copyright The Kuchipaku authors.
// SPDX-License-Identifier: Apache-2.0

// Makes a character, lets it speak live, and makes a film of the same line.
//
//   node speak.js 127.0.0.1:50050 ../hello.wav "Hello! ..." film.mp4 frame.png
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, isRetryable, metadata, reasonOf, seconds } from './kuchipaku.js';

const [address, audioPath, text, filmPath, framePath] = process.argv.slice(2);
const audio = readFileSync(audioPath);
const gateway = connect(address);
const meta = metadata(process.env.KUCHIPAKU_API_KEY);
const CHUNK_BYTES = 256 * 1024;

function* chunks(bytes) {
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) yield bytes.subarray(at, at + CHUNK_BYTES);
}

async function createCharacter() {
  const request = { prompt: { prompt: 'girl, silver hair, red eyes', seed: 7 } };
  for await (const answer of gateway.createCharacter(request, meta)) {
    if (answer.payload === 'result') return answer.result.character.name;
  }
  throw new Error('the gateway made no character');
}

// A live session: config, then lines; half-close ends it. Frames come as they are due.
async function speak(character) {
  const call = gateway.speak(meta);
  call.write({
    config: {
      character,
      frameFormat: { encoding: 'FRAME_ENCODING_PNG', widthPx: 256, heightPx: 256 },
      animation: { framesPerSecond: 12 },
    },
  });
  call.write({ utterance: { utteranceId: 'hello', text } });
  for (const data of chunks(audio)) call.write({ audio: { data } });
  call.end();

  const seen = { frames: 0, cues: 0, last: 0, first: null };
  for await (const answer of call) {
    if (answer.payload === 'cues') seen.cues += answer.cues.cues.length;
    if (answer.payload !== 'frames') continue;
    for (const frame of answer.frames.frames) {
      seen.frames += 1;
      seen.last = seconds(frame.offset);
      seen.first ??= frame.data;
    }
  }
  return seen;
}

async function renderVideo(character) {
  const call = gateway.renderVideo(meta);
  call.write({ config: { character, text } });
  for (const data of chunks(audio)) call.write({ audio: { data } });
  call.end();
  const parts = [];
  for await (const answer of call) {
    if (answer.payload === 'chunk') parts.push(answer.chunk.data);
  }
  return Buffer.concat(parts);
}

try {
  const character = await createCharacter();
  const { frames, cues, last, first } = await speak(character);
  writeFileSync(framePath, first);
  writeFileSync(filmPath, await renderVideo(character));
  console.log(JSON.stringify({ character, frames, cues, last }));
} catch (error) {
  console.error(`${error.code} ${reasonOf(error)}: ${error.details ?? error.message}`);
  process.exitCode = isRetryable(error) ? 75 : 1;
} finally {
  gateway.close();
}
