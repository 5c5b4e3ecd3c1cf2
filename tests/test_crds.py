"""All that is rendered validates against the operators' own schemas, in which unknown fields are refused."""

import copy
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from .builds import Object
from .forkserver import COMMAND
from .peers import ROOT, crds, run
from .projects import Project, sealing

METADATA = {
    "type": "object",
    "required": ["name"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string"},
        "namespace": {"type": "string"},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}


def strict(schema: Any) -> Any:
    """The schema with unknown fields refused, as the API server refuses them under strict field validation."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    fields = {name: strict(value) for name, value in schema.items()}
    open_ = schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in schema
    if schema.get("type") == "object" and isinstance(schema.get("properties"), dict) and not open_:
        fields["additionalProperties"] = False
    return fields


@cache
def validators() -> dict[tuple[str, str], Draft202012Validator]:
    """A validator for each served version of each kind."""
    schemas = {}
    for project in ("external-secrets", "sealed-secrets", "vault-secrets-operator"):
        for definition in yaml.load_all(crds(project).read_text(), yaml.CSafeLoader):
            spec = definition["spec"] if definition else {"versions": []}
            for version in spec["versions"]:
                if version["served"]:
                    schema = strict(version["schema"]["openAPIV3Schema"])
                    schema["properties"]["metadata"] = METADATA
                    key = f"{spec['group']}/{version['name']}", spec["names"]["kind"]
                    schemas[key] = Draft202012Validator(schema)
    return schemas


def mistakes(document: Object) -> list[str]:
    """What the operator's own schema says against an object."""
    validator = validators()[document["apiVersion"], document["kind"]]
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]


def rendered(folder: Path, *overlays: str) -> list[Object]:
    """The objects that the command shows."""
    items: list[Object] = json.loads(run(COMMAND, "render", *overlays, "-o", "json", folder=folder))["items"]
    return items


@cache
def sample() -> list[Object]:
    """The objects of the sample; not to be changed."""
    return rendered(ROOT)


AUTHS = {
    "workload": {"workloadIdentity": {"serviceAccountName": "reader"}},
    "principal": {
        "servicePrincipal": {
            "tenantId": "9b2d7c64-1f3e-4a58-b0c7-d5e8f6a41327",
            "secretName": "login",
            "clientIdKey": "id",
            "clientSecretKey": "secret",
        }
    },
    "managed": {"managedIdentity": {"identityId": "3f1c2b7e-5a94-4d0e-9c1b-8e6f7a2d4c35"}},
    "system": {"managedIdentity": {}},
}
VAULT_AUTHS = {
    "kubernetes": {"kubernetes": {"role": "shop", "serviceAccountName": "reader"}},
    "approle": {"appRole": {"roleId": "shop", "secretRef": {"name": "login", "key": "id"}}},
    "token": {"token": {"secretRef": {"name": "login", "key": "token"}}},
}
CLOUDS = ("vault.azure.net", "vault.azure.cn", "vault.usgovcloudapi.net")
METADATA_OF_MANIFESTS = {"labels": {"team": "shop"}, "annotations": {"argocd.argoproj.io/sync-wave": "-1"}}


def declare_every_field(project: Project) -> None:
    """Declarations that use every field that reaches a manifest."""
    project.declare(
        "app",
        {
            "token": {"remoteName": "app-token", "property": "tokens.first"},
            "logo.png": {"remoteName": "logo", "encoding": "base64"},
            "shared": {"from": "registry/.dockerconfigjson"},
            "url": {"template": "db://app:{{ password | urlencode }}@{{ parameters.host }}/{{ token }}"},
        },
        inputs={"password": {"remoteName": "db-password"}},
        labels={"app.kubernetes.io/part-of": "shop"},
        annotations={"reloader.stakater.com/match": "true"},
    )
    project.declare(
        "registry", {".dockerconfigjson": {"remoteName": "registry"}}, type="kubernetes.io/dockerconfigjson"
    )


