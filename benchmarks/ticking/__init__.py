"""The tick of supervision and the opening of a phase, whatever the number of vehicles and reports."""
