"""Every installation of a campaign fails from one moment on, while another campaign selects its vehicles."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime

from benchmarks.kill_switch.crowd import a_while, crowd, until
from benchmarks.kill_switch.inbox import Inbox
from benchmarks.kill_switch.offers import late_offers, offers
from benchmarks.launch import launch, until_stage
from commands.client import Campaigns, Launched
from store.connect import Connection

_STOP = "SELECT shut_at, breach IS NOT NULL FROM campaign WHERE id = %s"

#: Whether some campaign's selection runs, that is, has not committed.
_SELECTING = "SELECT count(*) FROM campaign WHERE state = 'SelectingVehicles' AND selected_at IS NULL"

#: So many offers before the fault begins.
BUSY = 500


@dataclass(frozen=True)
class Stop:
    """What happened, in seconds and offers."""

    offers_before: int
    offers_after: int
    by_the_report: bool
    was_selecting: bool
    to_the_stop: float
    to_paused: float
    to_the_notice: float
    polls_per_second: float


async def measure(
    connection: Connection,
    url: str,
    found: Campaigns,
    bad: Launched,
    models: tuple[str, str],
    gateways: int,
) -> Stop:
    """Let a campaign turn bad; ``models`` are its vehicles and those of the campaign that selects."""
    campaign = bad.status.campaign_id
    async with crowd(connection, url, models[0], gateways) as running:
        await until(lambda: offers(connection, campaign) > BUSY)
        other = asyncio.create_task(launch(found, models[1]))
        await until(lambda: _selecting(connection) or other.done())
        before = datetime.now(UTC)
        running.failing.set()
        await until(lambda: _stopped(connection, campaign)[0])
        was_selecting = _selecting(connection)
        shut_at, by_the_report = _stopped(connection, campaign)
        assert shut_at is not None
        await until_stage(found, bad, "Paused")
        paused = datetime.now(UTC)
        await until(lambda: Inbox.came)
        await a_while(3)
        await other
    return Stop(
        offers_before=offers(connection, campaign),
        offers_after=late_offers(connection, campaign),
        by_the_report=by_the_report,
        was_selecting=was_selecting,
        to_the_stop=(shut_at - before).total_seconds(),
        to_paused=(paused - shut_at).total_seconds(),
        to_the_notice=(Inbox.came[0] - shut_at).total_seconds(),
        polls_per_second=running.polls_per_second,
    )


def _selecting(connection: Connection) -> bool:
    row = connection.execute(_SELECTING).fetchone()
    return bool(row and row[0])


def _stopped(connection: Connection, campaign: int) -> tuple[datetime | None, bool]:
    row = connection.execute(_STOP, [campaign]).fetchone()
    assert row is not None
    return row[0], row[1]
