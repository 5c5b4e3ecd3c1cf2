"""`import`: what a team has becomes declarations and overlays that render the same; what can't is told, at its line."""

import copy
import json
import os
import re
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubectl_ksecret.errors import InputError
from kubectl_ksecret.importing import EnvironmentArgument, ImportRequest, import_environments
from kubectl_ksecret.importing.gotemplates import Inexpressible, translated
from kubectl_ksecret.importing.gotemplates import read as read_template
from kubectl_ksecret.importing.normalising import normalised
from kubectl_ksecret.sealing.certificate import read

from .builds import by_kubectl, from_manifests, objects
from .peers import peer, run
from .projects import Done, Project, age, opened_by_kubeseal, opened_by_sops, sealing
from .test_canary import CANARY, SHOWN, traces

ESO, BETA = "external-secrets.io/v1", "external-secrets.io/v1beta1"
LEFT = "# left"

STORE = """
apiVersion: external-secrets.io/v1beta1
kind: SecretStore
metadata: {name: vault, namespace: shop-test, labels: {app: shop}}
spec:
  provider:
    azurekv:
      authType: WorkloadIdentity
      vaultUrl: https://shop-test.vault.azure.net
      serviceAccountRef: {name: shop}
"""
BACKEND = """
apiVersion: external-secrets.io/v1beta1
kind: ExternalSecret
metadata:
  name: backend
  namespace: shop-test
  labels:
    app: shop
    tier: back
spec:
  refreshInterval: 30m
  refreshPolicy: Periodic
  secretStoreRef: {name: vault, kind: SecretStore}
  target:
    name: backend-secrets
    deletionPolicy: Retain
    template:
      engineVersion: v2
      type: Opaque
      metadata:
        labels: {team: blue}
        annotations: {reloader.stakater.com/match: "true"}
      data:
        jwt-secret: '{{ index . "jwt-secret" }}'
        url: 'mongodb://app:{{ .password | urlquery | replace "+" "%20" }}@db/app'
        token: '{{ .password | b64enc }}'
  data:
  - secretKey: jwt-secret
    remoteRef: {key: jwt-secret-key-test}
  - secretKey: password
    remoteRef:
      key: mongodb-test
      property: root.password
      decodingStrategy: Base64
      metadataPolicy: None
  - secretKey: unused  # left
    remoteRef: {key: unused-test}
"""
REDIS = """
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: redis-auth, namespace: shop-test, labels: {app: shop}}
spec:
  refreshInterval: 30m0s
  secretStoreRef: {name: vault}
  target:
    template: {type: kubernetes.io/basic-auth, metadata: {}}
  data:
  - secretKey: password
    remoteRef: {key: redis-password-test}
"""
OTHERS = """
apiVersion: external-secrets.io/v1alpha1
kind: PushSecret  # left
metadata: {name: push, namespace: shop-test}
---
apiVersion: external-secrets.io/v1
kind: ExternalSecret  # left
metadata: {name: all, namespace: shop-test, labels: {app: shop}}
spec:
  secretStoreRef: {name: vault}
  dataFrom: [{extract: {key: everything}}]
"""
FILES = {"store": STORE, "backend": BACKEND, "redis": REDIS, "others": OTHERS}

# What is rendered otherwise, by object and field: either the same to the operator, or listed at its line.
MAY_DIFFER = {
    ("SecretStore", "vault"): {"apiVersion"},
    ("ExternalSecret", "backend"): {
        "apiVersion",
        "spec.refreshInterval",  # 30m
        "spec.data.unused.key",  # no key is made of it
        "spec.data.password.metadataPolicy",  # None is the default
        "spec.target.template.data.url",  # .password and index . "password" are one
        "spec.target.template.data.token",
    },
    ("ExternalSecret", "redis-auth"): {
        "spec.refreshPolicy",  # Periodic is the default
        "spec.secretStoreRef.kind",  # SecretStore is the default
        "spec.target.deletionPolicy",  # Retain is the default
        "spec.target.template.engineVersion",  # v2 is the default
    },
}


