"""Settings: every fault named at once, no value repeated, production strict."""

import json

import pytest

from hip.application.gateway_events import AccountChanged
from hip.entrypoints import outbound
from hip.entrypoints.demo.stages import settings_of
from hip.entrypoints.setting_faults import SettingsInvalid
from hip.entrypoints.settings import Settings

FACILITIES = json.dumps([{"id": "IN0410000123", "name": "Demo Clinic"}])
PRODUCTION = {
    "HIP_ENV": "production",
    "HIP_GATEWAY_URL": "https://apis.abdm.gov.in/api/hiecm",
    "HIP_API_KEYS": json.dumps([{"name": "hmis", "sha256": "0" * 64, "hips": ["IN0410000123"]}]),
    "HIP_FACILITIES": FACILITIES,
}


def _faults(environment: dict[str, str]) -> dict[str, str]:
    with pytest.raises(SettingsInvalid) as raised:
        settings_of(environment)
    return dict(raised.value.faults)


def test_every_bad_setting_is_named_at_once_and_no_value_is_repeated():
    faults = _faults(
        {
            "HIP_BIND": "nowhere-canary",
            "HIP_GATEWAY_URL": "canary.example",
            "HIP_WAIT_SCALE": "canary",
            "HIP_FACILITIES": '[{"id": "canary with spaces", "name": "x"}]',
            "HIP_API_KEYS": "{canary",
            "HIP_STORAGE": "canary",
        }
    )
    assert set(faults) == {
        "HIP_BIND",
        "HIP_GATEWAY_URL",
        "HIP_WAIT_SCALE",
        "HIP_FACILITIES[0].id",
        "HIP_API_KEYS",
        "HIP_STORAGE",
    }
    assert "canary" not in str(faults)


def test_a_file_can_hold_the_facilities(tmp_path):
    file = tmp_path / "facilities.json"
    file.write_text(FACILITIES)
    assert settings_of({"HIP_FACILITIES": f"@{file}"}).facilities[0].name == "Demo Clinic"
    assert "HIP_FACILITIES" in _faults({"HIP_FACILITIES": f"@{tmp_path / 'missing.json'}"})


def test_paths_that_were_moved_are_named_by_call_and_callback():
    settings = settings_of(
        {
            "HIP_GATEWAY_PATHS": json.dumps({"on-share": "/patient-share/v4/on-share"}),
            "HIP_CALLBACK_PATHS": json.dumps({"hip/patient/deactivate": "account"}),
        }
    )
    body = {"status": "DEACTIVATED", "abhaAddress": "meera.k01@sbx"}
    event = outbound.callback_reader(settings).read("/api/v4/hip/patient/deactivate", json.dumps(body).encode())
    assert isinstance(event, AccountChanged)
    assert settings.gateway_paths == {"on-share": "/patient-share/v4/on-share"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HIP_GATEWAY_PATHS", {"on-shere": "/x"}),
        ("HIP_GATEWAY_PATHS", {"on-share": "x"}),
        ("HIP_CALLBACK_PATHS", {"hip/patient/deactivate": "acount"}),
        ("HIP_CALLBACK_PATHS", {"/": "account"}),
    ],
)
def test_a_moved_path_that_cannot_be_is_named(name: str, value: dict[str, str]):
    assert any(fault.startswith(name) for fault in _faults({name: json.dumps(value)}))


def test_production_settings_that_are_right_are_taken():
    settings = settings_of(PRODUCTION)
    assert settings.consent_manager == "abdm"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"HIP_STORAGE": "memory"}, "HIP_STORAGE"),
        ({"HIP_CALLBACK_AUTH": "observe"}, "HIP_CALLBACK_AUTH"),
        ({"HIP_WAIT_SCALE": "0.1"}, "HIP_WAIT_SCALE"),
        ({"HIP_CM_ID": "sbx"}, "HIP_CM_ID"),
        ({"HIP_GATEWAY_URL": "http://apis.abdm.gov.in/api/hiecm"}, "HIP_GATEWAY_URL"),
        ({"HIP_GATEWAY_URL": "https://dev.abdm.gov.in/api/hiecm"}, "HIP_GATEWAY_URL"),
    ],
)
def test_ops_04_production_refuses_what_is_only_meant_for_the_sandbox(changes, named):
    assert named in _faults({**PRODUCTION, **changes})


def test_ops_04_production_refuses_to_start_without_api_keys():
    environment = {name: value for name, value in PRODUCTION.items() if name != "HIP_API_KEYS"}
    assert "HIP_API_KEYS" in _faults(environment)


@pytest.mark.parametrize("name", ["HIP_DATABASE_URL", "HIP_MONGO_URL", "HIP_REDIS_URL"])
def test_a_server_url_of_another_kind_is_named_without_its_value(name: str):
    faults = _faults({name: "canary://user:secret@host/"})
    assert set(faults) == {name}
    assert "canary" not in faults[name]
    assert "secret" not in faults[name]


def test_links_are_left_only_where_others_can_follow_them():
    given = {"push_link_above": "5000000", "_env_file": None}
    with pytest.raises(SettingsInvalid, match="HIP_PUBLIC_URL: required"):
        Settings.read(**given)
    assert Settings.read(**given, public_url="https://hip.example.org").push_link_above == 5_000_000
    for wrong in ("0", "-1", "on"):
        with pytest.raises(SettingsInvalid, match="HIP_PUSH_LINK_ABOVE"):
            Settings.read(_env_file=None, push_link_above=wrong, public_url="https://hip.example.org")
