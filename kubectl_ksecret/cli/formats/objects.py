"""Kubernetes objects as kubectl prints them."""

import json
from collections.abc import Sequence

from ... import yamlio
from ...model.kubernetes import Object


def text(objects: Sequence[Object], output: str) -> str:
    """YAML documents, a JSON List, or a name a line."""
    if output == "json":
        return json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}, indent=2, ensure_ascii=False) + "\n"
    if output == "name":
        return "".join(f"{_name(document)}\n" for document in objects)
    return yamlio.dump(objects)


def _name(document: Object) -> str:
    group = document["apiVersion"].rpartition("/")[0]
    kind = document["kind"].lower()
    return f"{kind}.{group}/{document['metadata']['name']}" if group else f"{kind}/{document['metadata']['name']}"
