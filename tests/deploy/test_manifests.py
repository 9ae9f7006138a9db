"""Everything that the manifests refer to is there, and they keep to the rules."""

from __future__ import annotations

import hashlib
import importlib
import re
from pathlib import Path

import pytest
import yaml

from tests.deploy.manifests import (
    K8S,
    ROOT,
    SERVICES,
    Resource,
    containers,
    matches,
    of_kind,
    pod_of,
    rendered,
    service_container,
    with_components,
)

# Made by whoever runs the cluster, as the kustomizations and docs/operations.md say.
SECRETS_FROM_OUTSIDE = {"kuchipaku-keys", "kuchipaku-s3", "kuchipaku-tls"}
LONGEST_UTTERANCE_S = 600
VARIANTS = {
    "base": ("base", ()),
    "dev": ("overlays/dev", ()),
    "gpu": ("overlays/gpu", ()),
    "all components": ("base", ("prometheus", "autoscaling-queue", "s3", "tls", "tracing")),
}


@pytest.fixture(params=VARIANTS, scope="module")
def resources(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Resource, ...]:
    folder, components = VARIANTS[request.param]
    if components:
        return with_components(tmp_path_factory.mktemp("k8s"), K8S / folder, components)
    return rendered(K8S / folder)


@pytest.fixture
def deployments(resources: tuple[Resource, ...]) -> dict[str, Resource]:
    found = of_kind(resources, "Deployment")
    assert set(found) == set(SERVICES)
    return found


def test_manifests_fit_the_schemas_of_kubernetes(resources: tuple[Resource, ...]) -> None:
    validate = pytest.importorskip(
        "kubernetes_validate", reason="kubernetes-validate is not installed"
    )
    for resource in resources:
        if resource["apiVersion"].startswith("monitoring.coreos.com/"):
            continue  # the operator's own kinds have no schema here
        validate.validate(resource, "1.31", strict=True)


def test_selectors_select(
    resources: tuple[Resource, ...], deployments: dict[str, Resource]
) -> None:
    pods = [d["spec"]["template"]["metadata"]["labels"] for d in deployments.values()]
    selectors = [d["spec"]["selector"] for d in deployments.values()]
    selectors += [{"matchLabels": s["spec"]["selector"]} for s in _all(resources, "Service")]
    for kind in ("PodDisruptionBudget", "PodMonitor"):
        selectors += [r["spec"]["selector"] for r in _all(resources, kind)]
    for policy in _all(resources, "NetworkPolicy"):
        selectors.append(policy["spec"]["podSelector"])
        for rule in (*policy["spec"].get("ingress", []), *policy["spec"].get("egress", [])):
            peers = (*rule.get("from", []), *rule.get("to", []))
            own = [p for p in peers if not {"namespaceSelector", "ipBlock"} & set(p)]
            selectors += [peer["podSelector"] for peer in own]
    for deployment in deployments.values():
        spreads = pod_of(deployment)["topologySpreadConstraints"]
        selectors += [spread["labelSelector"] for spread in spreads]
    for selector in selectors:
        assert any(matches(selector, labels) for labels in pods), selector


def test_autoscalers_scale_what_is_there(
    resources: tuple[Resource, ...], deployments: dict[str, Resource]
) -> None:
    scalers = of_kind(resources, "HorizontalPodAutoscaler")
    assert set(scalers) == set(deployments)
    told = {
        rule["name"]["as"]
        for name, config in of_kind(resources, "ConfigMap").items()
        if name.startswith("kuchipaku-adapter-rules")
        for rule in yaml.safe_load(config["data"]["adapter-rules.yaml"])["rules"]
    }
    for scaler in scalers.values():
        target = scaler["spec"]["scaleTargetRef"]
        assert (target["kind"], target["name"] in deployments) == ("Deployment", True)
        assert scaler["spec"]["minReplicas"] <= scaler["spec"]["maxReplicas"]
        for metric in scaler["spec"]["metrics"]:
            if metric["type"] == "Pods":
                assert metric["pods"]["metric"]["name"] in told


def test_ports_and_probes_reach_the_service(
    resources: tuple[Resource, ...], deployments: dict[str, Resource]
) -> None:
    services = of_kind(resources, "Service")
    for name, deployment in deployments.items():
        container = service_container(deployment)
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        settings = _settings(resources, name)
        assert ports["grpc"] == _port(settings[f"KUCHIPAKU_{name.upper()}_ADDRESS"])
        assert ports["metrics"] == _port(settings[f"KUCHIPAKU_{name.upper()}_METRICS_ADDRESS"])
        (port,) = services[name]["spec"]["ports"]
        assert (port["port"], ports[port["targetPort"]]) == (ports["grpc"], ports["grpc"])
        assert services[name]["spec"]["clusterIP"] == "None"
        for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
            probe = container[kind]
            if "exec" in probe:
                assert probe["exec"]["command"][-1].endswith(f":{ports['grpc']}")
            else:
                assert probe["grpc"]["port"] == ports["grpc"]
    for monitor in _all(resources, "PodMonitor"):
        assert {e["port"] for e in monitor["spec"]["podMetricsEndpoints"]} == {"metrics"}


