"""A selection that waits for another campaign is tried again; one that nobody can mend is not."""

import pytest
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.testing import ActivityEnvironment

from activities.refusing import REFUSED
from activities.targeting import WAITING, Targeting
from campaign.package import Package
from tests.store.fleet import MODULE, Fleet, define

_KNOWN = "SELECT reltuples::int FROM pg_class WHERE relname = 'assignment'"

OTHER = Package.model_validate({"name": "Pkg2", "modules": [MODULE | {"version": "1.5.0"}]})


@pytest.mark.parametrize(
    ("conflicts", "kind", "final"), [("wait", WAITING, False), ("refuse", REFUSED, True)]
)
def test_a_selection_that_meets_another_campaign_waits_or_is_refused(
    conflicts: str, kind: str, final: bool, fleet: Fleet
) -> None:
    fleet.register(define())
    fleet.register(define(name="rival", package=OTHER, conflicts=conflicts))
    first, second = [row[0] for row in fleet.rows("SELECT id FROM campaign ORDER BY id")]
    fleet.select(first)
    with pytest.raises(ApplicationError) as caught:
        ActivityEnvironment().run(Targeting(fleet.engine).select_targets, second)
    assert (caught.value.type, caught.value.non_retryable) == (kind, final)
    assert (caught.value.category is ApplicationErrorCategory.BENIGN) is not final
    assert "campaign 'Winter' is not done with 10 of its vehicles" in caught.value.message


def test_after_a_selection_the_planner_knows_how_many_assignments_there_are(fleet: Fleet) -> None:
    fleet.run("ANALYZE assignment")
    fleet.register(define())
    [[campaign]] = fleet.rows("SELECT id FROM campaign")
    ActivityEnvironment().run(Targeting(fleet.engine).select_targets, campaign)
    assert fleet.value(_KNOWN) == fleet.value("SELECT count(*) FROM assignment") > 0
    fleet.run("UPDATE pg_class SET reltuples = 1000 WHERE relname = 'assignment'")  # as if it were few
    ActivityEnvironment().run(Targeting(fleet.engine).select_targets, campaign)
    assert fleet.value(_KNOWN) == 1000


def test_a_selection_stands_where_somebody_else_holds_the_table_for_long(fleet: Fleet) -> None:
    fleet.register(define())
    [[campaign]] = fleet.rows("SELECT id FROM campaign")
    with fleet.engine.begin() as another:
        another.exec_driver_sql("LOCK TABLE assignment IN SHARE UPDATE EXCLUSIVE MODE")  # as VACUUM does
        selection = ActivityEnvironment().run(Targeting(fleet.engine).select_targets, campaign)
    assert sum(selection.sizes.values()) == fleet.value("SELECT count(*) FROM assignment") > 0
