"""The fleet, the targets and what vehicles reported: PostgreSQL tables and set-based statements."""
