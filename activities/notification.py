"""Telling people, through Apprise: Slack, Teams, PagerDuty, mail, webhooks by URL; the log by default."""

from collections.abc import Sequence

import structlog
from apprise import Apprise, NotifyType
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.messages import Notice

log = structlog.get_logger()


class Notification:
    """Sends notices to the configured URLs. URLs hold secrets and are never logged."""

    def __init__(self, urls: Sequence[str]) -> None:
        self._channels = Apprise()
        for number, url in enumerate(urls, start=1):
            if not self._channels.add(url):
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