def leaves(found: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The fields of an object; what is fetched by the key that it becomes, and nothing of empty mappings."""
    if path == "spec.data":
        for each in found:
            yield from leaves(each["remoteRef"], f"{path}.{each['secretKey']}")
    elif isinstance(found, dict):
        for name, value in found.items():
            yield from leaves(value, f"{path}.{name}" if path else name)
    else:
        yield path, found


def differing(one: Any, other: Any) -> set[str]:
    """The fields in which two objects are not the same."""
    first, second = dict(leaves(one)), dict(leaves(other))
    missing = object()
    return {path for path in {**first, **second} if first.get(path, missing) != second.get(path, missing)}


def marked(project: Project, folder: str) -> set[str]:
    """FILE:LINE of every line of a folder that says that it is left."""
    return {
        f"{path.relative_to(project.root)}:{number}"
        for path in sorted((project.root / folder).rglob("*.yaml"))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if line.endswith(LEFT)
    }


def warned(done: Done) -> set[str]:
    """FILE:LINE of every warning."""
    return set(re.findall(r"^warning: (\S+?:\d+):\d+: ", done.err, re.MULTILINE))


def lines(done: Done, prefix: str) -> list[str]:
    """What is said under a heading."""
    return [line.removeprefix(prefix) for line in done.err.splitlines() if line.startswith(prefix)]


def with_files(folder: Path, **files: str) -> Project:
    """A project with these manifests in old/test."""
    project = Project(folder)
    for name, text in files.items():
        project.write(f"old/test/{name}.yaml", text)
    return project


def external(name: str, keys: dict[str, str], namespace: str = "shop-test", **spec: Any) -> dict[str, Any]:
    """An ExternalSecret of these names in the vault."""
    data = [{"secretKey": key, "remoteRef": {"key": remote}} for key, remote in keys.items()]
    template: dict[str, Any] = {"template": {"metadata": {}}}
    return {
        "apiVersion": ESO,
        "kind": "ExternalSecret",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"secretStoreRef": {"name": "vault"}, "target": template, "data": data, **spec},
    }


def store(environment: str, kind: str = "SecretStore") -> dict[str, Any]:
    """A store of a vault of its own."""
    account = {"name": "shop"} | ({"namespace": f"shop-{environment}"} if kind == "ClusterSecretStore" else {})
    azure = {"vaultUrl": f"https://shop-{environment}.vault.azure.net", "authType": "WorkloadIdentity"}
    place = {} if kind == "ClusterSecretStore" else {"namespace": f"shop-{environment}"}
    provider = {"azurekv": azure | {"serviceAccountRef": account}}
    return {"apiVersion": ESO, "kind": kind, "metadata": {"name": "vault", **place}, "spec": {"provider": provider}}


def environment(project: Project, name: str, secrets: dict[str, dict[str, str]]) -> None:
    """old/NAME.yaml, with a store and these ExternalSecrets."""
    found = [store(name), *(external(secret, keys, f"shop-{name}") for secret, keys in secrets.items())]
    project.write(f"old/{name}/all.yaml", yaml.safe_dump_all(found))


def plain(name: str, namespace: str = "shop-prod", **fields: Any) -> dict[str, Any]:
    """A Secret of plain values."""
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", **fields}


def overlay(project: Project, name: str = "test") -> dict[str, Any]:
    """What an imported overlay says."""
    text = (project.root / f"new/overlays/{name}/secrets/ksecret.yaml").read_text()
    found: dict[str, Any] = yaml.safe_load(text)["spec"]
    return found


def declared(project: Project, secret: str) -> dict[str, Any]:
    """What an imported declaration says."""
    text = (project.root / f"new/generators/{secret}.yaml").read_text()
    found: dict[str, Any] = yaml.safe_load(text)["spec"]
    return found


def rendered(project: Project, name: str = "test") -> dict[tuple[str, str], dict[str, Any]]:
    """The objects of an imported overlay."""
    found = objects(project.done("render", name))
    assert project.done("render", "--check") == ""
    return {(each["kind"], each["metadata"]["name"]): each for each in found}


def test_external_secrets_render_the_same_and_every_other_field_is_listed(tmp_path: Path) -> None:
    """Field by field: what differs is in the list above, and each line that is marked is told, and no other."""
    project = with_files(tmp_path, **FILES)
    done = project.ksecret("import", "old/test", "--into", "new")
    assert done.code == 0
    after = rendered(project)
    before = [each for text in FILES.values() for each in yaml.safe_load_all(text)]
    kept = {(each["kind"], each["metadata"]["name"]): each for each in before if each["metadata"]["name"] != "all"}
    del kept["PushSecret", "push"]
    assert kept.keys() == MAY_DIFFER.keys()
    for (kind, name), each in kept.items():
        assert differing(each, after[kind, name]) == MAY_DIFFER[kind, name]
    assert after.keys() == kept.keys()
    made = after["ExternalSecret", "backend"]["spec"]["target"]["template"]["data"]
    assert made["url"] == 'mongodb://app:{{ index . "password" | urlquery | replace "+" "%20" }}@db/app'
    assert made["token"] == '{{ index . "password" | b64enc }}'
    assert warned(done) == marked(project, "old")


LOSSY = [
    ("spec.dataFrom", {"dataFrom": [{"extract": {"key": "everything"}}]}),
    ("spec.target.immutable", {"target": {"immutable": True}}),
    ("spec.target.template.engineVersion", {"target": {"template": {"engineVersion": "v1"}}}),
    ("spec.target.template.templateFrom", {"target": {"template": {"templateFrom": [{"literal": "a: {{ .a }}"}]}}}),
    (
        "spec.target.template.data.a",
        {"target": {"template": {"data": {"a": "{{ if .a }}x{{ end }}", "b": "{{ .a }}"}}}},
    ),
    ("spec.target.manifest", {"target": {"manifest": {"kind": "ConfigMap"}}}),
    (
        "spec.data[0].remoteRef.metadataPolicy",
        {"data": [{"secretKey": "a", "remoteRef": {"key": "a", "metadataPolicy": "Fetch"}}]},
    ),
    (
        "spec.data[0].remoteRef.decodingStrategy",
        {"data": [{"secretKey": "a", "remoteRef": {"key": "a", "decodingStrategy": "Auto"}}]},
    ),
    (
        "spec.data[0].sourceRef",
        {"data": [{"secretKey": "a", "remoteRef": {"key": "a"}, "sourceRef": {"storeRef": {"name": "x"}}}]},
    ),
    ("spec.aFieldOfTomorrow", {"aFieldOfTomorrow": {"a": 1}}),
]


CARRIED = [
    {"target": {"creationPolicy": "Merge", "template": {"metadata": {}}}},
    {"target": {"creationPolicy": "Orphan"}},
    {"target": {"deletionPolicy": "Delete"}},
    {"target": {"name": "odd-secret"}},
    {"refreshPolicy": "CreatedOnce"},
    {"refreshInterval": "0"},
    {"data": [{"secretKey": "a", "remoteRef": {"key": "a", "version": "0" * 32}}]},
    {"data": [{"secretKey": "a", "remoteRef": {"key": "a", "property": "x.0.#.y"}}]},
]


@pytest.mark.parametrize("spec", CARRIED, ids=range(len(CARRIED)))
def test_what_one_external_secret_has_alone_is_carried_over(tmp_path: Path, spec: dict[str, Any]) -> None:
    """The others beside it keep what they have, and nothing is said to be lost."""
    odd = external("odd", {"a": "a"}, **spec)
    others = [external(name, {"token": f"{name}-token"}) for name in ("app", "web")]
    project = with_files(tmp_path, odd=yaml.safe_dump(odd), rest=yaml.safe_dump_all([store("test"), *others]))
    done = project.ksecret("import", "old/test", "--into", "new")
    assert (done.code, lines(done, "warning: ")) == (0, [])
    documents = rendered(project)
    for document in (odd, *others):
        name = document["metadata"]["name"]
        assert normalised(documents["ExternalSecret", name]) == normalised(document)


@pytest.mark.parametrize(("field", "spec"), LOSSY)
def test_what_would_be_another_secret_stays_as_it_is(tmp_path: Path, field: str, spec: dict[str, Any]) -> None:
    """The object is named with the field that can't be declared; the others beside it are imported."""
    odd = external("odd", {"a": "a"}, **spec)
    others = [external(name, {"token": f"{name}-token"}) for name in ("app", "web")]
    project = with_files(tmp_path, odd=yaml.safe_dump(odd), rest=yaml.safe_dump_all([store("test"), *others]))
    done = project.ksecret("import", "old/test", "--into", "new")
    assert (done.code, [name for _, name in rendered(project)]) == (0, ["vault", "app", "web"])
    assert [re.sub(r"^(\S+?):\d+:\d+: ", r"\1 ", line) for line in lines(done, "warning: ")] == [
        f"old/test/odd.yaml ExternalSecret odd stays as it is: {line}"
        for line in (f"{field} is not carried over", f"{field} is not the same")
        if line in done.err
    ]
    assert len(lines(done, "warning: ")) == 1


def test_the_manifests_that_are_written_are_what_kubectl_builds(tmp_path: Path) -> None:
    """All that is needed is in the new folder."""
    project = with_files(tmp_path, store=STORE, redis=REDIS)
    project.ksecret("import", "old/test", "--into", "new")
    built = objects(by_kubectl(project.root / "new/overlays/test"))
    assert {(each["kind"], each["metadata"]["name"]): each for each in built} == rendered(project)


def test_labels_that_the_operator_copies_stay_on_the_secret(tmp_path: Path) -> None:
    """Without a template a Secret has its ExternalSecret's own; Argo CD's annotations are not meant for it."""
    copied = external("app", {"token": "token"})
    del copied["spec"]["target"]
    annotations = {"argocd.argoproj.io/sync-wave": "1", "reflector.example.org/on": "true"}
    copied["metadata"] |= {"labels": {"secret-type": "cluster"}, "annotations": annotations}
    project = with_files(tmp_path, all=yaml.safe_dump_all([store("test"), copied]))
    done = project.ksecret("import", "old/test", "--into", "new")
    template = rendered(project)["ExternalSecret", "app"]["spec"]["target"]["template"]
    assert template["metadata"] == {
        "labels": {"secret-type": "cluster"},
        "annotations": {"reflector.example.org/on": "true"},
    }
    assert overlay(project)["backend"]["externalSecret"]["metadata"] == {
        "labels": {"secret-type": "cluster"},
        "annotations": annotations,
    }
    assert "SecretStore vault stays as it is: keep its file" in done.err  # a sync wave would be new to it


def test_of_a_store_that_stays_nothing_is_told_as_new(tmp_path: Path) -> None:
    """The label that all ExternalSecrets have would be on a rendered one alone."""
    cluster = store("test", "ClusterSecretStore")
    cluster["spec"]["provider"]["azurekv"]["serviceAccountRef"]["namespace"] = "elsewhere"
    secret = external("app", {"token": "token"}, secretStoreRef={"kind": "ClusterSecretStore", "name": "vault"})
    secret["metadata"]["labels"] = {"team": "shop"}
    project = with_files(tmp_path, store=yaml.safe_dump(cluster), app=yaml.safe_dump(secret))
    done = project.ksecret("import", "old/test", "--into", "new")
    assert [line.rpartition(": ")[2] for line in lines(done, "warning: ")] == [
        "spec.provider.azurekv.serviceAccountRef.namespace is not the same",
        "keep its file",
    ]


def test_an_external_secret_without_a_key_is_told_how_it_could_have_one(tmp_path: Path) -> None:
    """Another environment would not help it."""
    found = external("all", {}, dataFrom=[{"find": {"name": {"regexp": ".*"}}}])
    del found["spec"]["data"]
    all_ = [store("test"), external("app", {"token": "token"}), found]
    project = with_files(tmp_path, all=yaml.safe_dump_all(all_))
    done = project.ksecret("import", "old/test", "--into", "new")
    said = "ExternalSecret all stays as it is: no key of it can be declared\nhint: list what it takes under data"
    assert said in done.err


@pytest.mark.parametrize("account", ["shop-test", "elsewhere"])
def test_a_cluster_secret_store_is_carried_over_or_stays(tmp_path: Path, account: str) -> None:
    """Its ServiceAccount in another namespace can't be said: the store stays, and that field is listed."""
    cluster = store("test", "ClusterSecretStore")
    cluster["spec"]["provider"]["azurekv"]["serviceAccountRef"]["namespace"] = account
    secret = external("app", {"token": "token"}, secretStoreRef={"kind": "ClusterSecretStore", "name": "vault"})
    project = with_files(tmp_path, store=yaml.safe_dump(cluster), app=yaml.safe_dump(secret))
    done = project.ksecret("import", "old/test", "--into", "new")
    said = overlay(project)["backend"]["externalSecret"]["store"]
    found = rendered(project)
    assert (said["name"], said["kind"]) == ("vault", "ClusterSecretStore")
    if account == "shop-test":
        assert differing(found["ClusterSecretStore", "vault"], cluster) == set()
        assert done.err == ""
    else:
        assert "auth" not in said
        assert lines(done, "warning: ") == [
            "old/test/store.yaml:11:9: ClusterSecretStore vault: "
            "spec.provider.azurekv.serviceAccountRef.namespace is not the same",
            "old/test/store.yaml:2:7: the ClusterSecretStore vault stays as it is: keep its file",
        ]


@pytest.mark.parametrize(
    ("auth", "said"),
    [
        ({"authType": "ManagedIdentity", "identityId": "abc"}, {"managedIdentity": {"identityId": "abc"}}),
        ({"authType": "ManagedIdentity"}, {"managedIdentity": {}}),
        (
            {
                "tenantId": "t",
                "authSecretRef": {"clientId": {"name": "s", "key": "id"}, "clientSecret": {"name": "s", "key": "k"}},
            },
            {"servicePrincipal": {"tenantId": "t", "secretName": "s", "clientIdKey": "id", "clientSecretKey": "k"}},
        ),
        (
            {
                "tenantId": "t",
                "authSecretRef": {
                    "clientId": {"name": "s", "key": "id"},
                    "clientSecret": {"name": "other", "key": "k"},
                },
            },
            None,
        ),
        ({"authType": "WorkloadIdentity", "serviceAccountRef": {"name": "shop"}, "tenantId": "t"}, None),
        ({"authType": "ManagedIdentity", "environmentType": "ChinaCloud"}, None),
    ],
)
def test_a_store_is_rendered_only_if_all_of_it_can_be_said(
    tmp_path: Path, auth: dict[str, Any], said: dict[str, Any] | None
) -> None:
    """Else it stays as it is, and the overlay names it alone."""
    made = store("test")
    made["spec"]["provider"]["azurekv"] = {"vaultUrl": "https://shop-test.vault.azure.net", **auth}
    project = with_files(tmp_path, all=yaml.safe_dump_all([made, external("app", {"token": "token"})]))
    done = project.ksecret("import", "old/test", "--into", "new")
    assert overlay(project)["backend"]["externalSecret"]["store"].get("auth") == said
    assert ("stays as it is" in done.err) is (said is None)


@pytest.mark.parametrize(("before", "after"), [("", "-{}"), ("{}-", ""), ("{}--", "")])
def test_names_that_differ_by_a_suffix_or_prefix_become_a_pattern(tmp_path: Path, before: str, after: str) -> None:
    """What does not fit is an override, and what both have without it is no pattern's."""
    project = Project(tmp_path)
    for name in ("test", "prod"):
        front, back = before.format(name), after.format(name)
        keys = {key: f"{front}{remote}{back}" for key, remote in [("token", "token"), ("jwt", "jwt-key"), ("a", "b")]}
        odd = {"special": "market-data" if name == "prod" else f"{front}special{back}"}
        environment(project, name, {"app": keys | odd})
    project.ksecret("import", "old/test", "old/prod", "--into", "new")
    assert [overlay(project, name)["source"]["names"] for name in ("test", "prod")] == [
        f"{before.format(name)}{{remoteName}}{after.format(name)}" for name in ("test", "prod")
    ]
    assert declared(project, "app")["keys"] == {
        "a": {"remoteName": "b"},
        "jwt": {"remoteName": "jwt-key"},
        "special": {},
        "token": {},
    }
    assert overlay(project, "prod")["overrides"] == {"app": {"keys": {"special": {"remoteName": "market-data"}}}}
    assert "overrides" not in overlay(project, "test")
    for name in ("test", "prod"):
        data = rendered(project, name)["ExternalSecret", "app"]["spec"]["data"]
        old = list(yaml.safe_load_all((project.root / f"old/{name}/all.yaml").read_text()))[1]["spec"]["data"]
        assert {each["secretKey"]: each for each in data} == {each["secretKey"]: each for each in old}


def test_one_environment_without_the_suffix_has_the_bare_pattern(tmp_path: Path) -> None:
    """As where production came first."""
    project = Project(tmp_path)
    environment(project, "prod", {"app": {"token": "token", "jwt": "jwt-key"}})
    environment(project, "test", {"app": {"token": "token-test", "jwt": "jwt-key-test"}})
    assert project.done("import", "old/prod", "old/test", "--into", "new")
    assert [overlay(project, name)["source"]["names"] for name in ("prod", "test")] == [
        "{remoteName}",
        "{remoteName}-test",
    ]


def test_the_same_names_everywhere_are_no_pattern(tmp_path: Path) -> None:
    """Each environment has its own vault."""
    project = Project(tmp_path)
    for name in ("test", "prod"):
        environment(project, name, {"app": {"token": "shop-token", "jwt": "shop-jwt"}})
    assert project.done("import", "old/prod", "old/test", "--into", "new")
    assert overlay(project, "test")["source"]["names"] == "{remoteName}"
    assert declared(project, "app")["keys"]["token"] == {"remoteName": "shop-token"}


def test_a_single_environment_shows_its_pattern_by_its_own_name(tmp_path: Path) -> None:
    """The other environment's names are not known yet, or are sealed."""
    project = Project(tmp_path)
    environment(project, "test", {"app": {"token": "token-test", "jwt": "jwt-key-test", "x": "odd"}})
    assert project.done("import", "old/test", "--into", "new")
    assert overlay(project, "test")["source"]["names"] == "{remoteName}-test"
    assert overlay(project, "test")["overrides"] == {"app": {"keys": {"x": {"remoteName": "odd"}}}}


def test_keys_of_one_name_in_a_vault_both_say_it(tmp_path: Path) -> None:
    """Two members of one JSON secret, and a value that two Secrets have, are no accident."""
    project = Project(tmp_path)
    environment(project, "test", {"app": {"a": "shared", "b": "SHARED"}, "other": {"shared": "shared"}})
    assert project.done("import", "old/test", "--into", "new")
    assert declared(project, "other")["keys"] == {"shared": {"remoteName": "shared"}}
    assert rendered(project)["ExternalSecret", "app"]["spec"]["data"][1]["remoteRef"] == {"key": "SHARED"}


def test_what_an_environment_lacks_is_omitted_with_the_reason(tmp_path: Path) -> None:
    """A Secret, and a key."""
    project = Project(tmp_path)
    environment(project, "test", {"app": {"token": "token", "debugging": "debug"}, "tools": {"pass": "p"}})
    environment(project, "prod", {"app": {"token": "token"}})
    project.done("import", "old/test", "old/prod", "--into", "new")
    reason = "Not in prod when it was imported"
    assert overlay(project, "prod")["overrides"] == {
        "app": {"keys": {"debugging": {"omit": reason}}},
        "tools": {"omit": reason},
    }


def test_two_names_of_one_secret_are_named_and_left_to_the_user(tmp_path: Path) -> None:
    """The note has the option; given, both environments have one name, and who reads the old one is told."""
    project = Project(tmp_path)
    environment(project, "test", {"app-secrets": {"jwt-secret-key": "jwt-test", "x": "x-test"}})
    environment(project, "prod", {"app-secrets": {"x": "x-prod"}, "backend-secrets": {"jwt-secret": "jwt-prod"}})
    option = ["--same", "app-secrets/jwt-secret-key=backend-secrets/jwt-secret"]
    done = project.ksecret("import", "old/test", "old/prod", "--into", "new", "--dry-run")
    assert lines(done, "note: ") == [
        "test has app-secrets/jwt-secret-key, prod has backend-secrets/jwt-secret; "
        f"if they are one, remove what was written and import again with {' '.join(option)}"
    ]
    done = project.ksecret("import", "old/test", "old/prod", "--into", "new", *option)
    assert lines(done, "note: ") == [
        "test: app-secrets/jwt-secret-key is backend-secrets/jwt-secret now; "
        "what reads it there has to read the new name"
    ]
    assert declared(project, "backend-secrets")["keys"] == {"jwt-secret": {"remoteName": "jwt"}}
    assert "overrides" not in overlay(project, "test") | overlay(project, "prod")
    assert rendered(project)["ExternalSecret", "backend-secrets"]["spec"]["data"] == [
        {"secretKey": "jwt-secret", "remoteRef": {"key": "jwt-test"}}
    ]
    assert lines(done, "warning: ") == []


def test_whole_secrets_under_two_names_become_one(tmp_path: Path) -> None:
    """All keys go along."""
    project = Project(tmp_path)
    environment(project, "test", {"app-secrets": {"jwt": "jwt-test", "x": "x-test"}})
    environment(project, "prod", {"backend-secrets": {"jwt": "jwt-prod", "x": "x-prod"}})
    option = ["--same", "app-secrets=backend-secrets"]
    done = project.ksecret("import", "old/test", "old/prod", "--into", "new", "--dry-run")
    assert [line.partition("import again with ")[2] for line in lines(done, "note: ")] == [" ".join(option)]
    done = project.ksecret("import", "old/test", "old/prod", "--into", "new", *option)
    assert "app-secrets is backend-secrets now" in done.err
    assert [each.name for each in (project.root / "new/generators").iterdir()] == ["backend-secrets.yaml"]
    assert [name for _, name in rendered(project)] == ["vault", "backend-secrets"]


@pytest.mark.parametrize(
    ("same", "error"),
    [
        (
            "app/tokn=app/x",
            'error: --same app/tokn=app/x: no environment has app/tokn\nhint: did you mean "app/token"?\n',
        ),
        ("app/token=app", "error: --same app/token=app: a Secret and a key can't be the same\n"),
        ("app=other", "error: --same app=other: test has both\n"),
        ("app/token=other/x", "error: --same app/token=other/x: test has both\n"),
        ("app", "Usage: "),
    ],
)
def test_what_can_not_be_the_same_is_told(tmp_path: Path, same: str, error: str) -> None:
    """Nothing is written."""
    project = Project(tmp_path)
    environment(project, "test", {"app": {"token": "token"}, "other": {"x": "x"}})
    before = project.files()
    done = project.ksecret("import", "old/test", "--into", "new", "--same", same)
    assert (done.code, done.err[: len(error)], project.files()) == (2, error, before)


def templated(environment: str, *keys: str, **templates: str) -> str:
    """An environment of one Secret that is made by templates."""
    template = {"metadata": {}, "data": templates}
    made = external(
        "app", {key: f"{key}-{environment}" for key in keys}, f"shop-{environment}", target={"template": template}
    )
    return yaml.safe_dump_all([store(environment), made])


def test_templates_that_differ_in_text_have_parameters(tmp_path: Path) -> None:
    """One declaration, and both environments render what they had."""
    project = Project(tmp_path)
    for name in ("test", "prod"):
        url = f"mongodb://app:{{{{ .password }}}}@mongo-{name}.db:27017/shop-{name}"
        project.write(f"old/{name}/all.yaml", templated(name, "password", url=url, same="x{{ .password }}"))
    assert project.done("import", "old/test", "old/prod", "--into", "new")
    assert declared(project, "app")["keys"] == {
        "same": {"template": "x{{ password }}"},
        "url": {"template": "mongodb://app:{{ password }}@{{ parameters.app-url-1 }}"},
    }
    for name in ("test", "prod"):
        assert overlay(project, name)["parameters"] == {"app-url-1": f"mongo-{name}.db:27017/shop-{name}"}
        data = rendered(project, name)["ExternalSecret", "app"]["spec"]["target"]["template"]["data"]
        assert data["url"] == f'mongodb://app:{{{{ index . "password" }}}}@mongo-{name}.db:27017/shop-{name}'


def test_a_secret_whose_template_is_another_one_elsewhere_stays(tmp_path: Path) -> None:
    """Declared is that of the first environment; the other one's object stays as it is, and its line is named."""
    project = Project(tmp_path)
    project.write("old/test/all.yaml", templated("test", "password", url="a{{ .password }}"))
    other = yaml.safe_dump(external("other", {"x": "x"}, "shop-prod"))
    project.write("old/prod/all.yaml", templated("prod", "password", url="a{{ .password | b64enc }}") + f"---\n{other}")
    done = project.ksecret("import", "old/test", "old/prod", "--into", "new")
    assert declared(project, "app")["keys"] == {"url": {"template": "a{{ password }}"}}
    (warning,) = lines(done, "warning: ")
    assert warning == (
        "old/prod/all.yaml:29:9: ExternalSecret app stays as it is: spec.target.template.data.url is not the same"
    )
    assert overlay(project, "prod")["overrides"] == {"app": {"omit": "Stays an ExternalSecret"}}
    assert [name for _, name in rendered(project, "prod")] == ["vault", "other"]


def test_what_a_template_makes_there_and_is_sealed_here_is_noted(tmp_path: Path) -> None:
    """Its text may be the other environment's."""
    project = Project(tmp_path)
    project.write("old/test/all.yaml", templated("test", "password", url="a{{ .password }}"))
    project.write("old/prod/all.yaml", yaml.safe_dump(plain("app", stringData={"url": "x"})))
    done = project.ksecret("import", "old/test", "old/prod", "--into", "new")
    assert (
        "note: prod: sealed anew, app/url is made by the template at new/generators/app.yaml:10:17; "
        "look whether its text is right there too\n"
    ) in done.err


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        ("a", "a"),
        ("{{ .a }}", "{{ a }}"),
        ('{{index . "a-b"}}/{{ (index . "c") | b64enc | toJson }}', "{{ a-b }}/{{ c | base64 | json }}"),
        ('{{ index . "a-b" | b64enc | toJson }}', "{{ a-b | base64 | json }}"),
        ("{{ b64enc .a }}", "{{ a | base64 }}"),
        ('{{ b64enc (index . "a-b") }}', "{{ a-b | base64 }}"),
        ("{{ .a | toString }}", "{{ a }}"),
        ("{{ .a | pkcs12cert }}{{ .a | pkcs12key }}", "{{ a | pkcs12cert }}{{ a | pkcs12key }}"),
        ('{{ .a | urlquery | replace "+" "%20" }}', "{{ a | urlencode }}"),
        ("{{ .a | urlquery }}", None),  # a blank is +
        ("{{ .a | upper }}", None),
        ('{{ "{" }}x', "{x"),
        ('{{ "{{" }}x', None),
        ('{{ "{" }}{{ "{" }}', None),
        ("{{- .a }}", None),
        ("{{ .a }", None),
        ("{{ .a.b }}", None),
        ("{{ .a .b }}", None),
        ("{{ . }}", None),
        ("{{/* a */}}", None),
        ("{{ $x := .a }}", None),
        ("{{ if .a }}x{{ end }}", None),
    ],
)
def test_go_templates_that_have_a_counterpart_are_translated(text: str, ours: str | None) -> None:
    """And no other: none may change its meaning."""
    if ours is not None:
        assert translated(read_template(text)) == ours
        return
    with pytest.raises(Inexpressible):
        translated(read_template(text))


