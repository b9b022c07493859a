"""The whole gateway, put together from its parts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import httpx
import msgspec

from hip.entrypoints.sandbox.background import Background
from hip.entrypoints.sandbox.gateway.accounts import Accounts
from hip.entrypoints.sandbox.gateway.callbacks import CallbackSender
from hip.entrypoints.sandbox.gateway.calls import Routes
from hip.entrypoints.sandbox.gateway.config import GatewayConfig
from hip.entrypoints.sandbox.gateway.consent_book import ConsentBook
from hip.entrypoints.sandbox.gateway.consent_notices import ConsentNotices
from hip.entrypoints.sandbox.gateway.consents import CannotGrant, Consents
from hip.entrypoints.sandbox.gateway.data_flow import DataFlow
from hip.entrypoints.sandbox.gateway.front import Front
from hip.entrypoints.sandbox.gateway.journal import Journal
from hip.entrypoints.sandbox.gateway.keys import GatewayKeys
from hip.entrypoints.sandbox.gateway.link_tokens import LinkTokens
from hip.entrypoints.sandbox.gateway.linking import Linking
from hip.entrypoints.sandbox.gateway.links import Links
from hip.entrypoints.sandbox.gateway.patient_calls import SignedIn
from hip.entrypoints.sandbox.gateway.registry import Registry
from hip.entrypoints.sandbox.gateway.scenarios import Scenarios, Switch
from hip.entrypoints.sandbox.gateway.sessions import Sessions
from hip.entrypoints.sandbox.gateway.sharing import Sharing
from hip.entrypoints.sandbox.gateway.transfers import Transfers
from hip.entrypoints.sandbox.gateway.user_linking import UserLinking
from hip.entrypoints.sandbox.routing import HttpClients
from hip.entrypoints.sandbox.views import Sms

DUPLICATE_TOKEN_REQUEST = timedelta(seconds=70)  # at least 69 were observed
TOO_EARLY_TO_NOTIFY = timedelta(seconds=5)  # after a link
SELF_FETCH = 5.0  # seconds after a link; 5 to 10 were observed


@dataclass(slots=True)
class Gateway:
    """One network. ``http`` is set while the app runs."""

    config: GatewayConfig
    clients: HttpClients
    http: httpx.AsyncClient | None = field(init=False, default=None)
    keys: GatewayKeys = field(init=False, repr=False)
    background: Background = field(init=False)
    scenarios: Scenarios = field(init=False)
    journal: Journal = field(init=False)
    registry: Registry = field(init=False)
    links: Links = field(init=False)
    book: ConsentBook = field(init=False)
    signed_in: SignedIn = field(init=False)
    sessions: Sessions = field(init=False)
    notices: ConsentNotices = field(init=False)
    consents: Consents = field(init=False)
    transfers: Transfers = field(init=False)
    data_flow: DataFlow = field(init=False)
    accounts: Accounts = field(init=False)
    front: Front = field(init=False)
    sms: list[Sms] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        config, now = self.config, self.config.now
        self.keys = config.keys or GatewayKeys.generate()
        self.background = Background(wait_scale=config.wait_scale)
        self.scenarios = Scenarios((*config.scenarios, *([Switch(name="self-fetch")] if config.self_fetch else [])))
        self.journal = Journal(now, config.keep_bodies)
        self.registry = Registry(now)
        self.registry.load(config.register)
        self.links, self.book, self.signed_in = Links(now), ConsentBook(), SignedIn(self.registry)
        self.sessions = Sessions(self.registry, self._keys, now, config.public_url, config.session_life)
        sender = self._sender()
        self.notices = ConsentNotices(sender, self.scenarios, now)
        self.consents = Consents(self.registry, self.links, self.book, self._keys, self.notices, now, config.cm_id)
        self.transfers = Transfers(self.journal, now)
        self.data_flow = DataFlow(
            self.book, self.transfers, sender, self.scenarios, self.background, now, config.ack_patience
        )
        self.accounts = Accounts(self.registry, self.links, self.book, sender, now)
        self.front = Front(
            routes=self._routes(sender),
            sessions=self.sessions,
            registry=self.registry,
            sender=sender,
            scenarios=self.scenarios,
            journal=self.journal,
            background=self.background,
            now=now,
            cm_id=config.cm_id,
            skew=config.timestamp_skew,
        )

    def rotate_keys(self) -> None:
        """Sign with a new key from now on; the key set has a new second key."""
        self.keys = self.keys.with_new_signing_key()

    async def send_sms(self, message: Sms) -> None:
        """Keep it, and put it on the patients' telephones: the apps that are registered."""
        self.sms.append(message)
        for client in self.registry.clients():
            if client.has("PHR") and client.url is not None:
                try:
                    await self._http().post(f"{client.url}/sandbox/sms", content=msgspec.json.encode(message))
                except httpx.HTTPError as problem:
                    self.journal.write("out", method="POST", path="sms", status=0, note=type(problem).__name__)

    def _sender(self) -> CallbackSender:
        return CallbackSender(
            registry=self.registry,
            keys=self._keys,
            journal=self.journal,
            scenarios=self.scenarios,
            background=self.background,
            now=self.config.now,
            issuer=self.config.public_url,
            http=self._http,
            retry_waits=self.config.retry_waits,
        )

    def _routes(self, sender: CallbackSender) -> Routes:
        now, scale = self.config.now, self.config.wait_scale
        tokens = LinkTokens(self.registry, self.keys, self.scenarios, now, DUPLICATE_TOKEN_REQUEST * scale)
        linking = Linking(
            self.registry,
            tokens,
            self.links,
            self.scenarios,
            now,
            TOO_EARLY_TO_NOTIFY * scale,
            self.send_sms,
            self._linked,
        )
        user_linking = UserLinking(self.signed_in, self.links, sender, self.scenarios, self.journal, now)
        sharing = Sharing(self.signed_in, sender, now)
        return {
            **self.sessions.routes(),
            **tokens.routes(),
            **linking.routes(),
            **user_linking.routes(),
            **sharing.routes(),
            **self.consents.routes(),
            **self.notices.routes(),
            **self.data_flow.routes(),
            **self.transfers.routes(),
            **self.accounts.routes(),
        }

    def _linked(self, hip_id: str, abha_address: str, references: Sequence[str]) -> None:
        if self.scenarios.strikes("self-fetch", hip_id):
            work = self._fetch_for_self(hip_id, abha_address, references)
            self.background.start(work, name="self fetch")

    async def _fetch_for_self(self, hip_id: str, abha_address: str, references: Sequence[str]) -> None:
        await self.background.pause(SELF_FETCH)
        try:
            self.consents.fetch_for_self(hip_id, abha_address, references)
        except CannotGrant as problem:
            self.journal.write("out", method="POST", path="self-fetch", status=0, note=str(problem))

    def _keys(self) -> GatewayKeys:
        return self.keys

    def _http(self) -> httpx.AsyncClient:
        if self.http is None:
            raise RuntimeError("the gateway's lifespan has not been started")
        return self.http
