"""An operator pauses and resumes a campaign while its vehicles are admitted as fast as they can be."""

from dataclasses import dataclass
from datetime import UTC, datetime

from benchmarks.kill_switch.crowd import a_while, crowd, until
from benchmarks.kill_switch.offers import late_offers, offers
from benchmarks.launch import until_stage
from commands.client import Campaigns, Launched
from store.connect import Connection

#: So that admissions are under way again at the next pause.
ADMITTED = 100

_SHUT = "SELECT shut_at FROM campaign WHERE id = %s"


@dataclass(frozen=True)
class Pauses:
    """Seconds from each order to its commit, and how many offers came after it."""

    seconds: list[float]
    offers_after: int
    offers: int


async def measure(
    connection: Connection,
    url: str,
    found: Campaigns,
    launched: Launched,
    model: str,
    gateways: int,
    times: int,
) -> Pauses:
    """Pause so many times."""
    campaign, seconds, after = launched.status.campaign_id, [], 0
    async with crowd(connection, url, model, gateways):
        for _ in range(times):
            await _more(connection, campaign)
            asked = datetime.now(UTC)
            await found.command(launched.workflow_id, "pause", "bench", "")
            await until(lambda: _shut_at(connection, campaign))
            seconds.append((datetime.now(UTC) - asked).total_seconds())  # it is seen, so it is committed
            await a_while(0.5)
            after += late_offers(connection, campaign)
            await found.command(launched.workflow_id, "resume", "bench", "")
            await until_stage(found, launched, "Active")
    return Pauses(seconds, after, offers(connection, campaign))


async def _more(connection: Connection, campaign: int) -> None:
    enough = offers(connection, campaign) + ADMITTED
    await until(lambda: offers(connection, campaign) >= enough)


def _shut_at(connection: Connection, campaign: int) -> datetime | None:
    row = connection.execute(_SHUT, [campaign]).fetchone()
    return row[0] if row else None
