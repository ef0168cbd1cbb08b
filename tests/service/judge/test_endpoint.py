from __future__ import annotations

import shutil
import ssl
import subprocess
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from importlib.resources import files

import pytest

from rubric.judging import Form, Template
from service.judge.endpoint import retry_after
from service.judge.options import JudgeOptions
from tests.service.judge.double import Double, says
from tests.service.judge.judges import asking, outcome


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "3", "retry-after-ms": "250"}, 0.25),
        ({"retry-after": "3", "retry-after-ms": "soon"}, 3.0),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "1e999"}, None),
        ({"retry-after": ""}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_in_all_its_forms(headers, seconds):
    assert retry_after(headers) == seconds


def test_retry_after_may_be_a_date():
    date = format_datetime(datetime.now(tz=UTC) + timedelta(seconds=90), usegmt=True)
    assert 80 < retry_after({"retry-after": date}) <= 90


@pytest.mark.parametrize("url", ["", "judge:8000", "ftp://judge/v1", "http://", "//judge/v1"])
def test_an_address_that_is_none_stops_the_start(url):
    with pytest.raises(ValueError, match="address of the judge"):
        JudgeOptions(base_url=url, model="m")


def test_everything_that_can_change_a_verdict_is_in_the_fingerprint(tmp_path):
    prompt = tmp_path / "prompt.txt"
    prompt.write_text("{question} {correct_answer} {number} {response} {form}")
    base = {"base_url": "http://judge/v1", "model": "m"}
    changes = [
        {"model": "n"},
        {"prompt": prompt},
        {"form": Form.JSON},
        {"temperature": 0.5},
        {"seed": 1},
        {"max_tokens": 9},
        {"extra": {"top_p": 0.5}},
        {"votes": 3},
    ]
    found = {str(JudgeOptions(**(base | change)).fingerprint_parts()) for change in [{}, *changes]}
    assert len(found) == len(changes) + 1
    same = [{"base_url": "https://other/v1"}, {"api_key": "x"}, {"concurrency": 1}, {"timeout_s": 1.0}]
    assert len({str(JudgeOptions(**(base | change)).fingerprint_parts()) for change in [{}, *same]}) == 1


def test_a_prompt_without_a_slot_stops_the_start(tmp_path):
    prompt = tmp_path / "prompt.txt"
    prompt.write_text("Is it right? {response}")
    with pytest.raises(ValueError, match="question"):
        JudgeOptions(base_url="http://judge/v1", model="m", prompt=prompt).template()


@pytest.mark.parametrize("form", Form)
def test_the_prompts_name_the_fields_and_slots_of_their_source(form):
    template = JudgeOptions(base_url="http://judge/v1", model="m", form=form).template()
    assert isinstance(template, Template)
    for name in ("extracted_final_answer", "reasoning", "correct", "none given"):
        assert name in template.form
    for slot in ("[question]:", "[correct_answer]:", "[response]:"):
        assert slot in template.text
    shipped = {each.name for each in (files("service.judge") / "prompts").iterdir()}
    assert shipped == {"aa_lcr.txt", "lines.txt", "json.txt"}


@pytest.fixture
def certificate(tmp_path):
    openssl = shutil.which("openssl") or pytest.skip("openssl makes the certificate")
    key, crt = tmp_path / "key.pem", tmp_path / "crt.pem"
    options = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(crt)]
    subprocess.run([openssl, *options.split(), *names], check=True, capture_output=True)
    return crt, key


@pytest.mark.parametrize("trusted", [True, False])
async def test_tls_is_spoken_with_whom_the_system_trusts_alone(certificate, monkeypatch, trusted):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*certificate)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    async with Double(says("yes"), tls=tls) as double, asking(double.url, tries=1) as judge:
        found = [await outcome(judge) for _ in range(2)]
    assert found == ([1.0, 1.0] if trusted else ["judge_unreachable"] * 2)
