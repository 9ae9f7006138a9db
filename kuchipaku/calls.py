"""Calls with streamed requests that report how the service really ended them."""

from __future__ import annotations

from typing import Any, TypeVar

_Call = TypeVar("_Call")


def keep_status(call: _Call) -> _Call:
    """Make ``call`` (of grpc.aio, its requests streamed) keep the status that the service sent.

    A service may end a call while requests are still being written, as it does when it refuses
    one of them. The write fails, and grpc.aio (at least up to 1.85) then overwrites the status
    that is on its way with an INTERNAL of its own: reason, field and details are lost. Without
    that step the failed write waits for the service's status and raises it.

    Returns ``call``. To be applied right after the call was made, before anything is awaited::

        call = keep_status(stub.Speak(requests))
    """
    # Calls wrapped by client interceptors have no such attribute; they stay as they are.
    inner = getattr(call, "_cython_call", None)
    if inner is not None:
        call._cython_call = _KeepsStatus(inner)  # type: ignore[attr-defined]
    return call


class _KeepsStatus:
    """A call of gRPC's core without the means to replace its status."""

    def __init__(self, call: Any) -> None:
        self._call = call

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)

    def set_internal_error(self, details: str) -> None:
        """Do nothing: the status comes from the service, or from the loss of the connection."""
