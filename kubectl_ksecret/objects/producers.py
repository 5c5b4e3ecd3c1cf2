"""Who makes which Secret: the objects that are one, and those of which a controller makes one."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from ..model.kubernetes import ALIBABA, OPERATOR, SERVICE_ACCOUNT, VAULT_OPERATOR, Object, Subject
from .documents import Document, mapping, sequence
from .secretfields import secret_fields

_HASH = re.compile("-[bcdfghkmt2456789]{10}$")  # an alphabet of kustomize's own: no word can stand in it by chance
_TLS_KEYS = frozenset({"tls.crt", "tls.key"})
_OPAQUE = "Opaque"


class ProducedSecret(NamedTuple):
    """A Secret that an object is, or that a controller makes of the object.

    `producer` is None for what is declared and not built. `namespace` is empty where nothing says it, and with
    `everywhere` the Secret is in every namespace. Without `keys` it may have any key. `merges` if the object only adds
    to a Secret that another one makes, `shares` if it is meant to meet the Secret of another one.
    """

    producer: Document | None
    name: str
    namespace: str
    keys: frozenset[str] | None
    everywhere: bool = False
    merges: bool = False
    shares: bool = False
    declared_annotations: Mapping[str, str] = {}

    def has_key(self, key: str) -> bool:
        """Whether the Secret has a key, as far as that is known."""
        return self.keys is None or key in self.keys

    @property
    def type(self) -> str:
        """The type of the Secret, as its object says it."""
        stated = self.producer.at(*secret_fields(self.producer).type) if self.producer else None
        return stated if isinstance(stated, str) and stated else _OPAQUE

    @property
    def annotations(self) -> Object:
        """The annotations of the Secret, as its object or its declaration says them."""
        if self.producer is None:
            return dict(self.declared_annotations)
        path = secret_fields(self.producer).annotations
        return mapping(self.producer.at(*path)) if path else {}

    @property
    def subject(self) -> Subject:
        """The object, without the hash of its content, which has no place in an exception and ends with any change."""
        assert self.producer is not None
        subject = self.producer.subject
        return subject._replace(name=self.unhashed_name) if subject.kind == "Secret" else subject

    @property
    def unhashed_name(self) -> str:
        """The name, without the hash that kustomize puts behind what it generates."""
        is_secret = self.producer is not None and self.producer.subject.kind == "Secret"
        return without_hash(self.name) if is_secret else self.name

    @property
    def written_name(self) -> str:
        """The name in the file, before kustomize changed it."""
        if self.producer is None or self.producer.subject.name != self.name:
            return self.name  # a target that an ExternalSecret names has no other name
        return self.producer.written("metadata", "name") or self.name


def without_hash(name: str) -> str:
    """Return a name without the hash of the content that kustomize puts behind what it generates."""
    return _HASH.sub("", name)


# What copies or fills a Secret that is there without its keys.
_FILLED = (
    "reflector.v1.k8s.emberstack.com/reflects",
    "replicator.v1.mittwald.de/replicate-from",
    "secret-generator.v1.mittwald.de/autogenerate",
)
# What copies a Secret into other namespaces, with the text that asks for it, if it is not any.
_COPIED = {
    "reflector.v1.k8s.emberstack.com/reflection-auto-enabled": "true",
    "replicator.v1.mittwald.de/replicate-to": "",
    "replicator.v1.mittwald.de/replicate-to-matching": "",
    "kubed.appscode.com/sync": "",
}
_ISSUED = ("cert-manager.io/issuer", "cert-manager.io/cluster-issuer", "kubernetes.io/tls-acme")
_SERVING = (
    "service.beta.openshift.io/serving-cert-secret-name",
    "service.alpha.openshift.io/serving-cert-secret-name",
)
_SHARED = ("sealedsecrets.bitnami.com/managed", "sealedsecrets.bitnami.com/patch")
# Names that the token controller gave to the Secrets of ServiceAccounts, until Kubernetes 1.24 and in OpenShift.
_OF_SERVICE_ACCOUNT = re.compile(r"[a-z0-9.-]+-(?:token|dockercfg)-[bcdfghjklmnpqrstvwxz2456789]{5}")

_Producer = Callable[[Document], Iterator[ProducedSecret]]


def produced_by(document: Document) -> Iterator[ProducedSecret]:
    """Yield the Secrets that an object makes; none of what is not in the form of its kind."""
    find = _KINDS.get((document.group, document.subject.kind))
    for secret in find(document) if find else ():
        if secret.name:
            yield secret
    yield from _connection(document)


def is_known_producer(document: Document) -> bool:
    """Whether it is known which Secrets objects of this kind make."""
    return (document.group, document.subject.kind) in _KINDS


def is_made_for_service_account(name: str) -> bool:
    """Whether a Secret has a name that Kubernetes gives to the token of a ServiceAccount."""
    return _OF_SERVICE_ACCOUNT.fullmatch(name) is not None


def _made(
    document: Document, name: object, keys: frozenset[str] | None = None, namespace: object = None
) -> ProducedSecret:
    own = document.subject.namespace
    return ProducedSecret(
        producer=document,
        name=_text(name),
        namespace=_text(namespace) or own,
        keys=keys,
    )


def _secret(document: Document) -> Iterator[ProducedSecret]:
    stated, annotations = document.object, document.annotations
    keys = _names(stated.get("data")) | _names(stated.get("stringData"))
    if stated.get("type") == SERVICE_ACCOUNT:
        keys |= {"token", "ca.crt", "namespace"}
    filled = any(annotation in annotations for annotation in _FILLED)
    secret = _made(document, document.subject.name, None if filled else keys)
    yield _shared(secret, annotations)
    for annotation, text in _COPIED.items():
        if annotation in annotations and (not text or annotations[annotation] == text):
            yield secret._replace(everywhere=True, namespace="", shares=True)


def _shared(secret: ProducedSecret, annotations: Object) -> ProducedSecret:
    return secret._replace(shares=any(annotations.get(name) == "true" for name in _SHARED))


def _sealed_secret(document: Document) -> Iterator[ProducedSecret]:
    spec = _spec(document)
    template = mapping(spec.get("template"))
    keys = _names(spec.get("encryptedData")) | _names(template.get("data"))
    annotations = mapping(mapping(template.get("metadata")).get("annotations"))
    yield _shared(_made(document, document.subject.name, keys), annotations)


def _external_secret(document: Document) -> Iterator[ProducedSecret]:
    yield from _fetched(document, _spec(document), document.subject.name)


def _cluster_external_secret(document: Document) -> Iterator[ProducedSecret]:
    spec = _spec(document)
    name = _text(spec.get("externalSecretName")) or document.subject.name
    for secret in _fetched(document, mapping(spec.get("externalSecretSpec")), name):
        yield secret._replace(everywhere=True, namespace="")


def _fetched(document: Document, spec: Object, name: str) -> Iterator[ProducedSecret]:
    """Find what External Secrets Operator makes of the specification of an ExternalSecret."""
    target = mapping(spec.get("target"))
    # Since 1.1 a target may be an object of any kind, such as a ConfigMap.
    kind = mapping(target.get("manifest")).get("kind", "Secret")
    policy = target.get("creationPolicy")
    if policy != "None" and kind == "Secret":
        keys = _fetched_keys(spec, mapping(target.get("template")))
        secret = _made(document, _text(target.get("name")) or name, keys)
        yield secret._replace(merges=policy in ("Merge", "CreateOrMerge"))


def _fetched_keys(spec: Object, template: Object) -> frozenset[str] | None:
    made = _names(template.get("data"))
    if template.get("templateFrom"):
        return None
    if made and template.get("mergePolicy") != "Merge":
        return made
    if spec.get("dataFrom"):
        return None
    return made | {key for entry in sequence(spec.get("data")) if (key := _text(mapping(entry).get("secretKey")))}


def _copied_from_kms(document: Document) -> Iterator[ProducedSecret]:
    """ack-secret-manager names the Secret and its keys as the ExternalSecret does; dataProcess takes what is there."""
    spec = _spec(document)
    named = [entry.get("name") for entry in _below(spec, ["data"])]
    named += [member.get("objectAlias") for member in _below(spec, ["data", "jmesPath"])]
    keys = frozenset(filter(None, map(_text, named)))
    yield _made(document, document.subject.name, None if spec.get("dataProcess") else keys)


def _vault_static_secret(document: Document) -> Iterator[ProducedSecret]:
    """Its templates make the keys, beside the members of the entry unless all of them are excluded."""
    destination = mapping(_spec(document).get("destination"))
    transformation = mapping(destination.get("transformation"))
    excludes = sequence(transformation.get("excludes"))
    alone = (
        transformation.get("excludeRaw") is True and ".*" in excludes and not transformation.get("transformationRefs")
    )
    yield _made(document, destination.get("name"), _names(transformation.get("templates")) if alone else None)


def _own_name(document: Document) -> Iterator[ProducedSecret]:
    yield _made(document, document.subject.name)


def _named_in(*path: str, namespace: str = "namespace") -> _Producer:
    """Return the producer of a kind that names its Secret in a field, or in one of a list."""

    def find(document: Document) -> Iterator[ProducedSecret]:
        *above, field = path
        for owner in _below(_spec(document), above):
            yield _made(document, owner.get(field), namespace=owner.get(namespace))

    return find


def _below(value: object, path: list[str]) -> Iterator[Object]:
    for element in sequence(value):
        yield from _below(element, path)
    if isinstance(value, dict):
        if path:
            yield from _below(value.get(path[0]), path[1:])
        else:
            yield value


def _with_ending(*endings: str) -> _Producer:
    """Return the producer of a kind whose Secrets are named after the object."""

    def find(document: Document) -> Iterator[ProducedSecret]:
        for ending in endings:
            yield _made(document, f"{document.subject.name}{ending}")

    return find


def _sops_secret(document: Document) -> Iterator[ProducedSecret]:
    for template in sequence(_spec(document).get("secretTemplates")):
        stated = mapping(template)
        yield _made(document, stated.get("name"), _names(stated.get("stringData")) | _names(stated.get("data")))


def _provider_class(document: Document) -> Iterator[ProducedSecret]:
    """The CSI driver makes them when a pod mounts the volume."""
    for entry in sequence(_spec(document).get("secretObjects")):
        stated = mapping(entry)
        keys = frozenset(key for data in sequence(stated.get("data")) if (key := _text(mapping(data).get("key"))))
        yield _made(document, stated.get("secretName"), keys or None)


def _azure_key_vault_secret(document: Document) -> Iterator[ProducedSecret]:
    secret = mapping(mapping(_spec(document).get("output")).get("secret"))
    key = _text(secret.get("dataKey"))
    yield _made(document, secret.get("name"), frozenset({key}) if key else None)


def _postgresql(document: Document) -> Iterator[ProducedSecret]:
    """Zalando's operator makes one for each user."""
    for user in _names(_spec(document).get("users")) | {"postgres", "standby"}:
        name = f"{user.replace('_', '-')}.{document.subject.name}.credentials.postgresql.acid.zalan.do"
        yield _made(document, name)


