"""A policy writes what it likes, and so does whoever sends a file: on the page it is text, nothing else."""

from __future__ import annotations

import copy
import threading
import types
import typing
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import orjson
import uvicorn
from fastapi import FastAPI, Response
from pydantic import BaseModel

from rubric import wire
from service.bootstrap import build_parts
from service.inspector.assets import load
from service.routes import inspector
from service.settings import Settings

MARK = "hostile"
PAYLOAD = (
    f'{MARK}"><img src=x onerror=alert(1)><script>alert(2)</script><svg onload=alert(3)>'
    "<iframe srcdoc='<script>parent.alert(4)</script>'></iframe><style>*{display:none}</style>"
    "<a href=javascript:alert(5)>press</a>{{7*7}}${alert(6)}</textarea></title>\u202e\x1b[31m"
)
FOREIGN = "img, iframe, object, embed, a[href^='javascript'], body style, body script, [onerror], [onload]"

REQUEST = {
    "id": "group",
    "question": "Which?",
    "answer": {"value": "Oman", "aliases": ["Sultanate of Oman"]},
    "rubric": {
        "entities": [
            {
                "id": "a",
                "name": "Oman",
                "aliases": ["Muscat"],
                "confusables": ["Iran"],
                "weight": 2.0,
                "kind": "name",
            },
            {"id": "b", "name": "Hormuz", "requires": ["a"]},
        ]
    },
    "rollouts": [
        {"id": "k0", "response": "<think>Oman?</think>Oman and Iran. Hormus. Oman."},
        {
            "id": "k1",
            "messages": [
                {"role": "user", "content": "Where?"},
                {"role": "assistant", "content": "Oman.", "reasoning_content": "Hormuz"},
            ],
        },
        {"id": "k2", "response": "…", "status": "truncated"},
    ],
    "fields": ["content", "reasoning"],
    "profile": "strict",
    "scheme": {"name": "longtrace", "eta": 0.3},
    "verifier": {"name": "match"},
    "labels": {"source": "longqa"},
}


def _strings(value, path=()):
    """The place of every string in a JSON value, keys of objects that may have any name included."""
    if isinstance(value, str):
        yield path
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, each in children:
        yield from _strings(each, (*path, key))


def _with(value, path, new):
    changed = copy.deepcopy(value)
    place = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = new
    return changed


def _pair(site):
    """A request and its reply in which every field that can hold a string holds one."""
    reply = httpx.post(site + "/score", json=REQUEST).raise_for_status().json()
    first, second, third = reply["rollouts"]
    near = {
        "surface": "Hormus",
        "field": "content",
        "start": 15,
        "end": 21,
        "similarity": 0.9,
        "reason": "no",
    }
    first["criteria"][0] |= {"flags": ["negated"], "reasons": ["close"]}
    first["criteria"][1] |= {"hit": False, "credit": 0.0, "near_miss": near} | dict.fromkeys(
        ("stage", "surface", "field", "start", "end", "similarity")
    )
    first["flags"] = ["entity_dump"]
    first["outcome"] = {"value": 1.0, "status": "ok", "verifier": "match", "detail": "why"}
    second |= {"status": "failed", "reward": None, "rubric": None, "criteria": None, "outcome": None}
    second["failure"] = {"type": "internal", "retryable": True, "detail": "no"}
    assert third["outcome"]["verifier"] == "status"
    reply |= {"degraded": ["embedding"], "fingerprint": "0" * 32}
    return {"request": REQUEST, "reply": reply}


def _fields_of(model, prefix=""):
    """The dotted names of all fields of a model that hold strings, by its types."""
    for name, field in model.model_fields.items():
        yield from _fields_in(field.annotation, f"{prefix}{field.alias or name}")


def _fields_in(kind, name):
    arguments = typing.get_args(kind)
    if isinstance(kind, type) and not isinstance(kind, types.GenericAlias) and issubclass(kind, BaseModel):
        yield from _fields_of(kind, f"{name}.")
    elif kind is str or (typing.get_origin(kind) is typing.Literal):
        yield name
    else:
        for each in arguments:
            yield from _fields_in(each, name)


def _named(path):
    return ".".join(key for key in path if isinstance(key, str))


def test_every_string_field_of_the_wire_is_attacked(site):
    pair = _pair(site)
    attacked = {_named(path) for path in _strings(pair)}
    known = {f"request.{each}" for each in _fields_of(wire.ScoreRequest)}
    known |= {f"reply.{each}" for each in _fields_of(wire.ScoreReply)}
    policies_and_options = ("request.rubric.policy.", "request.scheme.")  # words of a closed list each
    missed = {each for each in known - attacked if not each.startswith(policies_and_options)}
    any_names = {"request.labels", "reply.scheme", "reply.timings_ms"}
    assert missed == any_names  # objects whose names may be anything: attacked by name below


