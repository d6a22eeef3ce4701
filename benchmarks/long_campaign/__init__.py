"""A campaign of two weeks over a whole fleet, in minutes: its history, and the memory of its worker."""
