"""The cohorts of a campaign, from the configurations of its vehicles."""

from store.evidence import Configurations


def test_the_cohorts_come_in_the_same_order_in_every_process_the_more_telling_first() -> None:
    """Of several in breach the first is told, by the gateway as by the worker: it must be the same one."""
    rows = [
        (number, f"Model_{number % 2}", country, {"Radar": {"hw_id": f"R{number % 3}", "sw_version": "1"}})
        for number, country in enumerate(("DE", "FR", "SE", "US", "CN", "JP"))
    ]
    assert [str(cohort) for cohort in Configurations(rows).by_cohort({})] == [
        *("hw_id=R0", "hw_id=R1", "hw_id=R2"),
        *("model=Model_0", "model=Model_1"),
        *("country=CN", "country=DE", "country=FR", "country=JP", "country=SE", "country=US"),
    ]
