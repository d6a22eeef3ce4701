"""Measurements of the product, by its own functions."""
