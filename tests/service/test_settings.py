"""Settings are checked when they are built, and documented one by one."""

from __future__ import annotations

import json
import re

import pytest
from pydantic import SecretStr, ValidationError

from rubric.wire import DEFAULT_LIMITS, LongTrace
from service.settings import Settings
from tests.service.serving import ROOT, start


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch):
    for field in Settings.model_fields:
        monkeypatch.delenv(f"CAIRN_{field}".upper(), raising=False)


def test_the_page_of_settings_is_the_code():
    page = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(CAIRN_\w+)` \| (.*?) \| (.*) \|$", page, re.MULTILINE)
    said = {name: (default, meaning.replace(r"\|", "|")) for name, default, meaning in rows}
    assert said == {f"CAIRN_{name}".upper(): _row(field) for name, field in Settings.model_fields.items()}


def _row(field):
    special = {"workers": "cores", "scheme": "`longtrace`"}
    name = next(key for key, each in Settings.model_fields.items() if each is field)
    default = "" if field.default_factory else field.default
    shown = default.get_secret_value() if isinstance(default, SecretStr) else default
    return special.get(name, "–" if shown in {None, ""} else f"`{shown}`"), field.description


def test_every_limit_of_the_wire_is_a_setting():
    assert Settings().limits == DEFAULT_LIMITS
    assert Settings(limit_rollouts=7).limits.rollouts == 7


def test_the_environment_is_read(monkeypatch):
    monkeypatch.setenv("CAIRN_SCHEME", '{"name": "longtrace", "eta": 0.5}')
    monkeypatch.setenv("CAIRN_API_KEYS", "a, b,")
    monkeypatch.setenv("CAIRN_WORKERS", "")
    settings = Settings()
    assert settings.scheme == LongTrace(eta=0.5)
    assert settings.keys == ("a", "b")
    assert settings.workers >= 1


def test_keys_do_not_stand_in_a_printed_setting():
    assert "hunter2" not in repr(Settings(api_keys="hunter2"))


def test_a_scheme_may_be_given_by_its_name():
    assert Settings(scheme="outcome").scheme.name == "outcome"


def test_labels_are_read():
    allowed = Settings(labels="source:longqa|musique, policy:*").allowed_labels
    assert allowed == {"source": frozenset({"longqa", "musique"}), "policy": None}
    assert Settings(labels="").allowed_labels == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "tcp://10.0.0.1:8000"),
        ("port", "70000"),
        ("workers", "-1"),
        ("profile", "lenient"),
        ("scheme", "best"),
        ("scheme", '{"name": "longtrace", "eta": 2}'),
        ("scheme", "{"),
        ("verifier", "vote"),
        ("judge_extra", "{"),
        ("judge_votes", "0"),
        ("incomplete", "drop"),
        ("labels", "source"),
        ("labels", "status:ok"),
        ("labels", "a:1,a:2"),
        ("request_timeout_s", "inf"),
        ("shutdown_grace_s", "1"),
        ("limit_rollouts", "0"),
    ],
)
def test_a_bad_setting_stops_the_start_and_is_named(monkeypatch, name, value):
    monkeypatch.setenv(f"CAIRN_{name}".upper(), value)
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert {error["loc"][0] for error in caught.value.errors()} == {name}


def test_a_setting_that_does_not_exist_cannot_be_given():
    with pytest.raises(ValidationError):
        Settings(prot=1)


def test_a_server_with_a_bad_setting_says_which_in_one_line(tmp_path):
    process = start(tmp_path / "log", verifier="judge")
    assert process.wait(30) != 0
    (line,) = (tmp_path / "log").read_text().splitlines()
    assert "CAIRN_VERIFIER" in line
    assert "CAIRN_JUDGE_URL" in line


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"judge_url": "http://localhost:1/v1"}, "CAIRN_JUDGE_MODEL"),
        ({"judge_url": "localhost:1", "judge_model": "m"}, "http://host:port/v1"),
        ({"judge_url": "http://a/v1", "judge_model": "m", "judge_prompt": "/nowhere"}, "CAIRN_JUDGE_PROMPT"),
        ({"verifier": "cascade"}, "CAIRN_JUDGE_URL"),
    ],
)
def test_half_a_judge_stops_the_start(given, told):
    with pytest.raises(ValidationError, match=told):
        Settings(**given)


def test_a_port_that_is_taken_stops_the_start(server, tmp_path):
    process = start(tmp_path / "log", port=server.url.rpartition(":")[2], workers=0)
    assert process.wait(30) != 0
    assert "address already in use" in (tmp_path / "log").read_text()
    assert all(json.loads(line) for line in (tmp_path / "log").read_text().splitlines())
