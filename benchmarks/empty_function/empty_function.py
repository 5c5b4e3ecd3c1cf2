"""The least that a KRM function in Python can be: what ksecret-fn is measured against."""

import sys


def main() -> None:
    """An empty ResourceList, whatever is asked."""
    sys.stdin.buffer.read()
    sys.stdout.write('{"apiVersion": "config.kubernetes.io/v1", "kind": "ResourceList", "items": []}')
