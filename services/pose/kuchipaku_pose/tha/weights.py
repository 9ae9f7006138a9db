"""Reading the author's weight files: no code in them runs, and every key is checked."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_pose.tha.catalogue import FAMILIES, Family, Variant
from kuchipaku_pose.tha.networks import network_makers

MAX_FILE_BYTES = 1 << 30
"""No official file is larger than 150 MB."""
_SHOWN = 4


class WeightsError(InvalidArgumentError):
    """A weight file cannot be used; the message names the file and what is wrong with it."""

    def __init__(self, path: Path, problem: str, reason: str = "WEIGHTS_INVALID") -> None:
        super().__init__(f"{path.name}: {problem}.", reason=reason, field="weights")


def weight_paths(family: Family, folder: Path) -> dict[str, Path]:
    """Return the file of each network of a family in ``folder``.

    Raises:
        InvalidArgumentError: WEIGHTS_MISSING; the message names every missing file.
    """
    paths = {name: folder / f"{name}.pt" for name in FAMILIES[family].files}
    missing = [path.name for path in paths.values() if not path.is_file()]
    if missing:
        raise InvalidArgumentError(
            f"{FAMILIES[family].title} needs {', '.join(p.name for p in paths.values())} in "
            f"{folder}; missing: {', '.join(missing)}.",
            reason="WEIGHTS_MISSING",
            field="weights",
        )
    return paths


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a ``torch.save`` file by key, without running anything in it.

    Raises:
        WeightsError: not such a file, damaged, or holding anything but tensors under names.
    """
    if path.stat().st_size > MAX_FILE_BYTES:
        raise WeightsError(path, f"is larger than {MAX_FILE_BYTES >> 20} MiB")
    try:
        with warnings.catch_warnings():
            # What torch thinks of a damaged file is told by the error below.
            warnings.simplefilter("ignore")
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            path, "holds something other than tensors, which was not run", "WEIGHTS_UNSAFE"
        ) from error
    except Exception as error:  # a damaged file raises whatever its reading runs into
        raise WeightsError(path, "is not a whole file of torch.save") from error
    if not isinstance(loaded, Mapping) or not all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in loaded.items()
    ):
        raise WeightsError(path, "is not a state dict: tensors under names")
    return dict(loaded)


def load_networks(family: Family, variant: Variant | None, folder: Path) -> dict[str, nn.Module]:
    """Build a family's networks with the weights in ``folder``, in float32.

    Raises:
        InvalidArgumentError: a file is missing, damaged or unsafe, or its keys, shapes or values
            are not those of the network.
    """
    makers = network_makers(family, variant)
    networks = {}
    for name, path in weight_paths(family, folder).items():
        tensors = read_tensors(path)
        with torch.device("meta"):
            network = makers[name]()
        _check(path, tensors, network)
        network = network.to_empty(device="cpu")
        network.load_state_dict({key: value.float() for key, value in tensors.items()}, strict=True)
        networks[name] = network.eval()
    return networks


def _check(path: Path, tensors: Mapping[str, Tensor], network: nn.Module) -> None:
    expected = network.state_dict()
    missing = [key for key in expected if key not in tensors]
    unexpected = [key for key in tensors if key not in expected]
    if missing or unexpected:
        parts = [
            f"{what} {_some(keys)}"
            for what, keys in (("lacks", missing), ("has the unexpected", unexpected))
            if keys
        ]
        raise WeightsError(
            path, f"does not fit this family and variant: it {' and '.join(parts)}", "WEIGHTS_KEYS"
        )
    for key, value in expected.items():
        given = tensors[key]
        if given.shape != value.shape:
            raise WeightsError(
                path,
                f"{key} has the shape {tuple(given.shape)}, expected {tuple(value.shape)}",
                "WEIGHTS_SHAPE",
            )
        if not _is_finite(given):
            raise WeightsError(path, f"{key} holds values that are not finite numbers")


def _is_finite(given: Tensor) -> bool:
    """Whether a tensor holds numbers that stay finite in float32."""
    # A file may also hold sparse tensors, and such without any values.
    if given.layout is not torch.strided or given.is_meta or not given.is_floating_point():
        return False
    return bool(torch.isfinite(given.float()).all())


def _some(keys: list[str]) -> str:
    shown = ", ".join(keys[:_SHOWN])
    return shown if len(keys) <= _SHOWN else f"{shown} and {len(keys) - _SHOWN} more"