def test_markup_in_any_field_stays_text(page, site):
    pair = _pair(site)
    attacks = [_with(pair, path, PAYLOAD) for path in _strings(pair)]
    attacks += [_with(pair, ("request", "labels"), {PAYLOAD: PAYLOAD})]
    attacks += [_with(pair, ("reply", "scheme", PAYLOAD), PAYLOAD)]
    attacks += [_with(pair, ("reply", "timings_ms"), {PAYLOAD: 1.0})]
    told = 0
    for attack in attacks:
        _open(page, attack)
        told += _counted(page)
    assert told > 15  # they were shown, and not merely left out


def test_markup_in_all_free_texts_at_once_stays_text(page, site, complaints):
    complaints.expected = ("422",)
    pair = _pair(site)
    for path in [path for path in _strings(pair) if not _closed(path)]:
        pair = _with(pair, path, PAYLOAD)
    other = pair["reply"] | {"profile": PAYLOAD, "fingerprint": PAYLOAD}
    other = _with(other, ("rollouts", 0, "criteria", 0, "credit"), 0.5)
    _open(page, pair["request"], pair["reply"], other)
    assert _counted(page) > 12
    page.locator("#comparison .changes").wait_for()
    page.locator("#together").click()
    assert _counted(page) > 12
    page.locator("#compare-profile").click()
    page.get_by_role("alert").filter(has_text="$.").wait_for()
    assert _counted(page) > 12


def _closed(path):
    """Whether the page tells by this string what it is, or the string says which other one is meant."""
    words = (
        "status",
        "field",
        "stage",
        "profile",
        "role",
        "verifier",
        "fields",
        "requires",
        "scheme",
        "kind",
    )
    return any(key in words for key in path[-2:]) and path[-1] != "detail"


SHAPES = (None, 7, "text", [None], {"__proto__": 1})
PLACES = (
    *(
        ("request", *path)
        for path in ((), ("rubric", "entities"), ("rollouts",), ("rollouts", 0), ("answer",))
    ),
    *(
        ("request", *path)
        for path in (("rollouts", 1, "messages"), ("rollouts", 0, "response"), ("question",))
    ),
    *(("reply", *path) for path in ((), ("group",), ("rollouts",), ("scheme",), ("degraded",))),
    *(("reply", "rollouts", 0, each) for each in ("criteria", "outcome", "rubric", "flags", "failure", "id")),
    *(("reply", "rollouts", 0, "criteria", 0, each) for each in ("near_miss", "flags", "reasons", "start")),
)


def test_a_file_of_any_shape_is_told_and_not_tripped_over(page, site, complaints):
    complaints.expected = ("422",)  # where only a request is left of it
    pair = _pair(site)
    for path in PLACES:
        for shape in SHAPES:
            _open(page, _with(pair, path, shape))
    _open(page, pair)
    page.locator("#responses .criterion").first.wait_for()


def _open(page, *values):
    file = {"name": f"{PAYLOAD[:60].replace('/', '')}.json", "mimeType": "application/json"}
    page.set_input_files("#file", [file | {"buffer": b"\n".join(orjson.dumps(each) for each in values)}])
    page.evaluate("() => new Promise((done) => setTimeout(done, 0))")


def _counted(page):
    """How often the payload is read on the page, which must hold no element of it."""
    found = page.evaluate(
        "(foreign) => [document.body.innerText, document.querySelectorAll(foreign).length, document.title]",
        FOREIGN,
    )
    assert found[1:] == [0, "Cairn inspector"]
    return found[0].count(MARK)


# --- a server that says anything ----------------------------------------------------------------------------


@contextmanager
def _hostile_server() -> Iterator[str]:
    """The page, before a server whose every answer is an attack."""
    settings = Settings(workers=0, log_level="error")
    parts = build_parts(settings)
    app = FastAPI(openapi_url=None)
    parts.gate.open()
    report = _report()

    @app.get("/drift")
    async def drift() -> Response:
        return Response(report, media_type="application/json")

    @app.get("/version")
    async def version() -> Response:
        told = {"version": PAYLOAD, "fingerprint": PAYLOAD, "parts": {PAYLOAD: PAYLOAD}}
        return Response(orjson.dumps(told), media_type="application/json")

    @app.post("/score")
    async def score() -> Response:
        errors = [{"path": PAYLOAD, "message": PAYLOAD}]
        problem = {"title": PAYLOAD, "detail": PAYLOAD, "errors": errors, "type": PAYLOAD, "status": 422}
        return Response(orjson.dumps(problem), 422, media_type="application/problem+json")

    app.include_router(inspector.router(gate=parts.gate))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
        yield "http://{}:{}".format(*server.servers[0].sockets[0].getsockname())
    finally:
        server.should_exit = True
        thread.join()


