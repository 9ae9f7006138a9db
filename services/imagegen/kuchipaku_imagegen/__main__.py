"""``python -m kuchipaku_imagegen``."""

from __future__ import annotations

import sys

from kuchipaku_runtime import main

from .service import build
from .settings import ImagegenSettings

if __name__ == "__main__":
    sys.exit(main(ImagegenSettings, build))
