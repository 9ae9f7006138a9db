from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuchipaku.frames import CodedFrame, FrameEncoding
from kuchipaku_compositor import composition
from kuchipaku_compositor.backdrop import Backdrop, parse_color, picture_backdrop
from kuchipaku_compositor.encoders import SAMPLE_RATE, Check, Container
from kuchipaku_compositor.encoders.sink import StreamSink
from kuchipaku_compositor.film import Film
from kuchipaku_contract.errors import CancelledByClientError, InvalidArgumentError
from kuchipaku_media.audio import PcmFormat
from kuchipaku_media.picture import encode_png

PIXELS = [np.full((2, 2, 4), number, np.uint8) for number in range(40)]


class Recorder:
    """An encoder that notes what it gets."""

    def __init__(self) -> None:
        self.frames: list[int] = []
        self.samples = 0

    def add_frame(self, pixels: np.ndarray) -> None:
        self.frames.append(int(pixels[0, 0, 0]))

    def add_samples(self, samples: np.ndarray) -> None:
        self.samples += len(samples)

    def finish(self, check: Check) -> None: ...

    def take(self, max_bytes: int) -> bytes:
        return b""

    def close(self) -> None: ...


class Leaver(Recorder):
    """An encoder whose caller leaves at the hundredth frame or after ten seconds of sound."""

    def __init__(self) -> None:
        super().__init__()
        self.leave: Check = lambda: None

    def add_frame(self, pixels: np.ndarray) -> None:
        super().add_frame(pixels)
        if len(self.frames) == 100:
            self.leave()

    def add_samples(self, samples: np.ndarray) -> None:
        super().add_samples(samples)
        if self.samples >= 10 * SAMPLE_RATE:
            self.leave()


def film(check: Check = lambda: None, **options: float) -> tuple[Film, Recorder]:
    recorder = Recorder()
    return Film(recorder, Fraction(25), check=check, **options), recorder


def left_film(
    monkeypatch, audio: composition.AudioStream | None = None
) -> tuple[composition.Composition, Leaver]:
    leaver = Leaver()
    monkeypatch.setattr(composition, "open_encoder", lambda *_: leaver)
    made = composition.Composition(
        composition.CompositionOptions(
            container=Container.MP4,
            frames=composition.FrameStream(FrameEncoding.RAW, 2, 2),
            frame_rate=Fraction(25),
            backdrop=Backdrop(),
            audio=audio,
        )
    )
    leaver.leave = made.cancel
    return made, leaver


def frame(number: int, offset_s: float) -> tuple[CodedFrame, float]:
    return CodedFrame(number, PIXELS[number].tobytes()), offset_s


def reason(action) -> str:
    with pytest.raises(InvalidArgumentError) as caught:
        action()
    return caught.value.reason


def test_gaps_are_filled_with_the_frame_before():
    made, recorder = film()
    made.add_frame(PIXELS[1], 0.04)
    made.add_frame(PIXELS[2], 0.16)
    made.add_frame(PIXELS[3])
    assert recorder.frames == [1, 1, 1, 1, 2, 3]
    assert made.finish().frame_count == 6


def test_offsets_have_to_increase():
    made, _ = film()
    made.add_frame(PIXELS[0], 0.04)
    assert reason(lambda: made.add_frame(PIXELS[1], 0.04)) == "FRAME_OFFSET_NOT_INCREASING"
    assert reason(lambda: made.add_frame(PIXELS[1], -1.0)) == "FRAME_OFFSET_NOT_INCREASING"


def test_a_film_is_bounded():
    made, recorder = film(max_duration_s=1.0)
    made.add_frame(PIXELS[0], 0.0)
    assert reason(lambda: made.add_frame(PIXELS[1], 1e9)) == "VIDEO_TOO_LONG"
    assert len(recorder.frames) == 1
    made.add_frame(PIXELS[1], 0.96)
    assert reason(lambda: made.add_frame(PIXELS[1])) == "VIDEO_TOO_LONG"


