"""Many campaigns open at once on one worker: what ticking them takes, and how fast one of them is stopped."""
