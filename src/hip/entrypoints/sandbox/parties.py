"""Who is registered in the sandbox: patients, and the clients with the services behind their bridges."""

from typing import Literal

import msgspec

ServiceType = Literal["HIP", "HIU", "PHR", "HEALTH_LOCKER"]


class Patient(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An ABHA account. ``abha_number`` is 14 digits, or null for an address-only account; ``mobile`` is 10 digits."""

    abha_address: str
    name: str
    gender: Literal["M", "F", "O", "D", "T", "U"]
    year_of_birth: int
    mobile: str
    abha_number: str | None = None
    month_of_birth: int | None = None
    day_of_birth: int | None = None
    active: bool = True

    def __repr__(self) -> str:
        return "Patient(...)"


class Service(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A facility (HIP), a requester (HIU) or an app (PHR), reached over its client's bridge."""

    id: str
    name: str
    types: tuple[ServiceType, ...] = ("HIP",)


class Client(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A client id with its secret, its bridge (callback base) URL and the services behind it."""

    client_id: str
    client_secret: str
    name: str = "Sandbox bridge"
    url: str | None = None
    services: tuple[Service, ...] = ()

    def __repr__(self) -> str:
        return f"Client(client_id={self.client_id!r}, url={self.url!r}, services={self.services!r})"

    def has(self, kind: ServiceType) -> bool:
        """Whether a service of this type is behind the bridge."""
        return any(kind in service.types for service in self.services)


class Register(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a gateway knows at its start."""

    clients: tuple[Client, ...] = ()
    patients: tuple[Patient, ...] = ()


def digits(text: str | int | None) -> str:
    """The digits of an ABHA or telephone number, however it is written."""
    return "".join(character for character in str(text or "") if character.isdigit())


def mobile_of(text: str) -> str:
    """The last ten digits: numbers come with and without ``91``, ``+91`` and ``+91-``."""
    return digits(text)[-10:]
