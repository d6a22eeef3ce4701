"""What every process needs and no rule knows: settings, logging, connections, embedded servers."""
