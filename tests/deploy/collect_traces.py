"""A collector of traces that runs in one of the images: prints every span as a line of JSON."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as messages

ADDRESS = "0.0.0.0:4317"
SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService"


def export(request: Any, _context: Any) -> Any:
    """Print what came."""
    for resource in request.resource_spans:
        names = {a.key: a.value.string_value for a in resource.resource.attributes}
        for span in (span for scope in resource.scope_spans for span in scope.spans):
            seen = {
                "service": names["service.name"],
                "name": span.name,
                "trace": span.trace_id.hex(),
                "span": span.span_id.hex(),
                "parent": span.parent_span_id.hex(),
                **{a.key: a.value.string_value for a in span.attributes},
            }
            sys.stdout.write(json.dumps(seen) + "\n")
    sys.stdout.flush()
    return messages.ExportTraceServiceResponse()


def main() -> None:
    """Serve until somebody ends it."""
    handler = grpc.unary_unary_rpc_method_handler(
        export,
        messages.ExportTraceServiceRequest.FromString,
        messages.ExportTraceServiceResponse.SerializeToString,
    )
    handlers = grpc.method_handlers_generic_handler(SERVICE, {"Export": handler})
    server = grpc.server(ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((handlers,))
    server.add_insecure_port(ADDRESS)
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
