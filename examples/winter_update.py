"""A starter script: a campaign in Python, launched on the configured Temporal server."""

from starter import Campaign, launch

winter_update = Campaign("Winter Optimization", "NORMAL", "Pkg_v2.4")
winter_update.add_phase(criteria="Model_Y", rollout_percent=5, wait_time_hours=24)
winter_update.add_phase(criteria="Model_Y", rollout_percent=100, wait_time_hours=0)

if __name__ == "__main__":
    launch(winter_update)
