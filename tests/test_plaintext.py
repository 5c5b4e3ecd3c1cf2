"""Plain values out of what is committed: into a pipe, and nowhere else."""

import json
import subprocess
from base64 import b64decode, b64encode
from pathlib import Path

import yaml

from .forkserver import COMMAND
from .peers import peer, run
from .projects import RECORD, Project, age, sealing, secret_manifest, shop, sops_shop


def opening(project: Project) -> list[list[str]]:
    """The two commands that print plain values, on a project where both work."""
    project.sops_overlay("alice", name="eu")
    project.done("seal")
    project.write("key.pem", sealing(1).private_key)
    project.environment["SOPS_AGE_KEY"] = age("alice").identity
    unseal = ["unseal", "overlays/prod/secrets/manifests/app.yaml", "--private-key", "key.pem"]
    return [unseal, ["render", "eu", "--decrypt"]]


def test_plain_values_go_into_a_pipe_and_nowhere_else(tmp_path: Path) -> None:
    """A regular file and a terminal are refused; the terminal not, when it is asked for."""
    project = shop(tmp_path)
    token = b64encode(b"the token").decode()
    for command in opening(project):
        assert yaml.safe_load(project.done(*command))["data"]["token"] == token
        assert json.loads(project.done(*command, "-o", "json"))["items"][0]["data"]["token"] == token
        with (tmp_path / "out").open("wb") as file:
            done = subprocess.run(
                [COMMAND, *command],
                cwd=project.root,
                env=project.environment,
                stdout=file,
                stderr=subprocess.PIPE,
                check=False,
            )
        assert (done.returncode, (tmp_path / "out").read_bytes()) == (2, b"")
        assert b"plain values are never written to a file" in done.stderr
        on_screen = project.on_terminal(*command)
        assert (on_screen.code, token in on_screen.out) == (2, False)
        assert "plain values are not shown on a terminal" in on_screen.out
        allowed = project.on_terminal(*command, "--allow-terminal")
        assert (allowed.code, token in allowed.out) == (0, True)


def test_decrypting_needs_an_identity_and_whole_files(tmp_path: Path) -> None:
    """All files that can't be opened are told, and nothing is printed of the others."""
    project = sops_shop(tmp_path, "alice")
    project.declare("other", {"one": {}})
    project.write(".env", "TOKEN=a\nPASSWORD=b\nONE=c\n")
    project.done("seal", "prod")
    done = project.ksecret("render", "prod", "--decrypt")
    assert (done.code, done.out, done.err.count("no age identity at hand opens it")) == (3, "", 2)
    text = project.manifest("other").read_text()
    project.manifest("other").write_text(text.replace("mac: ENC[AES256_GCM,data:", "mac: ENC[AES256_GCM,data:AAAA"))
    done = project.ksecret("render", "prod", "--decrypt", SOPS_AGE_KEY=age("alice").identity)
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith("error: overlays/prod/secrets/manifests/other.yaml:")
    project.sealed_overlay()
    done = project.ksecret("render", "prod", "--decrypt")
    assert (done.code, "overlay prod has nothing that SOPS encrypted" in done.err) == (2, True)


def test_decrypted_secrets_are_those_that_were_sealed(tmp_path: Path) -> None:
    """With name, namespace, type and labels, and without the sops block: what `kubectl apply` takes."""
    project = sops_shop(tmp_path, "alice")
    project.declare("app", {"token": {}, "password": {}}, type="example.org/t", labels={"a": "b"})
    project.done("seal", "prod")
    opened = yaml.safe_load(project.done("render", "prod", "--decrypt", SOPS_AGE_KEY=age("alice").identity))
    values = {key: b64decode(text) for key, text in opened.pop("data").items()}
    assert values == {"token": b"the token", "password": b"the password"}
    assert opened["metadata"].pop("annotations").keys() == {RECORD}
    assert opened == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "app", "namespace": "shop-prod", "labels": {"a": "b"}},
        "type": "example.org/t",
    }


def test_a_whole_folder_of_manifests_is_recovered(tmp_path: Path) -> None:
    """As the guide says: *.yaml, in which the kustomization and its references lie too; alone they are no Secrets."""
    project = shop(tmp_path)
    project.declare("kustomization", {"one": {"from": "app/token"}})
    project.done("seal")
    project.write("key.pem", sealing(1).private_key)
    folder = project.manifest("app").parent
    files = sorted(map(str, folder.glob("*.yaml")))
    opened = yaml.safe_load_all(project.done("unseal", *files, "--private-key", "key.pem"))
    assert sorted(document["metadata"]["name"] for document in opened) == ["app", "kustomization"]
    done = project.ksecret("unseal", str(folder / "kustomization.yaml"), "--private-key", "key.pem")
    assert (done.code, done.out) == (2, "")


def test_a_value_that_is_not_base64_is_told_and_not_shown(tmp_path: Path) -> None:
    """As the real sops may have encrypted it: no API server takes it, and it may not even be text."""
    project = sops_shop(tmp_path, "alice")
    lines = 'data:\n  token: !!binary /v9h\n  password: ""\n'
    metadata = {"name": "app", "namespace": "shop-prod"}
    plain = project.write("plain.yaml", yaml.safe_dump(secret_manifest("app") | {"metadata": metadata}) + lines)
    options = ("--age", age("alice").recipient, "--encrypted-regex", "^(data|stringData)$")
    project.write("overlays/prod/secrets/manifests/app.yaml", run(peer("sops"), "encrypt", *options, plain))
    done = project.ksecret("render", "prod", "--decrypt", SOPS_AGE_KEY=age("alice").identity)
    message = "error: overlays/prod/secrets/manifests/app.yaml: data.token is not base64\n"
    assert (done.code, done.out, done.err) == (2, "", message)
