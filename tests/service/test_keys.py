"""Keys are known by their digests alone, and exchanged while the server runs."""

from __future__ import annotations

import os

import pytest
from typer.testing import CliRunner

from service.cli import app
from service.errors import Refused
from service.keys import Keyring, UnreadableKeys, new_key
from service.rates import Rates
from tests.service.bodies import FOUR, group
from tests.service.serving import running, wait_until
from tests.service.test_statuses import refused


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def written(path, *lines):
    before = path.stat().st_mtime_ns if path.exists() else 0
    path.write_text("\n".join(lines))
    os.utime(path, ns=(before + 10**9, before + 10**9))


def test_a_key_of_the_list_or_of_the_file_has_an_owner_and_no_other_has(tmp_path):
    key, line = new_key("run-7")
    written(tmp_path / "keys", "# who may score", "", line)
    ring = Keyring(["old", "nöö"], file=tmp_path / "keys")
    assert ring.owner(key.encode()) == "run-7"
    assert ring.owner("nöö".encode()) is not None
    assert ring.owner(b"old") != ring.owner("nöö".encode())
    for other in (b"", b"ol", b"older", line.encode(), line.split(":")[1].encode()):
        assert ring.owner(other) is None


def test_neither_keys_nor_their_lines_can_be_read_off_a_keyring(tmp_path):
    key, line = new_key("run-7")
    assert key not in line
    written(tmp_path / "keys", line)
    held = vars(Keyring(["very-secret"], file=tmp_path / "keys"))
    assert "very-secret" not in repr(held)
    assert key not in repr(held)


def test_without_keys_everybody_may_and_with_an_empty_file_the_start_is_refused(tmp_path):
    assert not Keyring().needed
    written(tmp_path / "keys", "# nobody yet")
    with pytest.raises(UnreadableKeys, match="nobody could score"):
        Keyring(file=tmp_path / "keys")
    with pytest.raises(UnreadableKeys, match="cannot be read"):
        Keyring(file=tmp_path / "none")


def test_a_line_that_is_a_key_itself_is_refused_and_not_repeated(tmp_path):
    written(tmp_path / "keys", "cairn_this-is-a-secret")
    with pytest.raises(UnreadableKeys) as caught:
        Keyring(file=tmp_path / "keys")
    assert "line 1" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_changed_file_counts_soon_and_a_broken_one_leaves_the_keys_as_they_were(tmp_path):
    clock, file = Clock(), tmp_path / "keys"
    (old, first), (new, second) = new_key("old"), new_key("new")
    written(file, first)
    ring = Keyring(file=file, clock=clock)
    written(file, first, second)
    clock.now += 5
    assert (ring.owner(old.encode()), ring.owner(new.encode())) == ("old", "new")
    written(file, "oops")
    clock.now += 5
    assert ring.owner(new.encode()) == "new"
    written(file, second)
    clock.now += 5
    assert (ring.owner(old.encode()), ring.owner(new.encode())) == (None, "new")


def test_a_key_that_asks_too_often_waits_and_no_other_does():
    clock = Clock()
    rates = Rates(per_minute=2, clock=clock)
    rates.check("a")
    rates.check("a")
    with pytest.raises(Refused) as caught:
        rates.check("a")
    assert (caught.value.kind, caught.value.retry_after) == ("rate_limited", 30)
    rates.check("b")
    clock.now += 30
    rates.check("a")


def test_keys_are_exchanged_while_the_server_runs(tmp_path):
    made = CliRunner().invoke(app, ["keys", "new", "run-7"])
    key = made.stdout.strip()
    line = next(each for each in made.stderr.splitlines() if each.startswith("run-7 sha256:"))
    file, (other, second) = tmp_path / "keys", new_key("run-8")
    written(file, line)
    settings = {"workers": 0, "api_keys_file": file, "key_requests_per_minute": 1000}
    with running(**settings) as server, server.client() as client:

        def status(given):
            headers = {"authorization": f"Bearer {given}"}
            return client.post("/score", json=group(FOUR), headers=headers).status_code

        assert (status(key), status(other)) == (200, 403)
        written(file, second)
        wait_until(lambda: status(other) == 200)
        assert status(key) == 403
        assert key not in server.log.read_text()
        assert other not in server.log.read_text()


def test_a_server_tells_a_key_when_it_asked_too_often():
    with running(workers=0, api_keys="a,b", key_requests_per_minute=1) as server, server.client() as client:
        first, again, other = (
            client.post("/score", json=group(FOUR), headers={"x-api-key": key}) for key in "aab"
        )
        assert (first.status_code, other.status_code) == (200, 200)
        refused(again, 429, "rate_limited")
        assert int(again.headers["retry-after"]) > 1
