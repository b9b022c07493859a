"""From settings to constructor arguments, one function for each adapter that needs more than a name."""

import base64
import hashlib
from collections.abc import Callable
from datetime import timedelta
from functools import cache

from pydantic import SecretStr

from hip.adapters.amrit.names import AmritNames, Form
from hip.adapters.circuit_memory import RedisCircuitMemory
from hip.adapters.key_vault.local import LocalKeyVault
from hip.adapters.key_vault.memory import MemoryKeyVault
from hip.adapters.key_vault.vault import VaultKeyVault
from hip.adapters.key_vault.vault_session import VaultSession, VaultSettings
from hip.adapters.memory.circuit_memory import MemoryCircuitMemory
from hip.adapters.memory.mirror import MemoryAmritMirror
from hip.adapters.memory.session_cache import MemorySessionCache
from hip.adapters.mongo.database import MongoDocuments
from hip.adapters.mongo.mirror import MongoAmritMirror
from hip.adapters.mongo.names import AMRIT, SEED
from hip.adapters.postgres.names import Names
from hip.adapters.postgres.units import PostgresDatabase
from hip.adapters.rq_jobs import RqJobQueue
from hip.adapters.session_cache import RedisSessionCache
from hip.adapters.token_cache import RedisTokenCache
from hip.application.accounts import ChangeAccount
from hip.application.conversations import Conversations
from hip.application.discovery import DiscoveryRules
from hip.application.link_inits import LinkingRules
from hip.application.mirrors import NoMirror
from hip.application.ports import (
    Clock,
    Entropy,
    Facilities,
    Ids,
    KeyVault,
    TokenCache,
    VisitRecords,
)
from hip.application.storage import Units
from hip.application.waiting_entries import LeaveEntries
from hip.application.waits import Waits
from hip.domain.identifiers import HipId
from hip.domain.link_attempts import AuthenticationType
from hip.domain.release_facts import FrequencyMode, ReleasePolicy, RequesterMode, SignatureMode
from hip.entrypoints.facilities import ConfiguredFacilities
from hip.entrypoints.settings import Settings


def _secret(value: SecretStr | None) -> str:
    return value.get_secret_value() if value is not None else ""


def facilities(settings: Settings) -> Facilities:
    return ConfiguredFacilities(tuple(one.facility() for one in settings.facilities))


def waits(settings: Settings) -> Waits:
    return Waits.scaled(settings.wait_scale)


def release_policy(settings: Settings) -> ReleasePolicy:
    return ReleasePolicy(
        consent_manager=settings.consent_manager,
        signature=SignatureMode(settings.consent_signature),
        frequency=FrequencyMode(settings.consent_frequency),
        requester=RequesterMode(settings.consent_requester),
    )


def checksum(settings: Settings) -> Callable[[bytes], str]:
    """PUSH-02: MD5 of the plaintext, a label for the receiver and never a safeguard."""

    def as_hex(content: bytes) -> str:
        return hashlib.md5(content, usedforsecurity=False).hexdigest()

    def as_base64(content: bytes) -> str:
        return base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()

    return as_hex if settings.push_checksum == "hex" else as_base64


def circuit_memory(settings: Settings) -> MemoryCircuitMemory | RedisCircuitMemory:
    if settings.storage == "memory":
        return MemoryCircuitMemory()
    return RedisCircuitMemory(_secret(settings.redis_url), client_id=settings.client_id)


def change_account(
    settings: Settings, units: Units, tokens: TokenCache, clock: Clock, conversations: Conversations
) -> ChangeAccount:
    return ChangeAccount(units, tokens, clock, conversations if settings.account_answer == "on" else None)


def leave_entries(settings: Settings, units: Units, clock: Clock, ids: Ids, entropy: Entropy) -> LeaveEntries:
    """What is above HIP_PUSH_LINK_ABOVE is fetched from HIP_PUBLIC_URL."""
    above = None if settings.push_link_above == "off" else settings.push_link_above
    return LeaveEntries(units=units, clock=clock, ids=ids, entropy=entropy, above=above, url=settings.public_url)


