"""A wrong setting stops the run before it starts, and says which one it is."""

from __future__ import annotations

import pickle

import pytest

from trainer_client import Settings, StopRun


def test_the_environment_of_a_trainer_sets_them():
    environ = {"CAIRN_URL": "https://reward:8000/v1/", "CAIRN_API_KEY": "k", "CAIRN_TIMEOUT_S": "12.5"}
    settings = Settings.from_env(
        environ | {"CAIRN_ZSTD": "true", "CAIRN_CONCURRENCY": "8", "CAIRN_READ": "7"}
    )
    assert (settings.url, settings.timeout_s) == ("https://reward:8000/v1", 12.5)
    assert (settings.api_key.get_secret_value(), settings.zstd, settings.concurrency) == ("k", True, 8)


def test_an_empty_variable_is_one_that_is_not_set():
    assert Settings.from_env({"CAIRN_URL": "", "CAIRN_TIMEOUT_S": ""}) == Settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CAIRN_URL", "reward:8000"),
        ("CAIRN_URL", "ftp://reward"),
        ("CAIRN_URL", "http://"),
        ("CAIRN_URL", "http://reward:99999"),
        ("CAIRN_URL", "http://me:secret@reward"),
        ("CAIRN_URL", "http://reward/?key=1"),
        ("CAIRN_TIMEOUT_S", "0"),
        ("CAIRN_TIMEOUT_S", "inf"),
        ("CAIRN_CONCURRENCY", "many"),
        ("CAIRN_FAILED_SHARE", "1.5"),
    ],
)
def test_a_bad_setting_is_named_and_not_replaced(name, value):
    with pytest.raises(StopRun, match=name) as caught:
        Settings.from_env({name: value})
    assert "secret" not in str(caught.value)


def test_a_key_is_not_printed_but_travels_with_the_client():
    settings = Settings.from_env({"CAIRN_API_KEY": "secret"})
    assert "secret" not in repr(settings)
    assert pickle.loads(pickle.dumps(settings)).api_key.get_secret_value() == "secret"  # noqa: S301 - our own
