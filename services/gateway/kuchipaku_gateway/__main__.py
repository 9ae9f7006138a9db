"""``python -m kuchipaku_gateway``."""

from __future__ import annotations

import sys

from kuchipaku_runtime import main

from .service import build
from .settings import GatewaySettings

if __name__ == "__main__":
    sys.exit(main(GatewaySettings, build))