def external_overlays(project: Project) -> Iterator[str]:
    """Overlays of ExternalSecrets with every way to sign in, both kinds of store, every policy and every cloud."""
    for kind in ("SecretStore", "ClusterSecretStore"):
        for number, (name, auth) in enumerate(AUTHS.items()):
            policies = [
                {"refreshPolicy": "CreatedOnce", "deletionPolicy": "Retain"},
                {"refreshPolicy": "Periodic", "deletionPolicy": "Delete"},
                {"refreshPolicy": "OnChange", "deletionPolicy": "Merge"},
                {},
            ][number]
            store = {"name": "vault", "kind": kind, "auth": auth}
            backend = {"refreshInterval": "90m", "metadata": METADATA_OF_MANIFESTS, "store": store, **policies}
            overlay = f"{kind.lower()}-{name}"
            vault = {"vaultUrl": f"https://shop.{CLOUDS[number % len(CLOUDS)]}"}
            source = {"names": f"{{remoteName}}-{overlay}", "azureKeyVault": vault}
            project.overlay(overlay, {"externalSecret": backend}, source=source, parameters={"host": "{{ host }}"})
            yield overlay
        for name, auth in VAULT_AUTHS.items():
            overlay = f"{kind.lower()}-{name}"
            project.write(f"overlays/{overlay}/secrets/ca.pem", sealing(1).certificate)
            vault = {"address": "https://vault.example:8200", "mount": "kv", "namespace": "shop", "caFile": "ca.pem"}
            source = {"names": "{secret}/{remoteName}", "property": "{key}", "vault": vault}
            backend = {"store": {"name": "vault", "kind": kind, "auth": auth}}
            project.overlay(overlay, {"externalSecret": backend}, source=source, parameters={"host": "{{ host }}"})
            yield overlay


def test_every_object_of_the_sample_is_valid() -> None:
    """A SecretStore, two ExternalSecrets, two SealedSecrets."""
    manifests = sample()
    assert sorted(manifest["kind"] for manifest in manifests) == [
        *["ExternalSecret"] * 2,
        *["SealedSecret"] * 2,
        "SecretStore",
    ]
    assert [mistakes(manifest) for manifest in manifests] == [[]] * 5


def test_external_secrets_and_stores_of_every_form_are_valid(tmp_path: Path) -> None:
    """Every field of an overlay and of a declaration that reaches them: 14 stores, 28 ExternalSecrets."""
    project = Project(tmp_path)
    declare_every_field(project)
    manifests = rendered(project.root, *external_overlays(project))
    assert [mistakes(manifest) for manifest in manifests] == [[]] * 42
    assert {manifest["kind"] for manifest in manifests} == {"SecretStore", "ClusterSecretStore", "ExternalSecret"}
    text = json.dumps(manifests)
    for field in ("property", "decodingStrategy", "refreshPolicy", "deletionPolicy", "environmentType", "identityId"):
        assert f'"{field}":' in text


def test_what_vault_secrets_operator_gets_is_valid_in_every_form(tmp_path: Path) -> None:
    """Both ways to sign in, a CA, a namespace of Vault, a template, base64 and a duration of two units."""
    project = Project(tmp_path)
    keys = {
        "token": {},
        "logo.png": {"encoding": "base64"},
        "url": {"template": "db://{{ token | json }}{{ parameters.host }}"},
    }
    project.declare("app", keys, labels={"team": "shop"}, annotations={"reloader.stakater.com/match": "true"})
    vault = {"address": "https://vault.example:8200", "mount": "team/kv", "namespace": "team-a"}
    source = {"names": "shop/{secret}", "property": "{key}", "vault": vault}
    auths = {
        "account": {"kubernetes": {"role": "shop", "serviceAccountName": "reader", "audiences": ["vault"]}},
        "approle": {"appRole": {"mountPath": "team", "roleId": "shop", "secretName": "login"}},
    }
    for name, auth in auths.items():
        backend = {"refreshAfter": "1h30m", "auth": auth, "caSecretName": "ca", "metadata": METADATA_OF_MANIFESTS}
        project.overlay(name, {"vaultSecretsOperator": backend}, source=source, parameters={"host": "{{ host }}"})
    manifests = rendered(project.root, *auths)
    kinds = ["VaultConnection", "VaultAuth", "VaultStaticSecret"] * 2
    assert [manifest["kind"] for manifest in manifests] == kinds
    assert [mistakes(manifest) for manifest in manifests] == [[]] * 6
    assert manifests[2]["spec"]["refreshAfter"] == "5400s"


