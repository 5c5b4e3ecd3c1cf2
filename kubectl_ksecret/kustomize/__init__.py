"""Kustomizations: read, followed and built."""
