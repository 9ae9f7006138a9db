"""The one table of limits: code, documentation and tests read it from here.

Every limit is checked before the work that it bounds: bytes before decoding, pixels from the
picture's header, duration while samples come in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB


def _limit(value: float, unit: str, meaning: str) -> int:
    # Typed as int for the dataclass fields; a float default keeps its own annotation.
    default: int = field(default=value, metadata={"unit": unit, "meaning": meaning})  # type: ignore[assignment]
    return default


@dataclass(frozen=True, slots=True)
class LimitRow:
    """One row of the table, for documentation and tests."""

    name: str
    value: float
    unit: str
    meaning: str


@dataclass(frozen=True)
class Limits:
    """Bounds on what callers may send and ask for. Use the instance `LIMITS`."""

    # Pictures
    max_image_bytes: int = _limit(7 * MIB, "bytes", "encoded picture; fits into one message")
    max_image_pixels: int = _limit(40_000_000, "pixels", "width x height, read from the header")
    max_image_side_px: int = _limit(16_384, "pixels", "longer side of a picture")
    min_image_side_px: int = _limit(64, "pixels", "shorter side of a picture")
    canvas_side_px: int = _limit(512, "pixels", "side of the square character canvas")

    # Audio
    max_audio_bytes: int = _limit(256 * MIB, "bytes", "encoded audio of one utterance")
    max_audio_duration_s: float = _limit(600.0, "seconds", "audio of one utterance")
    max_live_audio_duration_s: float = _limit(
        14_400.0, "seconds", "audio of one call that is recognised live"
    )
    min_sample_rate_hertz: int = _limit(4_000, "hertz", "sample rate of audio sent in")
    max_sample_rate_hertz: int = _limit(384_000, "hertz", "sample rate of audio sent in")
    max_audio_channels: int = _limit(32, "channels", "channels of audio sent in")

    # Text
    max_language_chars: int = _limit(64, "characters", "tag of a language")
    max_prompt_chars: int = _limit(1_000, "characters", "prompt of a generated picture")
    max_text_chars: int = _limit(20_000, "characters", "text of one utterance")

    # Animation
    min_fps: int = _limit(1, "frames/second", "frame rate of an animation")
    max_fps: int = _limit(60, "frames/second", "frame rate of an animation")
    max_cues: int = _limit(100_000, "cues", "mouth cues of one utterance")
    max_expressions: int = _limit(1_000, "keys", "expression changes of one utterance")
    max_poses: int = _limit(4_096, "poses", "poses of one message")
    max_expression_fade_s: float = _limit(60.0, "seconds", "fade of one expression change")

    # Streams and messages
    max_frame_credit: int = _limit(100_000, "frames", "one credit, and the initial one")
    max_images: int = _limit(16, "pictures", "one order of generated pictures")
    min_generated_side_px: int = _limit(64, "pixels", "side of a generated picture")
    max_generated_side_px: int = _limit(2_048, "pixels", "side of a generated picture")
    max_diffusion_steps: int = _limit(150, "steps", "denoising steps of a generated picture")
    max_guidance_scale: float = _limit(50.0, "factor", "guidance scale of a generated picture")
    max_message_bytes: int = _limit(8 * MIB, "bytes", "one gRPC message, either way")
    max_frame_batch_bytes: int = _limit(
        1 * MIB, "bytes", "frames of one batch; a larger frame goes alone"
    )
    max_chunk_bytes: int = _limit(1 * MIB, "bytes", "one chunk of audio or of a container")
    max_reference_window_bytes: int = _limit(
        256 * MIB, "bytes", "decoded frames that a client keeps for later references"
    )
    max_utterances_per_stream: int = _limit(10_000, "utterances", "one live stream")
    max_utterance_id_chars: int = _limit(128, "characters", "utterance id given by a caller")
    max_request_id_chars: int = _limit(128, "characters", "request id given by a caller")

    # Videos and sprites
    min_frame_side_px: int = _limit(128, "pixels", "shorter side of a rendered frame")
    max_frame_side_px: int = _limit(1_024, "pixels", "longer side of a rendered frame")
    max_video_side_px: int = _limit(2_048, "pixels", "longer side of a composed video")
    max_sprite_sheet_side_px: int = _limit(8_192, "pixels", "longer side of a sprite sheet")
    max_sprites: int = _limit(1_024, "sprites", "pictures of one sprite sheet")
    max_sprite_pixels: int = _limit(
        1 << 27, "pixels", "different sprites of one call, without borders that are cut off"
    )

    # Characters
    max_display_name_chars: int = _limit(128, "characters", "display name of a character")
    max_labels: int = _limit(32, "labels", "labels of one character")
    max_label_key_chars: int = _limit(63, "characters", "key of a label")
    max_label_value_chars: int = _limit(255, "characters", "value of a label")
    default_page_size: int = _limit(50, "entries", "page of a list when none is asked for")
    max_page_size: int = _limit(500, "entries", "page of a list")


def limit_rows() -> Iterator[LimitRow]:
    """Yield the table's rows in order of definition."""
    for entry in fields(Limits):
        yield LimitRow(
            name=entry.name,
            value=getattr(LIMITS, entry.name),
            unit=entry.metadata["unit"],
            meaning=entry.metadata["meaning"],
        )


LIMITS: Final = Limits()
"""The limits in force."""
