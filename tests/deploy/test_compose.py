"""What `docker compose up` starts, held against the files and the service that it names."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from service.app import assemble
from service.bootstrap import build_parts
from service.settings import Settings

DEPLOY = Path(__file__).parents[2] / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]


def mounts(name):
    """Where a service finds what: the folder in its container, and the one here."""
    pairs = [volume.split(":") for volume in SERVICES[name]["volumes"]]
    return {inside: DEPLOY / here for here, inside, *_ in pairs if here.startswith(".")}


def test_every_folder_that_is_mounted_is_there():
    for name in ("prometheus", "grafana"):
        assert all(any(folder.iterdir()) for folder in mounts(name).values())


def test_prometheus_scrapes_the_service_where_it_has_its_metrics():
    inside, here = next(iter(mounts("prometheus").items()))
    assert f"--config.file={inside}/prometheus.yml" in SERVICES["prometheus"]["command"]
    config = yaml.safe_load((here / "prometheus.yml").read_text())
    assert all((here / name).exists() for name in config["rule_files"])
    (target,) = [each for job in config["scrape_configs"] for each in job["static_configs"][0]["targets"]]
    name, _, port = target.partition(":")
    given = SERVICES[name]["environment"]
    settings = Settings(workers=0, redis_url=given["CAIRN_REDIS_URL"])
    assert int(port) == settings.port
    assert "/metrics" in assemble(build_parts(settings), settings=settings).openapi()["paths"]
    assert re.fullmatch(r"redis://(\w+)", given["CAIRN_REDIS_URL"])[1] in SERVICES


def test_grafana_finds_prometheus_and_the_dashboards():
    at = mounts("grafana")
    provisioned = at["/etc/grafana/provisioning"]
    source = yaml.safe_load((provisioned / "datasources" / "prometheus.yaml").read_text())["datasources"][0]
    assert re.fullmatch(r"http://(\w+):9090", source["url"])[1] in SERVICES
    boards = yaml.safe_load((provisioned / "dashboards" / "cairn.yaml").read_text())["providers"][0]
    assert list(at[boards["options"]["path"]].glob("*.json"))


def test_nothing_of_it_can_be_reached_from_another_machine():
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_no_container_may_more_than_it_needs():
    for service in SERVICES.values():
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_the_service_may_answer_what_it_accepted_before_it_is_killed():
    assert int(SERVICES["cairn"]["stop_grace_period"].removesuffix("s")) > Settings().shutdown_grace_s
