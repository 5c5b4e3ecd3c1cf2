"""integrations/: ciphertext is no false alarm of detect-secrets and gitleaks, and a secret beside it is found."""

import json
import os
import re
import runpy
import secrets
import shlex
import subprocess
import sys
from base64 import b64encode
from importlib.metadata import version
from pathlib import Path
from string import ascii_letters, digits

import pytest
import yaml

from .peers import ROOT, peer, run
from .projects import Project, age, shop

INTEGRATIONS = ROOT / "integrations"
FILE = INTEGRATIONS / "sealed_values.py"
FILTERS = ("--filter", f"{FILE}::is_sealed", "--filter", f"{FILE}::is_name")


def real_secret() -> str:
    """What a key looks like; no word of English, which gitleaks lets pass, stands in it."""
    return "".join(secrets.choice(ascii_letters) + secrets.choice(digits) for _ in range(24))


def everything_sealed(folder: Path) -> Project:
    """What `seal`, kubeseal and sops write, of the files that each of them has."""
    project = shop(folder, f"TOKEN={real_secret()}\nPASSWORD=short\nAPI_KEY={real_secret()}\n")
    project.sops_overlay("ann", "bob", name="eu")
    project.declare("app", {"token": {}, "password": {}, "api-key": {}, "url": {"template": "{{ token }}"}})
    project.done("seal")
    (project.root / ".env").unlink()
    manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "app", "namespace": "shop"},
        "stringData": {
            "password": "a",
            "large-key": "b" * 5000,
            **{f"api-token-{n}": real_secret() for n in range(10)},
        },
    }
    pem = project.root / "overlays/prod/secrets/sealing.pem"
    for form in ("yaml", "json"):
        sealed = run(peer("kubeseal"), "--cert", pem, "-o", form, input=json.dumps(manifest))
        project.write(f"kubeseal.{form}", sealed)
    for form in ("yaml", "json", "dotenv", "ini"):
        section = "[app]\n" if form == "ini" else ""
        plain = section + "".join(f"{name}={real_secret()}\n" for name in ("password", "api_key", "token"))
        source = project.write("plain", plain if form in ("dotenv", "ini") else json.dumps(manifest))
        kind = form if form in ("dotenv", "ini") else "json"
        types = ("--age", age("ann").recipient, "--input-type", kind, "--output-type", form)
        environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
        encrypted = run(peer("sops"), "encrypt", *types, source, env=environment)
        project.write(f"sops.{'env' if form == 'dotenv' else form}", encrypted)
    (project.root / "plain").unlink()
    project.git("add", "--all", "--force")
    return project


def put_beside(project: Project) -> set[tuple[str, int]]:
    """Puts a secret into every file with ciphertext, and what only looks like ciphertext; the places of all."""
    places = set()
    for name in ("kubeseal.yaml", "sops.yaml", "sops.env", *map(str, _manifests(project))):
        path = project.root / name
        line = f'password = "{real_secret()}"' if name.endswith("env") else f'password: "{real_secret()}"'
        path.write_text(f"{path.read_text().rstrip()}\n{line}\n")
        places.add((name, path.read_text().count("\n")))
    short = f"AgB{real_secret()}"
    vague = f'ENC[AES256_GCM,data:,iv:,tag:,type:str]{real_secret()}" # password = "{real_secret()}'
    project.write("imitation.yaml", f'password: "{short}"\nb:\n  password: "{vague}"\n')
    project.git("add", "--all", "--force")
    return {*places, ("imitation.yaml", 1), ("imitation.yaml", 3)}


def _manifests(project: Project) -> list[Path]:
    return [project.manifest("app", name).relative_to(project.root) for name in ("prod", "eu")]


def detect_secrets(project: Project, *options: str) -> set[tuple[str, int]]:
    """The places that the real detect-secrets finds."""
    scan = [sys.executable, "-m", "detect_secrets", "scan", "--no-verify", *options]
    files = json.loads(run(*scan, folder=project.root))["results"]
    return {(file, result["line_number"]) for file, results in files.items() for result in results}


