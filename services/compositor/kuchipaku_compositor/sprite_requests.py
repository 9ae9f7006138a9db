"""PackSprites' messages checked and translated for the domain."""

from __future__ import annotations

from kuchipaku.compositor.v1 import compositor_service_pb2 as pb
from kuchipaku.frames import FrameCodecError, FrameDecoder
from kuchipaku.frames.messages import from_message
from kuchipaku_compositor.composition import FrameStream
from kuchipaku_compositor.durations import seconds_of
from kuchipaku_compositor.requests import effective_frame_format, parse_frame_format
from kuchipaku_compositor.sprites import SheetOptions, SpritePacker, sprite_too_large
from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_contract.limits import LIMITS

DEFAULT_MAX_SIDE_PX = 4096
_MIN_SHEET_SIDE_PX = 256
_MAX_PADDING_PX = 64
_MAX_NAME_CHARS = 256


def parse_sprites_config(config: pb.PackSpritesConfig) -> tuple[SheetOptions, FrameStream]:
    """Check a config and fill in its defaults.

    Raises `InvalidArgumentError` with SHEET_SIZE_UNSUPPORTED, PADDING_UNSUPPORTED, the reasons of
    `parse_frame_format`, and SPRITE_TOO_LARGE where sprites keep their borders, and their frames
    are larger than a sheet.
    """
    max_side = config.max_side_px or DEFAULT_MAX_SIDE_PX
    if not _MIN_SHEET_SIDE_PX <= max_side <= LIMITS.max_sprite_sheet_side_px:
        raise InvalidArgumentError(
            f"A sheet's longest side is {_MIN_SHEET_SIDE_PX} to "
            f"{LIMITS.max_sprite_sheet_side_px} pixels.",
            reason="SHEET_SIZE_UNSUPPORTED",
            field="config.max_side_px",
        )
    if not 0 <= config.padding_px <= _MAX_PADDING_PX:
        raise InvalidArgumentError(
            f"Padding is 0 to {_MAX_PADDING_PX} pixels.",
            reason="PADDING_UNSUPPORTED",
            field="config.padding_px",
        )
    options = SheetOptions(max_side, config.power_of_two, config.trim, config.padding_px)
    frames = parse_frame_format(config.frame_format, "config.frame_format")
    if not options.trim and max(frames.width, frames.height) > options.page_side:
        raise sprite_too_large(options)
    return options, frames


def effective_sprites_config(
    config: pb.PackSpritesConfig, options: SheetOptions, frames: FrameStream
) -> pb.PackSpritesConfig:
    """The config with all defaults filled in."""
    effective = pb.PackSpritesConfig()
    effective.CopyFrom(config)
    effective.max_side_px = options.max_side
    effective.frame_format.CopyFrom(effective_frame_format(config.frame_format, frames))
    return effective


def open_decoder(frames: FrameStream) -> FrameDecoder:
    """A decoder for the sprites' frames, which form one epoch."""
    decoder = FrameDecoder(
        frames.encoding,
        frames.width,
        frames.height,
        reference_window_bytes=frames.reference_window_bytes,
    )
    decoder.enter_epoch(0)
    return decoder


def add_sprites(packer: SpritePacker, decoder: FrameDecoder, batch: pb.SpriteBatch) -> None:
    """Decode a batch's frames and add them.

    Raises `InvalidArgumentError` with SPRITE_NAME_TOO_LONG and the reasons of `SpritePacker.add`
    and `FrameCodecError`.
    """
    for sprite in batch.sprites:
        if max(len(sprite.name), len(sprite.tag)) > _MAX_NAME_CHARS:
            raise InvalidArgumentError(
                f"Names and tags have at most {_MAX_NAME_CHARS} characters.",
                reason="SPRITE_NAME_TOO_LONG",
                field="sprites.name",
            )
        try:
            pixels = decoder.decode(from_message(sprite.frame))
        except FrameCodecError as error:
            raise InvalidArgumentError(
                str(error), reason=error.reason, field="sprites.frame"
            ) from error
        packer.add(sprite.name, pixels, tag=sprite.tag, duration_s=seconds_of(sprite.duration))
