"""How Postgres runs what a unit of work asks."""

from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import event

from hip.adapters.postgres.units import PostgresDatabase
from hip.application.storage import UnitOfWork

Ask = Callable[[UnitOfWork], Awaitable[Any]]


async def statements_of(database: PostgresDatabase, ask: Ask) -> list[tuple[str, Any]]:
    """The statements that ``ask`` runs, with their parameters."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        asked.append((statement, parameters))

    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        async with database.unit() as uow:
            await ask(uow)
    finally:
        event.remove(engine, "before_cursor_execute", note)
    return asked


async def plans_of(database: PostgresDatabase, ask: Ask) -> list[dict[str, Any]]:
    """Every node of the plans of the statements that ``ask`` runs, with what they really did."""
    nodes: list[dict[str, Any]] = []
    async with database.engine.connect() as connection:
        for statement, parameters in await statements_of(database, ask):
            explained = await connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters)
            _collect(explained.scalar_one()[0]["Plan"], nodes)
        await connection.rollback()
    return nodes


async def generic_plans_of(database: PostgresDatabase, ask: Ask) -> list[dict[str, Any]]:
    """The same, as planned for any parameters: what a connection may go over to once it ran a statement five times."""
    nodes: list[dict[str, Any]] = []
    async with database.engine.connect() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
        if driver is None:
            raise RuntimeError("no connection")
        await driver.execute("SET plan_cache_mode = force_generic_plan")
        for number, (statement, parameters) in enumerate(await statements_of(database, ask)):
            await driver.execute(f"PREPARE generic_{number} AS {statement}")
            nothing = ", ".join(["NULL"] * len(parameters))
            explained = await driver.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE generic_{number} ({nothing})")
            _collect(explained[0]["Plan"], nodes)
        await connection.invalidate()
    return nodes


def _collect(plan: dict[str, Any], nodes: list[dict[str, Any]]) -> None:
    nodes.append(plan)
    for inner in plan.get("Plans", []):
        _collect(inner, nodes)
