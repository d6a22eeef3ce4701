"""What people are told: what happened, where, the numbers, who was exposed, what was stopped, what to do."""

import json
from shlex import quote

from campaign.breach import Exposed
from workflows.story import Story

_STARTER = "python starter.py"

#: What a person can answer a stop with; both tools, because not everybody has both.
_SIGNAL = "temporal workflow signal --workflow-id {id} --name {name}"
_EXCLUDE = "temporal workflow update execute --workflow-id {id} --name exclude --input {request}"


def paused(story: Story, workflow_id: str) -> str:
    """The notice of a campaign that has paused by itself."""
    lines = [story.why]
    if story.breach is not None:
        lines.append(f"under way at the stop: {story.breach.exposed.sentence}")
    if story.exposure is not None:
        lines.append(stopped(story.exposure))
    return "\n".join([*lines, *answers(story, workflow_id)])


def stopped(exposure: Exposed) -> str:
    """What a shut gate means for those under way."""
    return (
        f"the gate is shut: nobody is admitted, {exposure.offered} offers were withdrawn; "
        f"{exposure.downloading} downloading and {exposure.installing} installing vehicles finish what they "
        "began"
    )


def answers(story: Story, workflow_id: str) -> list[str]:
    """The commands that answer a pause, ready for a shell."""
    name = quote(workflow_id)
    culprit = story.breach.culprit if story.breach is not None else None
    end = [f"end it: {_STARTER} abort {name}", f"  or: {_SIGNAL.format(id=name, name='abort')}"]
    go_on = [f"go on with all: {_STARTER} resume {name}", f"  or: {_SIGNAL.format(id=name, name='resume')}"]
    if story.seen is not None and story.seen.withdrawn:
        first = f"or first let its package be delivered again: {_STARTER} package reinstate NAME"
        return [*end, first, f"then {go_on[0]}", go_on[1]]
    if culprit is not None:
        out = quote(culprit.cohort)
        return [
            f"leave {culprit.cohort} out and go on: {_STARTER} exclude {name} {out}",
            f"  or: {_EXCLUDE.format(id=name, request=quote(json.dumps({'cohort': culprit.cohort})))}",
            *go_on,
            *end,
        ]
    return [*go_on, *end]


def waiting(story: Story, workflow_id: str) -> str:
    """The notice of a phase that a person must end."""
    name = quote(workflow_id)
    return "\n".join(
        [
            story.why,
            f"go on: {_STARTER} promote {name}",
            f"  or: {_SIGNAL.format(id=name, name='promote')}",
            f"end it: {_STARTER} abort {name}",
        ]
    )
