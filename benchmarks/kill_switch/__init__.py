"""The stop under load: what is admitted after it, how fast it is, and what judging costs."""
