from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kuchipaku_animation.cues import MouthShape
from kuchipaku_lipsync.live import LiveListener, LiveOptions
from kuchipaku_lipsync.live.inbox import Inbox
from kuchipaku_lipsync.live.listener import LiveCue, LiveSummary
from kuchipaku_lipsync.recognise import RecognitionOptions, Recognizers, recognise
from kuchipaku_lipsync.recognizers.base import RecognizerName
from kuchipaku_lipsync.rhubarb import BASIC_SHAPES
from kuchipaku_media.audio import AudioClip

RATE = 16_000


def _listen(
    samples: np.ndarray, options: LiveOptions | None = None, chunk: int = 1_600
) -> tuple[list[LiveCue], LiveSummary]:
    listener = LiveListener(options)
    cues: list[LiveCue] = []
    for start in range(0, len(samples), chunk):
        cues.extend(listener.push(samples[start : start + chunk]).cues)
    step, summary = listener.finish()
    return [*cues, *step.cues], summary


def _frames(cues: list[LiveCue]) -> str:
    return "".join(cue.shape * (round(cue.end * 100) - round(cue.start * 100)) for cue in cues)


def _check_cover(cues: list[LiveCue], duration: float) -> None:
    assert cues[0].start == 0
    assert cues[-1].end == duration
    for first, second in pairwise(cues):
        assert first.end == second.start
        assert first.open_ended or first.shape is not second.shape
    assert not cues[-1].open_ended
    assert all(0 <= cue.loudness <= 1 for cue in cues)


def test_cues_cover_the_audio_and_resemble_the_offline_ones(
    hello_clip: AudioClip, recognizers: Recognizers
) -> None:
    cues, summary = _listen(hello_clip.samples)
    _check_cover(cues, hello_clip.duration_s)
    assert summary.heard_speech
    assert not summary.boosted
    offline = recognise(hello_clip, RecognitionOptions(RecognizerName.PHONETIC), recognizers).cues
    theirs = "".join(c.shape * (round(c.end * 100) - round(c.start * 100)) for c in offline)
    same = sum(a == b for a, b in zip(_frames(cues), theirs, strict=True))
    assert same / len(theirs) > 0.6


@settings(max_examples=6, deadline=None)
@given(st.lists(st.integers(1, 20_000), min_size=1, max_size=12))
def test_cues_do_not_depend_on_how_the_audio_is_cut(
    hello_clip: AudioClip, sizes: list[int]
) -> None:
    samples = hello_clip.samples[: 2 * RATE]
    listener = LiveListener()
    cues: list[LiveCue] = []
    position = 0
    while position < len(samples):
        size = sizes[position % len(sizes)]
        cues.extend(listener.push(samples[position : position + size]).cues)
        position += size
    cues.extend(listener.finish()[0].cues)
    assert cues == _listen(samples)[0]


@pytest.mark.parametrize("latency_s", [0.1, 0.2, 0.4, 0.8])
def test_no_moment_waits_longer_than_the_latency(hello_clip: AudioClip, latency_s: float) -> None:
    listener = LiveListener(LiveOptions(latency_s))
    until = 0.0
    for position in range(0, 3 * RATE, 160):
        for cue in listener.push(hello_clip.samples[position : position + 160]).cues:
            assert cue.start == until
            until = cue.end
        # Just before the next block is full, the oldest moment without a cue is oldest.
        assert until >= (position + 160) / RATE - latency_s - 0.011


def test_a_pause_in_the_audio_makes_all_of_it_final(hello_clip: AudioClip) -> None:
    listener = LiveListener()
    before = listener.push(hello_clip.samples[: RATE + 80]).cues
    assert before[-1].end < 0.9
    paused = listener.pause().cues
    assert paused[0].start == before[-1].end
    assert paused[-1].end == pytest.approx(1.0)
    rest = listener.push(hello_clip.samples[RATE + 80 :]).cues
    cues = [*before, *paused, *rest, *listener.finish()[0].cues]
    _check_cover(cues, hello_clip.duration_s)


def test_provisional_cues_follow_the_final_ones(hello_clip: AudioClip) -> None:
    listener = LiveListener(LiveOptions(provisional=True))
    seen = 0
    for position in range(0, 2 * RATE, 800):
        step = listener.push(hello_clip.samples[position : position + 800])
        if step.cues and step.provisional:
            seen += 1
            assert step.provisional[0].start == step.cues[-1].end
            assert step.provisional[-1].end == pytest.approx((position + 800) / RATE)
    assert seen > 10


def test_silence_is_rest() -> None:
    cues, summary = _listen(np.zeros(2 * RATE, np.float32))
    assert {cue.shape for cue in cues} == {MouthShape.X}
    assert not summary.heard_speech


