"""A store that does not answer is one kind of error, StorageFailed, whatever was asked of it."""

import inspect
from collections.abc import Awaitable, Callable

import pytest
from tests.contract.units.operations import OPERATIONS, Operation

from hip.application import storage
from hip.application.storage import UnitOfWork, Units
from hip.domain.errors import StorageFailed

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
async def test_every_operation_says_so_when_the_store_breaks_off(
    units: Units, breaks: Callable[[], Awaitable[None]], operation: Operation
) -> None:
    async with units() as uow:
        await uow.outbox.waiting()
        await breaks()
        with pytest.raises(StorageFailed) as failure:
            await operation(uow)
    assert failure.value.__cause__ is None
    assert failure.value.__suppress_context__ or failure.value.__context__ is None


async def test_units_work_again_after_an_outage(units: Units, breaks: Callable[[], Awaitable[None]]) -> None:
    async with units() as uow:
        await uow.outbox.waiting()
        await breaks()
        with pytest.raises(StorageFailed):
            await uow.outbox.waiting()
    async with units() as uow:
        assert await uow.outbox.waiting() == 0


async def test_no_operation_can_be_called_once_the_unit_was_left(units: Units) -> None:
    async with units() as uow:
        pass
    for operation in OPERATIONS.values():
        with pytest.raises(RuntimeError, match="ended"):
            await operation(uow)


def test_no_operation_of_the_contract_is_missing_here() -> None:
    collections = [
        (name, getattr(storage, inspect.signature(member.fget).return_annotation.__name__))
        for name, member in vars(UnitOfWork).items()
        if isinstance(member, property) and member.fget is not None
    ]
    methods = {
        f"{name}.{method}"
        for name, collection in collections
        for method, function in vars(collection).items()
        if inspect.iscoroutinefunction(function)
    }
    assert methods == set(OPERATIONS)