def by_kubeseal(project: Project, secret: dict[str, Any], scope: str = "strict") -> str:
    """A SealedSecret that the real kubeseal makes of a Secret."""
    certificate = project.write("certificate.pem", sealing(1).certificate)
    arguments = (peer("kubeseal"), "--cert", certificate, "--scope", scope, "-o", "yaml")
    return run(*arguments, input=json.dumps(secret))


@pytest.mark.parametrize("scope", ["strict", "namespace-wide", "cluster-wide"])
def test_sealed_secrets_keep_their_ciphertext_and_kubeseal_opens_them(tmp_path: Path, scope: str) -> None:
    """Byte for byte, with the labels and the type of the Secret; the certificate is copied."""
    project = Project(tmp_path)
    labels = {"labels": {"team": "blue"}, "annotations": {"a": "b"}}
    secret = plain("app", stringData={"token": "the token", "jwt": "the jwt"})
    secret["metadata"] |= labels
    sealed = by_kubeseal(project, secret, scope)
    project.write("old/prod/app.yaml", sealed)
    certificate = tmp_path / "elsewhere.pem"
    certificate.write_bytes(sealing(1).certificate)
    assert project.done("import", "old/prod", "--into", "new", "--certificate", f"prod={certificate}")
    manifest = project.root / "new/overlays/prod/secrets/manifests/app.yaml"
    before, after = yaml.safe_load(sealed), yaml.safe_load(manifest.read_text())
    assert after["spec"]["encryptedData"] == before["spec"]["encryptedData"]
    assert differing(before, after) <= {
        "metadata.creationTimestamp",
        "spec.template.metadata.creationTimestamp",
        "spec.template.metadata.name",
        "spec.template.metadata.namespace",
    }
    assert opened_by_kubeseal(manifest) == {"token": b"the token", "jwt": b"the jwt"}
    assert overlay(project, "prod")["backend"] == {"sealedSecret": {"certificate": "sealing.pem", "scope": scope}}
    assert declared(project, "app")["annotations"] == {"a": "b"}  # the scope is the backend's
    assert rendered(project, "prod")["SealedSecret", "app"] == after
    assert objects(from_manifests(project.root / "new/overlays/prod")) == [after]
    accepted = ["--accept", read(sealing(1).certificate).fingerprint]  # nothing records what it was sealed for
    project.done("seal", "prod", "app/token", "--from-stdin", *accepted, stdin="another")
    assert opened_by_kubeseal(manifest) == {"token": b"another", "jwt": b"the jwt"}


