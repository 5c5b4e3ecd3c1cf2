"""`import` of ExternalSecrets whose store is of HashiCorp Vault or OpenBao: the overlay names the source `vault`."""

from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
import yaml

from .projects import Done, Project, sealing
from .test_import import ESO, built, lines

ROLE = {"kubernetes": {"mountPath": "kubernetes", "role": "shop", "serviceAccountRef": {"name": "shop-sa"}}}


def store(auth: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """A store of the mount `kv`; a field of nothing is left out."""
    vault = {"server": "https://vault.example:8200", "path": "kv", "version": "v2", "auth": auth or ROLE, **fields}
    provider = {"vault": {name: value for name, value in vault.items() if value is not None}}
    metadata = {"name": "vault", "namespace": "shop-test"}
    return {"apiVersion": ESO, "kind": "SecretStore", "metadata": metadata, "spec": {"provider": provider}}


def external(name: str, remotes: dict[str, dict[str, str]], **reference: str) -> dict[str, Any]:
    """An ExternalSecret that takes each key from a path and a property."""
    data = [{"secretKey": key, "remoteRef": remote} for key, remote in remotes.items()]
    return {
        "apiVersion": ESO,
        "kind": "ExternalSecret",
        "metadata": {"name": name, "namespace": "shop-test"},
        "spec": {
            "refreshInterval": "1h0m0s",
            "secretStoreRef": {"name": "vault", "kind": "SecretStore", **reference},
            "target": {"template": {"metadata": {}}},
            "data": data,
        },
    }


BACKEND = external(
    "backend",
    {
        "jwt-secret": {"key": "shop/test/backend", "property": "jwt"},
        "password": {"key": "shop/test/database", "property": "root.password", "version": "3"},
    },
)


def imported(folder: Path, *objects: dict[str, Any]) -> tuple[Project, Done, dict[str, Any]]:
    """What was imported of these, which builds the same afterwards; and the overlay's spec."""
    folder.mkdir(exist_ok=True)
    project = Project(folder)
    project.write("old/test/all.yaml", yaml.safe_dump_all(objects))
    project.write("old/test/kustomization.yaml", "namespace: shop-test\nresources: [all.yaml]\n")
    before = built(project, "old/test")
    done = project.ksecret("import", "old/test", "--wire")
    assert done.code == 0, done.err
    after = built(project, "old/test")
    for object_ in (*before.values(), *after.values()):
        object_.get("metadata", {}).pop("labels", None)  # those of the tool are new to a store
        if object_.get("metadata") == {}:
            del object_["metadata"]
    assert after == before
    assert project.done("render", "test", "--check") == ""
    assert project.ksecret("list", "test").code == 0
    return project, done, yaml.safe_load((project.root / "overlays/test/secrets/ksecret.yaml").read_text())["spec"]


SECRET = {"name": "vault-login", "key": "secret"}
AUTHS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "kubernetes": (ROLE, {"kubernetes": {"mountPath": "kubernetes", "role": "shop", "serviceAccountName": "shop-sa"}}),
    "another path": (
        {"kubernetes": {"mountPath": "clusters/test", "role": "shop", "serviceAccountRef": {"name": "shop-sa"}}},
        {"kubernetes": {"mountPath": "clusters/test", "role": "shop", "serviceAccountName": "shop-sa"}},
    ),
    "appRole": (
        {"appRole": {"path": "approle", "roleId": "shop-role", "secretRef": SECRET}},
        {"appRole": {"path": "approle", "roleId": "shop-role", "secretRef": SECRET}},
    ),
    "token": ({"tokenSecretRef": SECRET}, {"token": {"secretRef": SECRET}}),
}


@pytest.mark.parametrize(("auth", "expected"), AUTHS.values(), ids=AUTHS)
def test_the_store_becomes_source_and_sign_in(tmp_path: Path, auth: dict[str, Any], expected: dict[str, Any]) -> None:
    """The overlay renders the store from then on, the same as it was."""
    _, done, spec = imported(tmp_path, store(auth, namespace="team-a"), BACKEND)
    assert (spec["source"]["vault"], spec["backend"]["externalSecret"]["store"]) == (
        {"address": "https://vault.example:8200", "mount": "kv", "namespace": "team-a"},
        {"name": "vault", "auth": expected},
    )
    assert lines(done, "warning: ") == []
    assert lines(done, "note: ") == ["nothing lists these any more, so delete them: old/test/all.yaml"]


def test_the_ca_of_the_server_lies_beside_the_overlay(tmp_path: Path) -> None:
    """It is written out of the store's caBundle, and an import that is repeated finds it."""
    pem = sealing(1).certificate
    text = b64encode(pem).decode()
    project, _, spec = imported(tmp_path, store(caBundle=f"{text[:64]}\n{text[64:]}\n", namespace="team-a/"), BACKEND)
    assert spec["source"]["vault"]["caFile"] == "vault.pem"
    assert b64encode((project.root / "overlays/test/secrets/vault.pem").read_bytes()).decode() == text
    assert spec["backend"]["externalSecret"]["store"]["auth"]


