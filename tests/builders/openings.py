"""How most stories of a house (tests.builders.flows) begin."""

from datetime import UTC, datetime

from tests.builders.flows import House, an_artefact
from tests.builders.visits import a_visit

from hip.application.storage import Listing
from hip.domain.consents import ConsentArtefact
from hip.domain.exchanges import Exchange, Flow
from hip.domain.identifiers import VisitCode
from hip.domain.visits import VisitRecord


async def visit_taken_in(record: VisitRecord | None = None) -> House:
    """A visit came, its bundles are built, and the gateway was told: asked for a link token, or to send the SMS."""
    house = House()
    await house.take_in(record)
    await house.work()
    return house


async def link_sent(record: VisitRecord | None = None) -> House:
    """The token came too, and the link call was sent; the gateway has not answered it."""
    house = await visit_taken_in(record)
    await house.answer_token()
    await house.work()
    return house


async def consented(artefact: ConsentArtefact | None = None) -> House:
    """A visit is linked, and a consent for it granted."""
    house = House()
    await house.link()
    await house.grant(artefact or an_artefact())
    return house


async def data_asked_for(artefact: ConsentArtefact | None = None) -> House:
    """The requester has asked for all of it under its consent; no worker has come to it yet."""
    house = await consented(artefact)
    await house.ask(artefact or an_artefact())
    return house


async def a_transfer_that_leaves_one_visit_behind() -> House:
    """Consented are visits 88120, which leaves whole, and 70001, which is older than the consented dates."""
    house = House()
    await house.link()
    old = a_visit(
        visit_code=VisitCode("70001"),
        start=datetime(2024, 3, 12, 10, 5, tzinfo=UTC),
        end=datetime(2024, 3, 12, 10, 25, tzinfo=UTC),
    )
    await house.link(old)
    artefact = an_artefact(("PAT-20417", "88120"), ("PAT-20417", "70001"))
    await house.grant(artefact)
    await house.ask(artefact)
    await house.work()
    return house


async def exchange_of(house: House, flow: Flow) -> Exchange:
    """The newest conversation of this kind."""
    async with house.units() as uow:
        return next(each for each in await uow.exchanges.list(Listing()) if each.flow is flow)
