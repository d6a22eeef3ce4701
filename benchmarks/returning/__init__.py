"""A fleet that comes back all at once: what is answered, what is sent away, and that no report is lost."""
