"""Success means all of it: what was said of single ECUs before counts when the whole is claimed.

| Said before of the second ECU | The claim says of it | Then |
|---|---|---|
| it failed | nothing | the vehicle failed, and the message says why |
| it failed, then it succeeded | nothing | it succeeded |
| it failed | it succeeded | it succeeded |
| it failed, in an earlier attempt | nothing | it succeeded |
"""

from typing import Any

import pytest

from campaign.action import action_id
from campaign.assignment import Target
from store.reports import Report
from tests.store.fleet import MODULE, Fleet, Gateway, car, report

ECUS = [
    {"name": name, "hw_id": "EVO14", "sw_version": "1.3.0"} for name in ("Radar", "Camera")
]  # the package has a module for each
TWO: dict[str, Any] = {"name": "Two", "modules": [MODULE, MODULE | {"ecu": "Camera"}]}
FAILED = "ecu=Camera result=failure code=7 no word"
MENDED = "ecu=Camera result=success version=1.4.0"
OTHER = "ecu=Radar result=success version=1.4.0"


async def begun(fleet: Fleet, gateway: Gateway) -> tuple[int, int]:
    """A vehicle that has fetched all files: it and its action."""
    [vehicle] = fleet.add([car(0, ecus=ECUS)])
    action = action_id(fleet.launch(package=TWO), 1)
    await gateway.admit(vehicle)
    await gateway.begin(vehicle, action)
    return vehicle, action


@pytest.mark.parametrize(
    ("before", "claim", "state", "message"),
    [
        ([FAILED], ["done"], Target.FAILED, f"done; {FAILED}"),
        ([OTHER, FAILED, "text"], [], Target.FAILED, FAILED),
        ([FAILED], [FAILED], Target.FAILED, FAILED),
        ([MENDED, FAILED], [OTHER], Target.FAILED, f"{OTHER}; {FAILED}"),
        ([FAILED, MENDED], ["done"], Target.SUCCEEDED, "done"),
        ([FAILED], [MENDED], Target.SUCCEEDED, MENDED),
        (["the ecu=Camera result=failure"], ["done"], Target.SUCCEEDED, "done"),
    ],
)
@pytest.mark.parametrize("in_one_group", [False, True])
async def test_a_success_of_all_does_not_make_good_an_ecu_that_failed_before(
    before: list[str],
    claim: list[str],
    state: Target,
    message: str,
    in_one_group: bool,
    fleet: Fleet,
    gateway: Gateway,
) -> None:
    vehicle, action = await begun(fleet, gateway)
    said = [report(vehicle, action, "proceeding", "none", line) for line in before]
    said.append(report(vehicle, action, "closed", "success", *claim))
    for group in [said] if in_one_group else [[each] for each in said]:
        await gateway.record(*group)
    assert fleet.rows("SELECT state, message FROM assignment") == [(state.value, message)]
    # The log has what was said and nothing else.
    assert fleet.value("SELECT details FROM report ORDER BY id DESC LIMIT 1") == claim
    fleet.assert_tally()


async def test_what_an_ecu_was_in_an_earlier_attempt_does_not_count(fleet: Fleet, gateway: Gateway) -> None:
    vehicle, action = await begun(fleet, gateway)
    await gateway.say(vehicle, action, "proceeding", "none", FAILED)
    await gateway.say(vehicle, action, "rejected", "none", "low battery")
    fleet.run("UPDATE assignment SET not_before = NULL")
    again = (await gateway.admit(vehicle))[vehicle]
    assert again == action + 1
    await gateway.begin(vehicle, again)
    await gateway.say(vehicle, again, "closed", "success")
    assert fleet.state(vehicle, fleet.value("SELECT id FROM campaign")) == Target.SUCCEEDED


async def test_nothing_is_read_again_for_a_package_of_one_ecu(fleet: Fleet, gateway: Gateway) -> None:
    [vehicle] = fleet.add([car(0)])
    action = action_id(fleet.launch(), 1)
    await gateway.admit(vehicle)
    await gateway.begin(vehicle, action)
    said: list[Report] = [report(vehicle, action, "proceeding", "none", "ecu=Radar result=failure")]
    await gateway.record(*said)
    await gateway.say(vehicle, action, "closed", "success")
    assert fleet.value("SELECT state FROM assignment") == Target.SUCCEEDED
