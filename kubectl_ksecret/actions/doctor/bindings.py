"""What a sealed value is bound to, found out by asking the controller: it never says why it can't open something.

A sealed value opens under one label alone: namespace/name, namespace, or nothing, by its scope. So the controller is
asked for the same ciphertext under other names, namespaces and scopes; where none opens, it is the key that is missing.
"""

from collections.abc import Iterator, Mapping, Sequence

from ...backends import backend_of
from ...backends.sealedsecret import bound_to, scope_of, spec_of
from ...cluster.api import Refused
from ...cluster.resources import SEALED_SECRETS
from ...cluster.verification import Verifier
from ...frozen import Record
from ...manifests import committed, record
from ...manifests.committed import Committed
from ...model.backend import Backend
from ...model.loading import readable
from ...model.types.policies import Scope
from ..deployment import DeployedSecret
from .examination import Examination


class Binding(Record):
    """The scope, the namespace and the name that values are sealed for."""

    scope: Scope
    namespace: str
    name: str

    @property
    def label(self) -> str:
        """The label that goes into the encryption."""
        return bound_to(self.scope, self.namespace, self.name)[1]


class Diagnosis(Record):
    """Why the controller can't open some keys of a Secret: they are bound to something else, or their key is gone."""

    keys: Sequence[str]
    binding: Binding | None


class Diagnostician:
    """Finds out why Secrets can't be opened. What it learns of one is what it tries first with the next."""

    def __init__(self, examination: Examination, verifier: Verifier) -> None:
        self._examination, self._verifier = examination, verifier
        self._backend = backend_of(examination.environment)
        self._committed: Committed = committed.read(examination.environment)
        self._gone: set[str] = set()

    def diagnose(self, secret: DeployedSecret) -> Diagnosis:
        """Return why the controller can't open a Secret as it is deployed. Raises Refused as Verifier does."""
        stated = stated_binding(secret)
        ciphertext = self._backend.held(secret.document.object)
        makers = sealed_for(self._backend, secret)
        closed = self._closed(ciphertext, stated, makers)
        # The key of one that is bound elsewhere may be gone too; it counts as bound elsewhere only if it opens there.
        rest = {key: ciphertext[key] for key in closed if makers[key] not in self._gone}
        for candidate in self._candidates(secret, rest) if rest else ():
            if self._verifier.opens(rest, candidate.scope, candidate.namespace, candidate.name):
                return Diagnosis(keys=sorted(rest), binding=candidate)
        self._gone.update(filter(None, (makers[key] for key in rest)))
        return Diagnosis(keys=closed, binding=None)

    def _closed(self, ciphertext: Mapping[str, str], stated: Binding, makers: Mapping[str, str]) -> list[str]:
        """Find the keys that do not open; those whose certificate's key is known to be gone are not asked for."""
        gone = {key for key in ciphertext if makers[key] in self._gone}
        rest = {key: text for key, text in ciphertext.items() if key not in gone}
        if gone and (not rest or self._opens(rest, stated)):
            return sorted(gone)
        closed = rest if len(rest) == 1 else {key for key in rest if not self._opens({key: rest[key]}, stated)}
        return sorted({*gone, *closed})

    def _opens(self, ciphertext: Mapping[str, str], binding: Binding) -> bool:
        return self._verifier.opens(ciphertext, binding.scope, binding.namespace, binding.name)

    def _candidates(self, secret: DeployedSecret, ciphertext: Mapping[str, str]) -> Iterator[Binding]:
        """Yield what the values may be bound to, each label once, the likely ones first."""
        seen = {stated_binding(secret).label}
        for namespace, name in dict.fromkeys(self._places(secret, ciphertext)):
            scopes: tuple[Scope, ...] = ("strict", "namespace-wide", "cluster-wide")
            for scope in scopes:
                binding = Binding(scope=scope, namespace=namespace, name=name)
                if binding.label not in seen:
                    seen.add(binding.label)
                    yield binding

    def _places(self, secret: DeployedSecret, ciphertext: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        environment, declared = self._examination.environment, secret.secret.name
        deployed = stated_binding(secret)
        yield deployed.namespace, deployed.name
        texts = {*ciphertext.values()}
        for name, manifest in self._committed.items():
            if name == declared or texts & {*self._backend.held(manifest.object).values()}:
                metadata = manifest.object["metadata"]
                yield str(metadata.get("namespace") or deployed.namespace), str(metadata.get("name") or name)
                yield deployed.namespace, name
        yield environment.namespace, declared
        for other in readable(environment.project, [environment]):
            for name in dict.fromkeys((declared, deployed.name)):
                yield other.namespace, name
        try:
            live = self._examination.all(SEALED_SECRETS)
        except Refused:
            return  # most users may not list those of other namespaces
        for standing in live:
            if texts & {*self._backend.held(standing).values()}:
                yield standing["metadata"]["namespace"], standing["metadata"]["name"]


def sealed_for(backend: Backend, secret: DeployedSecret) -> Mapping[str, str]:
    """Return the fingerprint of the certificate that each value was sealed for; empty where no record speaks of it."""
    document = secret.document.object
    entries = record.of(document, backend)
    return {
        key: entries[key].by if key in entries and record.is_of(entries[key], text) else ""
        for key, text in backend.held(document).items()
    }


def stated_binding(secret: DeployedSecret) -> Binding:
    """Return what the deployed object says that its values are bound to."""
    name = secret.document.subject.name
    return Binding(scope=scope_of(secret.document.object), namespace=secret.namespace, name=name)


def explained(examination: Examination, secret: DeployedSecret, diagnosis: Diagnosis) -> tuple[str, str]:
    """Return what is wrong, in a sentence, and the next step."""
    stated, real = stated_binding(secret), diagnosis.binding
    keys = ", ".join(diagnosis.keys)
    environment = examination.environment
    reseal = f"kubectl ksecret seal {environment.name} {secret.secret.name} --reseal"
    if real is None:
        return f"the controller has no key that opens {keys}, under whatever name, namespace or scope", ""
    file = environment.project.name(environment.file)
    if real.scope != stated.scope:
        cause = f"{keys}: sealed with the scope {real.scope}, and deployed as {stated.scope}"
    elif real.namespace != stated.namespace:
        cause = f"{keys}: sealed for the namespace {real.namespace}, and deployed to {stated.namespace}"
    else:
        cause = f"{keys}: sealed for a Secret named {real.name}, and deployed as {stated.name}"
    declared = spec_of(environment).scope
    if declared != "cluster-wide" and stated.namespace != environment.namespace:
        return cause, f"write namespace: {stated.namespace} in {file}\n{reseal}"
    if declared == "strict" and stated.name != secret.secret.name:
        return cause, f"write scope: namespace-wide in {file}, since the build renames it\n{reseal}"
    return cause, reseal
