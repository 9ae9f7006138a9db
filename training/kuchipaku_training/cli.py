"""`kuchipaku-train MODEL ...`: the trainings under one name.

Importing this needs neither torch nor TensorFlow; each training imports what it needs.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final

MODELS: Final = {
    "pose": "the starter pose networks",
    "matting": "the network that cuts characters out",
    "headbox": "the networks that find and examine heads",
    "diffusion": "the small text-to-image model",
    "gan": "a generator of faces, on any folder of face pictures",
}
_EXTRAS: Final = {
    "torch": "torch is not installed: install kuchipaku-training",
    "diffusers": "diffusers is not installed: install kuchipaku-training[diffusion]",
    "transformers": "transformers is not installed: install kuchipaku-training[diffusion]",
}


def usage() -> str:
    """What can be trained."""
    width = max(map(len, MODELS))
    lines = "\n".join(f"  {name:{width}}  {text}" for name, text in MODELS.items())
    return f"usage: kuchipaku-train MODEL [options]\n\n{lines}\n\n--help after a model tells more."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one training's command line. Returns the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] in ("-h", "--help"):
        (sys.stdout if given else sys.stderr).write(f"{usage()}\n")
        return 0 if given else 2
    model, *rest = given
    if model not in MODELS:
        sys.stderr.write(f"kuchipaku-train: no model {model!r}\n\n{usage()}\n")
        return 2
    try:
        module = import_module(f"kuchipaku_training.{model}.__main__")
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _EXTRAS:
            raise
        sys.stderr.write(f"kuchipaku-train: {_EXTRAS[missing]}\n")
        return 1
    status: int = module.main(rest)
    return status


if __name__ == "__main__":
    sys.exit(main())
