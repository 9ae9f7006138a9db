"""The one hierarchy of errors that Kuchipaku reports to its callers.

Each class stands for one canonical gRPC status code; the runtime's interceptor turns an
instance into that status with ``google.rpc`` details, and the client turns it back::

    KuchipakuError
    ├── InvalidArgumentError      INVALID_ARGUMENT     the request is wrong whatever the state
    ├── OutOfRangeError           OUT_OF_RANGE         past the end of what exists
    ├── FailedPreconditionError   FAILED_PRECONDITION  right request, wrong moment
    ├── NotFoundError             NOT_FOUND
    ├── AlreadyExistsError        ALREADY_EXISTS
    ├── UnauthenticatedError      UNAUTHENTICATED      no or unknown credentials
    ├── PermissionDeniedError     PERMISSION_DENIED
    ├── ResourceExhaustedError    RESOURCE_EXHAUSTED   full, try later (retry_after_s)
    ├── UnavailableError          UNAVAILABLE          going away or not there (retry_after_s)
    ├── DeadlineExceededError     DEADLINE_EXCEEDED
    ├── UnimplementedError        UNIMPLEMENTED        known and not offered here
    ├── CancelledByClientError    CANCELLED            the caller has gone
    └── InternalError             INTERNAL             a fault of ours

No gRPC here: domain code raises these and stays importable without it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, ClassVar

_REASON = re.compile(r"[A-Z][A-Z0-9_]{0,61}[A-Z0-9]")


class StatusCode(StrEnum):
    """Canonical status codes by name, equal to gRPC's."""

    CANCELLED = "CANCELLED"
    UNKNOWN = "UNKNOWN"
    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    NOT_FOUND = "NOT_FOUND"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"
    FAILED_PRECONDITION = "FAILED_PRECONDITION"
    ABORTED = "ABORTED"
    OUT_OF_RANGE = "OUT_OF_RANGE"
    UNIMPLEMENTED = "UNIMPLEMENTED"
    INTERNAL = "INTERNAL"
    UNAVAILABLE = "UNAVAILABLE"
    DATA_LOSS = "DATA_LOSS"
    UNAUTHENTICATED = "UNAUTHENTICATED"