def gitleaks(project: Project, config: Path | None) -> set[tuple[str, int]]:
    """The places that the real gitleaks finds."""
    report = project.root.parent / "report.json"
    options = ("--config", config) if config else ()
    quiet = ("--no-banner", "--exit-code", "0", "--report-format", "json", "--report-path", report)
    run(peer("gitleaks"), "dir", *quiet, *options, ".", folder=project.root)
    return {(leak["File"], leak["StartLine"]) for leak in json.loads(report.read_text())}


def test_detect_secrets_finds_no_ciphertext_and_each_secret_beside_it(tmp_path: Path) -> None:
    """Without the filter it finds each kind of ciphertext."""
    project = everything_sealed(tmp_path)
    alarms = {file for file, _ in detect_secrets(project)}
    assert alarms >= {"kubeseal.yaml", "kubeseal.json", "sops.yaml", "sops.json", *map(str, _manifests(project))}
    assert detect_secrets(project, *FILTERS) == set()
    places = put_beside(project)
    assert detect_secrets(project, *FILTERS) == places


@pytest.mark.parametrize("extended", [False, True])
def test_gitleaks_finds_no_ciphertext_and_each_secret_beside_it(tmp_path: Path, extended: bool) -> None:
    """As its configuration, and where a team's own configuration extends it."""
    config = INTEGRATIONS / "gitleaks.toml"
    if extended:
        config = tmp_path / "gitleaks.toml"
        config.write_text(f'[extend]\npath = "{INTEGRATIONS / "gitleaks.toml"}"\n')
    project = everything_sealed(tmp_path)
    assert {file for file, _ in gitleaks(project, None)} >= {"kubeseal.yaml", "kubeseal.json"}
    assert gitleaks(project, config) == set()
    places = put_beside(project)
    sealed = (project.root / "kubeseal.json").read_text()
    beside = re.sub(r'("api-token-0": "[^"]+",?)', rf'\1 "api_key": "{real_secret()}",', sealed)
    project.write("beside.json", beside)
    places.add(("beside.json", 1 + sealed[: sealed.index('"api-token-0')].count("\n")))
    assert gitleaks(project, config) >= places
    assert {file for file, _ in gitleaks(project, config)} == {file for file, _ in places}


def on_one_line(folder: Path) -> Project:
    """What is sealed, as JSON on one line, and a record with an input whose name looks like that of a secret."""
    project = shop(folder, f"DATABASE_PASSWORD={real_secret()}\n")
    password: dict[str, dict[str, str]] = {"database-password": {}}
    project.declare("app", {"password": {}, "url": {"template": "{{ database-password }}"}}, inputs=password)
    project.sops_overlay("ann", name="eu")
    project.write(".env", f"DATABASE_PASSWORD={real_secret()}\nPASSWORD={real_secret()}\n")
    project.done("seal")
    (project.root / ".env").unlink()
    for name in ("prod", "eu"):
        path = project.manifest("app", name)
        document = yaml.safe_load(path.read_text())
        project.write(f"{name}.json", json.dumps(document))
        # A dotenv file has no versions; a vault has.
        version = f"inputs=database-password={secrets.token_hex(16)} template="
        path.write_text(path.read_text().replace("template=", version))
    project.git("add", "--all", "--force")
    return project


@pytest.mark.parametrize("scan", ["detect-secrets", "gitleaks"])
def test_one_line_of_json_and_a_record_with_the_name_of_a_secret_are_no_secrets(scan: str, tmp_path: Path) -> None:
    """A secret in the same line of JSON is still found, and one in a line beside the record."""
    project = on_one_line(tmp_path)

    def alarms() -> set[tuple[str, int]]:
        if scan == "gitleaks":
            return gitleaks(project, INTEGRATIONS / "gitleaks.toml")
        return detect_secrets(project, *FILTERS)

    assert "inputs=database-password=" in project.manifest("app").read_text()
    assert alarms() == set()
    for name in ("prod", "eu"):
        path = project.root / f"{name}.json"
        path.write_text(path.read_text().replace('{"', f'{{"api_key": "{real_secret()}", "', 1))
    path = project.manifest("app")
    path.write_text(f'{path.read_text()}password: "{real_secret()}"\n')
    project.git("add", "--all", "--force")
    assert {file for file, _ in alarms()} == {"prod.json", "eu.json", str(path.relative_to(project.root))}


