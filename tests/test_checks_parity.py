"""Roots of the same declarations side by side, and the names that environments ask their sources for."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from .projects import Project

PARITY = ("parity-missing", "parity-type", "parity-name")
NAMES = ("foreign-name", "vault-collision")
STORE = {"externalSecret": {"store": {"name": "store"}}}


def found(project: Project, rules: tuple[str, ...], *overlays: str) -> list[str]:
    """The findings of these rules, without hints."""
    done = project.ksecret("check", *overlays)
    assert done.err == ""
    return [line for line in done.out.splitlines() if any(line.endswith(f"[{rule}]") for rule in rules)]


def environments(folder: Path, **overlays: Mapping[str, Any]) -> Project:
    """A Secret `app` of two keys, and overlays with what is said of them."""
    project = Project(folder)
    project.declare("app", {"token": {}, "login": {"remoteName": "login-token"}})
    for name, spec in overlays.items():
        vault = {"vaultUrl": f"https://{name}.vault.azure.net"}
        source = {"names": f"{{remoteName}}-{name}", "azureKeyVault": vault}
        project.overlay(name, STORE, **{"source": source, **spec})
        project.write(f"overlays/{name}/kustomization.yaml", f"namespace: shop-{name}\nresources: [secrets]\n")
    project.done("render", "--write")
    return project


def by_hand(project: Project, overlay: str, *objects: Mapping[str, Any], prefix: str = "") -> None:
    """More objects in an overlay, which a prefix may rename."""
    project.write(f"overlays/{overlay}/hand.yaml", yaml.safe_dump_all(objects, sort_keys=False))
    more = f"namePrefix: {prefix}\n" if prefix else ""
    root = f"namespace: shop-{overlay}\n{more}resources: [secrets, hand.yaml]\n"
    project.write(f"overlays/{overlay}/kustomization.yaml", root)


def secret(name: str, *keys: str, **fields: Any) -> dict[str, Any]:
    """A Secret that somebody wrote."""
    data = {"stringData": dict.fromkeys(keys, "a text")} if keys else {}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, **fields, **data}


def external(named: str, *keys: str, **target: Any) -> dict[str, Any]:
    """An ExternalSecret that somebody wrote."""
    data = [{"secretKey": key, "remoteRef": {"key": f"remote-{key}"}} for key in keys]
    spec = {"secretStoreRef": {"name": "store"}, "target": target, "data": data}
    return {"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": {"name": named}, "spec": spec}


def sealed(name: str, *keys: str) -> dict[str, Any]:
    """A SealedSecret that somebody wrote."""
    spec = {"encryptedData": dict.fromkeys(keys, "AQ=="), "template": {"type": "Opaque"}}
    return {"apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret", "metadata": {"name": name}, "spec": spec}


def made(kind: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    """An object `cache` of another kind, of which a controller makes the Secret."""
    version, name = kind.split()
    return {"apiVersion": version, "kind": name, "metadata": {"name": "cache"}, "spec": dict(spec)}


VSO = "secrets.hashicorp.com/v1beta1 VaultStaticSecret"
ACK = "alibabacloud.com/v1alpha1 ExternalSecret"
ALONE = {"excludes": [".*"], "excludeRaw": True}


def destination(type_: str, *keys: str) -> dict[str, Any]:
    """The destination of a VaultStaticSecret whose templates make all keys."""
    templates = {key: {"text": f'{{{{ get .Secrets "{key}" }}}}'} for key in keys}
    return {"destination": {"name": "cache", "type": type_, "transformation": {**ALONE, "templates": templates}}}


@pytest.mark.parametrize(
    ("other", "where"),
    [
        (made("bitnami.com/v1alpha1 SealedSecret", {"encryptedData": {"tls.crt": "AQ==", "tls.key": "AQ=="}}), "6:3"),
        (external("cache", "tls.crt", "tls.key"), "8:11"),
        (made(VSO, destination("Opaque", "tls.crt", "tls.key")), "8:11"),
        (made(ACK, {"type": "Opaque", "data": [{"name": "tls.crt"}, {"name": "tls.key"}]}), "6:9"),
    ],
    ids=["SealedSecret", "ExternalSecret", "VaultStaticSecret", "ack-secret-manager"],
)
def test_the_type_is_compared_wherever_an_object_says_it(tmp_path: Path, other: dict[str, Any], where: str) -> None:
    """Each kind has a place of its own for the type of its Secret; Opaque, if it says none."""
    project = environments(tmp_path, test={}, prod={})
    by_hand(project, "prod", secret("cache", "tls.crt", "tls.key", type="kubernetes.io/tls"))
    by_hand(project, "test", other)
    assert [line for line in found(project, PARITY) if "has the type" in line] == [
        f"error: overlays/test/hand.yaml:{where}: cache has the type Opaque in test, kubernetes.io/tls in prod "
        "[parity-type]"
    ]


@pytest.mark.parametrize(
    "other",
    [made(VSO, destination("Opaque", "host")), made(ACK, {"data": [{"key": "cache", "name": "host"}]})],
    ids=["VaultStaticSecret", "ack-secret-manager"],
)
def test_a_key_is_compared_with_those_of_other_operators(tmp_path: Path, other: dict[str, Any]) -> None:
    """A VaultStaticSecret whose templates alone make the keys, and what ack-secret-manager copies."""
    project = environments(tmp_path, test={}, prod={})
    by_hand(project, "test", secret("cache", "host"))
    by_hand(project, "prod", other)
    assert found(project, PARITY) == []
    by_hand(project, "test", secret("cache", "host", "port"))
    (line,) = found(project, PARITY)
    assert line.endswith("cache of prod has no key port, that of test has it [parity-missing]")


@pytest.mark.parametrize(
    "other",
    [
        made("cert-manager.io/v1 Certificate", {"secretName": "cache"}),
        made("onepassword.com/v1 OnePasswordItem", {}),
        made(VSO, {"destination": {"name": "cache"}}),
    ],
    ids=["Certificate", "OnePasswordItem", "VaultStaticSecret"],
)
def test_what_another_controller_makes_is_not_missing(tmp_path: Path, other: dict[str, Any]) -> None:
    """Its keys are not known before it has run, so that they are not compared."""
    project = environments(tmp_path, test={}, prod={})
    by_hand(project, "test", sealed("cache", "tls.crt"))
    by_hand(project, "prod", other)
    assert found(project, PARITY) == []


def test_kinds_are_compared_by_what_they_make(tmp_path: Path) -> None:
    """An ExternalSecret with another target, under a prefix, and a SealedSecret of the same keys are equal."""
    project = environments(tmp_path, test={}, prod={})
    by_hand(project, "test", external("fetch-cache", "host", "port", name="cache"), prefix="x-")
    by_hand(project, "prod", sealed("cache", "port", "host"), prefix="y-")
    assert found(project, PARITY) == []


def test_a_secret_that_one_lacks_is_told_where_the_other_has_it(tmp_path: Path) -> None:
    """Also with three environments, and once for each that lacks it."""
    project = environments(tmp_path, test={}, prod={}, eu={})
    by_hand(project, "test", secret("cache", "host"))
    by_hand(project, "eu", secret("cache", "host"))
    place = "overlays/eu/hand.yaml:4:9"
    assert found(project, PARITY) == [f"error: {place}: prod has no Secret cache, eu has one [parity-missing]"]
    assert found(project, PARITY, "prod") == []


def test_a_key_of_a_template_or_a_sealed_secret_is_compared(tmp_path: Path) -> None:
    """The template of an ExternalSecret says the keys; what dataFrom fetches is not known."""
    project = environments(tmp_path, test={}, prod={})
    template = {"template": {"data": {"url": "redis://{{ .password }}"}}}
    by_hand(project, "test", external("cache", "password", **template))
    by_hand(project, "prod", sealed("cache", "password"))
    assert found(project, PARITY) == [
        "error: overlays/test/hand.yaml:11:9: cache of test has no key password, that of prod has it [parity-missing]",
        "error: overlays/prod/hand.yaml:7:5: cache of prod has no key url, that of test has it [parity-missing]",
    ]
    fetched = external("cache")
    fetched["spec"]["dataFrom"] = [{"extract": {"key": "all"}}]
    by_hand(project, "test", fetched)
    assert found(project, PARITY) == []


def test_bookkeeping_is_not_compared(tmp_path: Path) -> None:
    """Tokens of ServiceAccounts, the credentials of a store, and how a cluster gets its images."""
    project = environments(tmp_path, test={}, prod={})
    store = {
        "apiVersion": "external-secrets.io/v1",
        "kind": "SecretStore",
        "metadata": {"name": "store"},
        "spec": {"provider": {"azurekv": {"authSecretRef": {"clientId": {"name": "sign-in", "key": "id"}}}}},
    }
    token = secret("token", type="kubernetes.io/service-account-token")
    images = secret("images", ".dockerconfigjson", type="kubernetes.io/dockerconfigjson")
    by_hand(project, "test", store, secret("sign-in", "id"), token, images)
    assert found(project, PARITY) == []


def test_an_omission_with_its_reason_is_no_difference(tmp_path: Path) -> None:
    """What is written by hand instead of a declared Secret neither."""
    project = environments(tmp_path, test={}, prod={})
    project.declare("debug", {"level": {}})
    source = {"azureKeyVault": {"vaultUrl": "https://prod.vault.azure.net"}}
    project.overlay("prod", STORE, source=source, overrides={"debug": {"omit": "made by hand here"}})
    project.done("render", "--write")
    by_hand(project, "prod", secret("debug", "other"))
    assert found(project, PARITY) == []


def test_a_near_name_with_a_key_in_common_is_one_secret(tmp_path: Path) -> None:
    """Near names of nothing in common are two."""
    project = environments(tmp_path, test={}, prod={})
    by_hand(project, "test", secret("cache-secret", "host", "port"), secret("mail-tls", "key"))
    by_hand(project, "prod", secret("cache-secrets", "host"), secret("mail-auth", "password"))
    assert found(project, PARITY) == [
        "error: overlays/test/hand.yaml:12:9: prod has no Secret mail-tls, test has one [parity-missing]",
        "error: overlays/prod/hand.yaml:11:9: test has no Secret mail-auth, prod has one [parity-missing]",
        "warning: overlays/test/hand.yaml:4:9: cache-secret of test and cache-secrets of prod look like one Secret"
        " under two names [parity-name]",
    ]


def test_overlays_of_other_declarations_are_not_compared(tmp_path: Path) -> None:
    """They are another application."""
    project = environments(tmp_path, test={}, prod={})
    project.write("other/app.yaml", (project.root / "generators/app.yaml").read_text())
    vault = {"azureKeyVault": {"vaultUrl": "https://prod.vault.azure.net"}}
    project.overlay("prod", STORE, declarations=["../../../other"], source=vault | {"names": "{remoteName}-prod"})
    by_hand(project, "test", secret("cache", "host"))
    assert found(project, PARITY) == []


def test_odd_secrets_are_compared_without_a_traceback(tmp_path: Path) -> None:
    """Wrong types anywhere."""
    project = environments(tmp_path, test={}, prod={})
    odd = secret("odd") | {"data": [1], "type": 3}
    wrong = external("wrong") | {"spec": {"target": "x", "data": [1, {"secretKey": 2}], "dataFrom": 3}}
    blank = sealed("blank") | {"spec": []}
    by_hand(project, "test", odd, wrong, blank)
    by_hand(project, "prod", secret("odd"), external("wrong"), sealed("blank"))
    assert found(project, PARITY) == []


def override(name: str, key: str = "token") -> dict[str, Any]:
    """One remoteName that an overlay overrides."""
    return {"overrides": {"app": {"keys": {key: {"remoteName": name}}}}}


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        ("token-test", "test"),
        ("any-thing-TEST", "test"),
        ("shared-token", ""),
        ("latest", ""),
        ("token-prod", ""),
        ("test-of-prod-prod", ""),
    ],
)
def test_a_name_of_another_environment_is_foreign(tmp_path: Path, name: str, owner: str) -> None:
    """By the end that its pattern gives names, in any case; a name with the own end is the environment's."""
    project = environments(tmp_path, test={}, prod=override(name))
    message = f"error: overlays/prod/secrets/ksecret.yaml:21:23: app/token of prod asks for {name}, a name of {owner}"
    assert found(project, NAMES) == ([f"{message} [foreign-name]"] if owner else [])


