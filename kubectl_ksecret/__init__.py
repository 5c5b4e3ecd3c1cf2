"""Declare each Kubernetes Secret once, render it for every environment."""

__version__ = "0.1.0"