@pytest.mark.parametrize("scope", ["strict", "namespace-wide", "cluster-wide"])
def test_sealed_secrets_of_every_form_are_valid(tmp_path: Path, scope: str) -> None:
    """The three scopes, with metadata of manifest and Secret, a type, and a record."""
    project = Project(tmp_path)
    declare_every_field(project)
    project.write("overlays/prod/secrets/sealing.pem", sealing(1).certificate)
    backend = {"certificate": "sealing.pem", "scope": scope, "metadata": METADATA_OF_MANIFESTS}
    project.overlay("prod", {"sealedSecret": backend}, parameters={"host": "db"})
    secrets = {"app": ["token", "logo.png", "shared", "url"], "registry": [".dockerconfigjson"]}
    values = {"app": "x", "registry": '{"auths": {"registry.example": {"auth": "YTpi"}}}'}
    given = yaml.safe_dump_all(
        {"kind": "Secret", "metadata": {"name": name}, "stringData": dict.fromkeys(keys, values[name])}
        for name, keys in secrets.items()
    )
    assert project.ksecret("seal", "prod", "-f", "-", stdin=given).code == 0
    manifests = rendered(project.root, "prod")
    assert [mistakes(manifest) for manifest in manifests] == [[], []]
    assert manifests[0]["metadata"]["labels"] == {"team": "shop"}
    assert "ksecret.dev/sealed-keys" in manifests[0]["spec"]["template"]["metadata"]["annotations"]


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("ExternalSecret", ()),
        ("ExternalSecret", ("metadata",)),
        ("ExternalSecret", ("spec",)),
        ("ExternalSecret", ("spec", "secretStoreRef")),
        ("ExternalSecret", ("spec", "target")),
        ("ExternalSecret", ("spec", "target", "template")),
        ("ExternalSecret", ("spec", "target", "template", "metadata")),
        ("ExternalSecret", ("spec", "data", 0)),
        ("ExternalSecret", ("spec", "data", 0, "remoteRef")),
        ("SecretStore", ("spec",)),
        ("SecretStore", ("spec", "provider")),
        ("SecretStore", ("spec", "provider", "azurekv")),
        ("SecretStore", ("spec", "provider", "azurekv", "serviceAccountRef")),
        ("SealedSecret", ("spec",)),
        ("SealedSecret", ("spec", "template")),
    ],
)
def test_an_unknown_field_would_be_seen(kind: str, path: tuple[str | int, ...]) -> None:
    """The schemas are as strict as the tests above take them to be."""
    document = copy.deepcopy(next(manifest for manifest in sample() if manifest["kind"] == kind))
    node: Any = document
    for step in path:
        node = node[step]
    node["unknown"] = "x"
    assert any("'unknown' was unexpected" in mistake for mistake in mistakes(document))


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("ExternalSecret", ("spec", "refreshInterval"), 5),
        ("ExternalSecret", ("spec", "target", "deletionPolicy"), "Keep"),
        ("ExternalSecret", ("spec", "data", 0, "remoteRef", "decodingStrategy"), "base64"),
        ("SecretStore", ("spec", "provider", "azurekv", "authType"), "Token"),
        ("SealedSecret", ("spec", "encryptedData"), {"key": 5}),
    ],
)
def test_a_wrong_value_would_be_seen(kind: str, path: tuple[str | int, ...], value: object) -> None:
    """The enumerations and types of the schemas are in force."""
    document = copy.deepcopy(next(manifest for manifest in sample() if manifest["kind"] == kind))
    node: Any = document
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value
    assert len(mistakes(document)) == 1
