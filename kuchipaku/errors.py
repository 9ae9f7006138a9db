"""What a service said went wrong, as Python exceptions.

gRPC statuses with ``google.rpc`` details become the exceptions of `kuchipaku_contract.errors`,
with reason, field, metadata and the time after which to try again (AIP-193).
"""

from __future__ import annotations

from typing import Final, TypeVar

import grpc
import grpc.aio
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from kuchipaku_contract.errors import KuchipakuError, StatusCode, error_class_for, restore_error

ERROR_DOMAIN: Final = "kuchipaku"
"""Domain of the ErrorInfo in every error of Kuchipaku's services."""

_Detail = TypeVar("_Detail", ErrorInfo, BadRequest, RetryInfo)
_NAMES: Final = {code.value[0]: code.name for code in grpc.StatusCode}


def error_from_rpc(error: grpc.aio.AioRpcError) -> KuchipakuError:
    """The exception that a failed call stands for.

    What gRPC itself reports (nobody there, deadline passed) has the name of its code as reason.
    """
    own = details_of(error)
    if own is not None:
        return own
    code = error.code().name
    return restore_error(error_class_for(StatusCode(code)), error.details() or code, reason=code)


def details_of(error: grpc.aio.AioRpcError) -> KuchipakuError | None:
    """The error that a Kuchipaku service reported; None when gRPC or somebody else did."""
    try:
        status = rpc_status.from_call(error)
    except (ValueError, DecodeError):
        return None
    return from_rich_status(status) if status is not None else None


def from_rich_status(status: Status) -> KuchipakuError | None:
    """The error that ``status`` carries; None when it is not one of Kuchipaku's."""
    info = _unpack(status, ErrorInfo())
    if info is None or info.domain != ERROR_DOMAIN:
        return None
    bad_request = _unpack(status, BadRequest())
    retry = _unpack(status, RetryInfo())
    violations = bad_request.field_violations if bad_request else ()
    code = _NAMES.get(status.code, StatusCode.UNKNOWN.value)
    try:
        return restore_error(
            error_class_for(StatusCode(code)),
            status.message,
            reason=info.reason,
            field=violations[0].field if violations else None,
            retry_after_s=_seconds(retry.retry_delay) if retry else None,
            metadata=dict(info.metadata),
        )
    except ValueError:  # a code or reason that is not ours after all
        return None


def _seconds(duration: Duration) -> float:
    return float(duration.seconds) + duration.nanos / 1e9


def _unpack(status: Status, detail: _Detail) -> _Detail | None:
    for packed in status.details:
        if packed.Is(detail.DESCRIPTOR):
            try:
                packed.Unpack(detail)
            except DecodeError:
                return None
            return detail
    return None