def test_sealed_and_external_secrets_of_one_name_become_one_declaration(tmp_path: Path) -> None:
    """Each environment gives what it knows; without a certificate a note says how to fetch it."""
    project = Project(tmp_path)
    environment(project, "test", {"app": {"token": "app-token-test", "jwt": "jwt-test"}})
    sealed = by_kubeseal(project, plain("app", stringData={"token": "the token"}))
    project.write("old/prod/app.yaml", sealed)
    odd = by_kubeseal(project, plain("odd", stringData={"x": "y"}))
    odd = odd.replace("template:\n", "template:\n    immutable: true\n")
    project.write("old/prod/odd.yaml", odd)
    done = project.ksecret("import", "old/test", "old/prod", "--into", "new")
    line = odd.splitlines().index("    immutable: true") + 1
    assert lines(done, "warning: ") == [
        f"old/prod/odd.yaml:{line}:5: SealedSecret odd stays as it is: spec.template.immutable is not carried over"
    ]
    assert lines(done, "note: ") == [
        "fetch the controller's certificate: kubeseal --fetch-cert > new/overlays/prod/secrets/sealing.pem"
    ]
    assert declared(project, "app")["keys"] == {"jwt": {}, "token": {"remoteName": "app-token"}}
    assert overlay(project, "prod")["overrides"]["app"]["keys"].keys() == {"jwt"}
    assert [name for _, name in rendered(project, "prod")] == ["app"]


def test_a_sealed_secret_that_gets_another_name_is_sealed_anew(tmp_path: Path) -> None:
    """A strict ciphertext can't be opened under the new name, so it is not written; a key's new name is no matter."""
    project = Project(tmp_path)
    environment(project, "test", {"backend": {"jwt": "jwt-test"}, "app": {"token": "token-test"}})
    for name, values in (("old-backend", {"jwt": "the jwt"}), ("app", {"old-token": "the token"})):
        project.write(f"old/prod/{name}.yaml", by_kubeseal(project, plain(name, stringData=values)))
    same = ["--same", "old-backend=backend", "--same", "app/old-token=app/token", "--certificate", "certificate.pem"]
    done = project.ksecret("import", "old/test", "old/prod", "--into", "new", *same)
    assert (
        "note: prod: the old value of backend/jwt belongs to its old name, so seal it: "
        "kubectl ksecret seal prod backend/jwt --from-stdin\n"
    ) in done.err
    manifests = project.root / "new/overlays/prod/secrets/manifests"
    assert not (manifests / "backend.yaml").exists()
    assert opened_by_kubeseal(manifests / "app.yaml") == {"token": b"the token"}


def test_plain_values_under_another_name_are_sealed_one_by_one(tmp_path: Path) -> None:
    """The file has them under the old one, and `seal -f` takes no value for another key."""
    project = Project(tmp_path)
    environment(project, "test", {"backend": {"jwt": "jwt-test"}})
    project.write("old/prod/auth.yaml", yaml.safe_dump(plain("auth", stringData={"jwt-key": "x"})))
    done = project.ksecret("import", "old/test", "old/prod", "--into", "new", "--same", "auth/jwt-key=backend/jwt")
    assert lines(done, "note: ")[1:] == [
        "prod: the old value of backend/jwt belongs to its old name, so seal it: "
        "kubectl ksecret seal prod backend/jwt --from-stdin",
        "fetch the controller's certificate: kubeseal --fetch-cert > new/overlays/prod/secrets/sealing.pem",
    ]


def test_a_sealed_secret_of_another_scope_stays(tmp_path: Path) -> None:
    """An overlay has one scope."""
    project = Project(tmp_path)
    for name, scope in (("a", "strict"), ("b", "strict"), ("c", "cluster-wide")):
        project.write(f"old/prod/{name}.yaml", by_kubeseal(project, plain(name, stringData={"x": "y"}), scope))
    done = project.ksecret("import", "old/prod", "--into", "new", "--certificate", "certificate.pem")
    assert lines(done, "warning: ")[0].endswith("SealedSecret c stays as it is: its scope is another than that of most")
    assert [name for _, name in rendered(project, "prod")] == ["a", "b"]


def test_a_value_shows_up_nowhere(tmp_path: Path) -> None:
    """Of Secrets, of a generator's literals and of standard input; keys are declared, and the notes lead on."""
    project = Project(tmp_path)
    encoded = b64encode(CANARY.encode()).decode()
    secrets = [plain("one", data={"a": encoded}), plain("two", stringData={"b": CANARY})]
    project.write("old/prod/secrets.yaml", yaml.safe_dump_all(secrets))
    literal = yaml.safe_dump({"secretGenerator": [{"name": "three", "literals": [f"c={CANARY}"]}]})
    project.write("old/dr/kustomization.yaml", f"namespace: shop-dr\n{literal}")
    text = yaml.safe_dump(plain("four", "shop-x", data={"d": encoded}, stringData={"e": CANARY}))
    before = project.files()
    arguments = ["old/prod", "old/dr", "x=-", "--into", "new"]
    done = project.ksecret("import", *arguments, stdin=text)
    assert done.code == 0
    new = b"".join(content for name, content in project.files().items() if name not in before)
    assert traces(done.out.encode() + done.err.encode() + new, SHOWN) == []
    assert [list(declared(project, name)["keys"]) for name in ("one", "two", "three", "four")] == [
        ["a"],
        ["b"],
        ["c"],
        ["d", "e"],
    ]
    assert [line for line in lines(done, "note: ") if line.startswith("seal")] == [
        "seal the values of one, two: kubectl ksecret seal prod -f old/prod/secrets.yaml",
        "seal the values of three: kubectl ksecret seal dr three/c --from-stdin "
        "(they are literals of old/dr/kustomization.yaml:3:3)",
        "seal the values of four: kubectl ksecret seal x -f -",
    ]
    done = project.ksecret("import", *arguments, stdin=f"{text}\n  {CANARY}: [")
    assert (done.code, traces(done.out.encode() + done.err.encode(), SHOWN)) == (2, [])


def test_the_line_that_the_note_gives_seals_the_values(tmp_path: Path) -> None:
    """From the old file into the new overlay."""
    project = Project(tmp_path)
    project.write("certificate.pem", sealing(1).certificate)
    project.write("old/prod/app.yaml", yaml.safe_dump(plain("app", stringData={"token": "the token"})))
    done = project.ksecret("import", "old/prod", "--into", "new", "--certificate", "certificate.pem")
    (command,) = lines(done, "note: seal the values of app: kubectl ksecret ")
    project.done(*command.split())
    manifest = project.root / "new/overlays/prod/secrets/manifests/app.yaml"
    assert opened_by_kubeseal(manifest) == {"token": b"the token"}


def test_a_secret_generator_is_declared_without_its_hash(tmp_path: Path) -> None:
    """Literals, files and env files; the entries that have to go are named, and the values are sealed by a pipe."""
    project = Project(tmp_path)
    project.write("old/prod/.env.app", "# ours\nDB_PASSWORD=x\n\nAPI_KEY=y\n")
    project.write("old/prod/tls/ca.crt", "x")
    project.write(
        "old/prod/kustomization.yaml",
        "namespace: shop-prod\nsecretGenerator:\n- name: env\n  envs: [.env.app]\n"
        "- name: files\n  type: example.org/files\n  files: [tls/ca.crt, other=tls/ca.crt]\n  options:\n"
        "    labels: {team: blue}\n- name: literal\n  literals: [a=b]\n",
    )
    done = project.ksecret("import", "old/prod", "--into", "new")
    assert done.code == 0
    assert list(declared(project, "env")["keys"]) == ["API_KEY", "DB_PASSWORD"]
    assert declared(project, "files") == {
        "type": "example.org/files",
        "labels": {"team": "blue"},
        "keys": {"ca.crt": {}, "other": {}},
    }
    assert lines(done, "remove once it is sealed: ") == [
        "old/prod/kustomization.yaml:3: - name: env (of secretGenerator)",
        "old/prod/kustomization.yaml:5: - name: files (of secretGenerator)",
        "old/prod/kustomization.yaml:10: - name: literal (of secretGenerator)",
    ]
    assert (
        "note: seal the values of files: (cd old/prod && kubectl create secret generic files "
        "--from-file=tls/ca.crt --from-file=other=tls/ca.crt --dry-run=client -o yaml) "
        "| kubectl ksecret seal prod -f -\n"
    ) in done.err


