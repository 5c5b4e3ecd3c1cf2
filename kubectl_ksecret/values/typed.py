"""The forms of the values of a Secret of a known type, as the programs that read such Secrets demand them."""

import json
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..model.kubernetes import BASIC_AUTH
from ..sensitive import Sensitive
from .extraction import from_base64

Flaw = tuple[str, str]  # the key, and the end of a sentence that begins with its value


def flaws(type_: str, values: Mapping[str, Sensitive]) -> Iterator[Flaw]:
    """Find what is wrong with values of one Secret, as far as they are given."""
    for key, find in _FORMS.get(type_, {}).items():
        if key in values and (flaw := find(values[key].reveal())):
            yield key, flaw
    if type_ == "kubernetes.io/tls" and {"tls.crt", "tls.key"} <= values.keys():
        yield from _pair(values["tls.crt"].reveal(), values["tls.key"].reveal())


def _docker_config_json(content: bytes) -> str:
    """Kubernetes reads `auths` alone, an entry for each registry."""
    document = _json_object(content)
    if document is None:
        return "is no JSON object, as a docker config is"
    auths = document.get("auths")
    if not isinstance(auths, dict) or not auths:
        return "is no docker config: it has no registries under auths"
    return _registries(auths)


def _docker_config(content: bytes) -> str:
    document = _json_object(content)
    if document is None:
        return "is no JSON object, as a dockercfg file is"
    if "auths" in document:
        return "is a config.json, not a dockercfg file; use the type kubernetes.io/dockerconfigjson"
    return _registries(document) if document else "names no registry"


def _json_object(content: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _registries(entries: Mapping[str, object]) -> str:
    for entry in entries.values():
        if not isinstance(entry, dict):
            return "holds a registry whose entry is no object"
        auth = entry.get("auth")
        if auth and not _is_user_and_password(auth):
            return "holds a registry whose auth is not user:password in base64"
        if not auth and not any(entry.get(name) for name in ("username", "identitytoken", "registrytoken")):
            return "holds a registry without credentials"
    return ""


def _is_user_and_password(auth: object) -> bool:
    if not isinstance(auth, str):
        return False
    try:
        # The kubelet reads it with padding and without.
        return b":" in from_base64((auth + "=" * (-len(auth) % 4)).encode())
    except ValueError:
        return False


def _certificates(content: bytes) -> str:
    from cryptography import x509

    try:
        x509.load_pem_x509_certificates(content)
    except ValueError:
        return "is no certificate in PEM"
    return ""


def _private_key(content: bytes) -> str:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        load_pem_private_key(content, None)
    except UnsupportedAlgorithm:
        return ""  # a newer kind of key, which whoever reads it may know
    except TypeError:
        return "is a private key with a passphrase, which nobody can give"
    except ValueError:
        return "is no private key in PEM"
    return ""


def _pair(certificate: bytes, key: bytes) -> Iterator[Flaw]:
    """Find a key that is another certificate's; servers take the first certificate for their own."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            certificates = [
                loaded.public_key().public_bytes(*form) for loaded in x509.load_pem_x509_certificates(certificate)
            ]
        public_key = load_pem_private_key(key, None).public_key().public_bytes(*form)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return  # found already, or a kind of key that can't be compared
    if public_key == certificates[0]:
        return
    if public_key in certificates:
        yield "tls.crt", "does not begin with the certificate of tls.key, as a server needs it"
    else:
        yield "tls.key", "is not the key of the certificate in tls.crt"


_SSH_KEY = re.compile(
    rb"\s*-----BEGIN ((?:OPENSSH |RSA |DSA |EC |ENCRYPTED )?PRIVATE KEY)-----\r?\n[\s\S]+\n-----END \1-----\s*"
)


def _ssh_private_key(content: bytes) -> str:
    """It may have a passphrase: some programs have one to give."""
    return "" if _SSH_KEY.fullmatch(content) else "is no private key in PEM or in OpenSSH's form"


def _user_name(content: bytes) -> str:
    return "holds a colon, which ends a user name" if b":" in content else _line(content)


def _line(content: bytes) -> str:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return "is no text"
    return "" if text.isprintable() else "is not one line of text"


def _token_id(content: bytes) -> str:
    return "" if re.fullmatch(rb"[a-z0-9]{6}", content) else "is not 6 lower case letters and digits"


def _token_secret(content: bytes) -> str:
    return "" if re.fullmatch(rb"[a-z0-9]{16}", content) else "is not 16 lower case letters and digits"


_FORMS: Mapping[str, Mapping[str, Callable[[bytes], str]]] = {
    "kubernetes.io/dockerconfigjson": {".dockerconfigjson": _docker_config_json},
    "kubernetes.io/dockercfg": {".dockercfg": _docker_config},
    "kubernetes.io/tls": {"tls.crt": _certificates, "tls.key": _private_key, "ca.crt": _certificates},
    "kubernetes.io/ssh-auth": {"ssh-privatekey": _ssh_private_key},
    BASIC_AUTH: {"username": _user_name, "password": _line},
    "bootstrap.kubernetes.io/token": {"token-id": _token_id, "token-secret": _token_secret},
}
