"""How commands about pictures reach an image generation service."""

from __future__ import annotations

import functools
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import grpc
from rich.progress import Progress

from kuchipaku.errors import error_from_rpc
from kuchipaku.imagegen.v1 import imagegen_service_pb2_grpc as pb_grpc

from .connection import Access, access_options
from .console import progress_bars
from .services import default_data
from .standalone import standalone_services

_Command = TypeVar("_Command", bound=Callable[..., Any])
_SOURCES: Final = ("diffusers", "gan")
#: What a model that the command line gives by its source is called.
_GIVEN: Final = "given"


@dataclass(frozen=True, slots=True)
class ImageService:
    """A service that runs somewhere, or one that is started for the command."""

    address: str | None
    access: Access
    settings: Mapping[str, str] = field(default_factory=dict)
    """Environment of the service that is started."""

    def with_model(self, model: str) -> tuple[ImageService, str]:
        """The service that has an image model, and the model's name there.

        A model may be given by its source (``diffusers:FOLDER``, ``gan:FILE.onnx``) to a service
        that is started for the command; one that runs knows names alone.
        """
        kind, _, place = model.partition(":")
        if self.address is not None or kind not in _SOURCES or not place:
            return self, model
        path = Path(place)
        source = f"{kind}:{path.resolve() if path.exists() else place}"
        models = json.dumps({_GIVEN: {"source": source}})
        return replace(self, settings={"KUCHIPAKU_IMAGEGEN_MODELS": models}), _GIVEN

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[tuple[Any, Progress]]:
        """The service's stub, and progress bars; what calls fail with is translated."""
        async with AsyncExitStack() as stack:
            progress = stack.enter_context(progress_bars())
            address, access = self.address, self.access
            if address is None:
                services = standalone_services(
                    progress, default_data(), ("imagegen",), self.settings
                )
                supervisor = await stack.enter_async_context(services)
                address = supervisor.plan.addresses["imagegen"]
                access = Access(access.api_key)
            channel = await stack.enter_async_context(access.channel(address))
            try:
                yield pb_grpc.ImagegenServiceStub(channel), progress
            except grpc.aio.AioRpcError as error:
                raise error_from_rpc(error) from error


def image_service_options(command: _Command) -> _Command:
    """Add --address, --api-key and --tls-ca; the command gets them as ``service``."""

    @functools.wraps(command)
    def with_service(*, address: str | None, access: Access, **given: Any) -> Any:
        return command(**given, service=ImageService(address, access))

    option = click.option(
        "--address",
        envvar="KUCHIPAKU_IMAGEGEN",
        help="A running image generation service; without it the command runs one of its own.",
    )
    wrapped: Any = option(access_options(with_service))
    return wrapped  # type: ignore[no-any-return]
