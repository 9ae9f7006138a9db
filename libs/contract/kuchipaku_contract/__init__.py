"""What every part of Kuchipaku promises its callers: error classes and limits.

Standard library only, so that domain code, services, client and tests can all import it.
"""

from __future__ import annotations

from kuchipaku_contract.errors import (
    AlreadyExistsError,
    CancelledByClientError,
    DeadlineExceededError,
    FailedPreconditionError,
    InternalError,
    InvalidArgumentError,
    KuchipakuError,
    NotFoundError,
    OutOfRangeError,
    PermissionDeniedError,
    ResourceExhaustedError,
    StatusCode,
    UnauthenticatedError,
    UnavailableError,
    UnimplementedError,
    error_class_for,
    restore_error,
)
from kuchipaku_contract.limits import LIMITS, LimitRow, Limits, limit_rows

__all__ = [
    "LIMITS",
    "AlreadyExistsError",
    "CancelledByClientError",
    "DeadlineExceededError",
    "FailedPreconditionError",
    "InternalError",
    "InvalidArgumentError",
    "KuchipakuError",
    "LimitRow",
    "Limits",
    "NotFoundError",
    "OutOfRangeError",
    "PermissionDeniedError",
    "ResourceExhaustedError",
    "StatusCode",
    "UnauthenticatedError",
    "UnavailableError",
    "UnimplementedError",
    "error_class_for",
    "limit_rows",
    "restore_error",
]
