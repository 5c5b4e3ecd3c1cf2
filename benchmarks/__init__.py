"""How long the work takes beside the real tools, and beside the least that could do it. Run by `make bench`."""
