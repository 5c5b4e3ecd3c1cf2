"""Secrets that no operator fetches: the backend of their overlay, and what they hold that is sealed already."""

import os

from ..actions.init import no_recipient
from ..backends import sealedsecret
from ..backends.sops import config
from ..errors import InputError
from ..manifests import committed
from ..model.kubernetes import Object
from .matching import MatchedEnvironment
from .selecting import ImportedEnvironment
from .target import ImportTarget


def backend_of(imported: ImportedEnvironment, target: ImportTarget, certificate: str) -> Object:
    """Return the backend as an overlay has it; `certificate` is the path that it names."""
    if imported.form.backend == "secret":
        return {"secret": {}}
    if imported.form.backend == "sops" or imported.is_sops:
        return _sops(imported, target)
    return {"sealedSecret": {"certificate": certificate, "scope": imported.scope}}


def _sops(imported: ImportedEnvironment, target: ImportTarget) -> Object:
    """Return the backend of SOPS; rules of the project that name recipients go before those of the files."""
    manifests = os.path.join(target.secrets(imported.name), committed.FOLDER)
    path = os.path.join(manifests, committed.file_of(next(iter(imported.secrets))))
    ruled, _ = config.recipients(target.project, path)
    if not ruled and not imported.recipients:
        raise InputError(no_recipient())
    return {"sops": {} if ruled else {"age": list(imported.recipients)}}


def held(matched: MatchedEnvironment) -> dict[str, Object]:
    """Return the objects that hold what is sealed already, as a render reads them."""
    imported = matched.imported
    scope = {} if imported.scope == "strict" else {f"sealedsecrets.bitnami.com/{imported.scope}": "true"}
    objects: dict[str, Object] = {}
    for name, secret in matched.secrets.items():
        metadata = {"name": name, "namespace": imported.namespace, "annotations": scope}
        if secret.is_sops:
            objects[name] = secret.document.object | {"metadata": metadata}
        else:
            objects[name] = {
                "apiVersion": sealedsecret.API,
                "kind": sealedsecret.KIND,
                "metadata": metadata,
                "spec": {"encryptedData": dict(secret.ciphertext)},
            }
    return {name: object_ for name, object_ in objects.items() if matched.secrets[name].ciphertext}
