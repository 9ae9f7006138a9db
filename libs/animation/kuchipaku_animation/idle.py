"""Idle life: blinks, gaze, breathing and sway, as one loop that recurs.

The loop is a table over frames, drawn once from the seeds. It starts and ends in the neutral
pose. Head, body and breathing are limited animation: poses are held for a few frames and change
8 to 12 times a second, along eased moves from pose to pose; so they recur, and a renderer that
caches by pose seldom works on them. Blinks and gaze keep to the frame grid at full rate.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from kuchipaku_animation.coarticulation import smoothstep
from kuchipaku_animation.poses import FloatArray

MIN_STEP_HERTZ: Final = 8.0
MAX_STEP_HERTZ: Final = 12.0
_AIMED_STEP_HERTZ: Final = 10.0

BLINK_CLOSING_S: Final = 0.065
BLINK_SHUT_S: Final = 0.015
BLINK_OPENING_S: Final = 0.085
"""Closing, shut and opening: 165 ms from the first movement to the last."""
_DOUBLE_BLINK_GAP_S: Final = 0.28
_DOUBLE_BLINK_SHARE: Final = 0.12
_BLINK_LEVELS: Final = 8

_HEAD_PITCH: Final = 0.14
_HEAD_YAW: Final = 0.26
_HEAD_ROLL: Final = 0.2
_BODY_FOLLOWS: Final = 0.4
_BODY_LAG_S: Final = 0.2
_BREATH_S: Final = 3.4
_SACCADE_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class IdleLoop:
    """One period of idle life at a frame rate; row = frame modulo length. Do not write to it."""

    blink: FloatArray
    """(n,) 0 open .. 1 shut."""
    iris: FloatArray
    """(n, 2) iris_rotation_x, iris_rotation_y."""
    head: FloatArray
    """(n, 3) head_x, head_y, neck_z."""
    body: FloatArray
    """(n, 2) body_y, body_z."""
    breathing: FloatArray
    """(n,) 0..1."""

    @property
    def length(self) -> int:
        """Number of frames in the period."""
        return len(self.blink)


class _Draws:
    """A stream of numbers that stays the same on every machine and version, from a seed."""

    def __init__(self, *seed: int | str) -> None:
        self._seed = "/".join(map(str, seed))
        self._count = 0

    def between(self, low: float, high: float) -> float:
        digest = hashlib.blake2b(f"{self._seed}#{self._count}".encode(), digest_size=6).digest()
        self._count += 1
        return low + (high - low) * int.from_bytes(digest, "big") / 2.0**48


def frames_per_step(fps: float) -> int:
    """For how many frames head and body hold a pose: 8 to 12 poses a second if the rate allows."""
    slowest = math.floor(fps / MIN_STEP_HERTZ)
    fastest = max(1, math.ceil(fps / MAX_STEP_HERTZ))
    candidates = range(fastest, max(slowest, fastest) + 1)
    return min(candidates, key=lambda frames: abs(fps / frames - _AIMED_STEP_HERTZ))


@lru_cache(maxsize=256)
def idle_loop(fps: float, loop_s: float, seed: int, utterance_seed: int) -> IdleLoop:
    """The idle life of a character in an utterance.

    The period is ``loop_s`` rounded to whole steps of the head's motion.
    """
    hold = frames_per_step(fps)
    steps = max(1, round(loop_s * fps / hold))
    step_times = np.arange(steps) * hold / fps
    period = steps * hold / fps
    frames = steps * hold

    def draws(purpose: str) -> _Draws:
        return _Draws(seed, utterance_seed, purpose)

    head = _sway(step_times, period, draws("head"))
    lag = round(_BODY_LAG_S * fps / hold)
    loop = IdleLoop(
        blink=_blinks(frames, fps, draws("blink")),
        iris=_gaze(frames, fps, draws("gaze")),
        head=np.repeat(head, hold, axis=0),
        body=np.repeat(np.roll(head, lag, axis=0)[:, 1:] * _BODY_FOLLOWS, hold, axis=0),
        breathing=np.repeat(_breathing(step_times, period), hold),
    )
    for table in (loop.blink, loop.iris, loop.head, loop.body, loop.breathing):
        table.setflags(write=False)
    return loop


def _sway(times: FloatArray, period: float, draws: _Draws) -> FloatArray:
    """Eased moves from pose to pose with short holds, neutral at both ends; shape (n, 3)."""
    head = np.zeros((len(times), 3))
    current = np.zeros(3)
    side = 1.0 if draws.between(0.0, 1.0) < 0.5 else -1.0
    clock = draws.between(0.1, 0.5)
    # The body follows late: leave it time to be neutral as well when the loop closes.
    last_move_s, margin = 1.3, 0.3
    for start, duration in _moves(clock, period - last_move_s - margin, draws):
        yaw = side * draws.between(0.35, 1.0) * _HEAD_YAW
        roll = -0.5 * side * draws.between(0.2, 1.0) * _HEAD_ROLL + draws.between(-0.4, 0.4) * (
            _HEAD_ROLL
        )
        target = np.array([draws.between(-1.0, 0.7) * _HEAD_PITCH, yaw, roll])
        head += smoothstep((times - start) / duration)[:, None] * (target - current)
        current, side = target, -side if draws.between(0.0, 1.0) < 0.8 else side
    homeward = smoothstep((times - (period - last_move_s - margin)) / last_move_s)
    head -= homeward[:, None] * current
    head[homeward >= 1.0] = 0.0
    return head


def _moves(clock: float, end: float, draws: _Draws) -> Iterator[tuple[float, float]]:
    while True:
        duration = draws.between(0.9, 1.5)
        if clock + duration > end:
            return
        yield clock, duration
        clock += duration + draws.between(0.3, 1.0)


def _breathing(times: FloatArray, period: float) -> FloatArray:
    """Whole breaths: in during 40 % of each, out during 50 %, then a rest; shape (n,)."""
    breaths = max(1, round(period / _BREATH_S))
    phase = (times * breaths / period) % 1.0
    return smoothstep(phase / 0.4) * (1.0 - smoothstep((phase - 0.4) / 0.5))


def _blinks(frames: int, fps: float, draws: _Draws) -> FloatArray:
    """Blinks every 2 to 6 s, at most one of them double, each shut on a frame; shape (n,)."""
    period = frames / fps
    shut_times: list[float] = []
    clock = draws.between(0.8, 2.6)
    doubled = False
    while clock < period - 0.7:
        shut_times.append(clock)
        # The loop recurs: a second double blink would come round several times a minute.
        if draws.between(0.0, 1.0) < _DOUBLE_BLINK_SHARE and not doubled:
            doubled = True
            shut_times.append(clock + _DOUBLE_BLINK_GAP_S)
        clock += 2.0 + 4.0 * draws.between(0.0, 1.0) * draws.between(0.3, 1.0)
    blink = np.zeros(frames)
    number = np.arange(frames)
    for shut in shut_times:
        offset = (number - round(shut * fps)) / fps
        closing = smoothstep(1.0 + offset / BLINK_CLOSING_S)
        opening = smoothstep(1.0 - (offset - BLINK_SHUT_S) / BLINK_OPENING_S)
        blink = np.maximum(blink, np.minimum(closing, opening))
    # Few levels are enough for so fast a movement, and eyes in few states are cached sooner.
    return np.round(blink * _BLINK_LEVELS) / _BLINK_LEVELS


def _gaze(frames: int, fps: float, draws: _Draws) -> FloatArray:
    """Fixations, mostly of the viewer, joined by saccades; shape (n, 2)."""
    gaze = np.zeros((frames, 2))
    period = frames / fps
    current = np.zeros(2)
    clock = draws.between(0.9, 2.2)
    while clock < period - 0.8:
        away = not current.any() or draws.between(0.0, 1.0) < 0.15
        target = np.zeros(2)
        if away:
            side = 1.0 if draws.between(0.0, 1.0) < 0.5 else -1.0
            vertical = round(draws.between(-1.49, 1.49)) * 0.0625
            target = np.array([vertical, side * (0.125 if draws.between(0, 1) < 0.6 else 0.25)])
        _saccade(gaze, round(clock * fps), fps, current, target)
        current = target
        clock += draws.between(0.35, 1.0) if away else draws.between(1.0, 2.6)
    _saccade(gaze, round((period - 0.4) * fps), fps, current, np.zeros(2))
    return gaze


def _saccade(
    gaze: FloatArray, frame: int, fps: float, current: FloatArray, target: FloatArray
) -> None:
    duration = max(1, round(_SACCADE_S * fps))
    for step in range(1, duration):
        between = current + (target - current) * step / duration
        gaze[frame + step - 1 : frame + step] = between
    gaze[frame + duration - 1 :] = target