def _report() -> bytes:
    """A report of `/drift` with every string of it replaced."""
    alarm = {"group": 7, "since": 3, "causes": [{"feature": PAYLOAD, "direction": PAYLOAD, "share": 1.0}]}
    distance = {"value": 1.0, "noise_mean": 0.1, "noise_deviation": 0.1, "surprise": 9.0}
    number = {"values": 3, "prompts": 3, "mean": 0.5, "deviation": 0.1}
    number |= {"quantiles": dict.fromkeys(("0.05", "0.25", "0.5", "0.75", "0.95", PAYLOAD), 0.5)}
    number |= {"distances": {PAYLOAD: distance, "psi": distance}}
    view = {"labels": {PAYLOAD: PAYLOAD}, "groups": 3, "prompts": 3, "rollouts": 9, "compared": True}
    view |= {"evidence": 0.5, "alarms": [alarm], "numbers": {"reward": number, PAYLOAD: number}}
    reference = dict.fromkeys(("version", "made", "source", "fingerprint"), PAYLOAD) | {"chunk": 32}
    reference["series"] = [{"labels": {PAYLOAD: PAYLOAD}, "groups": 3, "prompts": 3}]
    last = {"age_s": 1.0, "seconds": 1.0, "cases": 3, "mismatches": 1, "unanswered": 0, "largest_error": 1.0}
    canary = {"state": PAYLOAD, "last": last | {"wrong": [PAYLOAD]}, "answers": {PAYLOAD: 3}}
    return orjson.dumps({"reference": reference, "windows": [view], "canary": canary})


def test_markup_in_the_answers_of_a_server_stays_text(open_page, complaints):
    complaints.expected = ("422",)
    with _hostile_server() as url:
        page = open_page(url)
        page.locator("#server", has_text=MARK).wait_for()
        page.get_by_role("button", name="Example", exact=True).click()
        page.get_by_role("alert").filter(has_text=MARK).wait_for()
        page.get_by_role("tab", name="Drift").click()
        page.locator("#drift-windows", has_text=MARK).wait_for()
        assert page.locator(FOREIGN).count() == 0


# --- what the browser is told -------------------------------------------------------------------------------


def test_no_file_of_the_page_goes_out_without_the_policy(site):
    with httpx.Client(base_url=site) as client:
        for name in ("", *(f"inspector/{name}" for name in load())):
            answer = client.get(f"/{name}")
            directives = answer.headers["content-security-policy"].split("; ")
            assert {
                *("default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'"),
                *("img-src 'self' data:", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"),
                "require-trusted-types-for 'script'",
            } <= set(directives), name
            assert answer.headers["x-content-type-options"] == "nosniff"
            again = client.get(f"/{name}", headers={"if-none-match": answer.headers["etag"]})
            assert (again.status_code, again.content) == (304, b"")


def test_the_page_asks_no_other_host_for_anything(browser, site):
    page = browser.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{site}/#example")
    page.locator("#reward-sums .agrees").wait_for()
    page.close()
    assert [url for url in asked if not url.startswith((site, "data:"))] == []


def test_a_script_that_got_in_would_not_run(browser, site):
    """The policy itself, tried on: markup is refused as markup, a script element and a foreign host too."""
    page = browser.new_page()
    page.goto(site)
    tried = page.evaluate(
        """async () => {
          const refused = [];
          const note = (event) => refused.push(event.effectiveDirective);
          document.addEventListener("securitypolicyviolation", note);
          try { document.body.innerHTML = "<b>markup</b>"; } catch (error) { refused.push(error.name); }
          const script = document.createElement("script");
          try { script.textContent = "document.title = 'hit'"; } catch (error) { refused.push(error.name); }
          document.body.append(script);
          await fetch("http://127.0.0.1:9/").catch(() => refused.push("no fetch"));
          await new Promise((done) => setTimeout(done, 50));
          return [document.title, [...new Set(refused)].sort()];
        }"""
    )
    page.close()
    title, refused = tried
    assert title == "Cairn inspector"
    assert {"TypeError", "no fetch", "connect-src", "require-trusted-types-for"} <= set(refused)