def test_test_asks_for_a_name_of_production_without_a_mark(tmp_path: Path) -> None:
    """A pattern that adds nothing marks nothing: only the very name in the very same vault is foreign."""
    vault = {"azureKeyVault": {"vaultUrl": "https://one.vault.azure.net/"}}
    source = {"source": {"names": "{remoteName}", **vault}}
    project = environments(tmp_path, test=override("login-token", "login"), prod=source)
    assert found(project, NAMES) == []
    test = {"source": {"names": "{remoteName}-test", **vault}} | override("login-token", "login")
    project.overlay("test", STORE, **test)
    assert len(found(project, NAMES)) == 1


def test_a_variable_is_compared_with_a_name(tmp_path: Path) -> None:
    """An override for a dotenv file may be written as a variable."""
    project = environments(tmp_path, test={}, prod={})
    source = {"names": "{remoteName}-prod", "dotenv": {"file": "../../../.env"}}
    project.sealed_overlay("prod", source=source, **override("LOGIN_TOKEN_TEST", "login"))
    (line,) = found(project, NAMES)
    assert "app/login of prod asks for LOGIN_TOKEN_TEST, a name of test" in line


def test_a_prefix_marks_names_too_and_from_is_followed(tmp_path: Path) -> None:
    """An override is wrong once, though others share its key by `from`."""
    vault = {"azureKeyVault": {"vaultUrl": "https://one.vault.azure.net/"}}
    sources = {name: {"source": {"names": f"{name}-{{remoteName}}", **vault}} for name in ("test", "prod")}
    project = environments(tmp_path, test=sources["test"], prod=sources["prod"] | override("test-token"))
    project.declare("web", {"token": {"from": "app/token"}})
    message = "app/token of prod asks for test-token, a name of test [foreign-name]"
    assert found(project, NAMES) == [f"error: overlays/prod/secrets/ksecret.yaml:21:23: {message}"]


