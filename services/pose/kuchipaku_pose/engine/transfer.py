"""Values to and from the device, where a device that is gone shows too."""

from __future__ import annotations

from kuchipaku_pose.providers import Provider, Tensor, Value, to_host
from kuchipaku_pose.providers.base import stage_failed


def upload(provider: Provider, tensor: Tensor) -> Value:
    """Return ``tensor`` where the provider's sessions read it.

    Raises:
        InternalError: STAGE_FAILED, as of a run: the guard of the device listens to that.
    """
    try:
        return provider.upload(tensor)
    except Exception as error:  # onnxruntime's exceptions share no public base class
        raise stage_failed("upload") from error


def fetch(value: Value) -> Tensor:
    """Return ``value`` in the process's own memory.

    Raises:
        InternalError: STAGE_FAILED, see `upload`.
    """
    try:
        return to_host(value)
    except Exception as error:  # see above
        raise stage_failed("download") from error
