"""Sessions of onnxruntime, opened so that what was asked for is what runs."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

import onnxruntime as ort

from kuchipaku_contract.errors import KuchipakuError
from kuchipaku_pose.onnxfile import parse_model
from kuchipaku_pose.providers.base import (
    EXECUTION_PROVIDERS,
    ProviderName,
    ProviderOptions,
    Row,
    StageSession,
    Value,
    join_rows,
    not_runnable,
    provider_missing,
    split_rows,
    stage_failed,
)
from kuchipaku_pose.providers.tensorrt import refuse_tf32, tensorrt_options

_LOG = logging.getLogger(__name__)

_Entry = tuple[str, dict[str, Any]]
"""onnxruntime's name of a provider, and its options."""

# Its builds send usage data to their maker unless told not to.
ort.disable_telemetry_events()


class OrtSession(StageSession):
    """A graph in onnxruntime; values are numpy arrays."""

    def __init__(self, stage: str, graph: bytes, options: ProviderOptions) -> None:
        """Open ``graph``; raises as `open_inference_session` does."""
        super().__init__(stage)
        batch_axes = _batch_axes(graph) if options.single else ()
        self._session, _ = open_inference_session(stage, graph, options, batch_axes)
        self._inputs: Sequence[str] = [value.name for value in self._session.get_inputs()]
        self._outputs: Sequence[str] = [value.name for value in self._session.get_outputs()]

    def run(self, rows: Sequence[Row]) -> list[dict[str, Value]]:
        """Run the graph; see `StageSession.run`."""
        inputs = {name: join_rows(rows, name) for name in self._inputs}
        try:
            values = self._session.run(self._outputs, inputs)
        except Exception as error:  # onnxruntime's exceptions share no public base class
            raise stage_failed(self.stage) from error
        return split_rows(dict(zip(self._outputs, values, strict=True)), len(rows))


def open_inference_session(
    stage: str, graph: bytes, options: ProviderOptions, batch_axes: Iterable[str] = ()
) -> tuple[Any, ProviderName]:
    """Open ``graph`` and return the session and the provider that really runs it.

    The axes named ``batch_axes`` are 1 in every run.

    onnxruntime itself falls back to the CPU in silence, also where it lists a provider whose
    libraries are missing; the session says what it got.

    Raises:
        FailedPreconditionError: PROVIDER_UNAVAILABLE, unless fallback is allowed;
            STAGE_NOT_RUNNABLE, onnxruntime refuses the graph; ENGINE_CACHE_UNUSABLE.
    """
    if options.name is ProviderName.TENSORRT:
        refuse_tf32()
    if options.name.is_gpu:
        _load_cuda()
    wanted = EXECUTION_PROVIDERS[options.name]
    available = ort.get_available_providers()
    if wanted not in available and not options.allow_fallback:
        raise provider_missing(stage, wanted, available)
    session_options = _session_options(options)
    for axis in batch_axes:
        session_options.add_free_dimension_override_by_name(axis, 1)
    try:
        session = _first_open(graph, session_options, _attempts(graph, options, available), wanted)
    except KuchipakuError:
        raise
    except Exception as error:  # see above
        raise not_runnable(stage, "onnxruntime", error) from error
    got = session.get_providers()[0]
    if got != wanted and not options.allow_fallback:
        raise provider_missing(stage, wanted, session.get_providers())
    if got != wanted:
        _LOG.warning("another provider takes over", extra={"stage": stage, "provider": got})
    names = {theirs: ours for ours, theirs in EXECUTION_PROVIDERS.items()}
    return session, names.get(got, ProviderName.CPU)


def _first_open(
    graph: bytes, session_options: Any, attempts: Iterable[Sequence[_Entry]], wanted: str
) -> Any:
    """Return the first session that runs on ``wanted``, else one that does on something else."""
    session: Any = None
    problem: Exception | None = None
    for providers in attempts:
        try:
            session = ort.InferenceSession(graph, session_options, providers=providers)
        except Exception as error:  # see above
            problem = error
        else:
            if session.get_providers()[0] == wanted:
                return session
    if session is None and problem is not None:
        raise problem
    return session


def _batch_axes(graph: bytes) -> set[str]:
    """Return the names that the inputs' first axes have in ``graph``."""
    shapes = (value.type.tensor_type.shape for value in parse_model(graph).graph.input)
    return {shape.dim[0].dim_param for shape in shapes if shape.dim} - {""}


@cache
def _load_cuda() -> None:
    """Load CUDA's libraries where they are Python packages; elsewhere the system finds them."""
    if importlib.util.find_spec("nvidia") is not None and hasattr(ort, "preload_dlls"):
        ort.preload_dlls()


def _attempts(
    graph: bytes, options: ProviderOptions, available: Sequence[str]
) -> Iterator[list[_Entry]]:
    """Yield the providers that are there, in the ways in which they may be asked."""
    cpu: _Entry = (EXECUTION_PROVIDERS[ProviderName.CPU], {})
    # TF32 would round to ten bits what the parity of float32 packs rests on.
    cuda = (
        EXECUTION_PROVIDERS[ProviderName.CUDA],
        {"device_id": options.device, "use_tf32": 0, "cudnn_conv_algo_search": "HEURISTIC"},
    )
    others = [entry for entry in (cuda, cpu) if entry[0] in available]
    tensorrt = EXECUTION_PROVIDERS[ProviderName.TENSORRT]
    if options.name is not ProviderName.TENSORRT or tensorrt not in available:
        yield others if options.name.is_gpu else [cpu]
        return
    chosen = tensorrt_options(graph, options)
    yield [(tensorrt, chosen), *others]
    if "trt_profile_max_shapes" in chosen:
        # Where TensorRT takes a part of a graph only, it wants the shapes inside the graph too.
        yield [(tensorrt, tensorrt_options(graph, options, profiled=False)), *others]


def _session_options(options: ProviderOptions) -> Any:
    session = ort.SessionOptions()
    session.intra_op_num_threads = options.threads
    session.inter_op_num_threads = 1
    session.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    session.log_severity_level = 3
    # Waiting threads would otherwise burn the cores that other sessions need.
    session.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return session
