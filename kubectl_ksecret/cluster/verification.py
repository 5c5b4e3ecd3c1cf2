"""Asking the Sealed Secrets controller whether it can open what is sealed, without a value on the way back.

Seen on 0.38: POST /v1/verify answers 200 if it opens every value, 409 if not, and 500 for what is no SealedSecret. More
than 2 requests a second are answered by 429 with a Retry-After of one second, which Api waits for.
"""

from collections.abc import Mapping
from typing import Literal

from ..backends.sealedsecret import API, KIND
from ..model.kubernetes import Object
from ..model.types.policies import Scope
from .api import Api, Refused
from .certificates import Reached

Opening = Literal["opened", "closed", "unreadable"]


class Verifier:
    """The verify endpoint of one controller."""

    def __init__(self, api: Api, controller: Reached) -> None:
        self._api, self._target = api, controller.at("v1/verify")

    def ask(self, sealed_secret: Object) -> Opening:
        """Return whether the controller can open all values. Raises Refused if the endpoint can't be asked."""
        try:
            self._api.ask(self._target, sealed_secret)
            return "opened"
        except Refused as refused:
            if refused.status == 409:
                return "closed"
            # A reason is the API server's: the controller's own answers are empty.
            if refused.status == 500 and not refused.reason:
                return "unreadable"
            raise

    def opens(self, ciphertext: Mapping[str, str], scope: Scope, namespace: str, name: str) -> bool:
        """Whether the controller opens these values as those of a Secret of a scope, a namespace and a name."""
        return self.ask(sealed_secret(ciphertext, scope, namespace, name)) == "opened"


def sealed_secret(ciphertext: Mapping[str, str], scope: Scope, namespace: str, name: str) -> Object:
    """Return the smallest SealedSecret with these values."""
    annotations = {} if scope == "strict" else {f"sealedsecrets.bitnami.com/{scope}": "true"}
    metadata = {"name": name, "namespace": namespace, "annotations": annotations}
    return {"apiVersion": API, "kind": KIND, "metadata": metadata, "spec": {"encryptedData": dict(ciphertext)}}
