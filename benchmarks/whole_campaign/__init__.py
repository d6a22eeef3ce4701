"""A campaign from launch to completion, over a fleet that is driven in bulk."""
