"""The operator's commands, group by group; starter.py puts them together."""
