"""A shared profile is read with every tolerance of contract §2.8."""

import json

import pytest
from tests.builders.shares import a_profile, a_share
from tests.unit.gateway import bodies
from tests.unit.gateway.bodies import changed

from hip.adapters.gateway.callbacks import V3CallbackReader
from hip.application.gateway_events import ProfileShared
from hip.domain.errors import InvalidValue

read = V3CallbackReader().read


def test_a_profile_as_the_sandbox_sends_it() -> None:
    assert read(bodies.SHARE_PATH, json.dumps(bodies.SHARE).encode()) == a_share(profile=a_profile())


@pytest.mark.parametrize(
    ("place", "value", "attribute", "expected"),
    [
        ("profile.patient.abhaNumber", None, "abha_number", None),
        ("profile.patient.dayOfBirth", None, "birth_day", None),
        ("profile.patient.monthOfBirth", 4, "birth_month", 4),
        ("profile.patient.yearOfBirth", 1984, "birth_year", 1984),
        ("profile.patient.phoneNumber", "+91-9876543210", "phone", "9876543210"),
        ("profile.patient.phoneNumber", "none", "phone", None),
        ("profile.patient.address", None, "address", None),
    ],
)
def test_what_is_missing_or_spelt_otherwise_costs_no_profile(place, value, attribute, expected) -> None:
    event = read(bodies.SHARE_PATH, changed(bodies.SHARE, place, value))
    assert isinstance(event, ProfileShared)
    assert getattr(event.profile, attribute) == expected


@pytest.mark.parametrize("place", ["metaData.context", "profile.patient.abhaAddress", "profile.patient.name"])
def test_who_and_where_is_demanded_by_name(place) -> None:
    with pytest.raises(InvalidValue) as refused:
        read(bodies.SHARE_PATH, changed(bodies.SHARE, place))
    assert refused.value.field == place
