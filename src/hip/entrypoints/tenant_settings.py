"""Whom the service works for: the facilities, and who may ask for them."""

from pydantic import BaseModel, ConfigDict, Field, field_validator

from hip.domain import identifiers
from hip.domain.errors import InvalidValue
from hip.domain.facilities import Facility
from hip.domain.identifiers import HipId
from hip.domain.patients import Address


class FacilitySetting(BaseModel):
    """One element of HIP_FACILITIES."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    name: str = Field(min_length=1)
    phone: str | None = None
    email: str | None = None
    line: str | None = None
    district: str | None = None
    state: str | None = None
    pincode: str | None = None
    counters: tuple[str, ...] = ()
    display_name: str | None = Field(default=None, min_length=1)
    sms_contact: str | None = Field(default=None, min_length=1, max_length=40)
    discovery: bool = True
    discovery_per_hour: int | None = Field(default=None, ge=1, le=1000)

    @field_validator("id")
    @classmethod
    def _is_a_hip_id(cls, value: str) -> str:
        try:
            return identifiers.hip_id(value, field="id")
        except InvalidValue as fault:
            raise ValueError(f"expected {fault.expected}") from None

    def facility(self) -> Facility:
        address = Address(line=self.line, district=self.district, state=self.state, pincode=self.pincode)
        return Facility(
            hip_id=HipId(self.id),
            name=self.name,
            phone=self.phone,
            email=self.email,
            address=address,
            counters=self.counters,
            display_name=self.display_name,
            sms_contact=self.sms_contact,
            discovery=self.discovery,
            discovery_per_hour=self.discovery_per_hour,
        )


class ApiKeySetting(BaseModel):
    """One element of HIP_API_KEYS: the SHA-256 of a key in hex, and the HIPs it may act for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1)
    sha256: str = Field(pattern=r"^[0-9a-fA-F]{64}$")
    hips: tuple[str, ...] = Field(min_length=1)
