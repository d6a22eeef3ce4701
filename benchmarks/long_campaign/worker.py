"""The real worker, whose activities see the campaign's own time also in the database."""

import sys
from typing import Any

from sqlalchemy import Engine, event
from temporalio import activity

import worker
from benchmarks.long_campaign.clock import told


@event.listens_for(Engine, "begin")
def _tell_the_time(connection: Any) -> None:
    if activity.in_activity():
        # On the server that skips time this is the workflow's own.
        statement, values = told(activity.info().current_attempt_scheduled_time)
        connection.connection.cursor().execute(statement, values)


if __name__ == "__main__":
    sys.exit(worker.main())
