"""The gateway's connections: how each of them is set up."""

from gateway.pool import Pool


async def test_connections_of_a_gateway_plan_once_by_the_indexes_and_for_one_process(pool: Pool) -> None:
    names = ("plan_cache_mode", "enable_seqscan", "jit", "max_parallel_workers_per_gather")
    async with pool.connection() as connection:
        found = [await connection.execute(f"SHOW {name}") for name in names]
        values = [row[0] for cursor in found for row in await cursor.fetchall()]
    assert values == ["force_generic_plan", "off", "off", "0"]
