"""GET base: the poll. The one request every vehicle makes, again and again."""

from functools import lru_cache

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from campaign.assignment import STARTED
from campaign.polling import interval
from gateway import messages
from gateway.answer import Tagged, media_type, written
from gateway.fleet import Fleet
from gateway.headers import header
from gateway.links import Links
from runtime.settings import Settings
from store.polls import Standing


class Poll:
    """Answers polls: how long to sleep, and what is to be done."""

    def __init__(self, fleet: Fleet, links: Links, settings: Settings) -> None:
        self._fleet = fleet
        self._links = links
        self._soon, self._seldom = settings.poll_interval, settings.poll_interval_seldom

    async def get(self, request: Request, vehicle: Standing) -> Response:
        kind = media_type(header(request.scope, b"accept"))  # who cannot read the answer is not admitted
        # Whoever may be admitted is: what it still holds then is an offer that is not delivered any more, or
        # one that makes way.
        offered = await self._fleet.admit(vehicle.vehicle_id) if vehicle.admissible else None
        answer = self.answer(request.scope, kind, vehicle, offered)
        return answer.unless_known(header(request.scope, b"if-none-match"))

    def answer(self, scope: Scope, kind: str, vehicle: Standing, offered: int | None) -> Tagged:
        """What a vehicle is told.

        Args:
            scope: what links go by (gateway/links.py).
            kind: the format of the answer.
            offered: the action for which it was just admitted.
        """
        cancel = vehicle.action if offered is None and vehicle.cancel_wanted else None
        wait = interval(waits=vehicle.waits, soon=self._soon, seldom=self._seldom, level=self._fleet.pressure)
        sleep = messages.sleep(vehicle.vin, wait, vehicle.outlook.opens_in)
        if vehicle.idle and vehicle.installed is None:
            return _sleep(sleep, kind)
        answer = messages.poll(
            self._links.home(Request(scope), vehicle.vin),
            sleep,
            config_wanted=vehicle.config_wanted,
            deployment=_visible(vehicle) if offered is None else offered,
            cancel=cancel,
            installed=vehicle.installed,
            confirm=vehicle.outlook.confirm,
        )
        return written(answer, kind)


#: Intervals of the wire in all formats: a few hundred, unless vehicles wait for the opening of windows.
@lru_cache(maxsize=4_096)
def _sleep(sleep: str, kind: str) -> Tagged:
    """The answer that says no more than when to come again; many vehicles have the same."""
    return written(messages.poll("", sleep), kind)


def _visible(vehicle: Standing) -> int | None:
    """The action whose link a vehicle sees: started, or an offer that stands."""
    return vehicle.action if vehicle.stands or vehicle.state in STARTED else None