def test_the_gateway_is_told_the_services_addresses(resources: tuple[Resource, ...]) -> None:
    settings = _settings(resources, "gateway")
    services = of_kind(resources, "Service")
    for name in set(SERVICES) - {"gateway"}:
        address = settings[f"KUCHIPAKU_GATEWAY_{name.upper()}_ADDRESS"]
        found = re.fullmatch(r"dns:///([a-z]+):(\d+)", address)
        assert found, address
        assert services[found[1]]["spec"]["ports"][0]["port"] == int(found[2])


def test_volumes_secrets_and_config_maps_resolve(
    resources: tuple[Resource, ...], deployments: dict[str, Resource]
) -> None:
    maps = of_kind(resources, "ConfigMap")
    secrets = {*of_kind(resources, "Secret"), *SECRETS_FROM_OUTSIDE}
    claims = of_kind(resources, "PersistentVolumeClaim")
    accounts = of_kind(resources, "ServiceAccount")
    for deployment in deployments.values():
        pod = pod_of(deployment)
        assert accounts[pod["serviceAccountName"]]["automountServiceAccountToken"] is False
        assert pod["automountServiceAccountToken"] is False
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        for volume in volumes.values():
            if "secret" in volume:
                assert volume["secret"]["secretName"] in secrets
            elif "configMap" in volume:
                assert volume["configMap"]["name"] in maps
            elif "persistentVolumeClaim" in volume:
                assert volume["persistentVolumeClaim"]["claimName"] in claims
            else:
                assert volume["emptyDir"]["sizeLimit"]
        mounted = {m["name"] for c in containers(deployment) for m in c.get("volumeMounts", [])}
        assert mounted == set(volumes)
        for container in containers(deployment):
            for source in container.get("envFrom", []):
                assert source["configMapRef"]["name"] in maps
            for variable in container.get("env", []):
                if "valueFrom" in variable:
                    assert variable["valueFrom"]["secretKeyRef"]["name"] in secrets


