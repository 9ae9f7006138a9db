"""Geometry of the 512 x 512 canvas as the starter networks see it, and their pose slices.

The face network works on the crop rows 32:224, columns 160:352, which holds the head box of the
THA picture rules (rows 64:192, columns 192:320) with a margin on every side. Data sets store a
wider window around it, so that shifted and scaled crops can be cut without leaving the window.
"""

from __future__ import annotations

from typing import Final

CANVAS_SIZE: Final = 512
#: The rotator looks at the canvas at half resolution.
HALF_SIZE: Final = CANVAS_SIZE // 2

FACE_TOP: Final = 32
FACE_LEFT: Final = 160
FACE_SIZE: Final = 192

#: Window stored around the face crop; also the part of a rotated frame that a face can reach.
WINDOW_TOP: Final = 0
WINDOW_LEFT: Final = 128
WINDOW_SIZE: Final = 256
WINDOW_MARGIN: Final = (WINDOW_SIZE - FACE_SIZE) // 2

#: Centre of the head box in the canvas, (row, column) in pixels: scaling keeps it in place.
HEAD_CENTRE: Final = (128.0, 256.0)

#: Where the illustrator draws mouths in the canvas, with room for an open jaw.
MOUTH_ROWS: Final = slice(156, 194)
MOUTH_COLUMNS: Final = slice(228, 284)

POSE_SIZE: Final = 45
FACE_POSE: Final = slice(0, 39)
HEAD_POSE: Final = slice(39, 45)
FACE_POSE_SIZE: Final = 39
HEAD_POSE_SIZE: Final = 6

FACE_ROWS: Final = slice(FACE_TOP, FACE_TOP + FACE_SIZE)
FACE_COLUMNS: Final = slice(FACE_LEFT, FACE_LEFT + FACE_SIZE)
WINDOW_ROWS: Final = slice(WINDOW_TOP, WINDOW_TOP + WINDOW_SIZE)
WINDOW_COLUMNS: Final = slice(WINDOW_LEFT, WINDOW_LEFT + WINDOW_SIZE)
HALF_WINDOW_ROWS: Final = slice(WINDOW_TOP // 2, (WINDOW_TOP + WINDOW_SIZE) // 2)
HALF_WINDOW_COLUMNS: Final = slice(WINDOW_LEFT // 2, (WINDOW_LEFT + WINDOW_SIZE) // 2)
