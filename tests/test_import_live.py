"""`import --from-cluster`: what is asked of the API server, what becomes of the answers, and what never shows.

A mock answers as a real server does; tests/cluster/test_import.py runs the same commands against one.
"""

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from .mockapi import mock_api
from .projects import Done, Project, age, opened_by_kubeseal, opened_by_sops, sealing

PATH = "/api/v1/namespaces/shop/secrets"
CERTIFICATE = "/api/v1/namespaces/kube-system/services/http:sealed-secrets-controller:http/proxy/v1/cert.pem"
CANARY = "canary-of-the-cluster"
NOT_SERVED = 404
VALUES = {"token": CANARY, "password": "the password"}


def encoded(value: str) -> str:
    return b64encode(value.encode()).decode()


def live(name: str, values: Mapping[str, str] = VALUES, type_: str = "Opaque", **metadata: Any) -> dict[str, Any]:
    """A Secret as `kubectl apply` has made it: a copy of every value stands in its annotation."""
    data = {key: encoded(value) for key, value in values.items()}
    entry = {"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:data": {f"f:{key}": {} for key in data}}}
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps({"data": data})}
    own = {"name": name, "namespace": "shop", "uid": f"uid-{name}", "resourceVersion": "7", "managedFields": [entry]}
    stated = {**metadata, "annotations": {**annotations, **metadata.get("annotations", {})}}
    return {"metadata": {**own, **stated}, "type": type_, "data": data}


def owned(kind: str, name: str) -> list[dict[str, Any]]:
    return [{"kind": kind, "name": name, "controller": True, "uid": "x"}]


class Namespace:
    """A mocked cluster's namespace `shop`, and a project beside it."""

    def __init__(self, folder: Path, handler: Any, kubeconfig: Path) -> None:
        self.project, self.handler, self.kubeconfig = Project(folder), handler, kubeconfig

    def holds(self, *secrets: dict[str, Any], external: Any = None, sealed: Any = None) -> None:
        rows = [
            {
                "cells": [secret["metadata"]["name"], secret["type"], len(secret["data"]), "1h"],
                "object": {"metadata": secret["metadata"]},
            }
            for secret in secrets
        ]
        self.handler[f"get {PATH}?includeObject=Metadata"] << {"rows": rows}
        for secret, row in zip(secrets, rows, strict=True):
            path = f"{PATH}/{secret['metadata']['name']}"
            self.handler[f"get {path}?includeObject=Metadata"] << {"rows": [row]}
            self.handler[f"get {path}"] << secret
        for group, kinds in {
            "external-secrets.io/v1": {"externalsecrets": external, "secretstores": []},
            "bitnami.com/v1alpha1": {"sealedsecrets": sealed},
        }.items():
            served = [kind for kind, objects in kinds.items() if objects is not None]
            if any(kinds.values()):
                self.handler[f"get /apis/{group}"] << {"resources": [{"name": kind} for kind in served]}
                for kind in served:
                    self.handler[f"get /apis/{group}/namespaces/shop/{kind}"] << {"items": kinds[kind]}
            else:
                self.handler[f"get /apis/{group}"] << NOT_SERVED << {"kind": "Status", "reason": "NotFound"}

    def certificate(self) -> None:
        service = {"spec": {"ports": [{"name": "http"}]}}
        self.handler["get /api/v1/namespaces/kube-system/services/sealed-secrets-controller"] << service
        self.handler[f"get {CERTIFICATE}"] << sealing(1).certificate

    def imports(self, *arguments: str, trusting: bool = True, **variables: str) -> Done:
        run = self.project.ksecret if trusting else self.project.untrusting
        command = ("import", "prod", "--from-cluster", "--namespace=shop", *arguments)
        done = run(*command, KUBECONFIG=str(self.kubeconfig), **variables)
        files = b"".join(self.project.files().values()).decode(errors="replace")
        for trace in (CANARY, encoded(CANARY)):
            assert trace not in done.out + done.err + files
        return done

    def overlay(self) -> dict[str, Any]:
        spec: dict[str, Any] = yaml.safe_load((self.project.root / "overlays/prod/secrets/ksecret.yaml").read_text())
        return dict(spec["spec"])

    def declared(self, name: str = "app") -> dict[str, Any]:
        document = yaml.safe_load((self.project.root / f"generators/{name}.yaml").read_text())
        return dict(document["spec"])

    def asked(self) -> list[str]:
        """What was asked of Secrets: whether a full object, metadata or a table."""
        return [
            f"{'full' if request.headers['Accept'] == 'application/json' else 'free'} {request.url.path}"
            for request in self.handler
            if "/secrets" in request.url.path
        ]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Namespace]:
    with mock_api(tmp_path) as (handler, kubeconfig):
        yield Namespace(tmp_path, handler, kubeconfig)