def test_names_collide_across_environments_in_one_vault(tmp_path: Path) -> None:
    """Not in two vaults, and not where nobody asked for the overlays."""
    project = environments(tmp_path, one=override("Shared"), two=override("shared"), three={})
    assert found(project, NAMES) == []
    for name in ("one", "two"):
        source = {"names": f"{{remoteName}}-{name}", "azureKeyVault": {"vaultUrl": "https://one.vault.azure.net"}}
        project.overlay(name, STORE, source=source, **override("Shared" if name == "one" else "shared"))
    message = "app/token of two asks for shared, app/token of one for Shared: one value in https://one.vault.azure.net"
    assert found(project, NAMES) == [f"error: overlays/two/secrets/ksecret.yaml:21:23: {message} [vault-collision]"]
    assert found(project, NAMES, "three") == []


def test_a_generated_secret_is_named_without_the_hash_of_its_content(tmp_path: Path) -> None:
    """An exception names the object: with the hash it would say something of the value, and end with each change."""
    project = environments(tmp_path, test={}, prod={})
    made = "secretGenerator:\n- name: cache\n  literals: [host=a text]\n"
    project.write("overlays/test/kustomization.yaml", f"namespace: shop-test\nresources: [secrets]\n{made}")
    accepted = project.done("check", "--write-exceptions", "--reason", "old", "--until", "2999-12-31")
    assert "overlays/prod/secrets/ksecret.yaml: parity-missing of Secret/shop-test/cache\n" in accepted
    project.write("overlays/test/kustomization.yaml", f"namespace: shop-test\nresources: [secrets]\n{made[:-2]}er]\n")
    assert project.ksecret("check").out == ""


