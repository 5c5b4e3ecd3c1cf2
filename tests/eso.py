"""External Secrets Operator as an oracle: its own template package (tools/external-secrets) on what we render."""

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from typing import Any

from .peers import peer, run


def rendered(templates: Mapping[str, str], values: Sequence[Mapping[str, bytes]]) -> list[dict[str, bytes]]:
    """What the operator makes of one Secret's templates, for each set of fetched values."""
    batch = [
        {"templates": templates, "data": {name: b64encode(value).decode() for name, value in inputs.items()}}
        for inputs in values
    ]
    results = json.loads(run(peer("eso-template"), input=json.dumps(batch)))
    return [{key: b64decode(text or "") for key, text in data.items()} for data in results]


def synced(external_secret: Mapping[str, Any], source: Mapping[str, bytes]) -> dict[str, bytes]:
    """The Secret that the operator makes of an ExternalSecret with a template, out of a source's values."""
    fetched = {}
    for entry in external_secret["spec"]["data"]:
        remote = entry["remoteRef"]
        text = source[remote["key"]]
        strategy = remote.get("decodingStrategy", "None")
        assert strategy in {"None", "Base64"}
        fetched[entry["secretKey"]] = b64decode(re.sub(rb"[\r\n]", b"", text)) if strategy == "Base64" else text
    (secret,) = rendered(external_secret["spec"]["target"]["template"]["data"], [fetched])
    return secret