def test_live_secrets_are_declared_with_their_keys_and_no_value_is_asked_for(shop: Namespace) -> None:
    shop.holds(live("app", labels={"team": "blue"}), live("redis", {"redis-password": CANARY}))
    done = shop.imports()
    assert done.code == 0
    assert shop.declared() == {"labels": {"team": "blue"}, "keys": {"password": {}, "token": {}}}
    assert shop.declared("redis")["keys"] == {"redis-password": {}}
    assert shop.overlay() | {"declarations": None} == {
        "declarations": None,
        "namespace": "shop",
        "backend": {"sealedSecret": {"certificate": "sealing.pem", "scope": "strict"}},
    }
    assert "kubectl get secrets app redis --namespace=shop -o yaml | kubectl ksecret seal prod -f -" in done.err
    assert "kubectl ksecret certificate prod --fetch" in done.err
    assert shop.asked() == [f"free {PATH}"]


def test_a_secret_whose_managed_fields_do_not_name_its_keys_is_read_alone(shop: Namespace) -> None:
    """A client may reset managedFields; the table still counts the keys."""
    odd = live("odd")
    odd["metadata"]["managedFields"] = []
    shop.holds(live("app"), odd)
    assert shop.imports().code == 0
    assert shop.declared("odd")["keys"] == {"password": {}, "token": {}}
    assert shop.asked() == [f"free {PATH}", f"full {PATH}/odd"]


def test_what_others_make_is_left_out_with_the_reason(shop: Namespace) -> None:
    shop.holds(
        live("app"),
        live("sh.helm.release.v1.shop.v1", type_="helm.sh/release.v1"),
        live("sh.helm.release.v1.shop.v2", type_="helm.sh/release.v1"),
        live("builder-token", type_="kubernetes.io/service-account-token"),
        live("fetched", ownerReferences=owned("ExternalSecret", "fetched")),
        live("tls", annotations={"cert-manager.io/certificate-name": "shop"}),
        live("charted", annotations={"meta.helm.sh/release-name": "redis"}),
    )
    done = shop.imports()
    assert done.code == 0
    left = [line for line in done.err.splitlines() if "left out" in line]
    assert left == [
        "warning: namespace shop: Secrets sh.helm.release.v1.shop.v1, sh.helm.release.v1.shop.v2 are left out: "
        "made by whoever makes Secrets of type helm.sh/release.v1",
        "warning: namespace shop: Secret builder-token is left out: "
        "made by whoever makes Secrets of type kubernetes.io/service-account-token",
        "warning: namespace shop: Secret fetched is left out: made by the ExternalSecret fetched",
        "warning: namespace shop: Secret tls is left out: made by the Certificate shop",
        "warning: namespace shop: Secret charted is left out: made by the Helm release redis",
    ]
    assert sorted(path.name for path in (shop.project.root / "generators").iterdir()) == ["app.yaml"]


def test_secrets_are_chosen_by_name_and_one_that_is_not_there_or_not_ours_is_an_error(shop: Namespace) -> None:
    shop.holds(live("app"), live("other"), live("fetched", ownerReferences=owned("ExternalSecret", "fetched")))
    missing = live("ap")["metadata"]["name"]
    shop.handler[f"get {PATH}/{missing}"] << NOT_SERVED << {"kind": "Status", "reason": "NotFound"}
    done = shop.imports("ap")
    assert (done.code, done.err) == (2, 'error: the namespace shop has no Secret ap\nhint: did you mean "app"?\n')
    done = shop.imports("fetched")
    assert (done.code, done.err) == (
        2,
        "error: namespace shop: Secret fetched is left out: made by the ExternalSecret fetched\n",
    )
    assert shop.imports("app/token").code == 2
    assert not (shop.project.root / "overlays").exists()
    assert shop.imports("app").code == 0
    assert sorted(path.name for path in (shop.project.root / "generators").iterdir()) == ["app.yaml"]


