"""A value that is in the cluster, in its Events, its errors and its annotations, comes out nowhere."""

import json
from base64 import b64encode
from pathlib import Path

import pytest
import yaml

from ..openbao import OpenBao
from ..test_canary import CANARY, SHOWN, STORED, Watched, traces
from .acksecretmanager import AckSecretManager
from .controlplane import Cluster
from .policies import refusing
from .shops import Shop
from .test_vault import Vault

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("cluster")]
FORMATS = {
    "sync": ("text", "json"),
    "diff": ("diff", "json"),
    "status": ("wide",),
    "doctor": ("text", "json"),
}
# A function of the templates of both operators that quotes the value whole in the Event and the log.
QUOTING = {"externalSecret": "{{ fail .token }}", "vaultSecretsOperator": '{{ fail (get .Secrets "token") }}'}


@pytest.fixture
def shop(tmp_path: Path, cluster: Cluster, namespace: str) -> Shop:
    return Shop(tmp_path, cluster, namespace, Watched(tmp_path))


def watched(shop: Shop) -> Watched:
    assert isinstance(shop.project, Watched)
    return shop.project


def assert_nothing_leaked(shop: Shop, *shown: str) -> None:
    """Neither in what was shown, nor in a file, nor in the arguments of another program."""
    project = watched(shop)
    for text in (*shown, project.log.read_text()):
        assert (traces(text.encode(), SHOWN), "Traceback" in text) == ([], False)
    for name, content in project.files().items():
        assert (name, traces(content, STORED)) == (name, [])
    assert list(project.temporary.iterdir()) == []


def run_all(shop: Shop, overlay: str, *codes: int, **variables: str) -> str:
    """Run every command of the cluster in every format; none of them shows, writes or hands on the value."""
    outputs = []
    for command, formats in FORMATS.items():
        for output in formats:
            done = shop.ksecret(
                command, overlay, "-o", output, *(["--timeout=3s"] if command == "sync" else []), **variables
            )
            assert done.code in codes, (command, done)
            outputs.append(done.out + done.err)
    assert_nothing_leaked(shop, *outputs)
    return "".join(outputs)


def quote(shop: Shop, overlay: str, *path: str, template: str) -> None:
    """Let the operator fail with the value in its message, by a template in the committed manifest."""
    file = shop.project.manifest("app", overlay)
    manifest = yaml.safe_load(file.read_text())
    templates = manifest["spec"]
    for field in path:
        templates = templates.setdefault(field, {})
    templates["token"] = template if path[-1] == "data" else {"text": template}
    file.write_text(json.dumps(manifest))


def events(shop: Shop) -> str:
    """What the Events of the namespace say, in which the value has to stand for the tests to show anything."""
    return shop.kubectl("get", "events", "--output=jsonpath={.items[*].message}")


def by_hand(shop: Shop, **fields: object) -> None:
    """Apply a Secret as people do, so that an annotation holds its values once more."""
    data = {"token": b64encode(CANARY.encode()).decode(), "old": b64encode(CANARY.encode()).decode()}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "app"}, "data": data, **fields}
    shop.cluster.kubectl(f"--namespace={shop.namespace}", "apply", "--filename=-", stdin=json.dumps(secret))


def test_a_plain_secret_that_was_applied_by_hand_and_is_taken_over(shop: Shop) -> None:
    shop.secret_overlay(environment={})
    by_hand(shop)
    variables = {"TOKEN": CANARY, "PASSWORD": CANARY}
    run_all(shop, "manual", 0, 1, **variables)
    done = [shop.ksecret("sync", "manual", "--adopt", **variables), shop.ksecret("cluster", "pin", "manual")]
    assert [one.code for one in done] == [0, 0]
    assert shop.secret() == {"token": CANARY, "password": CANARY}
    variables["TOKEN"] = f"{CANARY}2"
    assert_nothing_leaked(shop, *(one.out + one.err for one in done))
    run_all(shop, "manual", 0, 1, **variables)


def test_what_a_policy_says_of_the_value(shop: Shop) -> None:
    """It quotes the value; of the policy no more than its name is shown. Without it the next run completes."""
    shop.secret_overlay(environment={})
    by_hand(shop)
    variables = {"TOKEN": f"{CANARY}2", "PASSWORD": "p"}
    message = "'the token is ' + string(object.data.token) + ', it was ' + string(oldObject.data.token)"
    with refusing(shop, "secrets", "", "v1", message) as name:
        done = shop.ksecret("sync", "manual", "--adopt", **variables)
        assert (done.code, done.out) == (3, "")
        assert f"Invalid, by the ValidatingAdmissionPolicy {name}" in done.err
        assert_nothing_leaked(shop, done.err)
    assert shop.ksecret("sync", "manual", "--adopt", **variables).code == 0
    assert shop.secret() == {"token": f"{CANARY}2", "password": "p"}


