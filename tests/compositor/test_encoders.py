from __future__ import annotations

import io
import itertools
from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from kuchipaku.frames import CodedFrame, FrameEncoding
from kuchipaku_compositor.backdrop import Backdrop
from kuchipaku_compositor.composition import (
    AudioStream,
    Composition,
    CompositionOptions,
    FrameStream,
)
from kuchipaku_compositor.encoders import Container, VideoOptions, open_encoder
from kuchipaku_compositor.encoders.edges import bleed_edges
from kuchipaku_compositor.encoders.gif import timeline
from kuchipaku_media.audio import PcmFormat
from tests.compositor.films import (
    alpha_frames,
    animation,
    beep,
    compose,
    disc,
    flash_film,
    sound,
    video_frames,
)
from tests.media.sounds import encode

VIDEO = [Container.MP4, Container.WEBM]


@pytest.mark.parametrize("container", VIDEO)
@pytest.mark.parametrize("fps", [Fraction(25), Fraction(30), Fraction(30_000, 1_001), Fraction(60)])
@pytest.mark.parametrize("audio_first", [True, False])
def test_flash_and_beep_meet_within_a_frame(container, fps, audio_first):
    flash = round(1.2 * fps)
    at_s = float(flash / fps)
    data, _ = compose(
        flash_film(round(2 * fps), flash),
        container,
        samples=beep(2.0, at_s),
        fps=fps,
        backdrop=Backdrop((0, 0, 0)),
        audio_first=audio_first,
    )
    seen = next(time for time, pixels in video_frames(data) if pixels.mean() > 128)
    start, samples, rate = sound(data)
    heard = start + np.flatnonzero(np.abs(samples) > 0.3)[0] / rate
    assert seen == pytest.approx(at_s, abs=2e-3)
    assert heard == pytest.approx(at_s, abs=5e-3)


@pytest.mark.parametrize("rate", [16_000, 22_050, 44_100])
def test_resampled_audio_stays_in_sync(rate):
    data, _ = compose(flash_film(50, 25), samples=beep(2.0, 1.0, rate), rate=rate)
    start, samples, out_rate = sound(data)
    heard = start + np.flatnonzero(np.abs(samples) > 0.3)[0] / out_rate
    assert heard == pytest.approx(1.0, abs=5e-3)


@pytest.mark.parametrize("container", VIDEO)
def test_frames_come_at_a_constant_rate_from_zero(container):
    data, summary = compose([disc(i) for i in range(30)], container, samples=beep(1.2, 0.5))
    times = [time for time, _ in video_frames(data)]
    assert summary.frame_count == len(times) == 30
    np.testing.assert_allclose(times, np.arange(30) / 25, atol=1e-3)
    assert sound(data)[0] == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("container", VIDEO)
def test_longer_audio_holds_the_last_frame(container):
    data, summary = compose([disc(i) for i in range(10)], container, samples=beep(1.01, 0.5))
    assert summary.frame_count == 26
    assert summary.duration_s == pytest.approx(1.04)
    frames = video_frames(data)
    assert len(frames) == 26
    assert np.abs(frames[-1][1].astype(int) - frames[9][1]).mean() < 3
    _, samples, rate = sound(data)
    assert len(samples) / rate == pytest.approx(1.04, abs=0.022)


@pytest.mark.parametrize("container", VIDEO)
def test_longer_frames_get_silence(container):
    data, summary = compose([disc(i) for i in range(50)], container, samples=beep(0.5, 0.2))
    assert summary.duration_s == pytest.approx(2.0)
    _, samples, rate = sound(data)
    assert len(samples) / rate == pytest.approx(2.0, abs=0.022)
    assert np.abs(samples[rate:]).max() < 0.01


