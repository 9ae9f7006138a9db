"""The one server interceptor: authentication, errors, request ids, metrics and logs of calls.

Handlers are coroutine functions or async generators. They raise `KuchipakuError`; nothing else
that they raise reaches the caller. A caller that has gone appears to a handler as
``CancelledError`` or ``GeneratorExit``, so resources are released in ``finally``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Final, Never, Self, TypeAlias, TypeVar

import grpc
import grpc.aio

from kuchipaku_contract import (
    InternalError,
    InvalidArgumentError,
    KuchipakuError,
    StatusCode,
    UnavailableError,
    UnimplementedError,
)
from kuchipaku_runtime.activity import Activity
from kuchipaku_runtime.metrics import Metrics
from kuchipaku_runtime.request import (
    REQUEST_ID_METADATA,
    accept_request_id,
    caller_var,
    current_request_id,
    request_id_var,
)
from kuchipaku_runtime.security import ApiKeys
from kuchipaku_runtime.status import to_grpc_status, translate_rpc_error
from kuchipaku_runtime.tracing import TRACEPARENT, NoTracer, Span, Tracer, accept_traceparent

_LOG = logging.getLogger(__name__)
_HEALTH: Final = "grpc.health.v1.Health/"
_REFLECTION: Final = "grpc.reflection."
# Measured on a busy machine: 1 ms is enough for all but one in a thousand.
_CANCELLATION_ARRIVES_S: Final = 0.005
_UNKNOWN_METHOD: Final = "unknown"

_T = TypeVar("_T")
# Strings, as gRPC's classes are generic in the stubs alone.
_Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class RpcMetrics:
    """Counts and durations of calls, by method and status code."""

    def __init__(self, metrics: Metrics) -> None:
        self.started = metrics.counter("rpcs_started_total", "Calls begun.", ("method",))
        self.handled = metrics.counter(
            "rpcs_handled_total", "Calls ended, by status code.", ("method", "code")
        )
        self.in_progress = metrics.gauge("rpcs_in_progress", "Calls running.", ("method",))
        self.seconds = metrics.histogram(
            "rpc_duration_seconds", "Duration of calls from first to last byte.", ("method",)
        )


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Wraps every handler of a server."""

    def __init__(
        self, metrics: Metrics, keys: ApiKeys, activity: Activity, tracer: Tracer | None = None
    ) -> None:
        self._tracer = tracer or NoTracer()
        self._metrics = RpcMetrics(metrics)
        self._keys = keys
        self._activity = activity

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[_Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> _Handler:
        """Return the handler of the method, wrapped; unknown methods get one that refuses."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return self._wrap(_unknown_method_handler(handler_call_details), _UNKNOWN_METHOD)
        return self._wrap(handler, handler_call_details.method.removeprefix("/"))

    def _wrap(self, handler: _Handler, method: str) -> _Handler:
        if handler.response_streaming:
            return self._wrap_streaming(handler, method)
        return self._wrap_unary(handler, method)

    def _wrap_unary(self, handler: _Handler, method: str) -> _Handler:
        behaviour: Any = handler.stream_unary if handler.request_streaming else handler.unary_unary
        receive = _receiver(handler)

        async def serve(request: Any, context: _Context) -> Any:
            async def work() -> Any:
                response = await behaviour(receive(request), context)
                await _send_request_id(context)
                return response

            return await self._supervise(method, context, work)

        if handler.request_streaming:
            return grpc.stream_unary_rpc_method_handler(
                serve, _careful(handler), handler.response_serializer
            )
        return grpc.unary_unary_rpc_method_handler(serve, None, handler.response_serializer)

    def _wrap_streaming(self, handler: _Handler, method: str) -> _Handler:
        behaviour: Any = (
            handler.stream_stream if handler.request_streaming else handler.unary_stream
        )
        receive = _receiver(handler)

        # A coroutine that writes, not a generator: gRPC leaves the closing of generators to
        # the garbage collector, and then their ``finally`` runs late.
        async def serve(request: Any, context: _Context) -> None:
            async def work() -> None:
                result = behaviour(receive(request), context)
                if hasattr(result, "__aiter__"):
                    await _write_all(result, context)
                else:
                    await result

            await self._supervise(method, context, work)

        if handler.request_streaming:
            return grpc.stream_stream_rpc_method_handler(
                serve, _careful(handler), handler.response_serializer
            )
        return grpc.unary_stream_rpc_method_handler(serve, None, handler.response_serializer)

    async def _supervise(
        self, method: str, context: _Context, work: Callable[[], Awaitable[_T]]
    ) -> _T:
        metadata = tuple(context.invocation_metadata() or ())
        request_id_var.set(accept_request_id(dict(metadata).get(REQUEST_ID_METADATA)))
        started = time.monotonic()
        code = "OK"
        span = self._span(method, metadata)
        self._metrics.started.labels(method).inc()
        self._metrics.in_progress.labels(method).inc()
        try:
            if not method.startswith(_HEALTH):
                caller_var.set(self._keys.authenticate(metadata))
            attendant = method.startswith((_HEALTH, _REFLECTION))
            with self._activity.call(attendant=attendant), span.active():
                result = await work()
            _set_trailing_request_id(context)
            return result
        except grpc.aio.AbortError:
            code = _aborted_code(context)
            raise
        except (Exception, asyncio.CancelledError) as raised:
            failure = self._failure(raised, context)
            code = failure.code.value
            if isinstance(failure, _CallerGoneError):
                # gRPC has told the caller, if there is one still; nothing is left to send.
                raise asyncio.CancelledError from None
            if isinstance(failure, InternalError):
                _LOG.error("call failed: %s", failure.message, exc_info=raised)
            await _abort(context, failure)
        finally:
            seconds = time.monotonic() - started
            span.end("" if code == "OK" else code)
            self._metrics.in_progress.labels(method).dec()
            self._metrics.handled.labels(method, code).inc()
            self._metrics.seconds.labels(method).observe(seconds)
            level = logging.DEBUG if method.startswith(_HEALTH) else logging.INFO
            fields = {"method": method, "code": code, "seconds": round(seconds, 6)}
            _LOG.log(level, "call ended", extra=fields)

    def _span(self, method: str, metadata: Sequence[tuple[str, Any]]) -> Span:
        parent = accept_traceparent(dict(metadata).get(TRACEPARENT))
        if method.startswith((_HEALTH, _REFLECTION)):
            return Span(parent)
        attributes = {"rpc.system": "grpc", "kuchipaku.request_id": current_request_id()}
        return self._tracer.start(method, parent=parent, attributes=attributes, serves=True)

    def _failure(self, raised: BaseException, context: _Context) -> KuchipakuError:
        """Return what the exception that ended a handler means."""
        if isinstance(raised, KuchipakuError):
            return raised
        if isinstance(raised, grpc.aio.AioRpcError):
            return translate_rpc_error(raised)
        if isinstance(raised, asyncio.CancelledError) and not _is_cancelled():
            # Something inside the handler was cancelled, not the call: a fault of the handler.
            return InternalError("The server failed.", reason="INTERNAL")
        # gRPC raises errors of its own from a write to a caller that has gone.
        if isinstance(raised, asyncio.CancelledError | grpc.aio.BaseError):
            return self._interruption(context)
        return InternalError("The server failed.", reason="INTERNAL")

    def _interruption(self, context: _Context) -> KuchipakuError:
        if self._activity.cutting:
            return UnavailableError("The server stopped.", reason="SERVER_STOPPED")
        remaining = context.time_remaining()
        if remaining is not None and remaining <= 0:
            return _CallerOutOfTimeError("The caller's deadline passed.")
        return _CallerGoneError("The caller has gone.")


class _CallerGoneError(KuchipakuError):
    """The caller cancelled or vanished."""

    code = StatusCode.CANCELLED


class _CallerOutOfTimeError(_CallerGoneError):
    """The caller's deadline passed."""

    code = StatusCode.DEADLINE_EXCEEDED


async def _abort(context: _Context, failure: KuchipakuError) -> Never:
    _LOG.debug("call refused: %s", failure.message, extra={"reason": failure.reason})
    status = to_grpc_status(failure)
    trailers = (*status.trailing_metadata, (REQUEST_ID_METADATA, current_request_id()))
    try:
        await context.abort(status.code, status.details, trailers)
    except grpc.aio.InternalError:
        # The status waits behind what the caller has not read, and the caller has gone.
        raise asyncio.CancelledError from None


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _write_all(messages: AsyncIterator[Any], context: _Context) -> None:
    async with contextlib.AsyncExitStack() as stack:
        if hasattr(messages, "aclose"):
            stack.push_async_callback(messages.aclose)
        first = True
        async for message in messages:
            if first:
                await _send_request_id(context)
                first = False
            await context.write(message)


async def _send_request_id(context: _Context) -> None:
    # Only ahead of a first response: an error before it then stays a trailers-only answer,
    # which clients may retry by themselves.
    with contextlib.suppress(grpc.aio.UsageError):  # the handler has sent its own
        await context.send_initial_metadata(((REQUEST_ID_METADATA, current_request_id()),))


def _set_trailing_request_id(context: _Context) -> None:
    own = tuple(context.trailing_metadata() or ())
    context.set_trailing_metadata((*own, (REQUEST_ID_METADATA, current_request_id())))


def _aborted_code(context: _Context) -> str:
    # grpc.aio keeps the code as a number once it is set by abort.
    code: Any = context.code()
    if isinstance(code, grpc.StatusCode):
        return code.name
    names = {status.value[0]: status.name for status in grpc.StatusCode}
    return names.get(code, StatusCode.UNKNOWN.value)


def _careful(handler: _Handler) -> Callable[[bytes], Any] | None:
    """Return the handler's deserializer, made to blame the caller for what it cannot read."""
    read = handler.request_deserializer
    if read is None:
        return None

    def deserialize(data: bytes) -> Any:
        try:
            return read(data)
        except Exception as error:
            raise InvalidArgumentError(
                "The message cannot be decoded.", reason="MESSAGE_MALFORMED"
            ) from error

    return deserialize


class _Requests:
    """The caller's messages.

    gRPC ends the iteration in the same way when the caller has finished and when it has gone;
    in the second case the cancellation is on its way. Giving it a moment to arrive spares
    handlers from taking a broken stream for a complete one.
    """

    def __init__(self, messages: AsyncIterator[Any]) -> None:
        self._source = messages
        # Made when first wanted: gRPC warns of an iterator that nobody has read.
        self._messages: AsyncIterator[Any] | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        if self._messages is None:
            self._messages = aiter(self._source)
        try:
            return await anext(self._messages)
        except StopAsyncIteration:
            await asyncio.sleep(_CANCELLATION_ARRIVES_S)
            raise


def _receiver(handler: _Handler) -> Callable[[Any], Any]:
    # gRPC decodes a single request before it calls the handler, out of the reach of error
    # mapping; so it hands over bytes and they are decoded here. Streams decode as they are read.
    if handler.request_streaming:
        return _Requests
    return _careful(handler) or (lambda request: request)


def _unknown_method_handler(details: grpc.HandlerCallDetails) -> _Handler:
    async def refuse(_request: object, _context: object) -> None:
        raise UnimplementedError(
            "There is no such method.", reason="METHOD_UNKNOWN", method=details.method
        )

    return grpc.stream_stream_rpc_method_handler(refuse)
