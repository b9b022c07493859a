"""A profile that a patient shares at a counter, read with every tolerance (contract §2.8)."""

from hip.adapters.gateway.members import Member
from hip.application.gateway_events import ProfileShared
from hip.domain.errors import InvalidValue
from hip.domain.identifiers import AbhaAddress, AbhaNumber, phone_number
from hip.domain.patients import Address, Gender
from hip.domain.shares import PROFILE_SHARE, SharedProfile


def read_profile_share(body: Member) -> ProfileShared:
    """Who it is, and at which counter, is demanded; of the rest what can be read."""
    meta, profile = body.member("metaData", "metadata"), body.within("profile", "patient")
    address, gender = profile.member("abhaAddress", "healthId"), profile.member("gender")
    return ProfileShared(
        intent=(body.member("intent").optional_text() or PROFILE_SHARE).upper(),
        hip_id=meta.member("hipId").optional_text(),
        counter=meta.member("context").text("a counter", longest=64),
        profile=SharedProfile(
            abha_address=AbhaAddress.parse(address.text("an ABHA address"), field=address.path),
            abha_number=_abha_number(profile.member("abhaNumber", "healthIdNumber")),
            name=profile.member("name").text("a name"),
            gender=Gender.parse(gender.text("one of M, F, O, D, T, U"), field=gender.path),
            birth_year=profile.member("yearOfBirth").whole("a year from 1900 to 2200", low=1900, high=2200),
            birth_month=_part(profile.member("monthOfBirth"), high=12),
            birth_day=_part(profile.member("dayOfBirth"), high=31),
            phone=_phone(profile.member("phoneNumber")),
            address=_address(profile.member("address")),
        ),
    )


def _abha_number(stated: Member) -> AbhaNumber | None:
    text = stated.optional_text()
    try:
        return None if text is None else AbhaNumber.parse(text)
    except InvalidValue:
        return None


def _phone(stated: Member) -> str | None:
    text = stated.optional_text()
    try:
        return None if text is None else phone_number(text)
    except InvalidValue:
        return None


def _part(stated: Member, *, high: int) -> int | None:
    try:
        return stated.whole("a part of a date", low=1, high=high)
    except InvalidValue:
        return None


def _address(stated: Member) -> Address | None:
    parts = {name: stated.member(name).optional_text() for name in ("line", "district", "state")}
    pincode = stated.member("pincode", "pinCode").optional_text()
    return Address(**parts, pincode=pincode) if any((*parts.values(), pincode)) else None