def test_a_name_in_an_external_secret_is_no_secret(tmp_path: Path) -> None:
    """Unless something else is in its file, which may hold values."""
    project = Project(tmp_path)
    external = "kind: ExternalSecret\nspec:\n  data:\n  - secretKey: app-password\n"
    project.write("external.yaml", f"{external}---\n{external}")
    project.write("mixed.yaml", f"{external}---\nkind: ConfigMap\ndata:\n  secretKey: other-password\n")
    project.write("values.yaml", "secretKey: app-password\n")
    project.git("add", "--all")
    assert {file for file, _ in detect_secrets(project)} == {"external.yaml", "mixed.yaml", "values.yaml"}
    assert detect_secrets(project, *FILTERS) == {("mixed.yaml", 4), ("mixed.yaml", 8), ("values.yaml", 1)}


def test_a_truncated_or_foreign_value_is_not_taken_for_ciphertext() -> None:
    """The filter looks at the structure, not at the first letters."""
    is_sealed = runpy.run_path(str(FILE))["is_sealed"]
    for rsa_bytes in (256, 384, 512, 1024):
        whole = rsa_bytes.to_bytes(2, "big") + bytes(rsa_bytes + 16)
        assert is_sealed(b64encode(whole).decode())
        assert not is_sealed(b64encode(whole[:-1]).decode())
    assert not is_sealed(b64encode((255).to_bytes(2, "big") + bytes(600)).decode())
    iv, tag = b64encode(bytes(32)).decode(), b64encode(bytes(16)).decode()
    assert is_sealed(f"ENC[AES256_GCM,data:,iv:{iv},tag:{tag},type:str]")
    assert not is_sealed(f"ENC[AES256_GCM,data:,iv:{iv},tag:{tag},type:str]x")
    assert not is_sealed(f"ENC[AES256_GCM,data:,iv:{tag},tag:{tag},type:str]")
    entry = f"time=2026-01-01T00:00:00Z by=SHA256:{'a' * 43}"
    assert is_sealed(f"{entry} version={'0' * 32}\nkey:\n  {entry} inputs=a-b={'1' * 32} template=sha256:{'2' * 64}\n")
    assert not is_sealed(f"{entry} version=hunter2\n")
    assert not is_sealed(f"{entry}\nhunter2\n")
    assert not is_sealed("key:")
    assert is_sealed(age("ann").recipient) and not is_sealed(age("ann").identity)
    assert not is_sealed("é" * 400)


def test_the_repositorys_own_hook_finds_nothing_in_it_but_what_is_put_there(tmp_path: Path) -> None:
    """Its pre-commit configuration uses the filters, and the release of detect-secrets that these tests run."""
    configuration = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    hook = next(hook for repo in configuration["repos"] for hook in repo["hooks"] if hook["id"] == "secrets")
    assert hook["additional_dependencies"] == [f"detect-secrets=={version('detect-secrets')}"]
    tracked = run("git", "ls-files", folder=ROOT).splitlines()
    files = [file for file in tracked if re.search(hook["files"], file) and not re.search(hook["exclude"], file)]
    assert "overlays/prod/secrets/manifests/backend-secrets.yaml" in files
    command, *options = shlex.split(hook["entry"])
    program = [str(Path(sys.executable).with_name(command)), *options]
    run(*program, *files, folder=ROOT)
    leak = tmp_path / "leak.yaml"
    leak.write_text(f'password: "{real_secret()}"\n')
    done = subprocess.run([*program, *files, leak], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, set(re.findall("Location: +(.*)", done.stdout))) == (1, {f"{leak}:1"})