@pytest.mark.parametrize("container", VIDEO)
@pytest.mark.parametrize(("width", "height"), [(97, 81), (128, 65), (65, 128)])
def test_odd_sizes_gain_a_strip_of_backdrop(container, width, height):
    frames = [disc(0, width, height) for _ in range(3)]
    data, _ = compose(frames, container, backdrop=Backdrop((10, 200, 90)))
    pixels = video_frames(data)[0][1]
    assert pixels.shape == (height + height % 2, width + width % 2, 3)
    assert np.abs(pixels[-1, -1].astype(int) - (10, 200, 90)).max() <= 6
    assert np.abs(pixels[height // 2, width // 2].astype(int) - (240, 130, 30)).max() <= 6


def test_colours_survive_mp4():
    frames = []
    for color in [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (128, 128, 128)]:
        frame = np.full((64, 64, 4), 255, np.uint8)
        frame[..., :3] = color
        frames.append(frame)
    data, _ = compose(frames, quality=95)
    for (_, decoded), frame in zip(video_frames(data), frames, strict=True):
        assert np.abs(decoded[32, 32].astype(int) - frame[32, 32, :3]).max() <= 4
    with av.open(io.BytesIO(data), "r") as container:
        context = container.streams.video[0].codec_context
        assert (context.colorspace, context.color_primaries, context.color_range) == (1, 1, 1)


def test_mp4_streams_while_frames_come_and_can_be_cut_at_a_fragment():
    composed, _ = compose([disc(i % 20) for i in range(200)], samples=beep(8.0, 1.0))
    boxes = []
    position = 0
    while position < len(composed):
        size = int.from_bytes(composed[position : position + 4], "big")
        boxes.append((composed[position + 4 : position + 8], position))
        position += size
    names = [name for name, _ in boxes]
    assert names[:2] == [b"ftyp", b"moov"]
    assert names.count(b"moof") >= 4
    second = [start for name, start in boxes if name == b"moof"][2]
    assert 60 < len(video_frames(composed[:second])) < 200


@pytest.mark.parametrize("is_file", [False, True])
def test_mp4_comes_while_frames_come_if_sound_does_too(is_file):
    samples = beep(8.0, 1.0)
    audio = AudioStream() if is_file else AudioStream(PcmFormat.F32LE, 48_000, 1)
    composition = Composition(
        CompositionOptions(
            container=Container.MP4,
            frames=FrameStream(FrameEncoding.RAW, 96, 80),
            frame_rate=Fraction(25),
            backdrop=Backdrop((0, 0, 0)),
            audio=audio,
        )
    )
    composition.add_audio(
        encode("wav", samples[np.newaxis], 48_000) if is_file else samples.astype("<f4").tobytes()
    )
    for number in range(200):
        coded = CodedFrame(number, disc(number % 20).tobytes())
        composition.add_frames(0, [(coded, number / 25)])
    assert bool(composition.take()) is not is_file
    composition.finish()
    assert composition.take()
    composition.close()


def test_a_picture_fills_the_background():
    rows, columns = np.mgrid[0:100, 0:300]
    stripes = np.dstack([columns * 255 // 299, rows * 2, rows * 0]).astype(np.uint8)
    backdrop = Backdrop((0, 0, 0), Image.fromarray(stripes).convert("RGBA"))
    data, _ = compose([disc() for _ in range(3)], backdrop=backdrop)
    pixels = video_frames(data)[0][1].astype(int)
    # 300x100 fills 96x80 from its middle 120 columns.
    assert pixels[40, 2, 0] == pytest.approx(79, abs=10)
    assert pixels[40, 93, 0] == pytest.approx(177, abs=10)
    assert np.abs(pixels[40, 48] - (240, 130, 30)).max() <= 6


def test_alpha_survives_webm():
    frames = [disc(i * 2) for i in range(8)]
    data, _ = compose(frames, Container.WEBM, samples=beep(0.3, 0.1), quality=95)
    decoded = alpha_frames(data)
    assert len(decoded) == 8
    for out, frame in zip(decoded, frames, strict=True):
        error = np.abs(out[..., 3].astype(int) - frame[..., 3])
        assert error.mean() < 1
        assert error.max() <= 24
        inside = frame[..., 3] == 255
        assert np.abs(out[..., :3].astype(int) - frame[..., :3])[inside].mean() < 6


def test_edges_of_a_cut_out_do_not_darken():
    frame = disc()
    spread = bleed_edges(frame)
    np.testing.assert_array_equal(spread[..., 3], frame[..., 3])
    shown = frame[..., 3] > 0
    np.testing.assert_array_equal(spread[shown], frame[shown])
    ring = np.zeros_like(shown)
    ring[1:] |= shown[:-1]
    ring &= ~shown
    assert np.abs(spread[ring][:, :3].astype(int) - (240, 130, 30)).max() <= 8


def test_a_webm_knows_its_duration_and_can_be_sought():
    data, _ = compose([disc(i % 9) for i in range(150)], Container.WEBM, samples=beep(6.0, 1.0))
    with av.open(io.BytesIO(data), "r") as container:
        assert container.duration is not None
        assert container.duration / av.time_base == pytest.approx(6.0, abs=0.05)
        container.seek(5_500_000)
        assert next(container.decode(video=0)).time >= 4.9


@pytest.mark.parametrize("container", [Container.GIF, Container.WEBP])
def test_animations_keep_time_and_transparency(container):
    frames = [disc(i) for i in range(12)]
    data, _ = compose(frames, container, samples=beep(0.48, 0.1))
    decoded = animation(data)
    assert sum(duration for duration, _ in decoded) == 480
    shown = itertools.accumulate(duration for duration, _ in decoded)
    starts = [0, *shown][:-1]
    assert starts == list(range(0, 480, 40))
    for (_, out), frame in zip(decoded, frames, strict=True):
        assert out.shape == frame.shape
        solid, empty = frame[..., 3] == 255, frame[..., 3] == 0
        assert (out[solid][:, 3] > 200).all()
        assert (out[empty][:, 3] < 50).all()
        assert np.abs(out[solid][:, :3].astype(int) - frame[solid][:, :3]).mean() < 6


@pytest.mark.parametrize(("fps", "fewer"), [(50, False), (60, True)])
def test_no_delay_of_a_gif_is_too_short_for_browsers(fps, fewer):
    frames = [disc(i * 2) for i in range(12)]
    decoded = animation(compose(frames, Container.GIF, fps=Fraction(fps))[0])
    durations = [duration for duration, _ in decoded]
    assert min(durations) >= 20
    assert (len(decoded) < 12) is fewer
    assert sum(durations) == pytest.approx(12_000 / fps, abs=10)
    solid = frames[-1][..., 3] == 255
    assert (decoded[-1][1][solid][:, 3] > 200).all()
    assert (decoded[-1][1][frames[-1][..., 3] == 0][:, 3] < 50).all()


@given(
    numbers=st.lists(st.integers(0, 3), min_size=1, max_size=40),
    fps=st.fractions(1, 60, max_denominator=1001),
)
def test_a_gif_shows_every_picture_that_is_held(numbers, fps):
    shown, final_delay = timeline(numbers, fps)
    times = list(shown.values())
    assert times[0] == 0
    assert final_delay >= 2
    assert all(later - earlier >= 2 for earlier, later in itertools.pairwise(times))
    assert numbers[max(shown)] == numbers[-1]
    assert times[-1] + final_delay == pytest.approx(float(len(numbers) / fps * 100), abs=4)
    for index in range(len(numbers) - 1):
        if numbers[index] == numbers[index + 1]:
            latest = max(i for i in shown if i <= index + 1)
            assert numbers[latest] == numbers[index]
    if fps <= 50:
        changes = [i for i, n in enumerate(numbers) if i == 0 or n != numbers[i - 1]]
        assert list(shown) == changes


def test_finishing_a_gif_can_be_broken_off():
    encoder = open_encoder(Container.GIF, VideoOptions(96, 80, Fraction(25), Backdrop((0, 0, 0))))
    for number in range(20):
        encoder.add_frame(disc(number))
    calls = itertools.count()

    def check() -> None:
        if next(calls) == 5:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        encoder.finish(check)
    assert next(calls) == 6
    encoder.close()


@pytest.mark.parametrize("container", [Container.GIF, Container.WEBP])
def test_held_frames_last(container):
    frames = [disc(0)] * 5 + [disc(20)] * 5
    data, summary = compose(frames, container, backdrop=Backdrop((0, 0, 0)))
    decoded = animation(data)
    assert summary.frame_count == 10
    assert sum(duration for duration, _ in decoded) == 400
    moments = [pixels for duration, pixels in decoded for _ in range(duration // 40)]
    assert np.abs(moments[4][..., :3].astype(int) - moments[0][..., :3]).mean() < 2
    assert np.abs(moments[5][..., :3].astype(int) - moments[4][..., :3]).mean() > 2


def test_webp_of_quality_100_is_lossless():
    frames = [disc(i * 3) for i in range(3)]
    decoded = animation(compose(frames, Container.WEBP, quality=100)[0])
    for (_, out), frame in zip(decoded, frames, strict=True):
        shown = frame[..., 3] > 0
        np.testing.assert_array_equal(out[shown], frame[shown])


@pytest.mark.parametrize("container", VIDEO)
def test_quality_trades_size(container):
    noise = np.random.default_rng(1).integers(0, 256, (8, 96, 96, 4), np.uint8)
    noise[..., 3] = 255
    small, large = (len(compose(list(noise), container, quality=q)[0]) for q in (10, 95))
    assert small < large / 2