class KuchipakuError(Exception):
    """An error with a canonical status code, fit to be shown to the caller.

    Raise a subclass. ``message`` is for people; programs switch on ``reason``. What varies in
    the message is repeated in ``metadata``, so that nobody has to parse the message.

    Usage::

        raise InvalidArgumentError(
            "The audio lasts 700 s; the limit is 600 s.",
            reason="AUDIO_TOO_LONG", field="audio", limit_s=600, duration_s=700,
        )

    Raises ``ValueError`` when ``reason`` is not UPPER_SNAKE_CASE of 2 to 63 characters.
    """

    code: ClassVar[StatusCode] = StatusCode.UNKNOWN

    message: str
    """One or two sentences that say what is wrong and, where there is one, the way out."""
    reason: str
    """Constant in UPPER_SNAKE_CASE; by default the name of the status code."""
    field: str | None
    """Path of the request field at fault, as ``config.fps`` or ``cues[3].end``."""
    metadata: dict[str, str]
    """The variable parts of the message by name."""
    retry_after_s: float | None
    """Seconds after which the same call may succeed; None where repeating it is pointless."""

    def __init__(
        self,
        message: str,
        *,
        reason: str | None = None,
        field: str | None = None,
        **metadata: object,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or self.code.value
        if not _REASON.fullmatch(self.reason):
            raise ValueError(f"reason is not UPPER_SNAKE_CASE: {self.reason!r}")
        self.field = field
        self.metadata = {name: str(value) for name, value in metadata.items()}
        self.retry_after_s = None

    def __reduce__(self) -> tuple[Callable[..., KuchipakuError], tuple[object, ...]]:
        # Keyword-only parameters defeat the default pickling of exceptions, and worker
        # processes send these to the server process.
        parts = {
            "reason": self.reason,
            "field": self.field,
            "retry_after_s": self.retry_after_s,
            "metadata": self.metadata,
        }
        return _restore, (type(self), self.message, parts)


class InvalidArgumentError(KuchipakuError):
    """The request is wrong in itself; sending it again cannot help."""

    code = StatusCode.INVALID_ARGUMENT


class OutOfRangeError(KuchipakuError):
    """The request reaches past what exists, as a resume offset after the end."""

    code = StatusCode.OUT_OF_RANGE


class FailedPreconditionError(KuchipakuError):
    """The request is well-formed, but the state forbids it, as audio before the config."""

    code = StatusCode.FAILED_PRECONDITION


class NotFoundError(KuchipakuError):
    """The named resource does not exist."""

    code = StatusCode.NOT_FOUND


class AlreadyExistsError(KuchipakuError):
    """The resource to be created is there already."""

    code = StatusCode.ALREADY_EXISTS


class UnauthenticatedError(KuchipakuError):
    """Credentials are missing or unknown."""

    code = StatusCode.UNAUTHENTICATED


class PermissionDeniedError(KuchipakuError):
    """The caller is known and may not do this."""

    code = StatusCode.PERMISSION_DENIED


class UnimplementedError(KuchipakuError):
    """The operation is defined but not offered by this server as configured."""

    code = StatusCode.UNIMPLEMENTED


class DeadlineExceededError(KuchipakuError):
    """The work took longer than the caller or a limit allowed."""

    code = StatusCode.DEADLINE_EXCEEDED


class CancelledByClientError(KuchipakuError):
    """The caller cancelled or has gone."""

    code = StatusCode.CANCELLED


class InternalError(KuchipakuError):
    """A fault on this side. The message reaches the caller: no paths, no stack traces."""

    code = StatusCode.INTERNAL


class _RetryableError(KuchipakuError):
    """Common part of the errors that pass by themselves."""

    def __init__(
        self,
        message: str,
        *,
        reason: str | None = None,
        field: str | None = None,
        retry_after_s: float | None = 1.0,
        **metadata: object,
    ) -> None:
        super().__init__(message, reason=reason, field=field, **metadata)
        if retry_after_s is not None and not 0 <= retry_after_s < float("inf"):
            raise ValueError(f"retry_after_s must be finite and not negative: {retry_after_s}")
        self.retry_after_s = retry_after_s


class ResourceExhaustedError(_RetryableError):
    """The server is full or a quota is used up; try again after ``retry_after_s`` seconds."""

    code = StatusCode.RESOURCE_EXHAUSTED


class UnavailableError(_RetryableError):
    """The server drains or cannot be reached; another replica may serve at once."""

    code = StatusCode.UNAVAILABLE


_CLASSES: Mapping[StatusCode, type[KuchipakuError]] = {
    cls.code: cls
    for cls in (
        InvalidArgumentError,
        OutOfRangeError,
        FailedPreconditionError,
        NotFoundError,
        AlreadyExistsError,
        UnauthenticatedError,
        PermissionDeniedError,
        UnimplementedError,
        DeadlineExceededError,
        CancelledByClientError,
        InternalError,
        ResourceExhaustedError,
        UnavailableError,
    )
}


def error_class_for(code: StatusCode) -> type[KuchipakuError]:
    """Return the class that stands for ``code``; codes without one count as internal faults."""
    return _CLASSES.get(code, InternalError)


def restore_error(
    cls: type[KuchipakuError],
    message: str,
    *,
    reason: str,
    field: str | None = None,
    retry_after_s: float | None = None,
    metadata: Mapping[str, str] | None = None,
) -> KuchipakuError:
    """Rebuild an error from its parts, for transports that carried it from another process.

    Unlike the constructors it takes a wait for every class and metadata under any name.
    """
    error = cls(message, reason=reason, field=field)
    error.retry_after_s = retry_after_s
    error.metadata = dict(metadata or {})
    return error


def _restore(cls: type[KuchipakuError], message: str, parts: Mapping[str, Any]) -> KuchipakuError:
    return restore_error(cls, message, **parts)
