"""Colours beyond the edge of a cut-out, for lossy codecs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

_REACH = 3
"""Half-resolution pixels by which colours are carried outwards."""

_HIDDEN_OR_SHOWN = [0] + [255] * 255


def bleed_edges(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Give fully transparent pixels near the figure the colour of its edge.

    4:2:0 averages colours over two by two pixels and lossy coding spreads them over blocks, so
    whatever lies under alpha 0, usually black, would fringe the figure. Takes and returns uint8
    of shape (height, width, 4) with straight alpha; alpha and all visible pixels stay as they
    are.
    """
    height, width = pixels.shape[:2]
    frame = Image.frombuffer("RGBA", (width, height), pixels.tobytes(), "raw", "RGBA", 0, 1)
    alpha = frame.getchannel("A")
    # Averaging premultiplied colours weighs them by alpha; hidden pixels count for nothing.
    spread = frame.convert("RGBa").reduce(2).filter(ImageFilter.BoxBlur(_REACH)).convert("RGBA")
    result = spread.resize((width, height), Image.Resampling.NEAREST)
    result.paste(frame, mask=alpha.point(_HIDDEN_OR_SHOWN))
    result.putalpha(alpha)
    return np.asarray(result)