def test_sealed_values_and_the_certificate(shop: Shop) -> None:
    shop.sealed_overlay()
    shop.values(token="x", password="y")
    assert shop.ksecret("certificate", "prod", "--fetch").code == 0
    project = watched(shop)
    source = ("--source", "environment")
    done = project.ksecret("seal", "prod", *source, TOKEN=CANARY, PASSWORD=CANARY)
    assert done.code == 0, done.err
    run_all(shop, "prod", 0, 1)
    assert shop.secret()["token"] == CANARY
    shop.kubectl("annotate", "secret", "app", f"kubectl.kubernetes.io/last-applied-configuration={CANARY}")
    run_all(shop, "prod", 0, 1)


def test_a_value_in_the_events_and_the_log_of_external_secrets_operator(shop: Shop) -> None:
    shop.store(token=CANARY, password=CANARY)
    shop.external_overlay()
    run_all(shop, "test", 0, 1, 3)  # `status` reaches no vault
    assert shop.secret()["token"] == CANARY
    quote(shop, "test", "target", "template", "data", template=QUOTING["externalSecret"])
    assert "error calling fail" in run_all(shop, "test", 0, 1, 3)
    assert CANARY in events(shop)


def test_a_value_in_the_events_of_vault_secrets_operator(
    shop: Shop, bao: OpenBao, vault_secrets_operator: None
) -> None:
    vault = Vault(bao, shop)
    bao.ask("POST", f"{vault.mount}/data/shop/prod/app", {"data": {"token": CANARY, "password": CANARY}})
    shop.vault_overlay(vault.source, vault.kubernetes())
    run_all(shop, "vso", 0, 1, VAULT_TOKEN=vault.token())
    assert shop.secret() == {"token": CANARY, "password": CANARY}
    quote(shop, "vso", "destination", "transformation", "templates", template=QUOTING["vaultSecretsOperator"])
    assert "error calling fail" in run_all(shop, "vso", 0, 1, VAULT_TOKEN=vault.token())
    assert CANARY in events(shop)


def test_a_secret_of_ack_secret_manager(shop: Shop, ack_secret_manager: AckSecretManager) -> None:
    """Without credentials of Alibaba Cloud `status` fails, and shows no more than the others."""
    ack_secret_manager.values |= {"token": CANARY, "password": CANARY}
    shop.ack_overlay()
    run_all(shop, "ack", 0, 1, 2, 3)
    assert shop.secret() == {"token": CANARY, "password": CANARY}


def test_the_files_and_arguments_of_an_external_diff(shop: Shop, tmp_path: Path) -> None:
    """Kubectl's own rule: the first word is the program, and of the others letters, digits, - and = alone pass."""
    shop.secret_overlay(environment={})
    by_hand(shop)
    program = tmp_path / "program"
    program.write_text('#!/bin/sh\nfor word in "$@"; do echo "argument $word"; done\ngrep -r . "$1" "$2"\nexit 1\n')
    program.chmod(0o755)
    done = shop.ksecret("diff", "manual", KUBECTL_EXTERNAL_DIFF=f"{program} -N --color=always $(id) ;rm a/b")
    assert done.code == 1
    arguments = [line.removeprefix("argument ") for line in done.out.splitlines() if line.startswith("argument ")]
    live, built, *options = arguments
    assert (Path(live).name.startswith("LIVE-"), Path(built).name.startswith("BUILT-")) == (True, True)
    assert options == ["-N", "--color=always"]
    assert "secret.app:  old: '***'" in done.out
    assert traces((done.out + done.err).encode(), SHOWN) == []
    assert list(watched(shop).temporary.iterdir()) == []
    program.write_text("#!/bin/sh\nexit 2\n")
    done = shop.ksecret("diff", "manual", KUBECTL_EXTERNAL_DIFF=str(program))
    assert (done.code, "it ended with exit code 2" in done.err) == (3, True)


def test_an_import_of_what_lives_and_its_seal(shop: Shop) -> None:
    """The values are read for the seal alone, and are in memory alone."""
    by_hand(shop)
    (shop.project.root / "generators/app.yaml").unlink()
    options = ("--from-cluster", f"--namespace={shop.namespace}")
    outputs = []
    for arguments in (["dry", *options, "app", "--dry-run"], ["live", *options, "app", "--seal"]):
        done = shop.ksecret("import", *arguments)
        assert done.code == 0, done.err
        outputs.append(done.out + done.err)
    assert_nothing_leaked(shop, *outputs)
    assert shop.project.manifest("app", "live").exists()
