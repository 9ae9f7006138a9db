"""Logs: one JSON object or one line of text per record on stderr, with request ids.

Values passed as ``extra={...}`` become fields of their own.
"""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, TextIO

from kuchipaku_runtime.request import current_caller, current_request_id

LogFormat = Literal["json", "text"]

_STANDARD: Final = frozenset(
    vars(logging.LogRecord("", 0, "", 0, "", None, None)) | {"message": 0, "asctime": 0}
)


_in_force: list[LogOptions] = []


@dataclass(frozen=True, slots=True)
class LogOptions:
    """How a process logs; worker processes take over those of their server."""

    service: str
    level: str = "INFO"
    log_format: LogFormat = "json"


class _ContextFilter(logging.Filter):
    """Notes the request on the record, in the context that logs it."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def filter(self, record: logging.LogRecord) -> bool:
        record.service = self._service
        if request_id := current_request_id():
            record.request_id = request_id
        if caller := current_caller():
            record.caller = caller
        return True


def _extras(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON: time (RFC 3339, UTC), level, logger, message, ..."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC)
        entry: dict[str, Any] = {
            "time": time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **_extras(record),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False, default=str)


class TextFormatter(logging.Formatter):
    """Formats a record for people: local time, level, service, message, fields."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).astimezone()
        extras = _extras(record)
        service = extras.pop("service", record.name)
        fields = "".join(f" {name}={_brief(value)}" for name, value in extras.items())
        clock = f"{time:%H:%M:%S}.{time.microsecond // 1000:03d}"
        line = f"{clock} {record.levelname:<7} {service}: {record.getMessage()}{fields}"
        if record.exc_info:
            line = f"{line}\n{self.formatException(record.exc_info)}"
        return line


def _brief(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return json.dumps(text, ensure_ascii=False) if " " in text and isinstance(value, str) else text


def configure_logging(options: LogOptions, stream: TextIO | None = None) -> None:
    """Send all records of this process to ``stream`` (stderr by default), replacing handlers."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if options.log_format == "json" else TextFormatter())
    handler.addFilter(_ContextFilter(options.service))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(options.level)
    logging.captureWarnings(True)
    _in_force.append(options)
    del _in_force[:-1]


def current_log_options() -> LogOptions | None:
    """Return the options that `configure_logging` applied last; None before that."""
    return _in_force[0] if _in_force else None
