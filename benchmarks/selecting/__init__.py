"""The selection of targets, beside the raw INSERT ... SELECT of the rows that came out."""
