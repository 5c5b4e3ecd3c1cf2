"""Projects to work on: as many Secrets as asked for, ten keys each, one overlay; every value is made here."""

import secrets
import shutil
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path

from . import tools

KEYS = 10
BACKENDS = {
    "externalSecret": "{store: {name: vault, auth: {workloadIdentity: {serviceAccountName: reader}}}}",
    "sealedSecret": "{certificate: sealing.pem}",
    "sops": "{age: [AGE]}",
}
SOURCES = {
    "externalSecret": "{azureKeyVault: {vaultUrl: https://bench.vault.azure.net}}",
    "sealedSecret": "{dotenv: {file: .env}}",
    "sops": "{dotenv: {file: .env}}",
}
_OVERLAY = """\
apiVersion: ksecret.dev/v1alpha1
kind: SecretOverlay
metadata:
  name: bench
  annotations:
    config.kubernetes.io/function: "exec: {path: ksecret-fn}"
spec:
  declarations: [../../../generators]
  namespace: bench
  source: SOURCE
  backend:
    BACKEND
"""
_DECLARATION = """\
apiVersion: ksecret.dev/v1alpha1
kind: SecretDeclaration
metadata:
  name: NAME
spec:
  purpose: What NAME needs to start
  keys:
"""
_KEY = """\
    key-{key}:
      purpose: What key {key} is for
      remoteName: {secret}-key-{key}
      rules: {{minLength: 16}}
"""
# What kustomize hands to a function, but for the annotations that it adds.
_RESOURCE_LIST = """\
apiVersion: config.kubernetes.io/v1
kind: ResourceList
items: []
functionConfig:
"""


class Project:
    """A Git work tree with declarations, and one overlay in its generator form."""

    def __init__(self, root: Path, count: int, backend: str, recipient: str = "") -> None:
        self.root, self.names = root, [f"service-{number:03}" for number in range(1, count + 1)]
        self.overlay = root / "overlays" / "bench" / "secrets"
        self.manifests = self.overlay / "manifests"
        self.certificate = tools.ROOT / "overlays" / "prod" / "secrets" / "sealing.pem"
        self.values = {f"{name}-key-{key}": secrets.token_urlsafe(24) for name in self.names for key in range(KEYS)}
        self.overlay.mkdir(parents=True)
        (root / "generators").mkdir()
        subprocess.run(["git", "init", "--quiet", root], check=True)
        for name in self.names:
            text = _DECLARATION.replace("NAME", name)
            text += "".join(_KEY.format(secret=name, key=key) for key in range(KEYS))
            (root / "generators" / f"{name}.yaml").write_text(text)
        text = _OVERLAY.replace("BACKEND", f"{backend}: {BACKENDS[backend]}").replace("AGE", recipient)
        text = text.replace("SOURCE", SOURCES[backend])
        (self.overlay / "ksecret.yaml").write_text(text)
        self.resource_list = root / "resource-list.yaml"
        self.resource_list.write_text(_RESOURCE_LIST + textwrap.indent(text, "  "))
        (self.overlay / "kustomization.yaml").write_text(
            "generators: [ksecret.yaml]\nconfigurations: [manifests/_references.yaml]\n"
        )
        shutil.copyfile(self.certificate, self.overlay / "sealing.pem")
        (self.overlay / ".env").write_text(
            "".join(f"{name.upper().replace('-', '_')}={value}\n" for name, value in self.values.items())
        )

    def plain_secrets(self) -> Iterator[Path]:
        """The same Secrets as files in plain text, as kubeseal and sops take them."""
        folder = self.root / "plain"
        folder.mkdir()
        for name in self.names:
            path = folder / f"{name}.yaml"
            text = f"apiVersion: v1\nkind: Secret\nmetadata:\n  name: {name}\n  namespace: bench\nstringData:\n"
            path.write_text(text + "".join(f"  key-{key}: {self.values[f'{name}-key-{key}']}\n" for key in range(KEYS)))
            yield path
