"""`migrate` of a running environment: by the commands that it prints, the same Secrets stay there all the time."""

import json
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from ..openbao import OpenBao
from ..peers import peer, run
from ..projects import Done, Project, age
from ..test_sources_vault import documented_policy
from .controlplane import Cluster
from .test_controlplane import wait_until
from .test_sample import KEYS, Sample, keys_of

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.xdist_group("cluster"),
    pytest.mark.usefixtures("vault_secrets_operator"),
]
LOGIN = "vault-login"


class Production:
    """The sample's production overlay, deployed as SealedSecrets; and an engine of OpenBao that is still empty.

    Under a prefix the values are sealed for the namespace alone, since the names change.
    """

    def __init__(self, sample: Sample, bao: OpenBao, prefix: str = "") -> None:
        self._sample, self._bao, self._mount, self.prefix = sample, bao, bao.mount(), prefix
        if prefix:
            sample.edit("prod", namePrefix=prefix)
            path = sample.project.root / "overlays/prod/secrets/ksecret.yaml"
            path.write_text(path.read_text().rstrip() + "\n      scope: namespace-wide\n")
        self.namespace = sample.namespace("prod")
        token = bao.limited(documented_policy("write", self._mount))
        sample.project.environment |= {"VAULT_TOKEN": token, "SOPS_AGE_KEY": age("anna").identity}
        sample.seal()
        self.ksecret("sync", "prod")
        sample.deploy("prod")
        self.kubectl(
            "create", "secret", "generic", LOGIN, f"--namespace={self.namespace}", f"--from-literal=token={token}"
        )

    @property
    def project(self) -> Project:
        """The files."""
        return self._sample.project

    @property
    def source(self) -> str:
        """The engine as a source."""
        return json.dumps({"vault": {"address": self._bao.url, "mount": self._mount}})

    def app_role(self) -> Mapping[str, Any]:
        """Let Vault Secrets Operator in, with the policy for reading."""
        path = f"approle-{self._mount}"
        self._bao.ask("PUT", f"sys/policies/acl/{path}", {"policy": documented_policy("read", self._mount)})
        self._bao.ask("POST", f"sys/auth/{path}", {"type": "approle"})
        self._bao.ask("POST", f"auth/{path}/role/shop", {"token_policies": path})
        role_id = self._bao.ask("GET", f"auth/{path}/role/shop/role-id")["data"]["role_id"]
        secret_id = self._bao.ask("POST", f"auth/{path}/role/shop/secret-id")["data"]["secret_id"]
        literal = f"--from-literal=id={secret_id}"
        self.kubectl("create", "secret", "generic", "vault-role", f"--namespace={self.namespace}", literal)
        return {"appRole": {"mountPath": path, "roleId": role_id, "secretName": "vault-role"}}

    def entry(self, secret: str) -> Mapping[str, str]:
        """What the vault holds for a Secret."""
        data: Mapping[str, str] = self._bao.ask("GET", f"{self._mount}/data/shop/prod/{secret}")["data"]["data"]
        return data

    def migrate(self, *arguments: str) -> list[str]:
        """Migrate, run the commands that are printed, and return them."""
        printed = self.ksecret("migrate", "prod", *arguments).splitlines()
        commands = [line.strip() for line in printed if line.startswith("   ")]
        for command in commands:
            program, *words = shlex.split(command)
            assert program == "kubectl"
            if words[0] == "ksecret":
                self.ksecret(*words[1:])
            else:
                self.kubectl(*words)
        return commands

    def tried(self, *arguments: str) -> Done:
        """Run the command, whatever comes of it."""
        return self._sample.ksecret(*arguments)

    def ksecret(self, *arguments: str) -> str:
        done = self.tried(*arguments)
        assert (done.code, done.err) == (0, ""), (arguments, done)
        return done.out

    def kubectl(self, *arguments: str) -> str:
        cluster = self._sample.cluster
        return run(peer("kubectl"), f"--kubeconfig={cluster.kubeconfig}", *arguments, folder=self._sample.project.root)

    def secrets(self) -> dict[str, dict[str, str]]:
        """The live Secrets by their declared names, their values in base64."""
        secrets = self._sample.secrets("prod", self.prefix)
        return {name.removeprefix(self.prefix): data for name, data in secrets.items() if name.startswith(self.prefix)}

    def generations(self) -> dict[str, int]:
        """The generations of the workloads."""
        return self._sample.generations("prod")


