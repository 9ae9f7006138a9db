"""Options of the command line and what they mean in the protocol."""

from __future__ import annotations

import codecs
import os
import re
from dataclasses import dataclass
from pathlib import Path

import click

from kuchipaku.compositor.v1 import compositor_service_pb2 as compositor
from kuchipaku.lipsync.v1 import lipsync_service_pb2 as lipsync
from kuchipaku.type.v1 import animation_pb2, frame_pb2
from kuchipaku_animation.expressions import EXPRESSIONS
from kuchipaku_contract.limits import LIMITS, MIB

CONTAINERS = {
    ".mp4": compositor.VIDEO_CONTAINER_MP4,
    ".webm": compositor.VIDEO_CONTAINER_WEBM,
    ".gif": compositor.VIDEO_CONTAINER_GIF,
    ".webp": compositor.VIDEO_CONTAINER_WEBP,
}
MOTIONS = {
    "full": animation_pb2.MOTION_FULL,
    "head": animation_pb2.MOTION_HEAD,
    "none": animation_pb2.MOTION_NONE,
}
ANIMATIONS = {
    "coarticulated": animation_pb2.MOUTH_ANIMATION_COARTICULATED,
    "classic": animation_pb2.MOUTH_ANIMATION_CLASSIC,
}
RECOGNIZERS = {
    "auto": lipsync.RECOGNIZER_AUTO,
    "aligned": lipsync.RECOGNIZER_ALIGNED,
    "words": lipsync.RECOGNIZER_WORDS,
    "phonetic": lipsync.RECOGNIZER_PHONETIC,
    "rhubarb": lipsync.RECOGNIZER_RHUBARB,
    "live": lipsync.RECOGNIZER_LIVE,
    "song": lipsync.RECOGNIZER_SONG,
}
CONTENTS = {
    "any": lipsync.AUDIO_CONTENT_UNSPECIFIED,
    "speech": lipsync.AUDIO_CONTENT_SPEECH,
    "song": lipsync.AUDIO_CONTENT_SONG,
}

SEED = click.IntRange(-(2**63), 2**63 - 1)

language_option = click.option(
    "--language", default="", help="Language of the text: en, ja or de. Guessed if not given."
)

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Write the result as JSON, for programs."
)

# Files that are easily mistaken for the right one: pictures, documents, archives.
_OTHER_KINDS = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"%PDF", b"PK\x03\x04", b"\x1f\x8b")
_HEAD_BYTES = 4096
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True, slots=True)
class Framing:
    """What part of the 512x512 canvas a film shows, and how large."""

    crop: frame_pb2.Crop
    side_px: int


FRAMINGS = {
    # Head and shoulders, where the drawing is best, enlarged to a usual size.
    "bust": Framing(frame_pb2.Crop(left_px=112, top_px=8, width_px=288, height_px=288), 576),
    "full": Framing(frame_pb2.Crop(left_px=0, top_px=0, width_px=512, height_px=512), 512),
}


@dataclass(frozen=True, slots=True)
class Target:
    """Where the result goes."""

    path: Path
    container: compositor.VideoContainer.ValueType | None
    """Kind of film; None for a folder of PNG frames."""


def target_from(text: str) -> Target:
    """A film by its ending, or a folder: one that exists, or ends with a slash.

    Raises `click.BadParameter` for no or an unknown ending, and where a file is in the folder's
    place.
    """
    path = Path(text)
    if text.endswith(("/", os.sep)) or path.is_dir():
        if path.is_file():
            raise click.BadParameter(f"{path} is a file", param_hint="--output")
        return Target(path, None)
    suffix = path.suffix.lower()
    if not suffix:
        raise click.BadParameter(
            f"{text} has no ending: a film is {', '.join(text + one for one in CONTAINERS)}, "
            f"a folder of PNG frames {text}/",
            param_hint="--output",
        )
    if suffix not in CONTAINERS:
        raise click.BadParameter(
            f"unknown kind of file {suffix}; known are {', '.join(CONTAINERS)} and FOLDER/",
            param_hint="--output",
        )
    return Target(path, CONTAINERS[suffix])


def write_result(path: Path, data: bytes) -> None:
    """Write a file, in a folder that need not be there yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def picture_from(path: Path, option: str) -> bytes:
    """The bytes of a picture file. Raises `click.BadParameter` for one too large to be sent."""
    return _bytes_of(path, LIMITS.max_image_bytes, option)


def audio_from(path: Path, option: str) -> bytes:
    """The bytes of an audio file. Raises `click.BadParameter` for one too large to be sent."""
    return _bytes_of(path, LIMITS.max_audio_bytes, option)


def expression_from(text: str, option: str) -> str:
    """The name of an expression, or nothing. Raises `click.BadParameter` for one there is not."""
    if text and text not in EXPRESSIONS:
        raise click.BadParameter(
            f"{text} is no expression; they are {', '.join(EXPRESSIONS)}", param_hint=option
        )
    return text


def speech_from(path: Path, option: str) -> bytes:
    """Like `audio_from`; also raises `click.BadParameter` for what is certainly no audio.

    So that a slip is told of before anything is made. The services know what they can decode.
    """
    data = audio_from(path, option)
    if not data:
        raise click.BadParameter(f"{path} is empty", param_hint=option)
    if data.startswith(_OTHER_KINDS) or _is_text(data[:_HEAD_BYTES]):
        raise click.BadParameter(f"{path} is no audio file", param_hint=option)
    return data


def _is_text(head: bytes) -> bool:
    try:
        # The last letter may be cut in two.
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return "\0" not in text


def _bytes_of(path: Path, limit: int, option: str) -> bytes:
    if path.stat().st_size > limit:
        raise click.BadParameter(
            f"{path} is larger than the limit of {limit // MIB} MiB", param_hint=option
        )
    return path.read_bytes()


def background_from(text: str | None, target: Target) -> compositor.Background | None:
    """A colour, "transparent", or the path of a picture.

    Raises `click.BadParameter` for anything else, for transparency that the film cannot have, and
    for frames, which are always transparent.
    """
    if text is None:
        return None
    if text == "transparent":
        if target.container == compositor.VIDEO_CONTAINER_MP4:
            raise click.BadParameter(
                "MP4 has no transparency; .webm, .webp and .gif have", param_hint="--background"
            )
        return compositor.Background(transparent=True)
    if target.container is None:
        raise click.BadParameter("frames in a folder have no background", param_hint="--background")
    if _COLOR.fullmatch(text):
        return compositor.Background(color=text)
    path = Path(text)
    if not path.is_file():
        raise click.BadParameter(
            "neither #rrggbb nor 'transparent' nor a picture", param_hint="--background"
        )
    return compositor.Background(image=picture_from(path, "--background"))


def text_from(file: Path | None, string: str | None) -> str:
    """What is said, from a file or from the command line; empty if not told."""
    if file is not None and string is not None:
        raise click.UsageError("Give --text or --text-string, not both.")
    if file is not None:
        try:
            return file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise click.BadParameter(f"{file} is not UTF-8 text", param_hint="--text") from None
    return string or ""
