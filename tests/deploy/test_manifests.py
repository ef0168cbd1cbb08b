"""What is shipped for Kubernetes, held against the service and against itself."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
import yaml

from service.app import assemble_probes
from service.bootstrap import build_parts
from service.metrics import Metrics
from service.settings import Settings
from tests.deploy.manifests import FOUND, K8S, MISSING, OVERLAYS, render

DEPLOY = K8S.parent
SHIPPED = [DEPLOY / "compose.yaml", DEPLOY.parent / "Dockerfile", *K8S.rglob("*.yaml"), *K8S.rglob("*.env")]

needs_kubectl = pytest.mark.skipif(not FOUND, reason=MISSING)
every_overlay = pytest.mark.parametrize("overlay", OVERLAYS)


def within(wanted, labels):
    return wanted.items() <= labels.items()


def test_every_variable_that_is_set_anywhere_is_a_setting():
    known = {f"CAIRN_{name}".upper() for name in Settings.model_fields}
    found = {
        name
        for file in SHIPPED
        for name in re.findall(r"^[^#\n]*?\b(CAIRN_[A-Z_]+)\s?[=:](?! ?\$)", file.read_text(), re.MULTILINE)
    }
    assert len(found) > 8
    assert found <= known | {"CAIRN_TARGET"}


@needs_kubectl
@every_overlay
def test_the_service_would_start_with_the_settings_of_an_overlay(overlay, tmp_path):
    settings = render(overlay).settings
    keys = tmp_path / "api-keys"
    keys.write_text(f"one sha256:{0:064x}\n")
    Settings(
        **{name.removeprefix("CAIRN_").lower(): value for name, value in settings.items()}
        | {"api_keys_file": keys}
    )


@needs_kubectl
@every_overlay
def test_a_pod_is_not_killed_while_it_answers_what_it_accepted(overlay):
    rendered = render(overlay)
    waits = float(rendered.settings["CAIRN_DRAIN_DELAY_S"]) + float(
        rendered.settings["CAIRN_SHUTDOWN_GRACE_S"]
    )
    assert rendered.one("Deployment")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] > waits
    assert float(rendered.settings["CAIRN_DRAIN_DELAY_S"]) > 0


@needs_kubectl
@every_overlay
def test_ports_are_those_that_the_service_listens_on(overlay):
    rendered = render(overlay)
    ports = {each["name"]: each["containerPort"] for each in rendered.container["ports"]}
    listened = {
        "http": int(rendered.settings["CAIRN_PORT"]),
        "probes": int(rendered.settings["CAIRN_PROBE_PORT"]),
    }
    assert ports == listened
    service = rendered.one("Service")["spec"]["ports"]
    assert {each["targetPort"]: each["port"] for each in service} == ports
    admitted = [
        port["port"] for rule in rendered.one("NetworkPolicy")["spec"]["ingress"] for port in rule["ports"]
    ]
    assert sorted(admitted) == sorted(ports)


@needs_kubectl
@every_overlay
def test_probes_and_scrapes_ask_for_paths_that_exist(overlay):
    rendered = render(overlay)
    settings = Settings(workers=0, probe_port=int(rendered.settings["CAIRN_PROBE_PORT"]))
    routes = set(assemble_probes(build_parts(settings), settings=settings).openapi()["paths"])
    probes = [rendered.container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")]
    assert {each["port"] for each in probes} == {"probes"}
    scraped = [end for each in rendered.all("ServiceMonitor") for end in each["spec"]["endpoints"]]
    assert {each["path"] for each in [*probes, *scraped]} <= routes
    assert {each["port"] for each in scraped} <= {"probes"}


@needs_kubectl
@every_overlay
def test_a_dependency_that_is_down_restarts_nobody(overlay):
    container = render(overlay).container
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"


@needs_kubectl
@every_overlay
def test_every_selector_finds_pods(overlay):
    rendered = render(overlay)
    pods = [each["spec"]["template"]["metadata"]["labels"] for each in rendered.workloads]
    selectors = [each["spec"]["selector"]["matchLabels"] for each in rendered.workloads]
    selectors += [each["spec"]["selector"] for each in rendered.all("Service")]
    selectors += [each["spec"]["selector"]["matchLabels"] for each in rendered.all("PodDisruptionBudget")]
    selectors += [each["spec"]["podSelector"]["matchLabels"] for each in rendered.all("NetworkPolicy")]
    for workload in rendered.workloads:
        spread = workload["spec"]["template"]["spec"]["topologySpreadConstraints"]
        selectors += [each["labelSelector"]["matchLabels"] for each in spread]
    for selector in selectors:
        assert sum(within(selector, labels) for labels in pods) == 1, selector
    for monitor in rendered.all("ServiceMonitor"):
        services = [each["metadata"]["labels"] for each in rendered.all("Service")]
        assert any(within(monitor["spec"]["selector"]["matchLabels"], labels) for labels in services)


@needs_kubectl
@every_overlay
def test_whatever_a_pod_mounts_or_reads_is_there_or_told_in_the_docs(overlay):
    rendered = render(overlay)
    text = yaml.safe_dump_all([each["spec"]["template"]["spec"] for each in rendered.workloads])
    made = {each["metadata"]["name"] for each in rendered.all("ConfigMap")}
    assert set(re.findall(r"configMap(?:Ref)?:\n\s+name: (\S+)", text)) <= made
    secrets = set(re.findall(r"(?:secretName|secretKeyRef:\n\s+key: \S+\n\s+name): (\S+)", text))
    told = (DEPLOY.parent / "docs" / "deploy.md").read_text()
    assert secrets
    assert all(f"secret generic {name}" in told for name in secrets)


@needs_kubectl
@every_overlay
def test_no_pod_may_more_than_it_needs(overlay):
    for workload in render(overlay).workloads:
        pod = workload["spec"]["template"]["spec"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"]
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["limits"]["memory"]
            assert re.search(r"@sha256:[0-9a-f]{64}$", container["image"])


@needs_kubectl
@every_overlay
def test_there_is_one_autoscaler_and_it_never_goes_to_zero(overlay):
    rendered = render(overlay)
    scalers = rendered.all("HorizontalPodAutoscaler") + rendered.all("ScaledObject")
    assert len(scalers) == 1
    spec = scalers[0]["spec"]
    assert spec["scaleTargetRef"]["name"] == rendered.one("Deployment")["metadata"]["name"]
    assert spec.get("minReplicas", spec.get("minReplicaCount", 0)) >= 2
    assert rendered.one("Deployment")["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert "replicas" not in rendered.one("Deployment")["spec"]


def test_keda_asks_for_a_metric_that_is_exported():
    scaled = yaml.safe_load((K8S / "components/keda/scaled-object.yaml").read_text())["spec"]
    asked = {
        name for each in scaled["triggers"] for name in re.findall(r"cairn_\w+", each["metadata"]["query"])
    }
    page = Metrics().page().decode()
    assert asked
    assert all(f"# TYPE {name} " in page for name in asked)
    assert scaled["fallback"]["replicas"] >= scaled["minReplicaCount"]


def test_the_operator_gets_the_rules_that_prometheus_gets():
    folder = K8S / "components" / "monitoring"
    made = subprocess.run(
        [sys.executable, folder / "make_rule.py"], capture_output=True, text=True, check=True
    )
    assert (folder / "prometheus-rule.yaml").read_text() == made.stdout
    files = [
        yaml.safe_load((DEPLOY / "prometheus" / name).read_text()) for name in ("rules.yml", "alerts.yml")
    ]
    assert yaml.safe_load(made.stdout)["spec"]["groups"] == [
        each for file in files for each in file["groups"]
    ]


@needs_kubectl
def test_grafana_in_the_cluster_gets_the_dashboards_that_are_committed():
    maps = [
        each
        for each in render("monitoring").all("ConfigMap")
        if "grafana_dashboard" in each["metadata"]["labels"]
    ]
    shown = {name: json.loads(text) for each in maps for name, text in each["data"].items()}
    committed = (DEPLOY / "grafana" / "dashboards").glob("*.json")
    assert shown == {each.name: json.loads(each.read_text()) for each in committed}