def test_names_with_the_mount_before_them_are_those_below_it(tmp_path: Path) -> None:
    """External Secrets takes `kv/…` and `kv/data/…` where the store has the path `kv`; what is rendered has neither."""
    keys = {"a": {"key": "kv/shop/test/a", "property": "x"}, "b": {"key": "kv/data/shop/test/b", "property": "x"}}
    project = Project(tmp_path)
    project.write("old/test/all.yaml", yaml.safe_dump_all([store(), external("backend", keys)]))
    done = project.ksecret("import", "old/test")
    assert (done.code, lines(done, "warning: ")) == (0, [])
    [made] = [
        document for document in yaml.safe_load_all(project.done("render", "test")) if document["spec"].get("data")
    ]
    assert [entry["remoteRef"] for entry in made["spec"]["data"]] == [
        {"key": "shop/test/a", "property": "x"},
        {"key": "shop/test/b", "property": "x"},
    ]


def test_a_store_that_signs_in_another_way_stays_and_is_named_as_the_source_all_the_same(tmp_path: Path) -> None:
    """The tool itself reads Vault as whoever runs it."""
    auth = {"userPass": {"path": "userpass", "username": "shop", "secretRef": SECRET}}
    _, done, spec = imported(tmp_path, store(auth), BACKEND)
    assert spec["source"]["vault"] == {"address": "https://vault.example:8200", "mount": "kv"}
    assert spec["backend"]["externalSecret"]["store"] == {"name": "vault"}
    assert lines(done, "warning: ") == ["old/test/all.yaml:2:7: the SecretStore vault stays as it is: keep its file"]


def test_a_field_that_no_overlay_has_leaves_the_store_as_it_is(tmp_path: Path) -> None:
    """The field is named."""
    provider = {"type": "ConfigMap", "name": "vault-ca", "key": "ca.pem"}
    _, done, spec = imported(tmp_path, store(caProvider=provider, readYourWrites=True), BACKEND)
    assert spec["backend"]["externalSecret"]["store"] == {"name": "vault"}
    warned = [line.split(": ", 1)[1] for line in lines(done, "warning: ")]
    assert warned == [
        "SecretStore vault: spec.provider.vault.caProvider is not carried over",
        "SecretStore vault: spec.provider.vault.readYourWrites is not carried over",
        "the SecretStore vault stays as it is: keep its file",
    ]


UNNAMED: dict[str, tuple[dict[str, Any], str]] = {
    "version 1": ({"version": "v1"}, "its store reads another version of KV than 2"),
    "no mount": ({"path": None}, "its store names no mount (path), so that each name begins with one"),
    "a placeholder": ({"server": "https://${VAULT}"}, "its store names no server that an overlay can name"),
    "a mount of its own form": (
        {"path": "kv/"},
        "its store has a mount or a namespace that an overlay can't name",
    ),
    "no certificate": (
        {"caBundle": b64encode(b"a certificate").decode()},
        "the caBundle of its store holds no certificate in PEM",
    ),
}


@pytest.mark.parametrize(("fields", "reason"), UNNAMED.values(), ids=UNNAMED)
def test_what_no_source_is_stays_a_store_that_exists(tmp_path: Path, fields: dict[str, Any], reason: str) -> None:
    """The note says why; the operator reads the same names as before."""
    _, done, spec = imported(tmp_path, store(**fields), BACKEND)
    assert spec["backend"]["externalSecret"]["store"] == {"name": "vault"}
    assert "vault" not in spec.get("source", {})
    assert lines(done, "note: ")[0] == (
        f"test: {reason}, so the overlay has no source; the operator reads it, and this tool reads no value of it"
    )


def test_a_name_that_no_entry_has_leaves_the_source_out(tmp_path: Path) -> None:
    """One such name is enough: an overlay has one source."""
    other = external("other", {"a": {"key": "/shop/test/a", "property": "x"}})
    _, done, spec = imported(tmp_path, store(), BACKEND, other)
    assert "vault" not in spec.get("source", {})
    assert "a name that is read in its store is none of an entry of Vault" in lines(done, "note: ")[0]


def test_a_store_of_the_whole_cluster_signs_in_with_what_lies_in_the_namespace(tmp_path: Path) -> None:
    """Of a ServiceAccount elsewhere nothing can be rendered, so that store stays."""
    cluster = store({"tokenSecretRef": SECRET | {"namespace": "shop-test"}})
    cluster["kind"] = "ClusterSecretStore"
    del cluster["metadata"]["namespace"]
    reading = external("backend", {"a": {"key": "shop/a", "property": "x"}}, kind="ClusterSecretStore")
    _, _, spec = imported(tmp_path / "same", cluster, reading)
    expected = {"name": "vault", "kind": "ClusterSecretStore", "auth": {"token": {"secretRef": SECRET}}}
    assert spec["backend"]["externalSecret"]["store"] == expected
    cluster["spec"]["provider"]["vault"]["auth"]["tokenSecretRef"]["namespace"] = "elsewhere"
    _, done, spec = imported(tmp_path / "other", cluster, reading)
    assert "auth" not in spec["backend"]["externalSecret"]["store"]
    assert "the ClusterSecretStore vault stays as it is: keep its file" in done.err
