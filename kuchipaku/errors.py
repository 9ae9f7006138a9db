"""What a service said went wrong, as Python exceptions.

gRPC statuses with ``google.rpc`` details become the exceptions of `kuchipaku_contract.errors`,
with reason, field, metadata and the time after which to try again.
"""

from __future__ import annotations

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from kuchipaku_contract.errors import KuchipakuError, StatusCode, error_class_for, restore_error

ERROR_DOMAIN = "kuchipaku"
"""Domain of the ErrorInfo in every error of Kuchipaku's services."""


def error_from_rpc(error: grpc.aio.AioRpcError) -> KuchipakuError:
    """The exception that a failed call stands for; nothing of the details is lost."""
    reason: str | None = None
    field: str | None = None
    metadata: dict[str, str] = {}
    retry_after_s: float | None = None
    status = rpc_status.from_call(error)
    for detail in status.details if status is not None else ():
        info = error_details_pb2.ErrorInfo()
        request = error_details_pb2.BadRequest()
        retry = error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            reason = info.reason
            metadata = dict(info.metadata)
        elif detail.Unpack(request) and request.field_violations:
            field = request.field_violations[0].field
        elif detail.Unpack(retry):
            retry_after_s = retry.retry_delay.ToTimedelta().total_seconds()
    code = error.code().name
    return restore_error(
        error_class_for(StatusCode(code)),
        error.details() or code,
        reason=reason or code,
        field=field,
        metadata=metadata,
        retry_after_s=retry_after_s,
    )