def test_a_kustomization_is_built_and_its_lines_are_named(tmp_path: Path) -> None:
    """Of its base too; a file with other objects, and the patch of what is gone, are told apart."""
    project = Project(tmp_path)
    secrets = [store("test"), external("app", {"token": "token-base"})]
    for each in secrets:
        del each["metadata"]["namespace"]
    project.write("old/base/kustomization.yaml", "resources:\n- store.yaml\n- mixed.yaml\n")
    project.write("old/base/store.yaml", yaml.safe_dump(secrets[0]))
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "config"}}
    project.write("old/base/mixed.yaml", yaml.safe_dump_all([config, secrets[1]]))
    api = "apiVersion: external-secrets.io/v1\n"
    labelled = f"{api}kind: ExternalSecret\nmetadata:\n  name: app\n  labels: {{a: b}}\n"
    project.write("old/test/labels.yaml", labelled)
    patch = '[{"op": "replace", "path": "/spec/data/0/remoteRef/key", "value": "token-test"}]'
    project.write(
        "old/test/kustomization.yaml",
        "namespace: shop-test\nresources:\n- ../base\n"
        f"patches:\n- target: {{kind: ExternalSecret}}\n  patch: '{patch}'\n"
        "- patch: |\n    apiVersion: external-secrets.io/v1\n    kind: ExternalSecret\n    metadata:\n      name: app\n"
        "      labels: {c: d}\n"
        '- target: {kind: ConfigMap}\n  patch: \'[{"op": "add", "path": "/data", "value": {}}]\'\n'
        "- path: labels.yaml\n",
    )
    done = project.ksecret("import", "old/test", "--into", "new")
    assert done.code == 0, done.err
    assert lines(done, "remove: ") == [
        "old/test/kustomization.yaml:5: - target: {kind: ExternalSecret} (of patches)",
        "old/test/kustomization.yaml:7: the patch of ExternalSecret app (of patches)",
        "old/test/kustomization.yaml:15: - labels.yaml (of patches)",
        "old/base/kustomization.yaml:2: - store.yaml",
        "old/base/mixed.yaml:6: ExternalSecret app, in a file with other objects",
    ]
    assert rendered(project)["ExternalSecret", "app"]["spec"]["data"][0]["remoteRef"] == {"key": "token-test"}


def test_a_prefix_stays_with_the_kustomization_above(tmp_path: Path) -> None:
    """Two environments of one base have one name for each Secret, whatever the build makes of it."""
    project = Project(tmp_path)
    for name in ("test", "prod"):
        environment(project, name, {"app": {"token": f"token-{name}"}})
        project.write(f"old/{name}/kustomization.yaml", f"namePrefix: {name}-\nresources: [all.yaml]\n")
    done = project.ksecret("import", "old/test", "old/prod", "--into", "new")
    assert [name for _, name in rendered(project)] == ["vault", "app"]
    assert [line for line in lines(done, "note: ") if "prefix" in line] == [
        f"old/{name}/kustomization.yaml:1:1: what is imported has the names before this prefix or suffix; "
        "keep it in the kustomization above"
        for name in ("test", "prod")
    ]


def test_a_secret_of_the_vault_is_named_with_or_without_its_kind_and_no_certificate(tmp_path: Path) -> None:
    """Azure Key Vault's keys and certificates can't be declared: what takes one stays, and the entry is named."""
    found = external("app", {"a": "secret/token-test", "c": "x-test"})
    certificate = external("tls", {"a": "x", "b": "cert/shop-tls"})
    project = with_files(tmp_path, all=yaml.safe_dump_all([store("test"), found, certificate]))
    done = project.ksecret("import", "old/test", "--into", "new")
    assert declared(project, "app")["keys"] == {"a": {"remoteName": "token"}, "c": {"remoteName": "x"}}
    (warning,) = lines(done, "warning: ")
    assert warning.endswith("ExternalSecret tls stays as it is: spec.data[1] is not carried over")
    line = int(warning.split(":")[1])
    assert (project.root / "old/test/all.yaml").read_text().splitlines()[line - 1] == "  - remoteRef:"
    assert "cert/shop-tls" in (project.root / "old/test/all.yaml").read_text().splitlines()[line]


def test_merged_templates_keep_what_is_fetched(tmp_path: Path) -> None:
    """With mergePolicy Merge the fetched keys stay beside those that are made."""
    merged = {"template": {"metadata": {}, "mergePolicy": "Merge", "data": {"url": "x{{ .a }}"}}}
    found = external("app", {"a": "a-test"}, target=merged)
    project = with_files(tmp_path, all=yaml.safe_dump_all([store("test"), found]))
    assert project.done("import", "old/test", "--into", "new")
    assert declared(project, "app")["keys"] == {"a": {}, "url": {"template": "x{{ a }}"}}


def test_what_is_fetched_and_not_kept_is_listed(tmp_path: Path) -> None:
    """A template that leaves it out drops it."""
    target = {"template": {"metadata": {}, "data": {"url": "x{{ .a }}"}}}
    found = external("app", {"a": "a-test", "b": "b-test"}, target=target)
    project = with_files(tmp_path, all=yaml.safe_dump_all([store("test"), found]))
    done = project.ksecret("import", "old/test", "--into", "new")
    assert declared(project, "app") == {"inputs": {"a": {}}, "keys": {"url": {"template": "x{{ a }}"}}}
    (warning,) = lines(done, "warning: ")
    assert warning.endswith("ExternalSecret app: spec.data[1] is not carried over")


def test_secrets_that_others_make_or_sops_encrypts_stay(tmp_path: Path) -> None:
    """They are named, and what is beside them is imported."""
    project = Project(tmp_path)
    found = [
        plain("app", stringData={"a": "b"}),
        plain("token", data={"token": ""}) | {"type": "kubernetes.io/service-account-token"},
        plain("encrypted", data={"a": "b"}, sops={"pgp": [{"fp": "A" * 40}]}),
        plain("ENC[AES256_GCM,data:x]", data={"a": "b"}, sops={"age": []}),
        plain("empty"),
    ]
    project.write("old/prod/all.yaml", yaml.safe_dump_all(found))
    done = project.ksecret("import", "old/prod/all.yaml", "--into", "new")
    assert sorted(line.partition(": ")[2] for line in lines(done, "warning: ")) == [
        "Secret empty has no key to declare",
        "Secret encrypted stays as it is: it is encrypted for no age recipient",
        "Secret token is left out: it is made by whoever makes Secrets of type kubernetes.io/service-account-token",
        "this object stays as it is: even its name is encrypted",
    ]
    assert [each.name for each in (project.root / "new/generators").iterdir()] == ["app.yaml"]


def test_labels_of_one_environment_are_not_spread_to_the_other(tmp_path: Path) -> None:
    """Declared is what all have; the rest is listed at its line, and a Secret of another type stays."""
    project = Project(tmp_path)
    for name, type_, labels in (("test", "Opaque", {"a": "b", "c": "d"}), ("prod", "example.org/x", {"a": "x"})):
        labelled, typed = (plain(secret, f"shop-{name}", stringData={"a": "b"}) for secret in ("app", "typed"))
        labelled["metadata"]["labels"] = labels | {"team": "blue"}
        project.write(f"old/{name}/all.yaml", yaml.safe_dump_all([labelled, typed | {"type": type_}]))
    done = project.ksecret("import", "old/test", "old/prod", "--into", "new")
    assert declared(project, "app")["labels"] == {"team": "blue"}
    assert [re.sub(r":\d+:\d+: ", ": ", line) for line in lines(done, "warning: ")] == [
        "old/test/all.yaml: Secret app: metadata.labels.a is not carried over",
        "old/test/all.yaml: Secret app: metadata.labels.c is not carried over",
        "old/prod/all.yaml: Secret typed stays as it is: type is not the same",
        "old/prod/all.yaml: Secret app: metadata.labels.a is not carried over",
    ]


def built(project: Project, folder: str) -> dict[tuple[str, str], Any]:
    """What kubectl builds of a folder, in the normal form in which rendering may not change anything."""
    found = objects(by_kubectl(project.root / folder))
    return {(each["kind"], each["metadata"]["name"]): normalised(each) for each in found}


def deployed_tree(project: Project, folder: str = ".deploy/k8s", **files: str) -> list[str]:
    """A base with an ExternalSecret and a ConfigMap, and two overlays that patch it; further files by path."""
    base = [external("app", {"token": "token-test"}), {"apiVersion": "v1", "kind": "ConfigMap"}]
    del base[0]["metadata"]["namespace"]
    base[1]["metadata"] = {"name": "settings"}
    project.write(f"{folder}/base/app.yaml", yaml.safe_dump(base[0]))
    project.write(f"{folder}/base/settings.yaml", yaml.safe_dump(base[1]))
    project.write(f"{folder}/base/kustomization.yaml", "resources:\n- app.yaml  # its secrets\n- settings.yaml\n")
    for name in ("test", "prod"):
        project.write(f"{folder}/overlays/{name}/store.yaml", yaml.safe_dump(store(name)))
        text = f"# of {name}\nnamespace: shop-{name}\nresources:\n- ../../base\n- store.yaml\n"
        if name == "prod":
            operation = {"op": "replace", "path": "/spec/data/0/remoteRef/key", "value": "token-prod"}
            patch = json.dumps(json.dumps([operation]))
            text += f"patches:\n- target: {{kind: ExternalSecret, name: app}}\n  patch: {patch}\n"
        project.write(f"{folder}/overlays/{name}/kustomization.yaml", text)
    for path, text in files.items():
        project.write(path, text)
    return [f"{folder}/overlays/{name}" for name in ("test", "prod")]


def test_the_tree_that_is_deployed_goes_over_to_what_is_imported(tmp_path: Path) -> None:
    """Both edits are printed, --wire makes them, and both environments build the objects that they built before."""
    project = Project(tmp_path)
    folders = deployed_tree(project)
    before = [built(project, folder) for folder in folders]
    tree = project.files()
    unlisted = f"{folders[0]}/store.yaml, .deploy/k8s/base/app.yaml, {folders[1]}/store.yaml"
    note = f"note: nothing lists these any more, so delete them: {unlisted}"
    edits = [
        ("add", f"{folders[0]}/kustomization.yaml: - ../../../../overlays/test/secrets (to resources)"),
        ("add", f"{folders[1]}/kustomization.yaml: - ../../../../overlays/prod/secrets (to resources)"),
        ("remove", f"{folders[0]}/kustomization.yaml:5: - store.yaml"),
        ("remove", ".deploy/k8s/base/kustomization.yaml:2: - app.yaml"),
        ("remove", f"{folders[1]}/kustomization.yaml:5: - store.yaml"),
        ("remove", f"{folders[1]}/kustomization.yaml:7: - target: {{kind: ExternalSecret}} (of patches)"),
    ]
    done = project.ksecret("import", *folders, "--dry-run")
    assert (done.code, done.err.splitlines()) == (0, [*(f"{edit}: {line}" for edit, line in edits), note])
    done = project.ksecret("import", *folders, "--wire")
    past = {"add": "added", "remove": "removed"}
    assert (done.code, done.err.splitlines()) == (0, [*(f"{past[edit]}: {line}" for edit, line in edits), note])
    assert [built(project, folder) for folder in folders] == before
    assert project.changed_since(tree) == set(done.out.splitlines())
    spec = yaml.safe_load((project.root / "overlays/prod/secrets/ksecret.yaml").read_text())["spec"]
    assert spec["kustomization"] == "../../../.deploy/k8s/overlays/prod"
    assert not (project.root / "overlays/prod/kustomization.yaml").exists()
    assert (project.root / folders[0] / "kustomization.yaml").read_text() == (
        "# of test\nnamespace: shop-test\nresources:\n- ../../base\n- ../../../../overlays/test/secrets\n"
    )