@pytest.mark.parametrize("service", SERVICES)
def test_every_key_of_a_config_map_loads_into_the_settings(
    resources: tuple[Resource, ...], service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module(f"kuchipaku_{service}.settings")
    settings_type = getattr(module, f"{service.capitalize()}Settings")
    known = {row.variable for row in settings_type.rows()}
    given = _settings(resources, service)
    container = service_container(of_kind(resources, "Deployment")[service])
    given |= {v["name"]: v.get("value", "a-key-of-sixteen-chars") for v in container["env"]}
    own = {name: value for name, value in given.items() if name.startswith("KUCHIPAKU_")}
    assert set(own) <= known
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    settings = settings_type()
    assert settings.drain_timeout_s > LONGEST_UTTERANCE_S
    assert settings.max_connection_age_s is not None
    assert settings.max_connection_age_grace_s is None


def test_drains_fit_into_the_grace_period(
    resources: tuple[Resource, ...], deployments: dict[str, Resource]
) -> None:
    for name, deployment in deployments.items():
        drain = float(_settings(resources, name)[f"KUCHIPAKU_{name.upper()}_DRAIN_TIMEOUT_S"])
        command = service_container(deployment)["lifecycle"]["preStop"]["exec"]["command"]
        assert command[0] == "sleep"
        assert pod_of(deployment)["terminationGracePeriodSeconds"] > float(command[1]) + drain


def test_containers_are_confined(deployments: dict[str, Resource]) -> None:
    for deployment in deployments.values():
        pod = pod_of(deployment)["securityContext"]
        assert pod["runAsNonRoot"] is True
        assert pod["runAsUser"] > 0
        assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in containers(deployment):
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["readOnlyRootFilesystem"] is True
            assert context["capabilities"] == {"drop": ["ALL"]}


def test_containers_have_bounds_and_a_version(deployments: dict[str, Resource]) -> None:
    for deployment in deployments.values():
        for container in containers(deployment):
            assert {"cpu", "memory"} <= set(container["resources"]["requests"])
            assert "memory" in container["resources"]["limits"]
            _, _, tag = container["image"].rpartition(":")
            assert re.fullmatch(r"\d+\.\d+\.\d+", tag), container["image"]


def test_everything_is_denied_that_no_policy_allows(
    resources: tuple[Resource, ...], deployments: dict[str, Resource]
) -> None:
    deny = of_kind(resources, "NetworkPolicy")["deny-all"]["spec"]
    assert set(deny["policyTypes"]) == {"Ingress", "Egress"}
    assert not {"ingress", "egress"} & set(deny)
    for deployment in deployments.values():
        assert matches(deny["podSelector"], deployment["spec"]["template"]["metadata"]["labels"])


def test_disruption_budgets_take_one_pod_at_a_time(
    resources: tuple[Resource, ...], deployments: dict[str, Resource]
) -> None:
    budgets = of_kind(resources, "PodDisruptionBudget")
    assert set(budgets) == set(deployments)
    for budget in budgets.values():
        assert budget["spec"]["maxUnavailable"] == 1
        # A pod that is not well keeps no node from being emptied.
        assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


def test_rollouts_have_room_and_time(deployments: dict[str, Resource]) -> None:
    for name, deployment in deployments.items():
        spec = deployment["spec"]
        assert "replicas" not in spec  # the autoscaler's to say
        assert spec["progressDeadlineSeconds"] > pod_of(deployment)["terminationGracePeriodSeconds"]
        rolling = spec["strategy"]["rollingUpdate"]
        has_gpu = "nvidia.com/gpu" in service_container(deployment)["resources"]["limits"]
        assert has_gpu == (name == "pose" and rolling == {"maxSurge": 0, "maxUnavailable": 1})
        assert has_gpu or rolling == {"maxSurge": 1, "maxUnavailable": 0}


def test_names_can_be_looked_up_by_those_who_call(
    resources: tuple[Resource, ...], deployments: dict[str, Resource]
) -> None:
    for name, deployment in deployments.items():
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        calls = [v for v in _settings(resources, name).values() if re.match(r"dns:|https?:", v)]
        allowed = [
            port["port"]
            for policy in _all(resources, "NetworkPolicy")
            if matches(policy["spec"]["podSelector"], labels)
            for rule in policy["spec"].get("egress", [])
            for port in rule["ports"]
        ]
        assert (53 in allowed) == bool(calls), name
        for call in calls:
            port = _port(call)
            assert port in allowed or ("grpc" in allowed and call.startswith("dns:"))


def test_gpus_are_asked_for_once() -> None:
    deployment = of_kind(rendered(K8S / "overlays/gpu"), "Deployment")["pose"]
    pod = pod_of(deployment)
    container = service_container(deployment)
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert container["image"].startswith("ghcr.io/kuchipaku/pose-gpu:")
    assert {t["key"] for t in pod["tolerations"]} == {"nvidia.com/gpu"}


def test_sums_of_models_are_those_of_the_starter_pack() -> None:
    lines = (K8S / "base/config/SHA256SUMS").read_text(encoding="utf-8").splitlines()
    sums = {name: value for value, name in (line.split("  ") for line in lines)}
    folder = ROOT / "models/starter"
    files = [*folder.glob("pose/*.onnx"), folder / "pose/manifest.json"]
    assert sums == {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def test_alerts_and_dashboard_ask_for_metrics_that_exist() -> None:
    table = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
    known = set(re.findall(r"^\| `(kuchipaku_[a-z_<>]+)`", table, re.MULTILINE))
    known |= {
        name.replace("<service>", service)
        for name in known
        if "<service>" in name
        for service in SERVICES
    }
    for path in _queries():
        text = path.read_text(encoding="utf-8")
        patterns = re.findall(r'__name__=~\\?"(kuchipaku_[^"\\]+)', text)
        assert all(any(re.fullmatch(p, name) for name in known) for p in patterns)
        for name in re.findall(r"\b(kuchipaku_[a-z_]+)\b(?!\.)", text):
            if name.endswith(("_mean", "_used_ratio")):
                continue  # made by the adapter itself
            assert re.sub(r"_(bucket|sum|count)$", "", name) in known, (path.name, name)


def _queries() -> list[Path]:
    components = K8S / "components"
    return [
        components / "prometheus/rules.yaml",
        components / "prometheus/dashboard.json",
        components / "autoscaling-queue/adapter-rules.yaml",
    ]


def _all(resources: tuple[Resource, ...], kind: str) -> list[Resource]:
    return list(of_kind(resources, kind).values())


def _settings(resources: tuple[Resource, ...], service: str) -> dict[str, str]:
    container = service_container(of_kind(resources, "Deployment")[service])
    maps = of_kind(resources, "ConfigMap")
    settings: dict[str, str] = {}
    for source in container["envFrom"]:
        settings |= maps[source["configMapRef"]["name"]]["data"]
    return settings


def _port(address: str) -> int:
    return int(address.rpartition(":")[2])
