"""Errors on the wire: `KuchipakuError` to ``google.rpc.Status``, and what a peer's error means.

Every status carries an ``ErrorInfo`` (domain ``kuchipaku``); a ``BadRequest`` names the field
at fault, a ``RetryInfo`` the wait after which the same call may succeed (AIP-193).
"""

from __future__ import annotations

import math
from typing import Final

import grpc
import grpc.aio
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from kuchipaku.errors import ERROR_DOMAIN, details_of
from kuchipaku_contract import (
    InternalError,
    KuchipakuError,
    StatusCode,
    UnavailableError,
    error_class_for,
)

# Trailers share a budget of about 8 KiB with everything else in them.
_MAX_MESSAGE_CHARS: Final = 1000
_MAX_VALUE_CHARS: Final = 200
_MAX_METADATA: Final = 12

_NUMBERS: Final = {code.name: code.value[0] for code in grpc.StatusCode}


def to_rich_status(error: KuchipakuError) -> Status:
    """Return ``error`` as the status message with its details, cut to fit into trailers."""
    message = _cut(error.message, _MAX_MESSAGE_CHARS)
    status = Status(code=_NUMBERS[error.code.value], message=message)
    metadata = list(error.metadata.items())[:_MAX_METADATA]
    info = ErrorInfo(
        reason=error.reason,
        domain=ERROR_DOMAIN,
        metadata={name: _cut(value, _MAX_VALUE_CHARS) for name, value in metadata},
    )
    _pack(status, info)
    if error.field is not None:
        violation = BadRequest.FieldViolation(
            field=_cut(error.field, _MAX_VALUE_CHARS), description=message, reason=error.reason
        )
        _pack(status, BadRequest(field_violations=[violation]))
    if error.retry_after_s is not None:
        _pack(status, RetryInfo(retry_delay=_duration(error.retry_after_s)))
    return status


def to_grpc_status(error: KuchipakuError) -> grpc.Status:
    """Return ``error`` in the form that a gRPC servicer aborts with."""
    status: grpc.Status = rpc_status.to_status(to_rich_status(error))
    return status


def translate_rpc_error(error: grpc.aio.AioRpcError, *, peer: str = "peer") -> KuchipakuError:
    """Return what a failed call to ``peer`` means for one's own caller.

    A peer's own error passes unchanged: class, reason, field, metadata and wait. Only its
    refusal of *our* credentials does not concern the caller and becomes an internal fault, as
    does everything that gRPC itself reports; a peer that cannot be reached is `UnavailableError`.
    """
    code = StatusCode(error.code().name)
    own = details_of(error)
    if code in {StatusCode.UNAUTHENTICATED, StatusCode.PERMISSION_DENIED} and (
        own is None or own.reason.startswith("API_KEY_")
    ):
        return InternalError(
            f"The {peer} service refused this server.", reason="PEER_REFUSED", peer=peer
        )
    if own is not None:
        return own
    if code == StatusCode.UNAVAILABLE:
        return UnavailableError(
            f"The {peer} service cannot be reached.", reason="PEER_UNAVAILABLE", peer=peer
        )
    details = {"peer": peer, "code": code.value}
    if code in {StatusCode.DEADLINE_EXCEEDED, StatusCode.CANCELLED, StatusCode.RESOURCE_EXHAUSTED}:
        message = f"The call of the {peer} service ended with {code}."
        return error_class_for(code)(message, reason=f"PEER_{code}", **details)
    return InternalError(f"The {peer} service failed.", reason="PEER_FAILED", **details)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _duration(seconds: float) -> Duration:
    fraction, whole = math.modf(seconds)
    return Duration(seconds=int(whole), nanos=round(fraction * 1e9))


def _pack(status: Status, detail: ErrorInfo | BadRequest | RetryInfo) -> None:
    packed = AnyMessage()
    packed.Pack(detail)
    status.details.append(packed)
