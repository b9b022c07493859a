"""Everything an operator may set, read once from the environment or ``.env``; every fault is named, all at once."""

import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from hip.adapters.gateway.paths import OUTBOUND, Inbound
from hip.adapters.otp_sender import DEFAULT_BODY
from hip.application.outbox_storage import Topic
from hip.entrypoints.setting_faults import SettingsInvalid, faults_of
from hip.entrypoints.tenant_settings import ApiKeySetting, FacilitySetting

SANDBOX_KEY = "sandbox"
_SANDBOX_GATEWAY = "https://dev.abdm.gov.in/api/hiecm"
_SQL_NAME = r"^[A-Za-z_][A-Za-z0-9_]{0,62}$"
_HOST_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?\Z")
_SCHEMES = {
    "amrit_mongo_url": ("mongodb://", "mongodb+srv://"),
    "amrit_url": ("postgresql+asyncpg://", "mysql+asyncmy://"),
    "database_url": ("postgresql://", "postgresql+asyncpg://", "postgres://"),
    "mongo_url": ("mongodb://", "mongodb+srv://"),
    "redis_url": ("redis://", "rediss://", "unix://"),
}


class Settings(BaseSettings):
    """The promised settings of design.md. Waits are in ``application.waits``, scaled by ``wait_scale``."""

    model_config = SettingsConfigDict(env_prefix="HIP_", env_file=".env", extra="ignore", frozen=True)

    env: Literal["sandbox", "production"] = "sandbox"
    storage: Literal["server", "memory"] = "server"
    database_url: SecretStr | None = None
    mongo_url: SecretStr | None = None
    redis_url: SecretStr | None = None
    mongo_database: str = "AmritHRP"
    names: Literal["seed", "amrit"] = "seed"
    visit_source: Literal["none", "amrit"] = "none"
    amrit_url: SecretStr | None = None
    amrit_trigger_table: str = Field(default="ndhm_trg_visitdata", pattern=_SQL_NAME)
    amrit_trigger_flag: str = Field(default="processed_flag", pattern=_SQL_NAME)
    amrit_views: str = Field(default="fhir_r_", pattern=_SQL_NAME)
    amrit_result_sets: Literal["views", "routines"] = "views"
    amrit_routines: str = Field(default="fhir_r_", pattern=_SQL_NAME)
    amrit_lab_table: str = Field(default="t_lab_testresult", pattern=_SQL_NAME)
    amrit_schema: str = Field(default="", pattern=rf"^$|{_SQL_NAME}")
    amrit_window_hours: int = Field(default=0, ge=0, le=8760)
    amrit_facility: str = ""
    amrit_mongo_url: SecretStr | None = None
    amrit_mongo_database: str = "AmritHRP"
    amrit_dual_write: Literal["off", "on"] = "off"
    gateway_url: str = _SANDBOX_GATEWAY
    cm_id: str = ""
    client_id: str = ""
    client_secret: SecretStr = SecretStr("")
    facilities: Annotated[tuple[FacilitySetting, ...], NoDecode] = ()
    api_keys: Annotated[tuple[ApiKeySetting, ...] | None, NoDecode] = None
    bind: str = "127.0.0.1:8080"
    public_url: str = ""
    callback_auth: Literal["enforce", "observe"] = "enforce"
    callback_audience: str = "account"
    callback_issuer: str = ""
    key_file: Path = Path("var/hip.keys")
    vault_url: str = ""
    vault_token: SecretStr = SecretStr("")
    vault_role_id: str = ""
    vault_secret_id: SecretStr = SecretStr("")
    vault_approle: str = "approle"
    vault_namespace: str = ""
    vault_ca_file: Path | None = None
    vault_mount: str = "secret"
    vault_keys: str = "hip/keys"
    vault_transit: str = "transit"
    vault_transit_key: str = "hip"
    vault_timeout: float = Field(default=5.0, gt=0, le=60)
    consent_signature: Literal["off", "observe", "enforce"] = "observe"
    consent_frequency: Literal["warn", "enforce"] = "warn"
    consent_requester: Literal["warn", "enforce"] = "warn"
    wait_scale: float = Field(default=1.0, gt=0, le=10)
    sms_prefix: Literal["", "91", "+91-"] = ""
    account_answer: Literal["off", "on"] = "off"
    gateway_paths: Annotated[dict[str, str], NoDecode] = Field(default_factory=dict)
    callback_paths: Annotated[dict[str, Inbound], NoDecode] = Field(default_factory=dict)
    gateway_timeout: float = Field(default=20.0, gt=0, le=120)
    gateway_failures: int = Field(default=3, ge=0, le=100)
    gateway_pause: float = Field(default=30.0, gt=0, le=3600)
    tries: Annotated[dict[Topic, Annotated[int, Field(ge=0, le=1000)]], NoDecode] = Field(default_factory=dict)
    link_authentication: Literal["DIRECT", "MEDIATED"] = "DIRECT"
    otp_url: str = ""
    otp_headers: Annotated[dict[str, SecretStr], NoDecode] = Field(default_factory=dict)
    otp_body: Annotated[dict[str, Any], NoDecode] = Field(default_factory=lambda: dict(DEFAULT_BODY))
    otp_per_hour: int = Field(default=5, ge=1, le=20)
    otp_per_day: int = Field(default=10, ge=1, le=100)
    amrit_paths: Literal["off", "on"] = "off"
    discovery_per_hour: int = Field(default=20, ge=1, le=1000)
    push_entries_per_page: int = Field(default=1, ge=1, le=16)
    push_first_page: Literal[0, 1] = 1
    push_parallel: int = Field(default=4, ge=1, le=16)
    push_checksum: Literal["hex", "base64"] = "hex"
    push_link_above: Literal["off"] | Annotated[int, Field(ge=1)] = "off"
    push_token_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    push_timeout: float = Field(default=30.0, gt=0, le=300)
    push_failures: int = Field(default=5, ge=0, le=100)
    push_pause: float = Field(default=30.0, gt=0, le=600)

    @field_validator(
        "facilities",
        "api_keys",
        "tries",
        "otp_headers",
        "otp_body",
        "push_token_hosts",
        "gateway_paths",
        "callback_paths",
        mode="before",
    )
    @classmethod
    def _json_or_file(cls, value: object) -> object:
        """``@file`` reads the JSON from there."""
        if not isinstance(value, str):
            return value
        text = value
        if value.startswith("@"):
            try:
                text = Path(value[1:]).read_text(encoding="utf-8")
            except OSError as fault:
                raise ValueError(f"expected a readable file {value[1:]}: {fault.strerror}") from None
        try:
            return json.loads(text)
        except ValueError as fault:
            raise ValueError(f"expected JSON: {fault}") from None

    @field_validator("database_url", "mongo_url", "redis_url", "amrit_url", "amrit_mongo_url")
    @classmethod
    def _of_its_server(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        """A URL of another kind of server would be found out much later, and less clearly."""
        schemes = _SCHEMES[info.field_name or ""]
        if value is not None and not value.get_secret_value().startswith(schemes):
            raise ValueError(f"expected a URL that begins with {' or '.join(schemes)}")
        return value

    @field_validator("gateway_paths")
    @classmethod
    def _of_known_calls(cls, value: dict[str, str]) -> dict[str, str]:
        if not all(call in OUTBOUND and path.startswith("/") for call, path in value.items()):
            raise ValueError(f'expected {{"CALL": "/path"}} with calls of {", ".join(sorted(OUTBOUND))}')
        return value

    @field_validator("callback_paths")
    @classmethod
    def _of_some_length(cls, value: dict[str, Inbound]) -> dict[str, Inbound]:
        """An empty end would be the end of every path."""
        if not all(path.strip("/") for path in value):
            raise ValueError('expected {"/path": "CALLBACK"}')
        return value

    @field_validator("push_token_hosts")
    @classmethod
    def _host_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """PUSH-03: whole names only, so that nobody is sent our token by a likeness."""
        if not all(_HOST_NAME.match(host) for host in value):
            raise ValueError('expected host names without scheme, port, path or *, for example ["hiu.example.org"]')
        return value

    @field_validator("bind")
    @classmethod
    def _host_and_port(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        if not host or not port.isdigit() or not 0 <= int(port) <= 65535:
            raise ValueError("expected HOST:PORT, for example 127.0.0.1:8080")
        return value

    @field_validator("gateway_url", "public_url", "otp_url", "vault_url")
    @classmethod
    def _without_slash(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("expected an http(s) URL")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _vault_can_be_used(self) -> Self:
        """DATA-02: one way to log in to Vault, and no secret that points to a Vault that is not there."""
        token, role = _given(self.vault_token), (bool(self.vault_role_id), _given(self.vault_secret_id))
        forbidden = {
            "HIP_VAULT_TOKEN: expected a token, or HIP_VAULT_ROLE_ID and HIP_VAULT_SECRET_ID": bool(self.vault_url)
            and (token, *role) not in {(True, False, False), (False, True, True)},
            "HIP_CLIENT_SECRET: expected vault:PATH#FIELD, and HIP_VAULT_URL": self.client_secret_in_vault is not None
            and not (self.vault_url and all(self.client_secret_in_vault)),
        }
        faults = [text for text, broken in forbidden.items() if broken]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    @model_validator(mode="after")
    def _links_lead_here(self) -> Self:
        """A requester that is sent a link must be able to follow it, and nobody else to read along."""
        if self.push_link_above != "off" and not self.public_url:
            raise ValueError("HIP_PUBLIC_URL: required with HIP_PUSH_LINK_ABOVE")
        return self

    @model_validator(mode="after")
    def _production_is_strict(self) -> Self:
        """OPS-04: production does not start on anything that is only meant for the sandbox."""
        if self.env != "production":
            return self
        forbidden = {
            "HIP_STORAGE: expected server in production": self.storage != "server",
            "HIP_CALLBACK_AUTH: expected enforce in production": self.callback_auth != "enforce",
            "HIP_WAIT_SCALE: expected 1.0 in production": self.wait_scale != 1.0,
            "HIP_API_KEYS: required in production": self.api_keys is None,
            "HIP_GATEWAY_URL: expected the production gateway over https": not self.gateway_url.startswith("https://")
            or self.gateway_url == _SANDBOX_GATEWAY,
            "HIP_PUBLIC_URL: expected https in production with HIP_PUSH_LINK_ABOVE": self.push_link_above != "off"
            and not self.public_url.startswith("https://"),
            "HIP_OTP_URL: expected https in production": self.otp_url.startswith("http:"),
            "HIP_VAULT_URL: expected https in production": self.vault_url.startswith("http:"),
            "HIP_CM_ID: expected abdm in production": self.consent_manager != "abdm",
        }
        faults = [text for text, broken in forbidden.items() if broken]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    @property
    def consent_manager(self) -> str:
        """X-CM-ID: ``sbx`` or ``abdm`` unless set."""
        return self.cm_id or ("abdm" if self.env == "production" else "sbx")

    @property
    def client_secret_in_vault(self) -> tuple[str, str] | None:
        """Path and field of ``vault:PATH#FIELD``; None for a secret that stands here itself."""
        if not self.client_secret.get_secret_value().startswith("vault:"):
            return None
        path, _, name = self.client_secret.get_secret_value().removeprefix("vault:").partition("#")
        return path.strip("/"), name

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to listen on; port 0 lets the system choose."""
        host, _, port = self.bind.rpartition(":")
        return host.strip("[]"), int(port)

    def require(self, *names: str) -> None:
        """Raises SettingsInvalid naming every one of these settings that is missing, with those of the storage."""
        needed = list(names)
        if self.storage == "server":
            needed += ["database_url", "mongo_url", "redis_url"]
        missing = [name for name in needed if not _given(getattr(self, name))]
        if missing:
            raise SettingsInvalid([(f"HIP_{name.upper()}", "required") for name in missing])

    @classmethod
    def read(cls, **overrides: Any) -> Self:
        """From the environment. Raises SettingsInvalid naming every bad setting."""
        try:
            return cls(**overrides)
        except ValidationError as invalid:
            raise SettingsInvalid(faults_of(invalid)) from None


def _given(value: object) -> bool:
    return bool(value.get_secret_value() if isinstance(value, SecretStr) else value)
