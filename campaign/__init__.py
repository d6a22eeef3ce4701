"""The rules of a campaign. Pure: no I/O, no clock, no randomness; time and seeds are arguments."""
