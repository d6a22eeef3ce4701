"""Telling people, through Apprise: Slack, Teams, PagerDuty, mail, webhooks by URL; the log by default."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import structlog
from apprise import Apprise, NotifyType
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.messages import Notice

log = structlog.get_logger()


@contextmanager
def _unheard() -> Iterator[None]:
    """Apprise logs a URL that it cannot use in full, with the token in it."""
    logger = logging.getLogger("apprise")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


class Notification:
    """Sends notices to the configured URLs. URLs hold secrets and are never logged."""

    def __init__(self, urls: Sequence[str]) -> None:
        self._channels = Apprise()
        for number, url in enumerate(urls, start=1):
            with _unheard():
                known = self._channels.add(url)
            if not known:
                raise ValueError(
                    f"RINGMASTER_NOTIFY_URLS: the {number}. URL is not one Apprise knows; "
                    "see its list of services, for example mailto:// or slack://"
                )

    @activity.defn
    def notify(self, notice: Notice) -> None:
        """Send a notice; a channel that fails makes the whole be tried again."""
        write = log.warning if notice.urgent else log.info
        write("notice", title=notice.title, body=notice.body)
        if not self._channels:
            return
        kind = NotifyType.WARNING if notice.urgent else NotifyType.INFO
        if not self._channels.notify(title=notice.title, body=notice.body, notify_type=kind):
            raise ApplicationError("a notification channel did not take the notice", type="NotSent")
