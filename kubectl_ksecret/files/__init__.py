"""Files: read inside the project only, written whole or not at all."""