def linking_rules(settings: Settings) -> LinkingRules:
    return LinkingRules(
        authentication=AuthenticationType(settings.link_authentication),
        otps_per_hour=settings.otp_per_hour,
        otps_per_day=settings.otp_per_day,
    )


def discovery_rules(settings: Settings) -> DiscoveryRules:
    return DiscoveryRules(per_hour=settings.discovery_per_hour)


def vault_settings(settings: Settings) -> VaultSettings:
    return VaultSettings(
        url=settings.vault_url,
        token=_secret(settings.vault_token),
        role_id=settings.vault_role_id,
        secret_id=_secret(settings.vault_secret_id),
        approle=settings.vault_approle,
        namespace=settings.vault_namespace,
        ca_file=settings.vault_ca_file,
        mount=settings.vault_mount,
        keys=settings.vault_keys,
        transit=settings.vault_transit,
        transit_key=settings.vault_transit_key,
        timeout=settings.vault_timeout,
    )


@cache  # once a process: a worker opens it before it forks for its batches, which then ask Vault nothing
def _opened_vault(settings: VaultSettings, *, create: bool) -> VaultKeyVault:
    return VaultKeyVault.open(settings, create=create)


@cache
def _secret_in_vault(settings: VaultSettings, path: str, name: str) -> str:
    return VaultSession(settings).field(path, name)


def client_secret(settings: Settings) -> str:
    """HIP_CLIENT_SECRET itself, or what it points to in Vault. Raises NotFound naming the path, and Transient."""
    place = settings.client_secret_in_vault
    return _secret(settings.client_secret) if place is None else _secret_in_vault(vault_settings(settings), *place)


def vault(settings: Settings) -> KeyVault:
    """In memory mode a key of this process; else HashiCorp Vault if its address is set, or a key file (DATA-02).

    The sandbox makes the first key where none is; production wants it to be there.
    """
    if settings.storage == "memory":
        return MemoryKeyVault()
    if settings.vault_url:
        return _opened_vault(vault_settings(settings), create=settings.env == "sandbox")
    return LocalKeyVault.open(settings.key_file, create=settings.env == "sandbox")


def postgres(settings: Settings, vault: KeyVault, records: VisitRecords) -> PostgresDatabase:
    return PostgresDatabase(
        _secret(settings.database_url), vault=vault, records=records, names=Names.called(settings.names)
    )


def mongo(settings: Settings) -> MongoDocuments:
    return MongoDocuments(
        _secret(settings.mongo_url), settings.mongo_database, AMRIT if settings.names == "amrit" else SEED
    )


def mirror(settings: Settings) -> MongoAmritMirror | MemoryAmritMirror | NoMirror:
    if settings.amrit_dual_write == "off":
        return NoMirror()
    if settings.storage == "memory":
        return MemoryAmritMirror()
    return MongoAmritMirror(_secret(settings.amrit_mongo_url or settings.mongo_url), settings.amrit_mongo_database)


def amrit_names(settings: Settings) -> AmritNames:
    return AmritNames(
        trigger_table=settings.amrit_trigger_table,
        trigger_flag=settings.amrit_trigger_flag,
        form=Form(settings.amrit_result_sets),
        views=settings.amrit_views,
        routines=settings.amrit_routines,
        lab_table=settings.amrit_lab_table,
        schema=settings.amrit_schema or None,
        window=timedelta(hours=settings.amrit_window_hours) if settings.amrit_window_hours else None,
        facility=HipId(settings.amrit_facility) if settings.amrit_facility else None,
    )


def token_cache(settings: Settings, vault: KeyVault) -> RedisTokenCache:
    return RedisTokenCache(_secret(settings.redis_url), vault)


def session_cache(settings: Settings, vault: KeyVault) -> MemorySessionCache | RedisSessionCache:
    if settings.storage == "memory":
        return MemorySessionCache()
    return RedisSessionCache(
        _secret(settings.redis_url), vault, gateway_url=settings.gateway_url, client_id=settings.client_id
    )


def job_queue(settings: Settings) -> RqJobQueue:
    """A job that nobody began within half a lease is given up: its rows are leased again soon."""
    return RqJobQueue(_secret(settings.redis_url), begun_within=waits(settings).lease / 2)
