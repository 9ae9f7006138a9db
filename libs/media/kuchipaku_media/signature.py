"""What an audio file says about itself in its own bytes, before a decoder sees it.

The container is recognised by signature and FFmpeg is told which demuxer to use: its own
probing would also try playlists and scripts, which name other files. Where a format promises
its length, a file that holds less is told apart from one that ends properly.

Formats: RIFF/WAVE and RF64 (EBU Tech 3306), FLAC (RFC 9639), Ogg (RFC 3533), MPEG audio with
ID3v2 and the Xing/Info header, ADTS, ISO base media (ISO/IEC 14496-12), Matroska (RFC 9559),
AIFF.
"""

from __future__ import annotations

import struct

_UNKNOWN_LENGTHS = frozenset({0, 0xFFFFFFFF, 0x7FFFFFFF})
_OGG_LAST_PAGE = 0x04


def demuxer_for(data: bytes) -> str | None:
    """Name FFmpeg's demuxer for ``data``, or None where no known audio container starts it."""
    start = length_of_id3(data)
    head = data[start : start + 12]
    if head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:12] == b"WAVE":
        return "wav"
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "aiff"
    for magic, name in ((b"fLaC", "flac"), (b"OggS", "ogg"), (b"\x1a\x45\xdf\xa3", "matroska")):
        if head.startswith(magic):
            return name
    if head[4:8] in (b"ftyp", b"moov"):
        return "mp4"
    if len(head) >= 2 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        # Layer bits of zero are ADTS, which shares MPEG audio's sync word.
        return "aac" if head[1] & 0xF6 == 0xF0 else "mp3"
    return "mp3" if start else None


def length_of_id3(data: bytes) -> int:
    """Bytes of the ID3v2 tag that ``data`` begins with, 0 without one; it may be longer than
    ``data``.
    """
    if len(data) < 10 or data[:3] != b"ID3":
        return 0
    a, b, c, d = data[6:10]
    footer = 10 if data[5] & 0x10 else 0
    return 10 + footer + ((a & 0x7F) << 21 | (b & 0x7F) << 14 | (c & 0x7F) << 7 | (d & 0x7F))


def declares_duration(data: bytes, demuxer: str) -> bool:
    """Say whether FFmpeg's duration for ``data`` is the file's own and not an estimate."""
    if demuxer == "mp3":
        start = length_of_id3(data)
        head = data[start : start + 256]
        return b"Xing" in head or b"Info" in head
    return demuxer in ("flac", "mp4", "matroska", "aiff")


def is_cut_short(data: bytes, demuxer: str) -> bool:
    """Say whether the container's own structure promises more bytes than ``data`` has."""
    if demuxer == "wav":
        return _wav_is_cut(data)
    return demuxer == "ogg" and _ogg_is_cut(data)


def _wav_is_cut(data: bytes) -> bool:
    """A WAVE file is cut when it lacks its data chunk or the chunk runs past the end.

    Lengths of 0 and of all ones are what writers leave that could not seek back; they promise
    nothing. RF64 keeps the real length elsewhere and marks this one unknown in the same way.
    """
    position = 12
    while position + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, position)
        position += 8
        if name == b"data":
            return size not in _UNKNOWN_LENGTHS and size > len(data) - position
        position += size + size % 2
    return True


def _ogg_is_cut(data: bytes) -> bool:
    """An Ogg file is whole when its last page is complete and marked as the last."""
    page = data.rfind(b"OggS")
    # The four letters may occur within compressed audio; a page also has version 0 behind them.
    while page > 0 and not _is_page_header(data, page):
        if len(data) - page < 27:
            return True
        page = data.rfind(b"OggS", 0, page + 3)
    if len(data) - page < 27:
        return True
    segments = data[page + 26]
    lacing = data[page + 27 : page + 27 + segments]
    end = page + 27 + segments + sum(lacing)
    return len(lacing) < segments or end > len(data) or not data[page + 5] & _OGG_LAST_PAGE


def _is_page_header(data: bytes, page: int) -> bool:
    return len(data) - page >= 27 and data[page + 4] == 0 and data[page + 5] <= 7