def test_an_overlay_in_its_own_place_is_listed_there(tmp_path: Path) -> None:
    """The deployed folder is the overlay's own, so nothing names it."""
    project = Project(tmp_path)
    folders = deployed_tree(project, ".")
    before = [built(project, folder) for folder in folders]
    done = project.ksecret("import", "overlays/test", "overlays/prod", "--wire")
    assert done.code == 0, done.err
    assert [built(project, folder) for folder in folders] == before
    spec = yaml.safe_load((project.root / "overlays/prod/secrets/ksecret.yaml").read_text())["spec"]
    assert "kustomization" not in spec
    assert "- secrets\n" in (project.root / "overlays/prod/kustomization.yaml").read_text()


def test_a_line_that_another_environment_deploys_too_can_not_go_yet(tmp_path: Path) -> None:
    """Taken out of the base it would be gone there: nothing of that environment is edited until both are imported."""
    project = Project(tmp_path)
    test, prod = deployed_tree(project)
    done = project.ksecret("import", test, "--dry-run")
    assert (done.code, lines(done, "add: "), lines(done, "remove: ")) == (0, [], [])
    assert lines(done, "note: ") == [
        f"test: .deploy/k8s/base/kustomization.yaml:2: - app.yaml can't go yet, {prod} deploys it too; "
        "import that at the same time, and what is left there first"
    ]
    before = project.files()
    done = project.ksecret("import", test, "--wire")
    assert (done.code, project.files()) == (2, before)


def test_a_plain_secret_goes_once_it_is_sealed(tmp_path: Path) -> None:
    """Until then its line stays where it is: its object would be lost."""
    project = Project(tmp_path)
    project.write("k8s/prod/secret.yaml", yaml.safe_dump(plain("app", stringData={"token": "the token"})))
    project.write("k8s/prod/kustomization.yaml", "namespace: shop-prod\nresources: [secret.yaml]\n")
    certificate = project.write("sealing.pem", sealing(1).certificate)
    done = project.ksecret("import", "k8s/prod", "--certificate", str(certificate), "--wire")
    assert done.code == 0, done.err
    assert lines(done, "remove once it is sealed: ") == ["k8s/prod/kustomization.yaml:2: - secret.yaml"]
    assert built(project, "k8s/prod").keys() == {("Secret", "app")}
    (command,) = lines(done, "note: seal the values of app: kubectl ksecret ")
    accepted = ["--accept", read(sealing(1).certificate).fingerprint]
    assert project.ksecret(*command.split(), *accepted).code == 0
    text = (project.root / "k8s/prod/kustomization.yaml").read_text()
    project.write("k8s/prod/kustomization.yaml", text.replace("secret.yaml, ", ""))
    assert built(project, "k8s/prod").keys() == {("SealedSecret", "app")}


def test_a_base_of_which_nothing_is_left_goes_as_a_whole(tmp_path: Path) -> None:
    """Kustomize builds no empty kustomization."""
    project = Project(tmp_path)
    folders = deployed_tree(project)
    project.write(".deploy/k8s/base/kustomization.yaml", "resources: [app.yaml]\n")
    before = [built(project, folder) for folder in folders]
    done = project.ksecret("import", *folders, "--wire")
    assert done.code == 0, done.err
    assert f"{folders[0]}/kustomization.yaml:4: - ../../base" in lines(done, "removed: ")
    assert [built(project, folder) for folder in folders] == before


def test_an_object_goes_out_of_a_file_with_others(tmp_path: Path) -> None:
    """The rest of the file keeps its bytes."""
    project = Project(tmp_path)
    made = yaml.safe_dump(external("app", {"token": "token"}))
    config = "# ours\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}  # kept\n"
    text = f"{config}---\n{made}---\n{config.replace('settings', 'others')}"
    project.write("k8s/test/all.yaml", text)
    project.write("k8s/test/store.yaml", yaml.safe_dump(store("test")))
    project.write("k8s/test/kustomization.yaml", "namespace: shop-test\nresources:\n- all.yaml\n- store.yaml\n")
    before = built(project, "k8s/test")
    done = project.ksecret("import", "k8s/test", "--wire")
    assert (done.code, (project.root / "k8s/test/all.yaml").read_text()) == (0, text.replace(f"---\n{made}", ""))
    assert built(project, "k8s/test") == before


def test_a_patch_of_what_stays_too_keeps_all_as_it_is(tmp_path: Path) -> None:
    """It would change what is rendered as well."""
    project = Project(tmp_path)
    every = external("every", {}, dataFrom=[{"extract": {"key": "everything"}}])
    secrets = [store("test"), external("app", {"token": "token"}), every]
    project.write("k8s/test/all.yaml", yaml.safe_dump_all(secrets))
    operation = json.dumps(json.dumps([{"op": "add", "path": "/spec/refreshInterval", "value": "30m"}]))
    patch = f"patches:\n- target: {{kind: ExternalSecret}}\n  patch: {operation}\n"
    project.write("k8s/test/kustomization.yaml", f"namespace: shop-test\nresources: [all.yaml]\n{patch}")
    done = project.ksecret("import", "k8s/test", "--dry-run")
    assert (done.code, lines(done, "add: "), lines(done, "remove: ")) == (0, [], [])
    assert lines(done, "note: ") == [
        "test: k8s/test/kustomization.yaml:4:3: this patch changes ExternalSecret app, which is imported, "
        "and ExternalSecret every, which stays; give the patch the name of what stays"
    ]


def test_a_file_that_a_kustomization_lists_is_wired_there(tmp_path: Path) -> None:
    """The argument may be the file alone."""
    project = Project(tmp_path)
    project.write("k8s/test/all.yaml", yaml.safe_dump_all([store("test"), external("app", {"token": "token"})]))
    project.write("k8s/test/kustomization.yaml", "namespace: shop-test\nresources:\n- all.yaml\n")
    before = built(project, "k8s/test")
    done = project.ksecret("import", "test=k8s/test/all.yaml", "--wire")
    assert done.code == 0, done.err
    assert built(project, "k8s/test") == before
    spec = yaml.safe_load((project.root / "overlays/test/secrets/ksecret.yaml").read_text())["spec"]
    assert spec["kustomization"] == "../../../k8s/test"


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """What is the same already is no obstacle; whatever else stands in its place is refused."""
    project = with_files(tmp_path, store=STORE, redis=REDIS)
    project.ksecret("import", "old/test", "--into", "new")
    before = project.files()
    done = project.ksecret("import", "old/test", "--into", "new")
    assert (done.code, project.files()) == (0, before)
    for name in ("new/generators/redis-auth.yaml", "new/overlays/test/secrets/manifests/redis-auth.yaml"):
        project.write(name, "# mine\n")
        changed = project.files()
        done = project.ksecret("import", "old/test", "--into", "new")
        assert (done.code, done.err.splitlines()[0]) == (2, f"error: {name} exists already")
        assert project.files() == changed
        project.write(name, before[name])
    done = project.ksecret("import", "old/test", "--into", "other")
    assert (done.code, done.err.splitlines()[0]) == (
        2,
        "error: new/overlays/test/secrets/ksecret.yaml is named test already",
    )
    project.write("third/overlays/prod/secrets/mine.yaml", "")
    done = project.ksecret("import", "prod=old/test", "--into", "third")
    assert (done.code, done.err.splitlines()[0]) == (2, "error: third/overlays/prod/secrets/mine.yaml exists already")
    assert set(project.files()) == {*before, "third/overlays/prod/secrets/mine.yaml"}


def test_a_dry_run_writes_nothing_and_says_the_same(tmp_path: Path) -> None:
    """Files, warnings and notes."""
    project = with_files(tmp_path, **FILES)
    before = project.files()
    dry = project.ksecret("import", "old/test", "--into", "new", "--dry-run")
    assert project.files() == before
    done = project.ksecret("import", "old/test", "--into", "new")
    assert dry == done
    assert project.changed_since(before) == set(done.out.splitlines())


def test_standard_input_is_an_environment_as_kubectl_prints_it(tmp_path: Path) -> None:
    """What a server adds to objects is nobody's field."""
    project = Project(tmp_path)
    secret = external("app", {"token": "token-test"})
    secret["metadata"] |= {
        "uid": "u",
        "resourceVersion": "1",
        "generation": 1,
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
    }
    secret["status"] = {"conditions": []}
    secret["spec"]["target"] |= {"creationPolicy": "Owner", "deletionPolicy": "Retain"}
    text = yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": [store("test"), secret]})
    assert project.done("import", "test=-", "--into", "new", stdin=text)
    assert [name for _, name in rendered(project)] == ["vault", "app"]
    assert project.ksecret("import", "-", "--into", "more", stdin=text).code == 2


@pytest.mark.parametrize("kustomized", [False, True])
def test_a_broken_file_is_told_with_its_place_and_nothing_is_written(tmp_path: Path, kustomized: bool) -> None:
    """In a folder, in a kustomization and on standard input."""
    project = with_files(tmp_path, store=STORE, broken="a: b\nc: [\n")
    if kustomized:
        project.write("old/test/kustomization.yaml", "namespace: shop\nresources: [store.yaml, broken.yaml]\n")
    before = project.files()
    done = project.ksecret("import", "old/test", "--into", "new")
    assert (done.code, done.out, done.err.splitlines()[0], project.files()) == (
        2,
        "",
        "error: old/test/broken.yaml:3:1: not valid YAML",
        before,
    )
    done = project.ksecret("import", "test=-", "--into", "new", stdin="a: b\nc: [\n")
    assert (done.code, done.err) == (2, "error: standard input:3:1: not valid YAML\n")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["nowhere"], "error: nowhere does not exist\n"),
        (["old/test", "test=old/prod"], "error: two environments are named test\n"),
        (["A=old/test"], "error: old/test: A can't be an overlay's name\n"),
        (["old/empty"], "error: empty: old/empty holds nothing to import\n"),
        (["old/config", "--namespace", "config=x"], "error: config: old/config holds nothing to import\n"),
        (["old/nowhere"], "error: nowhere: old/nowhere says no namespace\n"),
        (["old/two"], "error: two: old/two has Secrets in a, b; an overlay is of one namespace\n"),
        (["old/test", "--namespace", "x=y"], "Usage: "),
    ],
)
def test_what_can_not_be_imported_is_told_and_nothing_is_written(
    tmp_path: Path, arguments: list[str], error: str
) -> None:
    """Each ends with 2."""
    project = with_files(tmp_path, store=STORE, redis=REDIS)
    project.write("old/empty/x.yaml", "")
    project.write("old/nowhere/x.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: x}\n")
    project.write("old/config/x.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n")
    two = [plain("x", "a", stringData={"y": "z"}), plain("x", "b", stringData={"y": "z"})]
    project.write("old/two/x.yaml", yaml.safe_dump_all(two))
    before = project.files()
    done = project.ksecret("import", *arguments, "--into", "new")
    assert (done.code, done.err[: len(error)], project.files()) == (2, error, before)


