"""The compositor service over gRPC: reads messages, hands them to the domain, answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc

from kuchipaku.compositor.v1 import compositor_service_pb2 as pb
from kuchipaku.compositor.v1 import compositor_service_pb2_grpc as pb_grpc
from kuchipaku_compositor.composition import Composition, CompositionOptions
from kuchipaku_compositor.durations import duration_of
from kuchipaku_compositor.film import FilmSummary
from kuchipaku_compositor.requests import (
    effective_config,
    parse_config,
    timed_frames,
    with_picture,
)
from kuchipaku_compositor.settings import CompositorSettings
from kuchipaku_compositor.sprite_requests import (
    add_sprites,
    effective_sprites_config,
    open_decoder,
    parse_sprites_config,
)
from kuchipaku_compositor.sprites import SheetFile, SpritePacker
from kuchipaku_compositor.workbench import Workbench
from kuchipaku_contract.limits import LIMITS
from kuchipaku_contract.streams import check_chunk, misplaced, next_within, take_config
from kuchipaku_runtime import Admission, Metrics

Context = grpc.aio.ServicerContext[Any, Any]


class CompositorServicer(pb_grpc.CompositorServiceServicer):
    """Each call works in a thread of its own within a slot of the admission."""

    def __init__(
        self, settings: CompositorSettings, admission: Admission, metrics: Metrics
    ) -> None:
        self._settings = settings
        self._admission = admission
        self._frames = metrics.counter("frames_total", "Frames encoded.", ("container",))
        self._bytes = metrics.counter("bytes_total", "Bytes of files made.", ("container",))

    async def ComposeVideo(  # noqa: N802 - the protocol's name
        self, request_iterator: AsyncIterator[pb.ComposeVideoRequest], context: Context
    ) -> AsyncIterator[pb.ComposeVideoResponse]:
        """Make one video."""
        limit_s = self._settings.input_timeout_s
        config = (await take_config(request_iterator, within_s=limit_s)).config
        options = parse_config(
            config,
            max_gif_duration_s=self._settings.max_gif_duration_s,
            threads=self._settings.encoder_threads,
        )
        async with self._admission.slot(), Workbench() as bench:
            composition = await bench.open(lambda: Composition(with_picture(config, options)))
            yield _started(config, options)
            size = 0
            while (request := await next_within(request_iterator, limit_s)) is not None:
                await _add(bench, composition, request)
                while chunk := await bench.run(composition.take):
                    size += len(chunk)
                    yield pb.ComposeVideoResponse(chunk=pb.VideoChunk(data=chunk))
                if request.WhichOneof("payload") == "frames":
                    yield _progress(composition.frame_count)
            summary = await bench.run(composition.finish)
            while chunk := await bench.run(composition.take):
                size += len(chunk)
                yield pb.ComposeVideoResponse(chunk=pb.VideoChunk(data=chunk))
            self._frames.labels(options.container.value).inc(summary.frame_count)
            self._bytes.labels(options.container.value).inc(size)
        yield _summary(summary, size)

    async def PackSprites(  # noqa: N802 - the protocol's name
        self, request_iterator: AsyncIterator[pb.PackSpritesRequest], context: Context
    ) -> AsyncIterator[pb.PackSpritesResponse]:
        """Make sprite sheets."""
        limit_s = self._settings.input_timeout_s
        first = await take_config(request_iterator, within_s=limit_s)
        options, frames = parse_sprites_config(first.config)
        async with self._admission.slot(), Workbench() as bench:
            packer = await bench.open(lambda: SpritePacker(options))
            decoder = open_decoder(frames)
            config = effective_sprites_config(first.config, options, frames)
            yield pb.PackSpritesResponse(started=pb.PackSpritesStarted(config=config))
            while (request := await next_within(request_iterator, limit_s)) is not None:
                if request.WhichOneof("payload") != "sprites":
                    raise misplaced(request.WhichOneof("payload"))
                await bench.run(add_sprites, packer, decoder, request.sprites)
            files = packer.files()
            while (file := await bench.run(next, files, None)) is not None:
                for chunk in _file_chunks(file):
                    yield pb.PackSpritesResponse(chunk=chunk)
            summary = pb.PackSpritesSummary(
                sheet_count=packer.sheet_count, sprite_count=packer.sprite_count
            )
        yield pb.PackSpritesResponse(summary=summary)


def _file_chunks(file: SheetFile) -> Iterator[pb.SpriteSheetChunk]:
    for start in range(0, len(file.data), LIMITS.max_chunk_bytes):
        piece = file.data[start : start + LIMITS.max_chunk_bytes]
        yield pb.SpriteSheetChunk(file_name=file.name, data=piece)


async def _add(bench: Workbench, composition: Composition, request: pb.ComposeVideoRequest) -> None:
    kind = request.WhichOneof("payload")
    if kind == "frames":
        await bench.run(composition.add_frames, request.frames.epoch, timed_frames(request.frames))
    elif kind == "audio":
        check_chunk(request.audio.data)
        await bench.run(composition.add_audio, request.audio.data)
    else:
        raise misplaced(kind)


def _started(config: pb.ComposeVideoConfig, options: CompositionOptions) -> pb.ComposeVideoResponse:
    width, height = options.container.picture_size(options.frames.width, options.frames.height)
    return pb.ComposeVideoResponse(
        started=pb.ComposeVideoStarted(
            config=effective_config(config, options),
            media_type=options.container.media_type,
            width_px=width,
            height_px=height,
        )
    )


def _progress(frame_count: int) -> pb.ComposeVideoResponse:
    return pb.ComposeVideoResponse(progress=pb.ComposeVideoProgress(frame_count=frame_count))


def _summary(summary: FilmSummary, size: int) -> pb.ComposeVideoResponse:
    return pb.ComposeVideoResponse(
        summary=pb.ComposeVideoSummary(
            frame_count=summary.frame_count,
            duration=duration_of(summary.duration_s),
            size_bytes=size,
        )
    )
