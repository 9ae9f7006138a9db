"""Rendered Kubernetes manifests, and what they hold."""

from __future__ import annotations

import functools
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")

ROOT = Path(__file__).resolve().parents[2]
K8S = ROOT / "deploy" / "k8s"
SERVICES = ("gateway", "imagegen", "pose", "lipsync", "compositor")

Resource = dict[str, Any]


@functools.cache
def rendered(folder: Path) -> tuple[Resource, ...]:
    """What ``kubectl kustomize`` makes of a folder."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed")
    done = subprocess.run(
        [kubectl, "kustomize", str(folder)], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return tuple(document for document in yaml.safe_load_all(done.stdout) if document)


def with_components(folder: Path, base: Path, components: Sequence[str]) -> tuple[Resource, ...]:
    """The base with components, rendered by way of a kustomization in ``folder``."""
    link = folder / "k8s"
    shutil.copytree(K8S, link)
    top = link / "overlays" / "test"
    top.mkdir(parents=True)
    (top / "kustomization.yaml").write_text(
        yaml.safe_dump(
            {
                "resources": [f"../../{base.relative_to(K8S).as_posix()}"],
                "components": [f"../../components/{name}" for name in components],
            }
        ),
        encoding="utf-8",
    )
    return rendered(top)


def of_kind(resources: Sequence[Resource], kind: str) -> dict[str, Resource]:
    """The resources of a kind by name."""
    return {r["metadata"]["name"]: r for r in resources if r["kind"] == kind}


def pod_of(deployment: Resource) -> Resource:
    """A Deployment's pod template's spec."""
    spec: Resource = deployment["spec"]["template"]["spec"]
    return spec


def containers(deployment: Resource) -> Iterator[Resource]:
    """All containers of a Deployment."""
    pod = pod_of(deployment)
    yield from pod.get("initContainers", [])
    yield from pod["containers"]


def service_container(deployment: Resource) -> Resource:
    """The container that serves."""
    (found,) = (c for c in pod_of(deployment)["containers"] if c["name"] == "service")
    return dict(found)


def matches(selector: Resource, labels: dict[str, str]) -> bool:
    """Whether a label selector selects labels."""
    plain = selector.get("matchLabels", {}).items() <= labels.items()
    return plain and all(
        labels.get(e["key"]) in e["values"]
        for e in selector.get("matchExpressions", [])
        if e["operator"] == "In"
    )