def test_a_store_that_is_elsewhere_may_be_of_any_provider(tmp_path: Path) -> None:
    """The overlay has no source then; a note tells how to name the Key Vault, if it is one."""
    project = Project(tmp_path)
    project.write("old/lone/x.yaml", yaml.safe_dump(external("app", {"a": "b"})))
    done = project.ksecret("import", "old/lone", "--into", "new")
    assert (done.code, "source" in overlay(project, "lone")) == (0, False)
    assert "note: lone: its store is not among these objects, so the overlay has no source; " in done.err
    assert "; --vault-url lone=https://… names its Key Vault, if it has one\n" in done.err


def test_the_user_can_say_the_namespace_and_the_vault(tmp_path: Path) -> None:
    """Objects of the other namespace stay, and are named."""
    project = Project(tmp_path)
    found = [external("app", {"token": "token-test"}), external("other", {"x": "y"}, "elsewhere")]
    project.write("old/test/all.yaml", yaml.safe_dump_all(found))
    done = project.ksecret(
        *("import", "old/test", "--into", "new", "--namespace", "test=shop-test"),
        *("--vault-url", "test=https://shop.vault.azure.net"),
    )
    assert lines(done, "warning: ")[0].endswith("ExternalSecret other is in the namespace elsewhere")
    assert [name for _, name in rendered(project)] == ["app"]


def test_what_needs_another_backend_or_store_stays(tmp_path: Path) -> None:
    """An overlay has one of each; the Secret's override says that it is there all the same."""
    project = Project(tmp_path)
    other = external("third", {"x": "y"}, secretStoreRef={"name": "another"})
    secret = plain("second", "shop-test", stringData={"x": "y"})
    found = [store("test"), external("app", {"a": "a"}), external("b", {"b": "b"}), other, secret]
    project.write("old/test/all.yaml", yaml.safe_dump_all(found))
    environment(project, "prod", {"app": {"a": "a"}, "b": {"b": "b"}, "second": {"x": "x"}, "third": {"x": "z"}})
    done = project.ksecret("import", "old/test", "old/prod", "--into", "new")
    said = [line.partition(": ")[2] for line in lines(done, "warning: ")]
    assert said == [
        "ExternalSecret third stays as it is: it reads another store than most",
        "Secret second stays as it is",
    ]
    assert overlay(project)["overrides"] == {
        "second": {"omit": "Stays a Secret"},
        "third": {"omit": "Stays an ExternalSecret of another store"},
    }


def changed(document: Any, values: list[Any]) -> Iterator[Any]:
    """The document with each of its fields, in turn, become each of these values."""
    names = list(document) if isinstance(document, dict) else range(len(document)) if isinstance(document, list) else ()
    for name in names:
        for value in values:
            copied = copy.copy(document)
            copied[name] = value
            yield copied
        for below in changed(document[name], values):
            copied = copy.copy(document)
            copied[name] = below
            yield copied


ODD: list[Any] = [None, 5, "", "x y", "{{", [], [3], [{"a": []}], {}, {"a": "b"}, {5: []}]


@pytest.mark.parametrize("text", [STORE, BACKEND, REDIS])
def test_odd_input_is_imported_or_refused_and_never_a_traceback(tmp_path: Path, text: str) -> None:
    """Any type anywhere."""
    into = str(Project(tmp_path).root)
    others = [each for each in (STORE, REDIS) if each != text]
    whole = "---".join(others)
    for odd in changed(yaml.safe_load(text), ODD):
        given = f"{whole}\n---\n{yaml.safe_dump(odd)}"
        argument = EnvironmentArgument(name="test", path="-", text=given)
        try:
            import_environments(ImportRequest(environments=[argument], into=into, dry_run=True), datetime.now(UTC))
        except InputError:
            continue


def test_odd_secrets_are_imported_or_refused_and_never_a_traceback(tmp_path: Path) -> None:
    """Sealed and plain."""
    into = str(Project(tmp_path).root)
    sealed = {
        "apiVersion": "bitnami.com/v1alpha1",
        "kind": "SealedSecret",
        "metadata": {
            "name": "b",
            "namespace": "shop",
            "annotations": {"sealedsecrets.bitnami.com/cluster-wide": "true"},
        },
        "spec": {"encryptedData": {"a": "b"}, "template": {"type": "Opaque", "metadata": {"labels": {"a": "b"}}}},
    }
    secret = plain("a", "shop", data={"a": "b"}, stringData={"c": "d"})
    for one in (sealed, secret):
        for odd in changed(one, ODD):
            given = yaml.safe_dump_all([plain("x", "shop", data={"a": "b"}), odd])
            argument = EnvironmentArgument(name="test", path="-", text=given)
            try:
                import_environments(ImportRequest(environments=[argument], into=into, dry_run=True), datetime.now(UTC))
            except InputError:
                continue


CONTROLLERS = {
    "labels": {
        "app.kubernetes.io/managed-by": "Helm",
        "app.kubernetes.io/instance": "shop",
        "helm.sh/chart": "shop-1.0.0",
        "argocd.argoproj.io/instance": "shop",
        "kustomize.toolkit.fluxcd.io/name": "apps",
        "reconcile.external-secrets.io/created-by": "abc",
        "controller.cert-manager.io/fao": "true",
        "velero.io/restore-name": "nightly",
    },
    "annotations": {
        "meta.helm.sh/release-name": "shop",
        "argocd.argoproj.io/tracking-id": "shop:/Secret:shop/app",
        "argocd.argoproj.io/sync-wave": "1",
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
        "reconcile.external-secrets.io/data-hash": "0123456789abcdef",
        "force-sync": "1700000000",
        "sealedsecrets.bitnami.com/managed": "true",
        "cert-manager.io/certificate-name": "shop",
        "ksecret.dev/sealed-keys": "token version=1",
        "reflector.v1.k8s.emberstack.com/reflected-version": "7",
    },
}
MEANT = {
    "labels": {"team": "blue", "argocd.argoproj.io/secret-type": "repository"},
    "annotations": {"reflector.v1.k8s.emberstack.com/reflection-allowed": "true"},
}


def with_metadata(object_: dict[str, Any]) -> dict[str, Any]:
    """The object with what controllers wrote, and what somebody meant."""
    object_["metadata"] |= {field: CONTROLLERS[field] | MEANT[field] for field in MEANT}
    return object_


def test_what_controllers_write_never_goes_into_a_declaration(tmp_path: Path) -> None:
    """The Secret is imported without it, and nothing of it is listed; what somebody meant is declared."""
    project = Project(tmp_path)
    fetched = with_metadata(external("fetched", {"token": "token"}))
    del fetched["spec"]["target"]
    project.write("old/test/all.yaml", yaml.safe_dump_all([store("test"), fetched]))
    project.write("old/prod/all.yaml", yaml.safe_dump(with_metadata(plain("typed", stringData={"a": "b"}))))
    done = project.ksecret("import", "old/test", "old/prod", "--into", "new")
    assert done.code == 0
    for name in ("fetched", "typed"):
        assert {field: declared(project, name)[field] for field in MEANT} == MEANT
    assert overlay(project)["backend"]["externalSecret"]["metadata"]["annotations"] == {
        "argocd.argoproj.io/sync-wave": "1",  # of the manifest, for which a person wrote it
        **MEANT["annotations"],
    }
    assert [line for line in lines(done, "warning: ") if "vault" not in line] == []


def test_what_another_object_makes_is_left_out_and_named(tmp_path: Path) -> None:
    """A label is no ownership, a controller's reference is; what is beside them is imported."""
    project = Project(tmp_path)
    made = plain("made", stringData={"a": "b"})
    made["metadata"]["ownerReferences"] = [{"kind": "Database", "name": "shop", "controller": True}]
    owned = plain("owned", stringData={"a": "b"})
    owned["metadata"]["ownerReferences"] = [{"kind": "Application", "name": "shop"}]
    release = plain("release", stringData={"release": "b"}) | {"type": "helm.sh/release.v1"}
    copied = plain("copied", stringData={"a": "b"})
    copied["metadata"]["annotations"] = {"reflector.v1.k8s.emberstack.com/reflects": "other/copied"}
    project.write("old/prod/all.yaml", yaml.safe_dump_all([made, owned, release, copied]))
    done = project.ksecret("import", "old/prod", "--into", "new")
    assert [each.name for each in (project.root / "new/generators").iterdir()] == ["owned.yaml"]
    assert [line.partition(": ")[2] for line in lines(done, "warning: ")] == [
        "Secret made is left out: it is made by the Database shop",
        "Secret release is left out: it is made by whoever makes Secrets of type helm.sh/release.v1",
        "Secret copied is left out: it is made by whoever reads reflector.v1.k8s.emberstack.com/reflects",
    ]


def test_the_recipe_for_a_certificate_of_key_vault_is_declared(tmp_path: Path) -> None:
    """External Secrets' own: what the vault holds in base64 is decoded, then taken apart."""
    templates = {"tls.crt": "{{ .tls | b64dec | pkcs12cert }}", "tls.key": "{{ .tls | b64dec | pkcs12key }}"}
    target = {"template": {"type": "kubernetes.io/tls", "metadata": {}, "data": templates}}
    made = external("tls", {"tls": "shop-tls"}, target=target)
    mixed = external("mixed", {"a": "a"}, target={"template": {"data": {"a": "{{ .a }}", "b": "{{ .a | b64dec }}"}}})
    project = with_files(tmp_path, all=yaml.safe_dump_all([store("test"), made, mixed]))
    done = project.ksecret("import", "old/test", "--into", "new")
    assert declared(project, "tls") == {
        "type": "kubernetes.io/tls",
        "inputs": {"tls": {"remoteName": "shop-tls", "encoding": "base64"}},
        "keys": {"tls.crt": {"template": "{{ tls | pkcs12cert }}"}, "tls.key": {"template": "{{ tls | pkcs12key }}"}},
    }
    spec = rendered(project)["ExternalSecret", "tls"]["spec"]
    assert spec["data"][0]["remoteRef"] == {"key": "shop-tls", "decodingStrategy": "Base64"}
    assert spec["target"]["template"]["data"]["tls.crt"] == '{{ index . "tls" | pkcs12cert }}'
    assert [line.partition(": ")[2] for line in lines(done, "warning: ")] == [
        "ExternalSecret mixed stays as it is: spec.target.template.data.b is not carried over"
    ]


