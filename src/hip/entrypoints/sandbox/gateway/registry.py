"""The patients the gateway knows, and the bridges with the services behind them (contract §1.7)."""

from dataclasses import dataclass, field
from typing import Any

import msgspec

from hip.entrypoints.sandbox.moments import Now, stamp
from hip.entrypoints.sandbox.parties import Client, Patient, Register, Service, digits, mobile_of


@dataclass(slots=True)
class Registry:
    """ABHA addresses are compared without case; a service id belongs to one client."""

    now: Now
    _patients: dict[str, Patient] = field(default_factory=dict, repr=False)
    _clients: dict[str, Client] = field(default_factory=dict, repr=False)
    _registered: dict[str, str] = field(default_factory=dict)

    def load(self, register: Register) -> None:
        """Add everything of ``register``."""
        for client in register.clients:
            self.put_client(client)
        for patient in register.patients:
            self.put_patient(patient)

    def put_patient(self, patient: Patient) -> Patient:
        """Add or replace an account; number and mobile are kept as bare digits."""
        kept = msgspec.structs.replace(
            patient, abha_number=digits(patient.abha_number) or None, mobile=mobile_of(patient.mobile)
        )
        self._patients[kept.abha_address.casefold()] = kept
        return kept

    def drop_patient(self, abha_address: str) -> None:
        """Forget an account."""
        self._patients.pop(abha_address.casefold(), None)

    def patients(self) -> list[Patient]:
        """Every account."""
        return list(self._patients.values())

    def patient(self, abha_address: str | None) -> Patient | None:
        """The account with this address."""
        return self._patients.get((abha_address or "").casefold())

    def patient_by_number(self, abha_number: str | int | None) -> Patient | None:
        """The account with this number, however it is written."""
        wanted = digits(abha_number)
        return next((patient for patient in self._patients.values() if wanted and patient.abha_number == wanted), None)

    def put_client(self, client: Client) -> None:
        """Add a client; for one that is known, replace its secret and add to its services, keeping a URL it has set."""
        known = self._clients.get(client.client_id)
        if known is not None:
            services = {service.id: service for service in (*known.services, *client.services)}
            client = msgspec.structs.replace(client, services=tuple(services.values()), url=client.url or known.url)
        self._clients[client.client_id] = client
        for service in client.services:
            self._registered.setdefault(service.id, stamp(self.now()))

    def clients(self) -> list[Client]:
        """Every client."""
        return list(self._clients.values())

    def client(self, client_id: str) -> Client | None:
        """The client with this id."""
        return self._clients.get(client_id)

    def set_url(self, client_id: str, url: str) -> None:
        """The last writer wins."""
        self._clients[client_id] = msgspec.structs.replace(self._clients[client_id], url=url)

    def service(self, service_id: str) -> Service | None:
        """The service with this id."""
        return self._found(service_id)[1]

    def client_of(self, service_id: str) -> Client | None:
        """Whose bridge leads to this service."""
        return self._found(service_id)[0]

    def first(self, kind: str) -> str | None:
        """The id of the first service of this type."""
        return next((s.id for client in self._clients.values() for s in client.services if kind in s.types), None)

    def is_hip(self, service_id: str) -> bool:
        """Whether a facility has this id."""
        service = self.service(service_id)
        return service is not None and "HIP" in service.types

    def _found(self, service_id: str) -> tuple[Client | None, Service | None]:
        for client in self._clients.values():
            for service in client.services:
                if service.id == service_id:
                    return client, service
        return None, None

    def described(self, service: Service, client: Client) -> dict[str, Any]:
        """A service as ``bridge-service/serviceId/{id}`` shows it."""
        since = self._registered.get(service.id, "")
        return {
            "id": service.id,
            "bridgeId": client.client_id,
            "serviceId": service.id,
            "name": service.name,
            "isHip": "HIP" in service.types,
            "isHiu": "HIU" in service.types,
            "isHealthLocker": "HEALTH_LOCKER" in service.types,
            "isPhr": "PHR" in service.types,
            "active": True,
            "registerTime": since,
            "dateCreated": since,
            "dateModified": since,
            "endpoints": endpoints(service, client),
        }


def endpoints(service: Service, client: Client) -> dict[str, Any]:
    """The addresses of a service, by role."""
    address = [{"use": "registration", "connectionType": "https", "address": client.url}] if client.url else []
    return {
        "hipEndpoints": address if "HIP" in service.types else [],
        "hiuEndpoints": address if "HIU" in service.types else [],
        "healthLockerEndpoints": address if "HEALTH_LOCKER" in service.types else [],
    }