def test_an_overlay_that_was_there_is_confirmed_before_any_value_is_read(shop: Namespace) -> None:
    """The certificate is the controller's own; who wrote the rest is not known."""
    shop.holds(live("app"), live("redis", {"redis-password": "another"}))
    shop.certificate()
    assert shop.imports().code == 0
    refused = shop.imports("--seal", trusting=False)
    assert refused.code == 2
    assert "prod is no longer what this clone has sealed for" in refused.err and "--accept SHA256:" in refused.err
    assert not [request for request in shop.asked() if request.startswith("full")]


def test_with_seal_the_values_go_from_memory_into_the_manifests(shop: Namespace) -> None:
    """Nothing is asked: the user typed all that the new overlay says, and the certificate is the controller's own."""
    shop.holds(live("app"), live("redis", {"redis-password": "another"}))
    shop.certificate()
    done = shop.imports("--seal", trusting=False)
    assert done.code == 0, done.err
    assert "prod: sealed\n  app/password\n  app/token\n  redis/redis-password\n" in done.out
    assert done.err.endswith("hint: kubectl ksecret sync prod --adopt takes over the Secrets that are there\n")
    assert opened_by_kubeseal(shop.project.manifest("app")) == {key: text.encode() for key, text in VALUES.items()}
    assert shop.project.ksecret("render", "prod", "--check").code == 0


def test_an_import_that_was_interrupted_goes_on_and_leaves_alone_what_is_sealed(shop: Namespace) -> None:
    shop.holds(live("app"), live("redis", {"redis-password": "another"}))
    shop.certificate()
    assert shop.imports("--seal").code == 0
    before = shop.project.files()
    shop.project.manifest("redis").unlink()
    done = shop.imports("--seal")
    assert done.code == 0, done.err
    assert "prod: sealed\n  redis/redis-password\n" in done.out
    assert "app/token" not in done.out
    assert shop.project.changed_since(before) == {"overlays/prod/secrets/manifests/redis.yaml"}
    before = shop.project.files()
    assert shop.imports("--seal").code == 0
    assert shop.project.files() == before


def test_live_values_pass_the_gate(shop: Namespace) -> None:
    """What stands for a value is refused as from any other source, and nothing is sealed."""
    shop.holds(live("app", {"token": "changeme", "password": ""}))
    shop.certificate()
    done = shop.imports("--seal")
    assert done.code == 2
    assert "the value of app/token is a placeholder" in done.err and "the value of app/password is empty" in done.err
    assert not shop.project.manifest("app").exists()


def test_the_backend_and_the_source_are_chosen(shop: Namespace) -> None:
    """Keys of two Secrets have different names in the source, as far as it has an own name for each."""
    shop.holds(live("app"), live("redis", {"password": "p", "tls.crt": "c"}))
    done = shop.imports("--backend=secret", "--vault-url=https://shop.vault.azure.net")
    assert done.code == 0, done.err
    assert shop.overlay()["backend"] == {"secret": {}}
    vault = {"names": "{remoteName}", "azureKeyVault": {"vaultUrl": "https://shop.vault.azure.net"}}
    assert shop.overlay()["source"] == vault
    assert shop.declared("redis")["keys"] == {
        "password": {"remoteName": "redis-password"},
        "tls.crt": {"remoteName": "redis-tls-crt"},
    }
    assert "put the values into its source; then kubectl ksecret sync prod --adopt takes over the Secrets" in done.err