def test_what_each_environment_omits_for_the_other_is_one_under_two_names(tmp_path: Path) -> None:
    """As import writes it: a Secret and a key that each environment has under a name of its own."""
    reason = "absent when it was imported"
    project = environments(tmp_path, test={}, prod={})
    for name in ("mail-login", "mail-logins"):
        project.declare(name, {key: {"remoteName": f"{name}-{key}"} for key in ("user", "password")})
    project.declare("metrics", {"key": {"remoteName": "metrics-key"}})
    project.declare("app", {"token": {}, "token-key": {}, "login": {"remoteName": "login-token"}})
    overrides = {
        "test": {"mail-login": {"omit": reason}, "app": {"keys": {"token-key": {"omit": reason}}}},
        "prod": {
            "mail-logins": {"omit": reason},
            "app": {"keys": {"token": {"omit": reason}}},
            "metrics": {"omit": reason},
        },
    }
    for name, said in overrides.items():
        vault = {"vaultUrl": f"https://{name}.vault.azure.net"}
        source = {"names": f"{{remoteName}}-{name}", "azureKeyVault": vault}
        project.overlay(name, STORE, source=source, overrides=said)
    project.done("render", "--write")
    assert [line.partition(": ")[2].partition(": ")[2] for line in found(project, ("parity-name",))] == [
        "mail-logins of test and mail-login of prod look like one Secret under two names [parity-name]",
        "app/token of test and app/token-key of prod look like one key under two names [parity-name]",
    ]


def test_roots_without_declarations_are_compared_if_they_run_the_same(tmp_path: Path) -> None:
    """Two environments of one workload; a third root that runs another one has nothing to do with them."""
    project = Project(tmp_path)
    job = (
        "apiVersion: batch/v1\nkind: Job\nmetadata: {name: NAME}\nspec: {template: {spec: {containers: [{name: a}]}}}\n"
    )
    fetched = {"test": "mail-login", "prod": "mail-logins", "other": "something"}
    for name, named in fetched.items():
        made = yaml.safe_dump(external(named, "user", "password"))
        workload = job.replace("NAME", "other" if name == "other" else "mailer")
        project.write(f"deploy/{name}/all.yaml", f"{workload}---\n{made}")
        project.write(f"deploy/{name}/kustomization.yaml", "namespace: shop\nresources: [all.yaml]\n")
    done = project.ksecret("check", "-o", "json")
    (finding,) = [item for item in json.loads(done.out)["items"] if item["rule"] in PARITY]
    message = "mail-login of deploy/test and mail-logins of deploy/prod look like one Secret under two names"
    assert (finding["rule"], finding["severity"], finding["message"]) == ("parity-name", "warning", message)
