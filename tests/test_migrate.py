"""`kubectl ksecret migrate`: an overlay gets another backend or source, and its values come along."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from .keyvault import KeyVault
from .keyvault.faults import no_role
from .openbao import OpenBao
from .projects import Project, age, opened_by_kubeseal, opened_by_sops, secret_manifest, shop

VALUES = {"token": b"the token", "password": b"the password"}
VALUES_AS_TEXT = {key: value.decode() for key, value in VALUES.items()}


@pytest.fixture
def vault() -> Iterator[KeyVault]:
    """An empty vault."""
    with KeyVault() as double:
        yield double


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """SealedSecrets of two keys, with their values in .env."""
    project = shop(tmp_path)
    project.done("seal", "prod")
    return project


def overlay(project: Project) -> str:
    return (project.root / "overlays/prod/secrets/ksecret.yaml").read_text()


def to_vault(vault: KeyVault) -> str:
    return f"azureKeyVault: {{vaultUrl: {vault.url}}}"


def test_each_backend_after_the_other_holds_the_same_values(project: Project) -> None:
    """Sealed, encrypted, nothing committed, and sealed again; only what was typed changes in ksecret.yaml."""
    before = overlay(project)
    sops = f"sops: {{age: [{age('anna').recipient}]}}"
    done = project.ksecret("migrate", "prod", "--to", sops)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[:3] == [
        "2 keys sealed",
        "overlays/prod/secrets/ksecret.yaml written",
        "overlays/prod/secrets/manifests/app.yaml written",
    ]
    assert opened_by_sops(project.manifest("app"), "anna") == VALUES
    project.done("migrate", "prod", "--to", "secret")
    assert not project.manifest("app").exists()
    assert "sops" not in overlay(project)
    project.done("migrate", "prod", "--to", "sealedSecret: {certificate: sealing.pem, scope: strict}")
    assert opened_by_kubeseal(project.manifest("app")) == VALUES
    assert overlay(project) == before
    assert project.done("render", "--check") == ""


def test_it_says_how_the_secret_stays_while_its_object_changes(project: Project) -> None:
    """The old object is deleted without its Secret, then the new one takes the Secret over."""
    out = project.done("migrate", "prod", "--to", "secret", "--dry-run")
    assert [line.strip() for line in out.splitlines() if line.startswith("   ")] == [
        "kubectl delete sealedsecret.bitnami.com app --namespace=shop-prod --cascade=orphan",
        "kubectl ksecret sync prod --adopt",
    ]
    assert "sealedSecret" in overlay(project)


def test_an_operator_that_deletes_the_secret_with_its_object_is_stopped_for_the_move(project: Project) -> None:
    """ack-secret-manager does so by a finalizer; nothing that is printed lets it see the deletion."""
    source = {"alibabaKms": {"region": "cn-hangzhou"}}
    project.overlay("ack", {"ackSecretManager": {"store": {"name": "kms"}}}, source=source)
    out = project.done("migrate", "ack", "--to", "secret", "--dry-run")
    assert [line.strip() for line in out.splitlines() if line.startswith("   ")] == [
        "kubectl scale deployment ack-secret-manager --namespace=kube-system --replicas=0",
        "kubectl patch externalsecret.alibabacloud.com app --namespace=shop-ack --type=merge "
        """--patch='{"metadata": {"finalizers": null}}'""",
        "kubectl delete externalsecret.alibabacloud.com app --namespace=shop-ack --cascade=orphan",
        "kubectl ksecret sync ack --adopt",
        "kubectl scale deployment ack-secret-manager --namespace=kube-system --replicas=1",
    ]


def test_a_source_that_this_clone_does_not_know_is_shown_before_it_is_read(project: Project, vault: KeyVault) -> None:
    """What was sealed from it is known; an overlay that seals nothing is asked for its source, and nothing else."""
    project.environment |= vault.environment
    arguments = ("--to", to_vault(vault), "--names", "{remoteName}-new", "--dry-run")
    assert project.untrusting("migrate", "prod", *arguments).code == 0
    vault.requests.clear()
    source = {"names": "{remoteName}-old", "azureKeyVault": {"vaultUrl": vault.url}}
    project.overlay("aks", {"externalSecret": {"store": {"name": "vault"}}}, source=source)
    done = project.untrusting("migrate", "aks", *arguments)
    assert (done.code, done.out, vault.requests) == (2, "", [])
    message, hint = done.err.splitlines()
    shown = (
        f'source: {{"names": "{{remoteName}}-old", "azureKeyVault": {{"parallelism": 8, "vaultUrl": "{vault.url}"}}}}'
    )
    file = "overlays/aks/secrets/ksecret.yaml"
    assert message.partition(": ")[2].partition(": ")[2] == (
        f"aks is nothing whose values this clone has read yet: {shown}; {file}: not committed as it is"
    )
    assert hint.startswith(
        "hint: if that is right, run it on a terminal and say so or, in a pipeline, set KSECRET_ACCEPT=aks@sha256:"
    )
    done = project.on_terminal("migrate", "aks", *arguments, typed=b"n\n")
    assert f"This clone has not read the values of aks ({file}) before. Its values would be read from:" in done.out
    assert (done.code, vault.requests) == (2, [])


def test_values_go_into_a_vault_once_and_are_sealed_from_there(project: Project, vault: KeyVault) -> None:
    """The names follow the new pattern; what was in .env stays there, and a second run writes nothing."""
    project.environment |= vault.environment
    arguments = ("migrate", "prod", "--to", to_vault(vault), "--names", "{remoteName}-prod")
    done = project.ksecret(*arguments, "--dry-run")
    assert (done.code, done.err, vault.versions("token-prod")) == (0, "", [])
    assert "2 would be copied; 0 were there already" in done.out
    done = project.ksecret(*arguments)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[:4] == [
        "password-prod copied",
        "token-prod copied",
        "2 copied, each read back; 0 were there already",
        "2 keys sealed",
    ]
    assert (vault.value("token-prod"), vault.value("password-prod")) == ("the token", "the password")
    assert opened_by_kubeseal(project.manifest("app")) == VALUES
    [version] = [version.id for version in vault.versions("token-prod")]
    assert f"version={version}" in project.manifest("app").read_text()
    assert (project.root / ".env").read_text() == "TOKEN=the token\nPASSWORD=the password\n"
    again = project.ksecret(*arguments)
    assert (again.code, len(vault.versions("token-prod"))) == (0, 1)


def test_a_name_that_holds_another_value_is_not_written_over_unasked(project: Project, vault: KeyVault) -> None:
    project.environment |= vault.environment
    vault.set("token", "somebody's")
    vault.set("password", "the password")
    before = project.files()
    done = project.ksecret("migrate", "prod", "--to", to_vault(vault))
    assert (done.code, done.out) == (2, "")
    assert "holds another value of token" in done.err
    assert "--overwrite" in done.err
    assert (vault.value("token"), project.files()) == ("somebody's", before)
    done = project.ksecret("migrate", "prod", "--to", to_vault(vault), "--overwrite")
    assert (done.code, done.err) == (0, "")
    assert "1 copied, each read back; 1 were there already" in done.out
    assert (vault.value("token"), len(vault.versions("password"))) == ("the token", 1)


def test_keys_become_properties_of_one_name(project: Project, vault: KeyVault) -> None:
    """One JSON value is written, once; a property that stands beside is kept."""
    project.environment |= vault.environment
    vault.set("app", '{"other": 1}')
    patterns = ("--names", "{secret}", "--property", "{remoteName}")
    done = project.ksecret("migrate", "prod", "--to", to_vault(vault), *patterns)
    assert (done.code, done.err) == (0, "")
    assert vault.value("app") == '{"other": 1, "password": "the password", "token": "the token"}'
    assert len(vault.versions("app")) == 2
    assert opened_by_kubeseal(project.manifest("app")) == VALUES


def test_values_go_into_an_entry_of_vault_for_each_secret(project: Project, bao: OpenBao) -> None:
    """Where an entry holds another property already, that stays."""
    mount = bao.mount()
    project.environment |= bao.environment
    project.declare("other", {"password": {"remoteName": "other-password"}})
    project.write(".env", "TOKEN=the token\nPASSWORD=the password\nOTHER_PASSWORD=another\n")
    bao.ask("POST", f"{mount}/data/shop/app", {"data": {"somebody": "else's"}})
    vault = f"vault: {{address: {bao.url}, mount: {mount}}}"
    done = project.ksecret("migrate", "prod", "--to", vault, "--names", "shop/{secret}", "--property", "{remoteName}")
    assert (done.code, done.err) == (0, "")
    entries = {name: bao.ask("GET", f"{mount}/data/shop/{name}")["data"] for name in ("app", "other")}
    assert entries["app"]["data"] == {"somebody": "else's", "token": "the token", "password": "the password"}
    assert (entries["app"]["metadata"]["version"], entries["other"]["data"]) == (2, {"other-password": "another"})
    assert opened_by_kubeseal(project.manifest("app")) == VALUES


def test_pins_stay_with_the_source_that_they_are_of(project: Project, vault: KeyVault, bao: OpenBao) -> None:
    """The pinned value is copied; its version has no meaning in the new source."""
    first = vault.set("token", "the token", created_on=datetime(2024, 1, 1, tzinfo=UTC))
    vault.set("token", "a newer one")
    vault.set("password", "the password")
    project.environment |= {**vault.environment, **bao.environment}
    project.sealed_overlay(
        source={"azureKeyVault": {"vaultUrl": vault.url}}, overrides={"app": {"keys": {"token": {"version": first}}}}
    )
    mount = bao.mount()
    target = f"vault: {{address: '{bao.url}', mount: {mount}}}"
    project.done("migrate", "prod", "--to", target, "--names", "{secret}", "--property", "{remoteName}")
    entry = bao.ask("GET", f"{mount}/data/app")["data"]["data"]
    assert entry == VALUES_AS_TEXT
    assert "version:" not in overlay(project)
    assert opened_by_kubeseal(project.manifest("app")) == VALUES


def test_under_a_prefix_the_objects_are_named_as_they_are_deployed(project: Project) -> None:
    project.write("overlays/prod/secrets/kustomization.yaml", "resources: [manifests]\n")
    kustomization = "resources: [secrets]\nnamePrefix: eu-\nnamespace: shop-prod\n"
    project.write("overlays/prod/kustomization.yaml", kustomization)
    out = project.done("migrate", "prod", "--to", f"sops: {{age: [{age('anna').recipient}]}}", "--dry-run")
    assert "kubectl delete sealedsecret.bitnami.com eu-app --namespace=shop-prod --cascade=orphan" in out


def test_given_values_take_the_place_of_the_source(project: Project, vault: KeyVault) -> None:
    """From `kubectl get secret`; a key that is not among them has no value, which is told with 3."""
    project.environment |= vault.environment
    secret = '{"kind": "Secret", "metadata": {"name": "app"}, "stringData": {"token": "a live one"}}'
    done = project.ksecret("migrate", "prod", "--to", to_vault(vault), "-f", "-", stdin=secret)
    assert (done.code, done.err) == (3, "error: app/password has no value that could be copied\n")
    assert vault.value("token") == "a live one"
    assert opened_by_kubeseal(project.manifest("app"))["token"] == b"a live one"


def test_two_values_for_one_name_are_refused(project: Project, vault: KeyVault) -> None:
    """Keys that share a name by `from` may have drifted apart; neither value is chosen, and none is written."""
    project.environment |= vault.environment
    project.declare("web", {"session": {"from": "app/token"}})
    secrets = [secret_manifest("app", stringData=VALUES_AS_TEXT), secret_manifest("web", stringData={"session": "old"})]
    given = "\n---\n".join(map(json.dumps, secrets))
    done = project.ksecret("migrate", "prod", "--to", to_vault(vault), "-f", "-", "--overwrite", stdin=given)
    assert (done.code, done.err) == (
        2,
        "error: app/token has another value than web/session, and both shall read token\n"
        "hint: give each a name or a property of its own\n",
    )
    assert (vault.versions("token"), vault.versions("password")) == ([], [])


def test_a_source_that_refuses_leaves_the_overlay_as_it_was(project: Project, vault: KeyVault) -> None:
    project.environment |= vault.environment
    vault.faults.add(no_role(), "PUT /secrets/*")
    before = project.files()
    done = project.ksecret("migrate", "prod", "--to", to_vault(vault))
    assert done.code == 3
    assert project.files() == before


def test_what_is_typed_is_held_to_the_same_rules_as_an_overlay(project: Project) -> None:
    """A mistake is one of --to, not of a line that nobody has written."""
    mistakes = {
        "sealedSecre: {}": "error: --to: no backend or source is named sealedSecre\nhint: did you mean",
        "sealedSecret: {}": 'error: --to: "certificate" is missing\n',
        "environment": "error: the source environment takes no values\n",
        "externalSecret: {store: {name: a, auth: {managedIdentity: {}}}}": "error: --to: externalSecret needs a source",
        "[": "error: --to takes one backend or source as YAML\n",
    }
    before = project.files()
    for typed, message in mistakes.items():
        done = project.ksecret("migrate", "prod", "--to", typed)
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith(message)
    assert project.files() == before


def test_nothing_is_read_of_a_source_that_is_not_trusted(tmp_path: Path, vault: KeyVault) -> None:
    """A pull request could have named the old source: reading it is asked for as sealing is."""
    project = shop(tmp_path)
    project.environment |= vault.environment
    project.overlay("prod", {"externalSecret": {"store": {"name": "store"}}}, source={"command": {"command": ["id"]}})
    project.sealed_overlay("prod")
    done = project.untrusting("migrate", "prod", "--to", to_vault(vault))
    assert done.code == 2
    assert "KSECRET_ACCEPT=prod@sha256:" in done.err
    assert vault.values_read == []


def test_an_overlay_of_any_provider_goes_to_a_vault_with_given_values(project: Project, bao: OpenBao) -> None:
    """Its patterns stay; the values can't be read where they are, so they are given."""
    mount = bao.mount()
    store = {"externalSecret": {"store": {"name": "doppler", "kind": "ClusterSecretStore"}}}
    project.overlay("aks", store, source={"names": "shop/{secret}", "property": "{key}"})
    to = ("migrate", "aks", "--to", f'vault: {{address: "{bao.url}", mount: {mount}}}')
    done = project.ksecret(*to, **bao.environment)
    assert (done.code, done.err) == (
        2,
        "error: aks has no source to copy from\n"
        "hint: give the values with -f, or take those of the cluster with --from-cluster\n",
    )
    given = json.dumps(secret_manifest("app", stringData=VALUES_AS_TEXT))
    done = project.ksecret(*to, "-f", "-", stdin=given, **bao.environment)
    assert (done.code, done.err) == (0, "")
    assert bao.ask("GET", f"{mount}/data/shop/app")["data"]["data"] == VALUES_AS_TEXT


