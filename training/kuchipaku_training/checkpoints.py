"""Checkpoints of trainings: found, read and put into networks, with errors that say what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from kuchipaku_contract.errors import FailedPreconditionError


def read_checkpoint(path: Path, *, train: str = "train first") -> dict[str, Any]:
    """Read what a training loop saved.

    Raises FailedPreconditionError CHECKPOINT_MISSING, which says to `train`, if there is none.
    """
    if not path.exists():
        raise FailedPreconditionError(
            f"{path} is missing; {train}", reason="CHECKPOINT_MISSING", field="work"
        )
    state: dict[str, Any] = torch.load(path, weights_only=True)
    return state


def put_weights(network: nn.Module, weights: dict[str, Any], path: Path) -> None:
    """Put weights that came from `path` into a network.

    Raises FailedPreconditionError CHECKPOINT_DIFFERS if they are of another network.
    """
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise FailedPreconditionError(
            f"{path} is of another network, perhaps of another version; train in another folder "
            f"or remove it. {error}",
            reason="CHECKPOINT_DIFFERS",
            field="work",
        ) from error


def put_averaged(network: nn.Module, path: Path, *, train: str = "train first") -> dict[str, Any]:
    """Put the averaged weights of a checkpoint into a network. Returns the whole checkpoint.

    Raises like `read_checkpoint` and `put_weights`.
    """
    state = read_checkpoint(path, train=train)
    put_weights(network, state["average"], path)
    return state
