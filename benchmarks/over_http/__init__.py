"""A whole campaign over real HTTP, with the simulated fleet."""
