"""What is known about the call being served, for logs and for calls to peers."""

from __future__ import annotations

import re
import uuid
from contextvars import ContextVar
from typing import Final

from kuchipaku_contract import LIMITS

REQUEST_ID_METADATA: Final = "x-request-id"
"""Metadata key under which a request id travels, both ways."""

request_id_var: ContextVar[str] = ContextVar("kuchipaku_request_id", default="")
caller_var: ContextVar[str] = ContextVar("kuchipaku_caller", default="")

# Ids end in logs and metadata: printable ASCII without spaces only.
_ACCEPTABLE = re.compile(rf"[\x21-\x7e]{{1,{LIMITS.max_request_id_chars}}}")


def current_request_id() -> str:
    """Return the id of the call being served; empty outside of one."""
    return request_id_var.get()


def current_caller() -> str:
    """Return a short fingerprint of the API key of the call; empty without keys.

    Stable for one key, and of no use to find the key.
    """
    return caller_var.get()


def accept_request_id(offered: str | bytes | None) -> str:
    """Return the caller's own id where it is acceptable, else a new UUID4."""
    if isinstance(offered, str) and _ACCEPTABLE.fullmatch(offered):
        return offered
    return str(uuid.uuid4())
