"""Formats, keys and bytes of what is sealed."""
