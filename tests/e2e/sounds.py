"""Audio made on the spot."""

from __future__ import annotations

import io
import struct
import wave

import numpy as np


def wav(samples: np.ndarray, rate: int = 16_000) -> bytes:
    """A 16-bit mono WAV file of samples in [-1, 1]."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes((samples * 32767).astype("<i2").tobytes())
    return file.getvalue()


def float_wav(samples: np.ndarray, rate: int = 16_000) -> bytes:
    """A 32-bit float mono WAV file."""
    data = samples.astype("<f4").tobytes()
    fmt = struct.pack("<HHIIHH", 3, 1, rate, rate * 4, 4, 32)
    body = b"WAVEfmt " + struct.pack("<I", len(fmt)) + fmt
    body += b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def tone(seconds: float, rate: int = 16_000) -> np.ndarray:
    """A quiet 220 Hz tone."""
    return 0.2 * np.sin(2 * np.pi * 220 * np.arange(int(seconds * rate)) / rate)
