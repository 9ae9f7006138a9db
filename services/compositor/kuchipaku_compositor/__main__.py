"""``python -m kuchipaku_compositor``."""

from __future__ import annotations

import sys

from kuchipaku_compositor.service import build
from kuchipaku_compositor.settings import CompositorSettings
from kuchipaku_runtime import main

if __name__ == "__main__":
    sys.exit(main(CompositorSettings, build))
