"""Every time-out and retry policy of the workflow, with its reason."""

from datetime import timedelta
from typing import Any

from temporalio.common import Priority, RetryPolicy
from temporalio.workflow import ActivityCancellationType

#: What waits in the queue goes in this order: the ticks of a thousand campaigns may be due at once after an
#: outage, and no stop stands in line behind them. Ticks go between: who is under way goes before who wants to
#: begin, or many launches would let the leases of others run out.
FIRST, LAST = Priority(priority_key=1), Priority(priority_key=5)

#: A whole fleet may be looked at. The heartbeat notices a dead worker long before the time-out does.
TARGETING: dict[str, Any] = {
    "start_to_close_timeout": timedelta(minutes=30),
    "heartbeat_timeout": timedelta(seconds=15),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=30)
    ),
    "priority": LAST,
}

#: One row and its lock. No end to the attempts: a gate that should be shut is shut, however long it takes.
GATE: dict[str, Any] = {
    "start_to_close_timeout": timedelta(seconds=10),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=10)
    ),
    "priority": FIRST,
}

#: Ends every open row of a campaign.
ENDING: dict[str, Any] = {**GATE, "start_to_close_timeout": timedelta(minutes=5)}

#: A tick. The activity itself sets the pause between two of them; after an error it is this one. Cancelling
#: it must not wait for a worker: in a pause between ticks there is none.
SUPERVISION: dict[str, Any] = {
    "start_to_close_timeout": timedelta(seconds=10),
    "retry_policy": RetryPolicy(initial_interval=timedelta(seconds=2), backoff_coefficient=1.0),
    "cancellation_type": ActivityCancellationType.TRY_CANCEL,
}

#: People are told soon or not at all; nothing waits for it but the end of the workflow.
NOTIFICATION: dict[str, Any] = {
    "start_to_close_timeout": timedelta(seconds=60),
    "schedule_to_close_timeout": timedelta(hours=1),
    "retry_policy": RetryPolicy(initial_interval=timedelta(seconds=2), maximum_interval=timedelta(minutes=5)),
}