def test_sops_encrypts_the_live_values_for_who_was_typed(shop: Namespace) -> None:
    shop.holds(live("app"))
    arguments = ("--backend=sops", f"--age={age('me').recipient}", "--source=dotenv=.env.prod", "--seal")
    done = shop.imports(*arguments)
    assert done.code == 0, done.err
    assert shop.overlay()["source"]["dotenv"] == {"file": "../../../.env.prod"}
    assert opened_by_sops(shop.project.manifest("app"), "me") == {key: text.encode() for key, text in VALUES.items()}
    assert shop.imports("--backend=sops").err == (
        "error: no age recipient\nhint: give --age, or a creation rule in .sops.yaml\n"
    )


def test_a_right_that_is_missing_is_named(shop: Namespace) -> None:
    for group in ("external-secrets.io/v1", "bitnami.com/v1alpha1"):
        shop.handler[f"get /apis/{group}"] << NOT_SERVED << {"kind": "Status", "reason": "NotFound"}
    text = 'secrets is forbidden: User "me" cannot list resource "secrets" in API group "" in the namespace "shop"'
    shop.handler[f"get {PATH}"] << 403 << {"kind": "Status", "reason": "Forbidden", "message": text}
    done = shop.imports()
    assert done.code == 3
    assert "the cluster refused to list secrets in shop: 403 Forbidden" in done.err
    assert "kubectl create role ksecret-me-list-secrets --namespace=shop --verb=list --resource=secrets" in done.err


def test_a_further_environment_joins_what_is_declared(shop: Namespace) -> None:
    """Production is imported beside a test overlay: one base, and each says what it lacks."""
    shop.project.declare("app", {"token": {"remoteName": "app-token"}, "debug": {}})
    shop.project.sealed_overlay("test")
    shop.holds(live("app"))
    done = shop.imports("--source=environment")
    assert done.code == 0, done.err
    assert shop.declared()["keys"] == {
        "token": {"remoteName": "app-token"},
        "debug": {},
        "password": {"remoteName": "app-password"},
    }
    assert shop.overlay()["overrides"] == {"app": {"keys": {"debug": {"omit": "Not in prod when it was imported"}}}}


def external(name: str, **spec: Any) -> dict[str, Any]:
    """An ExternalSecret as it lives: with status, managedFields and what the server fills in."""
    metadata = {"name": name, "namespace": "shop", "uid": f"uid-{name}", "generation": 1, "managedFields": [{}]}
    stated = {"refreshInterval": "1h0m0s", "secretStoreRef": {"name": "vault", "kind": "SecretStore"}, **spec}
    target = {"creationPolicy": "Owner", "deletionPolicy": "Retain"}
    status = {"conditions": [], "syncedResourceVersion": "1-x"}
    return {"metadata": metadata, "spec": {"target": target, **stated}, "status": status}


def entry(key: str, remote: str) -> dict[str, Any]:
    defaults = {"conversionStrategy": "Default", "decodingStrategy": "None", "metadataPolicy": "None"}
    return {"secretKey": key, "remoteRef": {"key": remote, **defaults}}


def test_what_an_operator_makes_is_imported_as_the_object_it_is_made_of(shop: Namespace) -> None:
    """The server's defaults make no difference, and a plain extract gets the keys that its Secret has."""
    extract = {"conversionStrategy": "Default", "decodingStrategy": "None", "metadataPolicy": "None", "key": "all"}
    shop.holds(
        live("app", ownerReferences=owned("ExternalSecret", "app")),
        live("everything", {"a": "1", "b": "2"}, ownerReferences=owned("ExternalSecret", "everything")),
        external=[
            external("app", data=[entry("token", "app-token"), entry("password", "app-password")]),
            external("everything", dataFrom=[{"extract": extract}]),
        ],
    )
    done = shop.imports("--vault-url=https://shop.vault.azure.net")
    assert done.code == 0, done.err
    assert shop.overlay()["backend"]["externalSecret"]["store"] == {"name": "vault"}
    assert shop.declared("everything")["keys"] == {
        "a": {"remoteName": "all", "property": "a"},
        "b": {"remoteName": "all", "property": "b"},
    }
    assert done.err.splitlines()[0] == (
        "warning: namespace shop: ExternalSecret everything took whatever all holds; its keys are named now: a, b"
    )
    assert "left out" not in done.err and "is not carried over" not in done.err