def _crunchy(document: Document) -> Iterator[ProducedSecret]:
    users = [_text(mapping(user).get("name")) for user in sequence(_spec(document).get("users"))]
    for user in users or [document.subject.name]:
        yield _made(document, f"{document.subject.name}-pguser-{user}")


def _field_export(document: Document) -> Iterator[ProducedSecret]:
    target = mapping(_spec(document).get("to"))
    if target.get("kind") == "secret":
        yield _made(document, target.get("name"), namespace=target.get("namespace"))


def _binding(document: Document) -> Iterator[ProducedSecret]:
    yield _made(document, _text(_spec(document).get("secretName")) or document.subject.name)


def _ingress(document: Document) -> Iterator[ProducedSecret]:
    """cert-manager makes what an Ingress names, if its annotations ask for it."""
    if any(annotation in document.annotations for annotation in _ISSUED):
        for tls in sequence(_spec(document).get("tls")):
            yield _made(document, mapping(tls).get("secretName"))


def _gateway(document: Document) -> Iterator[ProducedSecret]:
    if any(annotation in document.annotations for annotation in _ISSUED):
        for reference in _below(_spec(document), ["listeners", "tls", "certificateRefs"]):
            yield _made(document, reference.get("name"))


def _service(document: Document) -> Iterator[ProducedSecret]:
    """OpenShift makes a certificate for a Service that asks for one."""
    for annotation in _SERVING:
        yield _made(document, document.annotations.get(annotation), _TLS_KEYS)