def test_a_gap_of_a_minute_ends_when_the_caller_leaves(monkeypatch):
    made, leaver = left_film(monkeypatch)
    with pytest.raises(CancelledByClientError):
        made.add_frames(0, [frame(0, 0.0), frame(1, 60.0)])
    assert len(leaver.frames) == 100
    made.close()


def test_a_minute_of_held_frames_ends_when_the_caller_leaves(monkeypatch):
    audio = composition.AudioStream(PcmFormat.S16LE, SAMPLE_RATE)
    made, leaver = left_film(monkeypatch, audio=audio)
    made.add_frames(0, [frame(0, 0.0)])
    leaver.leave, leave = (lambda: None), leaver.leave
    made.add_audio(bytes(2 * 60 * SAMPLE_RATE))
    leaver.leave = leave
    with pytest.raises(CancelledByClientError):
        made.finish()
    assert len(leaver.frames) <= 100


def test_a_minute_of_silence_ends_when_the_caller_leaves():
    class LeftError(Exception):
        """The caller has gone."""

    def check() -> None:
        if recorder.samples > 10 * SAMPLE_RATE:
            raise LeftError

    made, recorder = film(check)
    made.add_frame(PIXELS[0], 60.0)
    made.add_samples(np.zeros(100, np.float32))
    with pytest.raises(LeftError):
        made.finish()
    assert recorder.samples <= 12 * SAMPLE_RATE


def test_a_film_without_frames_is_refused():
    made, _ = film()
    made.add_samples(np.zeros(100, np.float32))
    assert reason(made.finish) == "FRAMES_MISSING"


@given(
    indices=st.sets(st.integers(0, 39), min_size=1), samples=st.integers(0, 96_000), data=st.data()
)
def test_both_tracks_end_together(indices, samples, data):
    made, recorder = film()
    ordered = sorted(indices)
    for index in ordered:
        made.add_frame(PIXELS[index], index / 25)
    rest = samples
    while rest:
        piece = data.draw(st.integers(1, rest))
        made.add_samples(np.zeros(piece, np.float32))
        rest -= piece
    summary = made.finish()
    assert summary.frame_count == len(recorder.frames)
    assert summary.duration_s == pytest.approx(len(recorder.frames) / 25)
    assert summary.duration_s >= samples / 48_000 - 1e-3
    assert len(recorder.frames) > ordered[-1]
    for number, shown in enumerate(recorder.frames):
        assert shown == max((i for i in ordered if i <= number), default=ordered[0])
    if samples:
        assert recorder.samples == pytest.approx(len(recorder.frames) * 1920, abs=48)


@pytest.mark.parametrize("text", ["", "red", "#12345", "#1234567", "#12345g", "123456"])
def test_colours_are_hexadecimal(text):
    assert reason(lambda: parse_color(text, "color")) == "COLOR_INVALID"


def test_only_the_fitted_picture_is_kept():
    photo = np.zeros((300, 1000, 4), np.uint8)
    photo[:, 400:600] = 255
    backdrop = picture_backdrop(encode_png(photo), (96, 80), "image")
    assert backdrop.picture is not None
    assert backdrop.picture.size == (96, 80)
    assert np.asarray(backdrop.picture)[40, 48, 3] == 255
    assert np.asarray(backdrop.picture)[40, 2, 3] == 0


def test_a_colour():
    assert parse_color("#0aFf10", "color") == (10, 255, 16)


@given(
    pieces=st.lists(st.binary(max_size=20), max_size=10),
    limits=st.lists(st.integers(1, 15), min_size=60, max_size=60),
)
def test_a_sink_gives_each_byte_once_in_order(pieces, limits):
    sink = StreamSink()
    taken = b""
    for number, piece in enumerate(pieces):
        sink.write(piece)
        part = sink.take(limits[number])
        assert len(part) <= limits[number]
        taken += part
    while part := sink.take(limits[-1]):
        taken += part
    assert taken == b"".join(pieces)
