"""Durable orchestration: one workflow a campaign. Every rule it follows is in campaign/."""