def encrypted(project: Project, name: str, secret: dict[str, Any], *options: str) -> None:
    """A Secret that the real sops encrypts for somebody, in old/prod."""
    path = project.write(f"old/prod/{name}.yaml", yaml.safe_dump(secret))
    run(peer("sops"), "--encrypt", "--in-place", *options, "--age", age("me").recipient, path, folder=project.root)


def test_secrets_of_sops_become_an_overlay_of_sops(tmp_path: Path) -> None:
    """What has our form keeps its values; of the rest the values go from sops to seal, as the note says."""
    project = Project(tmp_path)
    data = {"token": b64encode(b"the token").decode(), "url": b64encode(b"the url").decode()}
    ours = ("--mac-only-encrypted", "--encrypted-regex", "^(data|stringData)$")
    encrypted(project, "kept", plain("kept", data=data), *ours)
    encrypted(project, "app", plain("app", stringData={"jwt": "the jwt"}), "--encrypted-regex", "^(data|stringData)$")
    project.write("old/prod/plain.yaml", yaml.safe_dump(plain("typed", stringData={"a": "b"})))
    done = project.ksecret("import", "old/prod", "--into", "new")
    assert (done.code, lines(done, "warning: ")) == (0, [])
    assert overlay(project, "prod")["backend"] == {"sops": {"age": [age("me").recipient]}}
    manifests = project.root / "new/overlays/prod/secrets/manifests"
    assert opened_by_sops(manifests / "kept.yaml", "me") == {"token": b"the token", "url": b"the url"}
    assert declared(project, "app")["keys"] == {"jwt": {}}
    notes = lines(done, "note: seal the values of ")
    assert notes == [
        "app: sops decrypt old/prod/app.yaml | kubectl ksecret seal prod -f -",
        "typed: kubectl ksecret seal prod -f old/prod/plain.yaml",
    ]
    key = {"SOPS_AGE_KEY": age("me").identity}
    values = run(peer("sops"), "decrypt", project.root / "old/prod/app.yaml", env=os.environ | key)
    accepted = ["--accept", age("me").recipient]
    assert project.ksecret("seal", "prod", "-f", "-", *accepted, stdin=values, **key).code == 0
    assert opened_by_sops(manifests / "app.yaml", "me") == {"jwt": b"the jwt"}


def test_files_of_json_are_read_in_a_folder(tmp_path: Path) -> None:
    """Indented by tabs too, and whatever is no object beside them is none."""
    project = Project(tmp_path)
    project.write("old/test/store.json", json.dumps(store("test"), indent="\t"))
    listed = {"apiVersion": "v1", "kind": "List", "items": [external("app", {"token": "token"})]}
    project.write("old/test/app.json", json.dumps(listed, indent=2))
    project.write("old/test/package.json", json.dumps({"name": "shop"}))
    assert project.done("import", "old/test", "--into", "new")
    assert [name for _, name in rendered(project)] == ["vault", "app"]


def test_the_line_that_seals_works_on_a_file_with_other_objects(tmp_path: Path) -> None:
    """The file is other people's YAML: a merge key, and a Secret that is not declared."""
    project = Project(tmp_path)
    certificate = project.write("certificate.pem", sealing(1).certificate)
    others = "kind: ConfigMap\napiVersion: v1\nmetadata: &m {name: settings}\ndata: {<<: *m, name: b}\n"
    made = plain("made", stringData={"a": "b"}) | {"type": "helm.sh/release.v1"}
    secrets = yaml.safe_dump_all([plain("app", stringData={"token": "the token"}), made])
    project.write("old/prod/all.yaml", f"{others}---\n{secrets}")
    done = project.ksecret("import", "old/prod", "--into", "new", "--certificate", str(certificate))
    (command,) = lines(done, "note: seal the values of app: kubectl ksecret ")
    sealed = project.ksecret(*command.split(), "--accept", read(sealing(1).certificate).fingerprint)
    assert sealed.code == 0, sealed.err
    manifest = project.root / "new/overlays/prod/secrets/manifests/app.yaml"
    assert opened_by_kubeseal(manifest) == {"token": b"the token"}


def test_a_further_environment_joins_declarations_that_exist(tmp_path: Path) -> None:
    """They stay, and get what the new one has alone; the environments before it omit that, and render as before."""
    project = Project(tmp_path)
    url = "mongodb://app:{{ .password }}@mongo-NAME:27017"
    for name in ("test", "stage"):
        templates = {"url": url.replace("NAME", name), "token": "{{ .token }}"}
        project.write(f"old/{name}/all.yaml", templated(name, "password", "token", **templates))
    project.done("import", "old/test", "old/stage", "--into", "new")
    before = [rendered(project, name) for name in ("test", "stage")]
    keys = ("password", "token", "more")
    templates = {"url": url.replace("NAME", "prod"), "token": "{{ .token }}", "more": "{{ .more }}"}
    web = yaml.safe_dump(external("web", {"cookie": "cookie-prod"}, "shop-prod"))
    project.write("old/prod/all.yaml", f"{templated('prod', *keys, **templates)}---\n{web}")
    files = project.files()
    done = project.ksecret("import", "old/prod", "--into", "new")
    assert (done.code, lines(done, "warning: ")) == (0, [])
    assert project.changed_since(files) == set(done.out.splitlines())
    assert overlay(project, "prod")["source"]["names"] == "{remoteName}-prod"
    assert overlay(project, "prod")["parameters"] == {"app-url-1": "mongo-prod"}
    assert declared(project, "web")["keys"] == {"cookie": {}}
    assert declared(project, "app")["keys"]["more"] == {}
    for name, objects_before in zip(("test", "stage"), before, strict=True):
        reason = f"Not in {name} when prod was imported"
        omitted = {"app": {"keys": {"more": {"omit": reason}}}, "web": {"omit": reason}}
        assert overlay(project, name)["overrides"] == omitted
        assert rendered(project, name) == objects_before
    after = rendered(project, "prod")
    assert [name for _, name in after] == ["vault", "app", "web"]
    data = after["ExternalSecret", "app"]["spec"]["data"]
    assert {each["secretKey"]: each["remoteRef"]["key"] for each in data} == {key: f"{key}-prod" for key in keys}
    made = after["ExternalSecret", "app"]["spec"]["target"]["template"]["data"]["url"]
    assert made == 'mongodb://app:{{ index . "password" }}@mongo-prod:27017'


def test_an_import_that_was_killed_can_be_repeated(tmp_path: Path) -> None:
    """What it had written is the same again; anything else in its place is not overwritten."""
    project = Project(tmp_path)
    environment(project, "test", {"app": {"token": "token-test"}, "web": {"x": "x-test"}})
    environment(project, "prod", {"app": {"token": "token-prod"}})
    arguments = ("import", "old/test", "old/prod", "--into", "new")
    before = project.files()
    project.done(*arguments)
    whole = project.files()
    written = sorted({*whole} - {*before})
    for count in range(len(written)):
        for name in written[count:]:
            (project.root / name).unlink()
        if count:  # what a write leaves that was cut off
            first = project.root / written[count - 1]
            first.with_name(f".{first.name}.ksecret-tmp").write_text("half a fi")
        done = project.ksecret(*arguments)
        assert (done.code, project.files()) == (0, whole), written[:count]
    (project.root / written[0]).write_text("# mine\n")
    done = project.ksecret(*arguments)
    assert (done.code, done.err.splitlines()[0]) == (2, f"error: {written[0]} exists already")


PROVIDERS: dict[str, dict[str, Any]] = {
    "a placeholder": {"azurekv": {"vaultUrl": "https://${VAULT}.vault.azure.net", "authType": "ManagedIdentity"}},
    "another provider": {"gcpsm": {"projectID": "shop-prod"}},
}


@pytest.mark.parametrize("provider", PROVIDERS.values(), ids=PROVIDERS)
def test_a_store_without_a_key_vault_stays_and_the_overlay_has_no_source(
    tmp_path: Path, provider: dict[str, Any]
) -> None:
    """The operator reads what it read before, under the names that it had."""
    remote = "app/prod/db" if "gcpsm" in provider else "db-prod"
    made = external("app", {"db": remote})
    made["spec"]["data"][0]["remoteRef"]["property"] = "password"
    kept = store("test")
    kept["spec"]["provider"] = provider
    project = with_files(tmp_path, all=yaml.safe_dump_all([kept, made]))
    project.write("old/test/kustomization.yaml", "namespace: shop-test\nresources: [all.yaml]\n")
    before = built(project, "old/test")
    done = project.ksecret("import", "old/test", "--wire")
    assert done.code == 0, done.err
    assert "source" not in yaml.safe_load((project.root / "overlays/test/secrets/ksecret.yaml").read_text())["spec"]
    assert built(project, "old/test") == before
    assert project.done("render", "test", "--check") == ""
    reason = "reads what no source of an overlay is" if "gcpsm" in provider else "names no Azure Key Vault"
    assert lines(done, "note: ")[0].startswith(f"test: its store {reason}, so the overlay has no source")
    for command in ("list", "status"):
        assert project.ksecret(command).code in (0, 1)
    assert project.ksecret("check").code in (0, 1)


def test_an_option_without_effect_is_an_error(tmp_path: Path) -> None:
    """Nothing is written."""
    project = Project(tmp_path)
    environment(project, "test", {"app": {"token": "token"}})
    certificate = str(project.write("sealing.pem", sealing(1).certificate))
    before = project.files()
    for options in (
        ["--same", "app=app"],
        ["--same", "app/token=app/token"],
        ["--certificate", f"test={certificate}"],
        ["--wire"],
        ["--wire", "--into", "new"],
    ):
        done = project.ksecret("import", "old/test", *options)
        assert (done.code, project.files()) == (2, before), options
    project.write("old/prod/all.yaml", yaml.safe_dump(plain("app", stringData={"a": "b"})))
    done = project.ksecret("import", "old/prod", "--vault-url", "prod=https://shop.vault.azure.net")
    assert (done.code, done.err.splitlines()[0]) == (2, "error: --vault-url prod: prod has no ExternalSecret")


def test_secrets_and_keys_that_are_the_same_are_given_together(tmp_path: Path) -> None:
    """In either order, and with the Secret's old name or its new one."""
    project = Project(tmp_path)
    environment(project, "test", {"old": {"jwt-key": "jwt-test", "x": "x-test"}})
    environment(project, "prod", {"new": {"jwt": "jwt-prod", "x": "x-prod"}})
    results = []
    for number, key in enumerate(("old/jwt-key=new/jwt", "new/jwt-key=new/jwt")):
        for order in (1, -1):
            options = [option for pair in ["old=new", key][::order] for option in ("--same", pair)]
            into = f"into-{number}-{order}"
            arguments = ("test=old/test", "prod=old/prod", "--into", into, "--dry-run", *options)
            done = project.ksecret("import", *arguments)
            assert (done.code, lines(done, "warning: ")) == (0, [])
            results.append(done.out.replace(into, "into"))
    assert len(set(results)) == 1
    assert "into/generators/new.yaml" in results[0]
