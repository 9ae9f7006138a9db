"""The project's pods under podman, without a cluster."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.manifests import ROOT, SERVICES, Resource, pod_of, rendered

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")

TOOL_VARIABLE = "KUCHIPAKU_CONTAINER_TOOL"
GATEWAY = "127.0.0.1:51150"
API_KEY = "for-trying-it-out-only"
PORTS = {"gateway": 50050, "imagegen": 50051, "pose": 50052, "lipsync": 50053, "compositor": 50054}
OVERLAY = Path(__file__).parent / "overlay"
COLLECTOR = "kuchipaku-collector"
_READY_S = 90.0
_NETWORK = "podman-default-kube-network"


def container_tool() -> str:
    """The program with ``build``, ``play`` and ``down``; skips the test where there is none."""
    tool = os.environ.get(TOOL_VARIABLE)
    if not tool:
        pytest.skip(f"{TOOL_VARIABLE} does not name a tool that builds and plays containers")
    return tool


@dataclass(frozen=True, slots=True)
class Pods:
    """Pods that run. Containers are called ``<service>-pod-0-service``."""

    tool: str
    manifests: Path
    """Folder with a file for each service."""

    def start(self) -> None:
        """Play the manifests and wait until every service is healthy."""
        self._start_collector()
        for service in SERVICES:
            command([self.tool, "play", str(self.manifests / f"{service}.yaml")])
        for service in SERVICES:
            self.wait_healthy(service)

    def stop(self) -> None:
        """Take everything down, volumes too."""
        names = [f"{service}-pod-0" for service in SERVICES]
        command(["podman", "pod", "rm", "-f", "-t", "2", "--ignore", *names], check=False)
        command(["podman", "rm", "-f", "-t", "2", "--ignore", COLLECTOR], check=False)
        command(["podman", "volume", "rm", "-f", "kuchipaku-store"], check=False)

    def _start_collector(self) -> None:
        script = Path(__file__).with_name("collect_traces.py")
        command(["podman", "network", "create", "--ignore", _NETWORK], check=False)
        command(
            [
                *("podman", "run", "-d", "--name", COLLECTOR, "--network", _NETWORK),
                *("--read-only", "-v", f"{script}:/opt/collect_traces.py:ro"),
                *("--entrypoint", "python", image_of("gateway"), "/opt/collect_traces.py"),
            ]
        )

    def spans(self) -> list[dict[str, str]]:
        """What the collector has been sent so far."""
        lines = command(["podman", "logs", COLLECTOR]).stdout.splitlines()
        return [json.loads(line) for line in lines]

    def execute(self, service: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command in a service's container."""
        return command(["podman", "exec", self.name(service), *words], check=False)

    def wait_healthy(self, service: str) -> None:
        """Wait for the image's own health command to say SERVING."""
        deadline = time.monotonic() + _READY_S
        answer = ""
        while time.monotonic() < deadline:
            done = self.execute(service, "kuchipaku-health", f"127.0.0.1:{PORTS[service]}")
            if done.returncode == 0:
                return
            answer = done.stdout + done.stderr
            time.sleep(0.5)
        pytest.fail(f"{service} is not healthy: {answer}\n{self.log(service)}")

    def kill(self, service: str, signal: str) -> None:
        """Send a signal to a service."""
        command(["podman", "kill", "--signal", signal, self.name(service)])

    def wait_ended(self, service: str) -> int:
        """Wait for a service to end; its exit status."""
        return int(command(["podman", "wait", self.name(service)]).stdout)

    def replace(self, service: str) -> None:
        """Put a new pod in the place of one that has ended, with another address."""
        command(["podman", "pod", "rm", "-f", "-t", "2", f"{service}-pod-0"])
        command([self.tool, "play", str(self.manifests / f"{service}.yaml")])
        self.wait_healthy(service)

    def log(self, service: str) -> str:
        """The last lines of a service's log."""
        return command(["podman", "logs", "--tail", "20", self.name(service)], check=False).stderr

    @staticmethod
    def name(service: str) -> str:
        """The container of a service."""
        return f"{service}-pod-0-service"


def image_of(target: str, tag: str = "test") -> str:
    """The name of an image as tests build it."""
    return f"localhost/kuchipaku/{target}:{tag}"


def build_images(tool: str, log: Path, targets: Iterable[str] = SERVICES) -> None:
    """Build the images that the test overlay names."""
    for target in targets:
        build_image(tool, log, target, image_of(target))


def build_image(tool: str, log: Path, target: str, tag: str, *arguments: str) -> None:
    """Build an image; ``arguments`` are further ones of ``build``. The log tells what happened."""
    recipe = str(ROOT / "deploy/docker/Dockerfile")
    with log.open("a", encoding="utf-8") as out:
        done = subprocess.run(
            [tool, "build", "-f", recipe, "--target", target, *arguments, "-t", tag, str(ROOT)],
            check=False,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    assert done.returncode == 0, log.read_text(encoding="utf-8")[-4000:]


def write_manifests(folder: Path) -> None:
    """Render the test overlay into what podman 4 takes, a file for each service."""
    documents = [_plain(document) for document in rendered(OVERLAY)]
    maps = [document for document in documents if document["kind"] == "ConfigMap"]
    for document in documents:
        if document["kind"] == "Deployment":
            path = folder / f"{document['metadata']['name']}.yaml"
            path.write_text(yaml.safe_dump_all([*maps, document]), encoding="utf-8")


def command(words: Sequence[str], *, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command and return what it said."""
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    assert not check or done.returncode == 0, f"{words}: {done.stdout}\n{done.stderr}"
    return done


def _plain(document: Resource) -> Resource:
    """Secrets become ConfigMaps, as podman 4 hands Secrets out undecoded; no init containers, as it
    does not wait for them reliably (the check that they do has a test of its own)."""
    if document["kind"] == "Secret":
        data = {k: base64.b64decode(v).decode() for k, v in document["data"].items()}
        return {**document, "kind": "ConfigMap", "data": data}
    if document["kind"] != "Deployment":
        return document
    pod: dict[str, Any] = pod_of(document)
    pod.pop("initContainers", None)
    # What ends stays ended until a test has looked at it.
    pod["restartPolicy"] = "Never"
    pod["volumes"] = [
        _config_volume(volume) for volume in pod["volumes"] if volume["name"] != "model-sums"
    ]
    for variable in pod["containers"][0].get("env", []):
        if "valueFrom" in variable:
            source = variable["valueFrom"].pop("secretKeyRef")
            variable["valueFrom"]["configMapKeyRef"] = source
    return document


def _config_volume(volume: dict[str, Any]) -> dict[str, Any]:
    if "secret" not in volume:
        return volume
    source = volume["secret"]
    config = {"name": source["secretName"], "items": source["items"]}
    return {"name": volume["name"], "configMap": config}
