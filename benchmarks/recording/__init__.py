"""Durable reports: what recording them yields beside bare inserts into the same PostgreSQL."""
