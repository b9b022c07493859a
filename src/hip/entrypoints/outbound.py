"""Whom we call, and who calls us, from settings: gateway, requesters, SMS provider, and the circuits before them."""

import ssl
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from functools import cache

import httpx

from hip.adapters.gateway.callbacks import V3CallbackReader
from hip.adapters.gateway.client import HttpGateway
from hip.adapters.gateway.settings import GatewaySettings, host_of
from hip.adapters.gateway.verification import CallbackAuth, JwksVerifier
from hip.adapters.otp_sender import HttpOtpSender, NoOtpSender, OtpSettings
from hip.adapters.push.addresses import AddressRules
from hip.adapters.push.client import HttpPusher, PushSettings
from hip.application.circuits import Circuits
from hip.application.ports import CircuitMemory, Clock, Ids, SessionCache
from hip.domain.circuits import CircuitRules, CircuitState
from hip.entrypoints.logs import report_circuit
from hip.entrypoints.settings import Settings
from hip.entrypoints.wiring import client_secret

MOUNTED_REQUESTER = "hiu.sandbox"
"""The one host that is pushed to without a look-up, and only when an in-process transport stands for the network."""


@cache
def gateway_trust() -> ssl.SSLContext:
    """Against httpx's own certificate store, read once: a worker's batches inherit it."""
    return httpx.create_ssl_context(trust_env=False)


def gateway_http(settings: Settings, transport: httpx.AsyncBaseTransport | None) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=transport,
        verify=gateway_trust(),
        timeout=settings.gateway_timeout,
        follow_redirects=False,
        trust_env=False,
    )


def circuits(settings: Settings, clock: Clock, memory: CircuitMemory) -> Circuits:
    rules = CircuitRules(
        failures=settings.gateway_failures,
        pause=timedelta(seconds=settings.gateway_pause) * settings.wait_scale,
        # A call, and the session it may need first, each within its timeout.
        probe=timedelta(seconds=2 * settings.gateway_timeout),
    )
    return Circuits(rules, clock, report_circuit, memory)


def push_circuits(settings: Settings, clock: Clock, memory: CircuitMemory) -> Circuits:
    """Beside the gateway's, in the same memory: the requesters' names there begin with ``push:``."""
    rules = CircuitRules(
        failures=settings.push_failures,
        pause=timedelta(seconds=settings.push_pause) * settings.wait_scale,
        probe=timedelta(seconds=settings.push_timeout),
    )
    return Circuits(rules, clock, report_circuit, memory)


def circuit_states(
    settings: Settings, clock: Clock, circuits: Circuits
) -> Mapping[str, Callable[[], Awaitable[CircuitState]]]:
    """For the health check: whom we call, and how to ask for the state of its circuit."""

    async def gateway_state() -> CircuitState:
        return (await circuits.look(host_of(settings.gateway_url))).state(clock())

    return {"gateway": gateway_state}


def gateway(
    http: httpx.AsyncClient, settings: Settings, clock: Clock, ids: Ids, sessions: SessionCache, circuits: Circuits
) -> HttpGateway:
    return HttpGateway(
        http,
        GatewaySettings(
            base_url=settings.gateway_url,
            cm_id=settings.consent_manager,
            client_id=settings.client_id,
            client_secret=client_secret(settings),
            timeout=timedelta(seconds=settings.gateway_timeout),
            paths=settings.gateway_paths,
            phone_prefix=settings.sms_prefix,
            throttle_wait=timedelta(seconds=60) * settings.wait_scale,
        ),
        clock=clock,
        ids=ids,
        sessions=sessions,
        circuits=circuits,
    )


def callback_auth(settings: Settings, gateway: HttpGateway, clock: Clock) -> CallbackAuth:
    verifier = JwksVerifier(
        gateway.jwks,
        clock,
        audience=settings.callback_audience or None,
        issuers=frozenset({settings.callback_issuer}) if settings.callback_issuer else None,
    )
    return CallbackAuth(verifier=verifier, enforce=settings.callback_auth == "enforce")


def callback_reader(settings: Settings) -> V3CallbackReader:
    return V3CallbackReader(also=settings.callback_paths)


def pusher(
    settings: Settings, transport: httpx.AsyncBaseTransport | None, gateway: HttpGateway, circuits: Circuits
) -> HttpPusher:
    return HttpPusher(
        PushSettings(
            rules=AddressRules(
                allow_loopback_http=settings.env == "sandbox",
                trusted_hosts=frozenset({MOUNTED_REQUESTER}) if transport is not None else frozenset(),
            ),
            first_page=settings.push_first_page,
            timeout=timedelta(seconds=settings.push_timeout),
            token_hosts=frozenset(settings.push_token_hosts),
        ),
        transport=transport,
        bearer=gateway,
        circuits=circuits,
    )


def otp_sender(settings: Settings, transport: httpx.AsyncBaseTransport | None) -> HttpOtpSender | NoOtpSender:
    """Without HIP_OTP_URL no OTP can leave, and every patient who wants to link is told so."""
    if not settings.otp_url:
        return NoOtpSender()
    return HttpOtpSender(
        OtpSettings(
            url=settings.otp_url,
            headers={name: value.get_secret_value() for name, value in settings.otp_headers.items()},
            body=settings.otp_body,
        ),
        transport=transport,
    )