@pytest.fixture
def production(tmp_path: Path, cluster: Cluster, bao: OpenBao, request: pytest.FixtureRequest) -> Production:
    return Production(Sample(tmp_path, cluster, crc32(request.node.name.encode())), bao)


@contextmanager
def watched(cluster: Cluster, namespace: str, file: Path) -> Iterator[list[dict[str, Any]]]:
    """Fill a list with all that happened to the Secrets of a namespace, until the end of the block."""
    command = [peer("kubectl"), f"--kubeconfig={cluster.kubeconfig}", f"--namespace={namespace}", "get", "secrets"]
    happened: list[dict[str, Any]] = []
    with file.open("w") as out:
        watch = subprocess.Popen([*command, "--watch", "--output-watch-events", "--output=json"], stdout=out)
        yield happened
        cluster.kubectl("create", "secret", "generic", "the-last", f"--namespace={namespace}")
        wait_until(lambda: "the-last" in file.read_text())
        watch.terminate()
        watch.wait()
    text, decoder = file.read_text(), json.JSONDecoder()
    while text := text.lstrip():
        event, end = decoder.raw_decode(text)
        happened.append(event)
        text = text[end:]


def test_under_a_prefix_the_printed_commands_name_what_is_deployed(
    tmp_path: Path, cluster: Cluster, bao: OpenBao, request: pytest.FixtureRequest
) -> None:
    """What no build has can't have the prefix, so that this backend is refused before anything is written."""
    production = Production(Sample(tmp_path, cluster, crc32(request.node.name.encode())), bao, "eu-")
    secrets, generations = production.secrets(), production.generations()
    patterns = ("--names", "shop/prod/{secret}", "--property", "{remoteName}")
    production.migrate("--to", production.source, *patterns, "--from-cluster")
    store = {"name": "vault", "auth": {"token": {"secretRef": {"name": LOGIN, "key": "token"}}}}
    files = production.project.files()
    done = production.tried("migrate", "prod", "--to", "secret")
    assert (done.code, production.project.changed_since(files)) == (2, set())
    assert "backend-secrets is deployed as eu-backend-secrets, and with secret it would be backend-secrets" in done.err
    commands = production.migrate("--to", json.dumps({"externalSecret": {"store": store}}))
    assert "eu-backend-secrets" in commands[0]
    commands = production.migrate("--to", json.dumps({"vaultSecretsOperator": {"auth": production.app_role()}}))
    assert commands[-1] == (
        f"kubectl delete secretstore.external-secrets.io/eu-vault --namespace={production.namespace}"
    )
    production.migrate("--to", "sealedSecret: {certificate: sealing.pem, scope: namespace-wide}")
    assert (production.secrets(), production.generations()) == (secrets, generations)
    assert production.ksecret("diff", "prod") == ""


def test_every_backend_after_the_other_makes_the_same_secrets_which_are_never_gone(
    production: Production, cluster: Cluster, tmp_path: Path
) -> None:
    """Neither a Secret nor a key of it is missing for a moment, and no workload rolls out."""
    secrets, generations = production.secrets(), production.generations()
    assert keys_of(secrets) == KEYS
    with watched(cluster, production.namespace, tmp_path / "watch") as happened:
        patterns = ("--names", "shop/prod/{secret}", "--property", "{remoteName}")
        production.migrate("--to", production.source, *patterns, "--from-cluster")
        assert len(production.entry("backend-secrets")) == len(KEYS["backend-secrets"])
        store = {"name": "vault", "auth": {"token": {"secretRef": {"name": LOGIN, "key": "token"}}}}
        for backend in (
            f"sops: {{age: [{age('anna').recipient}]}}",
            "secret",
            json.dumps({"externalSecret": {"store": store}}),
            json.dumps({"vaultSecretsOperator": {"auth": production.app_role()}}),
            "sealedSecret: {certificate: sealing.pem}",
        ):
            production.migrate("--to", backend)
            assert (production.secrets(), production.generations()) == (secrets, generations)
            assert production.ksecret("diff", "prod") == ""
    states = [event for event in happened if event["object"]["metadata"]["name"] in KEYS]
    assert len(states) > len(KEYS)
    for event in states:
        name = event["object"]["metadata"]["name"]
        assert (event["type"] != "DELETED", name, event["object"]["data"]) == (True, name, secrets[name])
