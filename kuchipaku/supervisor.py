"""Runs the five services as processes of their own and watches them.

For one machine: a laptop, a test, a demonstration. In a cluster Kubernetes does this.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from kuchipaku.places import FIRST_PORT, SERVICES, loopback_addresses, taken

_STARTUP_LIMIT_S = 120.0
_DRAIN_S = 30.0
# After draining a service has pools and connections to close.
_CLOSING_S = 15.0
_LOG_LINES_KEPT = 200
# A service that starts takes a second or two; gRPC's usual back-off would add as much again.
_EAGER = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 200),
)


# Becomes the service that its arguments name, to be ended by the kernel as soon as the process
# that started it has ended, however it did: services must not outlive what runs them. Set in the
# child before exec, as nothing may run between fork and exec of a process with threads.
_DIES_WITH_PARENT = f"""
import ctypes, os, sys
PR_SET_PDEATHSIG = 1
ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, {signal.SIGTERM.value})
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""


class ServiceFailedError(Exception):
    """A service does not run as it should. `log` holds its last lines."""

    def __init__(self, message: str, service: str, log: str) -> None:
        """Remember which service failed and what it said."""
        super().__init__(message)
        self.service = service
        self.log = log


class AddressesTakenError(ServiceFailedError):
    """Somebody listens already where services are to listen."""

    def __init__(self, addresses: Mapping[str, str]) -> None:
        """Remember the services and their addresses."""
        places = ", ".join(f"{address} ({name})" for name, address in addresses.items())
        super().__init__(f"Taken already: {places}.", next(iter(addresses)), "")
        self.addresses = addresses


class ServiceDiedError(ServiceFailedError):
    """A service ended by itself."""

    def __init__(self, service: str, code: int, log: str) -> None:
        """Remember which service ended, with which exit status, and what it said."""
        super().__init__(f"The {service} service ended with status {code}.", service, log)
        self.code = code


class ServiceNotReadyError(ServiceFailedError):
    """A service runs, but did not get ready in time."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Where the services listen and keep their data."""

    addresses: Mapping[str, str]
    """gRPC target of each service: ``host:port`` or ``unix:/path``."""
    data: Path
    """Folder of the character store."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Further environment of the services: settings ``KUCHIPAKU_<SERVICE>_...``."""

    @classmethod
    def on_loopback(
        cls, data: Path, services: Iterable[str] = SERVICES, *, first_port: int = FIRST_PORT
    ) -> Plan:
        """Ports on 127.0.0.1 from the gateway's on."""
        return cls(loopback_addresses(services, first_port), data)

    @classmethod
    def on_sockets(
        cls,
        folder: Path,
        data: Path,
        services: Iterable[str] = SERVICES,
        *,
        environment: Mapping[str, str] | None = None,
    ) -> Plan:
        """Unix sockets in `folder`."""
        addresses = {name: f"unix:{folder / name}.sock" for name in services}
        return cls(addresses, data, environment or {})

    def environment_of(self, service: str) -> dict[str, str]:
        """The environment variables that make a service fit the plan.

        Our own environment may change the service's settings, but not where the plan has put
        things: everybody else looks for them there.
        """
        prefix = f"KUCHIPAKU_{service.upper()}_"
        defaults = {prefix + "LOG_FORMAT": "text", prefix + "DRAIN_TIMEOUT_S": str(_DRAIN_S)}
        places = {prefix + "ADDRESS": self.addresses[service]}
        if service == "pose":
            # Speeds measured while all services start at once would be wrong.
            defaults[prefix + "CALIBRATION_S"] = "0"
        if service == "gateway":
            # Not `as_uri`: the store takes the path as it stands, blanks and accents included.
            places[prefix + "STORE_URL"] = f"file://{self.data.resolve()}"
            for peer, address in self.addresses.items():
                if peer != "gateway":
                    places[f"{prefix}{peer.upper()}_ADDRESS"] = address
        return {**defaults, **os.environ, **places, **self.environment}

    def stop_limit_s(self, service: str) -> float:
        """Seconds that a service may take to stop, its draining included."""
        drain = self.environment_of(service)[f"KUCHIPAKU_{service.upper()}_DRAIN_TIMEOUT_S"]
        try:
            return float(drain) + _CLOSING_S
        except ValueError:  # the service itself says what is wrong with it
            return _DRAIN_S + _CLOSING_S