def test_what_the_old_backend_had_for_one_secret_goes_with_it(project: Project) -> None:
    """The overrides that are of no backend stay, comments too."""
    text = overlay(project)
    more = (
        "  overrides:\n"
        "    app:\n"
        "      sealedSecret: {scope: namespace-wide}\n"
        "      keys:\n"
        "        token: {remoteName: TOKEN}  # as it is\n"
    )
    project.write("overlays/prod/secrets/ksecret.yaml", text + more)
    project.done("seal", "prod")
    project.done("migrate", "prod", "--to", "secret")
    assert overlay(project).endswith(
        "  overrides:\n    app:\n      keys:\n        token: {remoteName: TOKEN}  # as it is\n"
    )
    alone = "  overrides:\n    app:\n      sealedSecret: {scope: namespace-wide}\n"
    project.write("overlays/prod/secrets/ksecret.yaml", text + alone)
    project.done("migrate", "prod", "--to", "secret")
    assert "overrides" not in overlay(project)


def test_a_certificate_that_is_not_there_is_a_mistake_of_what_was_typed(project: Project) -> None:
    """It has no line: the overlay is as it was."""
    before = overlay(project)
    done = project.ksecret("migrate", "prod", "--to", "sealedSecret: {certificate: other.pem}")
    message = "error: --to: overlays/prod/secrets/other.pem: No such file or directory\n"
    assert (done.code, done.out, done.err, overlay(project)) == (2, "", message, before)