def test_very_quiet_speech_is_raised(hello_clip: AudioClip) -> None:
    quiet = (hello_clip.samples * 0.008).astype(np.float32)
    cues, summary = _listen(np.concatenate([quiet, quiet]))
    assert summary.boosted
    assert summary.loudest_dbfs < -45
    second = _frames(cues)[len(_frames(cues)) // 2 :]
    reference = _frames(_listen(np.concatenate([hello_clip.samples] * 2))[0])
    reference = reference[len(reference) // 2 :]
    assert sum(a == b for a, b in zip(second, reference, strict=True)) / len(second) > 0.75


def test_clipped_audio_is_told(hello_clip: AudioClip) -> None:
    loud = np.clip(hello_clip.samples * 50, -1, 1).astype(np.float32)
    cues, summary = _listen(loud)
    assert summary.clipped
    assert not _listen(hello_clip.samples[:RATE])[1].clipped
    assert len({cue.shape for cue in cues}) > 4


def test_an_offset_of_the_zero_line_changes_little(hello_clip: AudioClip) -> None:
    shifted = np.clip(hello_clip.samples * 0.5 + 0.4, -1, 1).astype(np.float32)
    ours, reference = _frames(_listen(shifted)[0]), _frames(_listen(hello_clip.samples * 0.5)[0])
    assert sum(a == b for a, b in zip(ours, reference, strict=True)) / len(ours) > 0.85


def test_only_allowed_shapes(hello_clip: AudioClip) -> None:
    cues, _ = _listen(hello_clip.samples, LiveOptions(shapes=BASIC_SHAPES))
    assert {cue.shape for cue in cues} <= BASIC_SHAPES


def test_loudness_follows_the_voice(hello_clip: AudioClip) -> None:
    cues, _ = _listen(hello_clip.samples)
    spoken = [cue.loudness for cue in cues if cue.shape not in (MouthShape.X, MouthShape.A)]
    resting = [cue.loudness for cue in cues if cue.shape is MouthShape.X]
    assert np.median(spoken) > 0.3 > np.median(resting)


@pytest.mark.parametrize("length", [0, 1, 159, 160, 161, 800])
def test_tiny_audio(length: int) -> None:
    cues, summary = _listen(np.zeros(length, np.float32))
    assert summary.duration == length / RATE
    if length:
        _check_cover(cues, length / RATE)
    else:
        assert cues == []


def test_speech_without_a_pause_is_heard_on(hello_clip: AudioClip) -> None:
    """The decoder is changed in mid-speech, and the mouth goes on moving."""
    voiced = hello_clip.samples[int(1.2 * RATE) : int(2.7 * RATE)]
    cues, _ = _listen(np.tile(voiced, 14))
    frames = _frames(cues)[100:]
    assert frames.count("X") / len(frames) < 0.25
    late = frames[-900:]
    assert len(set(late)) >= 4


@pytest.mark.slow
def test_memory_does_not_grow_with_the_stream(hello_clip: AudioClip) -> None:
    loop = np.concatenate([hello_clip.samples, np.zeros(RATE // 2, np.float32)])
    listener = LiveListener()

    def listen(seconds: int) -> float:
        for _ in range(round(seconds * RATE / len(loop))):
            for start in range(0, len(loop), 1_600):
                listener.push(loop[start : start + 1_600])
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * resource.getpagesize() / 2**20

    after_a_while = listen(90)
    assert listen(240) < after_a_while + 4


async def _take_all(inbox: Inbox) -> list[bytes]:
    pieces = []
    while (piece := await inbox.take()) is not None:
        pieces.append(piece)
    return pieces


async def test_audio_is_handed_on_in_units() -> None:
    async def arrive() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield bytes(30)
            await asyncio.sleep(0)

    inbox = Inbox(0.2, unit_bytes=100)
    _, pieces = await asyncio.gather(inbox.fill(arrive()), _take_all(inbox))
    assert sum(map(len, pieces)) == 300
    assert all(len(piece) % 100 == 0 for piece in pieces)


async def test_more_audio_than_there_is_room_for_waits() -> None:
    offered = 0

    async def arrive() -> AsyncIterator[bytes]:
        nonlocal offered
        for _ in range(64):
            offered += 1 << 16
            yield bytes(1 << 16)

    inbox = Inbox(0.2)
    filling = asyncio.create_task(inbox.fill(arrive()))
    for _ in range(200):
        await asyncio.sleep(0)
    assert offered <= (1 << 20) + (1 << 17)
    assert sum(map(len, await _take_all(inbox))) == 64 << 16
    await filling


async def test_a_failing_sender_is_noticed() -> None:
    async def arrive() -> AsyncIterator[bytes]:
        yield b"abc"
        raise RuntimeError("gone")

    inbox = Inbox(0.2)
    filling = asyncio.create_task(inbox.fill(arrive()))
    assert await _take_all(inbox) == [b"abc"]
    with pytest.raises(RuntimeError):
        await filling