class _Running:
    """One service process and the tail of its log."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, stop_limit_s: float) -> None:
        self.name = name
        self.process = process
        self._stop_limit_s = stop_limit_s
        self.tail: deque[str] = deque(maxlen=_LOG_LINES_KEPT)

    async def read_log(self, on_line: Callable[[str, str], None] | None) -> None:
        """Take in the log until the process closes it."""
        stream = self.process.stdout
        assert stream is not None  # noqa: S101 - opened as a pipe below
        while True:
            try:
                raw = await stream.readline()
            except ValueError:
                # asyncio has dropped a line longer than its buffer; the next one counts.
                continue
            if not raw:
                return
            line = raw.decode(errors="replace").rstrip()
            self.tail.append(line)
            if on_line is not None:
                on_line(self.name, line)

    @property
    def log(self) -> str:
        """The last lines."""
        return "\n".join(self.tail)

    async def stop(self) -> None:
        """Ask the process to drain; kill it if it does not."""
        if self.process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            self.process.terminate()
        try:
            async with asyncio.timeout(self._stop_limit_s):
                await self.process.wait()
        except TimeoutError:
            self.kill()
            await self.process.wait()

    def kill(self) -> None:
        """End the process at once, if it still runs."""
        if self.process.returncode is None:
            with suppress(ProcessLookupError):
                self.process.kill()


class Supervisor:
    """The running services. Made by `running_services`."""

    def __init__(self, plan: Plan, on_line: Callable[[str, str], None] | None) -> None:
        """Prepare; `on_line` hears (service, line) of every log line."""
        self.plan = plan
        self._on_line = on_line
        self._running: list[_Running] = []
        self._readers: list[asyncio.Task[None]] = []

    @property
    def processes(self) -> Mapping[str, asyncio.subprocess.Process]:
        """The processes by service."""
        return {one.name: one.process for one in self._running}

    async def start(self, on_ready: Callable[[str, float], None] | None, limit_s: float) -> None:
        """Start the services and wait until they are healthy, at most `limit_s` seconds."""
        started = time.monotonic()
        for name in self.plan.addresses:
            await self._spawn(name)
        waiters = {
            asyncio.create_task(self._wait_ready(running, limit_s)): running.name
            for running in self._running
        }
        watch = asyncio.create_task(self.watch())
        try:
            pending: set[asyncio.Task[None]] = set(waiters)
            while pending:
                done, _ = await asyncio.wait({*pending, watch}, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
                    if on_ready is not None and task in waiters:
                        on_ready(waiters[task], time.monotonic() - started)
                pending -= done
        finally:
            for leftover in (*waiters, watch):
                leftover.cancel()
            await asyncio.gather(*waiters, watch, return_exceptions=True)

    async def _wait_ready(self, running: _Running, limit_s: float) -> None:
        try:
            await wait_until_serving(self.plan.addresses[running.name], timeout_s=limit_s)
        except TimeoutError:
            raise ServiceNotReadyError(
                f"The {running.name} service did not get ready within {limit_s:g} s.",
                running.name,
                running.log,
            ) from None

    async def _spawn(self, name: str) -> None:
        process = await asyncio.create_subprocess_exec(
            *_command(name),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=self.plan.environment_of(name),
            # A terminal's Ctrl-C goes to us alone: we stop the services in order.
            start_new_session=True,
        )
        running = _Running(name, process, self.plan.stop_limit_s(name))
        self._running.append(running)
        self._readers.append(asyncio.create_task(running.read_log(self._on_line)))

    async def watch(self) -> None:
        """Wait until a service ends by itself, then raise `ServiceDiedError`."""
        waits = {asyncio.create_task(one.process.wait()): one for one in self._running}
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        dead = waits[done.pop()]
        await asyncio.sleep(0.1)  # lets the reader take in the last lines
        raise ServiceDiedError(dead.name, dead.process.returncode or 0, dead.log)

    async def stop(self) -> None:
        """Stop all services, the gateway first; kill what is left when cancelled meanwhile."""
        try:
            for running in reversed(self._running):
                await running.stop()
        finally:
            for running in self._running:
                running.kill()
            await asyncio.gather(*(running.process.wait() for running in self._running))
        await asyncio.gather(*self._readers, return_exceptions=True)


def _command(service: str) -> list[str]:
    command = [sys.executable, "-m", f"kuchipaku_{service}"]
    if sys.platform != "linux":
        return command
    return [sys.executable, "-ISc", _DIES_WITH_PARENT, str(os.getpid()), *command]


@asynccontextmanager
async def running_services(
    plan: Plan,
    *,
    on_line: Callable[[str, str], None] | None = None,
    on_ready: Callable[[str, float], None] | None = None,
    startup_limit_s: float = _STARTUP_LIMIT_S,
) -> AsyncIterator[Supervisor]:
    """Run the services while the block lasts.

    `on_line` hears every log line, `on_ready` the name of a service and the seconds that it took
    to get ready. Raises `ServiceFailedError` for settings that they cannot share, and
    `AddressesTakenError` before anything is started; during the start
    `ServiceDiedError` if one ends, `ServiceNotReadyError` if one takes longer than
    `startup_limit_s`; inside the block `Supervisor.watch` tells.
    """
    _refuse_tls(plan)
    # Another instance there would pass for ours: whoever asks for health cannot tell them apart.
    if others := taken(plan.addresses):
        raise AddressesTakenError(others)
    if "gateway" in plan.addresses:
        plan.data.mkdir(parents=True, exist_ok=True)
    supervisor = Supervisor(plan, on_line)
    try:
        await supervisor.start(on_ready, startup_limit_s)
        yield supervisor
    finally:
        await supervisor.stop()


def _refuse_tls(plan: Plan) -> None:
    """Say at once what would be seen as a service that never gets ready: nobody here speaks TLS."""
    for name in plan.addresses:
        setting = f"KUCHIPAKU_{name.upper()}_TLS_CERTIFICATE_FILE"
        if plan.environment_of(name).get(setting):
            raise ServiceFailedError(
                f"{setting} is set, but services that run together on one machine talk without "
                f"TLS. Serve it by python -m kuchipaku_{name}.",
                name,
                "",
            )


async def check_health(address: str, *, timeout_s: float = 2.0) -> str:
    """State of the service at `address`: "SERVING", "NOT_SERVING" or "UNREACHABLE"."""
    async with grpc.aio.insecure_channel(address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        try:
            answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=timeout_s)
        except grpc.aio.AioRpcError:
            return "UNREACHABLE"
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))


async def wait_until_serving(address: str, *, timeout_s: float = _STARTUP_LIMIT_S) -> None:
    """Return as soon as the service at `address` reports SERVING. Raises `TimeoutError`."""
    async with grpc.aio.insecure_channel(address, options=_EAGER) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest()
        deadline = time.monotonic() + timeout_s
        while (left := deadline - time.monotonic()) > 0:
            with suppress(grpc.aio.AioRpcError):
                answer = await stub.Check(request, timeout=left, wait_for_ready=True)
                if answer.status == health_pb2.HealthCheckResponse.SERVING:
                    return
            await asyncio.sleep(0.05)
    raise TimeoutError(f"The service at {address} did not get ready within {timeout_s:.0f} s.")
