"""From requests of the protocol to checked orders."""

from __future__ import annotations

import math
import secrets
from dataclasses import replace
from typing import Final

from kuchipaku.imagegen.v1 import imagegen_service_pb2 as pb
from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_contract.limits import LIMITS
from kuchipaku_media.picture import decode_picture

from .backends import Capabilities, Order, effective_size, effective_steps
from .prompts import Blocklist, Templates

_SEEDS: Final = range(-(2**63), 2**63)
_DEFAULT_STRENGTH: Final = 0.75


def order_from(
    request: pb.GenerateImageRequest,
    capabilities: Capabilities,
    templates: Templates,
    blocklist: Blocklist,
) -> Order:
    """Check everything but the init image's bytes, which `with_init_image` decodes.

    Raises `InvalidArgumentError` naming the field.
    """
    prompt, negative = _prompts_from(request, capabilities, templates, blocklist)
    count = _count_from(request)
    width, height = effective_size(capabilities, request.width_px, request.height_px)
    steps, guidance = effective_steps(capabilities, request.step_count, request.guidance_scale)
    _check_init_image(request, capabilities)
    return Order(
        prompt,
        negative,
        _seed_from(request, count),
        count,
        width_px=width,
        height_px=height,
        step_count=steps,
        guidance_scale=guidance,
        init_strength=request.init_strength or _DEFAULT_STRENGTH,
        end_seed=_end_seed_from(request, capabilities),
    )


def with_init_image(
    order: Order, request: pb.GenerateImageRequest, capabilities: Capabilities
) -> Order:
    """Add the decoded picture to start from; raises what decoding it raises. Blocking.

    Where no size is asked for, the result has about that picture's shape.
    """
    if not request.init_image:
        return order
    picture = decode_picture(request.init_image, field="init_image")
    if not (request.width_px or request.height_px):
        width, height = _shaped_like(picture.shape[1], picture.shape[0], capabilities)
        order = replace(order, width_px=width, height_px=height)
    return replace(order, init_image=picture)


def _shaped_like(width: int, height: int, capabilities: Capabilities) -> tuple[int, int]:
    """A size of the shape of width x height with the pixels of the model's own size."""
    multiple = capabilities.size_multiple_px
    scale = capabilities.default_size_px / math.sqrt(width * height)
    least, most = LIMITS.min_generated_side_px, LIMITS.max_generated_side_px
    least = math.ceil(least / multiple) * multiple

    def side(value: int) -> int:
        whole = round(value * scale / multiple) * multiple
        return min(max(whole, least), most // multiple * multiple)

    return side(width), side(height)


def _prompts_from(
    request: pb.GenerateImageRequest,
    capabilities: Capabilities,
    templates: Templates,
    blocklist: Blocklist,
) -> tuple[str, str]:
    for field, text in (("prompt", request.prompt), ("negative_prompt", request.negative_prompt)):
        if len(text) > LIMITS.max_prompt_chars:
            raise InvalidArgumentError(
                f"{field} is longer than {LIMITS.max_prompt_chars} characters.",
                reason="PROMPT_TOO_LONG",
                field=field,
                limit=LIMITS.max_prompt_chars,
            )
    prompt = request.prompt.strip()
    if not prompt and not capabilities.ignores_prompt:
        raise InvalidArgumentError("The prompt is empty.", reason="PROMPT_EMPTY", field="prompt")
    blocklist.check(prompt)
    if capabilities.takes_free_text and not request.plain_prompt:
        return templates.portrait(prompt, request.negative_prompt)
    return prompt, request.negative_prompt


def _count_from(request: pb.GenerateImageRequest) -> int:
    if not 0 <= request.image_count <= LIMITS.max_images:
        raise InvalidArgumentError(
            f"image_count is 1-{LIMITS.max_images}.",
            reason="IMAGE_COUNT_OUT_OF_RANGE",
            field="image_count",
            limit=LIMITS.max_images,
        )
    return request.image_count or 1


def _check_init_image(request: pb.GenerateImageRequest, capabilities: Capabilities) -> None:
    if request.init_image and not capabilities.supports_init_image:
        raise InvalidArgumentError(
            f"{capabilities.name} cannot start from a picture.",
            reason="INIT_IMAGE_NOT_SUPPORTED",
            field="init_image",
        )
    strength = request.init_strength
    if not math.isfinite(strength) or not 0 <= strength <= 1:
        raise InvalidArgumentError(
            "init_strength is 0-1.", reason="INIT_STRENGTH_OUT_OF_RANGE", field="init_strength"
        )


def _seed_from(request: pb.GenerateImageRequest, image_count: int) -> int:
    if not request.HasField("seed"):
        return secrets.randbelow(2**31)
    last = request.seed + image_count - 1
    if last not in _SEEDS:
        raise InvalidArgumentError(
            f"The last of {image_count} pictures would have the seed {last}, which is too large.",
            reason="SEED_OUT_OF_RANGE",
            field="seed",
            limit=_SEEDS[-1],
        )
    return request.seed


def _end_seed_from(request: pb.GenerateImageRequest, capabilities: Capabilities) -> int | None:
    if not request.HasField("end_seed"):
        return None
    if not capabilities.supports_interpolation:
        raise InvalidArgumentError(
            f"{capabilities.name} has no pictures between two seeds.",
            reason="INTERPOLATION_NOT_SUPPORTED",
            field="end_seed",
        )
    return request.end_seed
