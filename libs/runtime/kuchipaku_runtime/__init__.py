"""What all of Kuchipaku's services run on.

Server lifecycle, settings, errors on the wire, admission, worker processes, health, metrics and
logs. Services import from here; the modules below are the implementation.

Names are loaded when they are first used, so that worker processes carry no gRPC.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from kuchipaku_runtime.admission import Admission
    from kuchipaku_runtime.channel import CallOptions, Peer, connect
    from kuchipaku_runtime.command import main, run
    from kuchipaku_runtime.health import HealthReport, check_health
    from kuchipaku_runtime.logs import LogOptions, configure_logging
    from kuchipaku_runtime.metrics import SECONDS_BUCKETS, Metrics, MetricsServer
    from kuchipaku_runtime.request import current_caller, current_request_id
    from kuchipaku_runtime.server import Build, Server, Service, ServiceContext, serving
    from kuchipaku_runtime.settings import ChannelSettings, ServiceSettings, service_config
    from kuchipaku_runtime.status import translate_rpc_error
    from kuchipaku_runtime.workers import WorkerPool

__all__ = [
    "SECONDS_BUCKETS",
    "Admission",
    "Build",
    "CallOptions",
    "ChannelSettings",
    "HealthReport",
    "LogOptions",
    "Metrics",
    "MetricsServer",
    "Peer",
    "Server",
    "Service",
    "ServiceContext",
    "ServiceSettings",
    "WorkerPool",
    "check_health",
    "configure_logging",
    "connect",
    "current_caller",
    "current_request_id",
    "main",
    "run",
    "service_config",
    "serving",
    "translate_rpc_error",
]

_MODULES: Final = {
    "kuchipaku_runtime.admission": ("Admission",),
    "kuchipaku_runtime.channel": (
        "CallOptions",
        "Peer",
        "connect",
    ),
    "kuchipaku_runtime.command": (
        "main",
        "run",
    ),
    "kuchipaku_runtime.health": (
        "HealthReport",
        "check_health",
    ),
    "kuchipaku_runtime.logs": (
        "LogOptions",
        "configure_logging",
    ),
    "kuchipaku_runtime.metrics": (
        "SECONDS_BUCKETS",
        "Metrics",
        "MetricsServer",
    ),
    "kuchipaku_runtime.request": (
        "current_caller",
        "current_request_id",
    ),
    "kuchipaku_runtime.server": (
        "Build",
        "Server",
        "Service",
        "ServiceContext",
        "serving",
    ),
    "kuchipaku_runtime.settings": (
        "ChannelSettings",
        "ServiceSettings",
        "service_config",
    ),
    "kuchipaku_runtime.status": ("translate_rpc_error",),
    "kuchipaku_runtime.workers": ("WorkerPool",),
}
_MODULE_OF: Final = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(_MODULE_OF[name]), name)
    globals()[name] = value
    return value
