"""Stores of HashiCorp Vault or OpenBao, as they are read."""

from base64 import b64decode
from collections.abc import Iterable

from ...model.kubernetes import Object
from ...model.types.names import KeyName, Line, Name, VaultAddress, VaultPath
from ...model.types.sources import is_entry_name
from ..secrets import below, fits
from .source import StoreSource

# The CA of the server, in the overlay's folder.
CA_FILE = "vault.pem"
_PEM = b"-----BEGIN CERTIFICATE-----"


class VaultStores:
    """Everything about a store of Vault."""

    name = "vault"

    def source(self, fields: Object, names: Iterable[object]) -> StoreSource | str:
        """Return the mount and its server, where all names are those of entries below the mount."""
        fields = self.normalised(fields)
        mount, namespace = fields.get("path"), fields.get("namespace")
        if fields["version"] != "v2":
            return "its store reads another version of KV than 2"
        if not _is(VaultAddress, fields.get("server")):
            return "its store names no server that an overlay can name"
        if not mount:
            return "its store names no mount (path), so that each name begins with one"
        if not _is(VaultPath, mount) or (namespace is not None and not _is(VaultPath, namespace)):
            return "its store has a mount or a namespace that an overlay can't name"
        if not all(self.name_in_source(name, fields) for name in names):
            return "a name that is read in its store is none of an entry of Vault"
        source: Object = {"address": fields["server"], "mount": mount}
        if namespace:
            source["namespace"] = namespace
        files = {}
        if "caBundle" in fields:
            pem = _certificates(fields["caBundle"])
            if pem is None:
                return "the caBundle of its store holds no certificate in PEM"
            source["caFile"], files[CA_FILE] = CA_FILE, pem
        identity = (str(fields["server"]).lower(), str(namespace or ""), str(mount))
        return StoreSource(field="vault", fields=source, identity=identity, files=files)

    def auth(self, fields: Object) -> Object | None:
        """Return how a store signs in: by one method, whose credentials lie in a Secret or are a ServiceAccount's."""
        auth = below(self.normalised(fields), "auth")
        kubernetes, approle = below(auth, "kubernetes"), below(auth, "appRole")
        account = below(kubernetes, "serviceAccountRef").get("name")
        if account and _is(Line, kubernetes.get("role")) and _is(VaultPath, kubernetes.get("mountPath")):
            stated = {"mountPath": kubernetes["mountPath"], "role": kubernetes["role"], "serviceAccountName": account}
            return {"kubernetes": stated}
        if _is(Line, approle.get("roleId")) and _is(VaultPath, approle.get("path")):
            secret = _secret_key(approle.get("secretRef"))
            return (
                {"appRole": {"path": approle["path"], "roleId": approle["roleId"], "secretRef": secret}}
                if secret
                else None
            )
        token = _secret_key(auth.get("tokenSecretRef"))
        return {"token": {"secretRef": token}} if token else None

    def name_in_source(self, remote: object, fields: Object) -> str:
        """Return the path of an entry below the mount, which the operator takes with the mount before it, too."""
        mount = f"{fields.get('path')}/"
        path = remote if isinstance(remote, str) else ""
        if path.startswith(mount):
            path = path.removeprefix(mount).removeprefix("data/")
        return path if is_entry_name(path) and not path.startswith(mount) else ""

    def normalised(self, fields: Object) -> Object:
        """Return the fields with the defaults, and without what says the same in another way."""
        stated: Object = {"version": "v2"} | fields
        auth = below(stated, "auth")
        if "kubernetes" in auth:
            auth = auth | {"kubernetes": {"mountPath": "kubernetes"} | below(auth, "kubernetes")}
        if "appRole" in auth:
            auth = auth | {"appRole": {"path": "approle"} | below(auth, "appRole")}
        if "auth" in stated:
            stated["auth"] = auth
        if isinstance(stated.get("server"), str):
            stated["server"] = stated["server"].rstrip("/")
        if isinstance(stated.get("namespace"), str):
            stated["namespace"] = stated["namespace"].strip("/")
        if isinstance(stated.get("caBundle"), str):
            stated["caBundle"] = "".join(stated["caBundle"].split())
        return stated


def _is(type_: object, text: object) -> bool:
    return isinstance(text, str) and fits(type_, text)


def _secret_key(reference: object) -> Object | None:
    stated = {field: below({"at": reference}, "at").get(field) for field in ("name", "key")}
    return stated if _is(Name, stated["name"]) and _is(KeyName, stated["key"]) else None


def _certificates(bundle: object) -> bytes | None:
    """Return the PEM of a caBundle; None for what is none, or holds more than certificates."""
    try:
        pem = b64decode(str(bundle), validate=True)
    except ValueError:
        return None
    return pem if pem.count(b"-----BEGIN ") == pem.count(_PEM) > 0 else None
