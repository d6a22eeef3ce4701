"""The vehicle-facing HTTP service: hawkBit's DDI v1, as its existing clients speak it."""