def _service_account(document: Document) -> Iterator[ProducedSecret]:
    for field in ("secrets", "imagePullSecrets"):
        for entry in sequence(document.object.get(field)):
            name = _text(mapping(entry).get("name"))
            if is_made_for_service_account(name):
                yield _made(document, name)


def _connection(document: Document) -> Iterator[ProducedSecret]:
    """Crossplane writes the connection details of an object of any kind into a Secret."""
    spec = _spec(document)
    reference = mapping(spec.get("writeConnectionSecretToRef"))
    if name := _text(reference.get("name")):
        yield _made(document, name, namespace=reference.get("namespace"))
    if name := _text(mapping(spec.get("publishConnectionDetailsTo")).get("name")):
        yield _made(document, name)


def _spec(document: Document) -> Object:
    return mapping(document.object.get("spec"))


def _names(value: object) -> frozenset[str]:
    return frozenset(map(str, mapping(value)))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _infisical(document: Document) -> Iterator[ProducedSecret]:
    for field in ("managedSecretReference", "managedKubeSecretReferences"):
        yield from _named_in(field, "secretName", namespace="secretNamespace")(document)


_INFISICAL, _ELASTIC = "secrets.infisical.com", "k8s.elastic.co"
_KINDS: dict[tuple[str, str], _Producer] = {  # by group and kind
    ("", "Secret"): _secret,
    ("", "Service"): _service,
    ("", "ServiceAccount"): _service_account,
    ("bitnami.com", "SealedSecret"): _sealed_secret,
    (OPERATOR, "ExternalSecret"): _external_secret,
    (OPERATOR, "ClusterExternalSecret"): _cluster_external_secret,
    ("kubernetes-client.io", "ExternalSecret"): _own_name,
    (ALIBABA, "ExternalSecret"): _copied_from_kms,
    ("onepassword.com", "OnePasswordItem"): _own_name,
    ("ricoberger.de", "VaultSecret"): _own_name,
    ("objectbucket.io", "ObjectBucketClaim"): _own_name,
    ("secretgenerator.mittwald.de", "StringSecret"): _own_name,
    ("secretgenerator.mittwald.de", "BasicAuth"): _own_name,
    ("secretgenerator.mittwald.de", "SSHKeyPair"): _own_name,
    ("isindir.github.com", "SopsSecret"): _sops_secret,
    ("spv.no", "AzureKeyVaultSecret"): _azure_key_vault_secret,
    ("secrets.doppler.com", "DopplerSecret"): _named_in("managedSecret", "name"),
    (_INFISICAL, "InfisicalSecret"): _infisical,
    (_INFISICAL, "InfisicalDynamicSecret"): _infisical,
    ("k8s.bitwarden.com", "BitwardenSecret"): _named_in("secretName"),
    ("lerentis.uploadfilter24.eu", "BitwardenSecret"): _named_in("name"),
    ("lerentis.uploadfilter24.eu", "BitwardenTemplate"): _named_in("name"),
    ("lerentis.uploadfilter24.eu", "RegistryCredential"): _named_in("name"),
    ("cert-manager.io", "Certificate"): _named_in("secretName"),
    # The key of the ACME account is made with the account.
    ("cert-manager.io", "Issuer"): _named_in("acme", "privateKeySecretRef", "name"),
    ("cert-manager.io", "ClusterIssuer"): _named_in("acme", "privateKeySecretRef", "name"),
    ("secrets-store.csi.x-k8s.io", "SecretProviderClass"): _provider_class,
    (VAULT_OPERATOR, "VaultStaticSecret"): _vault_static_secret,
    (VAULT_OPERATOR, "VaultDynamicSecret"): _named_in("destination", "name"),
    (VAULT_OPERATOR, "VaultPKISecret"): _named_in("destination", "name"),
    (VAULT_OPERATOR, "HCPVaultSecretsApp"): _named_in("destination", "name"),
    ("postgresql.cnpg.io", "Cluster"): _with_ending("-app", "-superuser", "-ca", "-server", "-replication"),
    ("acid.zalan.do", "postgresql"): _postgresql,
    ("postgres-operator.crunchydata.com", "PostgresCluster"): _crunchy,
    ("rabbitmq.com", "RabbitmqCluster"): _with_ending("-default-user", "-erlang-cookie"),
    ("kafka.strimzi.io", "KafkaUser"): _own_name,
    ("kafka.strimzi.io", "Kafka"): _with_ending("-cluster-ca-cert", "-clients-ca-cert", "-cluster-ca", "-clients-ca"),
    (f"elasticsearch.{_ELASTIC}", "Elasticsearch"): _with_ending(
        "-es-elastic-user", "-es-http-certs-public", "-es-http-certs-internal", "-es-http-ca-internal"
    ),
    (f"kibana.{_ELASTIC}", "Kibana"): _with_ending("-kb-http-certs-public"),
    ("services.k8s.aws", "FieldExport"): _field_export,
    ("services.cloud.sap.com", "ServiceBinding"): _binding,
    ("servicecatalog.k8s.io", "ServiceBinding"): _binding,
    ("networking.k8s.io", "Ingress"): _ingress,
    ("gateway.networking.k8s.io", "Gateway"): _gateway,
}
