"""Checkpoints of trainings: found, read and put into networks, with errors that say what to do."""

from __future__ import annotations

from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import nn

from kuchipaku_contract.errors import FailedPreconditionError


def read_checkpoint(
    path: Path, *, advice: str = "train first", field: str = "work"
) -> dict[str, Any]:
    """Read what a training loop saved.

    `field` is the setting that the path follows from. Raises FailedPreconditionError:
    CHECKPOINT_MISSING with the `advice` if there is none, CHECKPOINT_UNREADABLE if it is no
    checkpoint or broken.
    """
    if not path.exists():
        raise FailedPreconditionError(
            f"{path} is missing; {advice}", reason="CHECKPOINT_MISSING", field=field
        )
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True)
        whole = {"average", "step"} <= state.keys()
    except (RuntimeError, UnpicklingError, EOFError, OSError, AttributeError) as error:
        raise _unreadable(path, field) from error
    if not whole:
        raise _unreadable(path, field)
    return state


def _unreadable(path: Path, field: str) -> FailedPreconditionError:
    return FailedPreconditionError(
        f"{path} is no checkpoint of a training, or broken",
        reason="CHECKPOINT_UNREADABLE",
        field=field,
    )


def put_weights(
    network: nn.Module, weights: dict[str, Any], path: Path, *, field: str = "work"
) -> None:
    """Put weights that came from `path` into a network.

    Raises FailedPreconditionError CHECKPOINT_DIFFERS if they are of another network.
    """
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise FailedPreconditionError(
            f"{path} is of another network, perhaps of another version; give another one",
            reason="CHECKPOINT_DIFFERS",
            field=field,
        ) from error


def put_averaged(
    network: nn.Module, path: Path, *, advice: str = "train first", field: str = "work"
) -> dict[str, Any]:
    """Put the averaged weights of a checkpoint into a network. Returns the whole checkpoint.

    Raises like `read_checkpoint` and `put_weights`.
    """
    state = read_checkpoint(path, advice=advice, field=field)
    put_weights(network, state["average"], path, field=field)
    return state
