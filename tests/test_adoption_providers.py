"""Trees of teams whose stores are of any provider: what `import` makes of them renders the same objects."""

import re
from pathlib import Path
from typing import Any

import yaml

from kubectl_ksecret.importing.normalising import normalised

from . import golden
from .projects import Project

# In the shapes that public repositories have: 1Password, Doppler, AWS, Google and Vault; stores elsewhere or beside.
TREE = r"""-- apps/one-password.yaml
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: backup, namespace: shop}
spec:
  refreshInterval: 5m
  secretStoreRef: {kind: ClusterSecretStore, name: onepassword}
  dataFrom:
  - extract: {key: cloudnative-pg}
  target:
    name: backup-secret
    creationPolicy: Owner
    deletionPolicy: Delete
    template:
      type: Opaque
      metadata: {labels: {cnpg.io/reload: "true"}}
      data:
        POSTGRES_USER: "{{ .POSTGRES_SUPER_USER }}"
        POSTGRES_PASSWORD: "{{ .POSTGRES_SUPER_PASS }}"
        url: "postgres://{{ .POSTGRES_SUPER_USER }}:{{ .POSTGRES_SUPER_PASS }}@db/shop"
        REPOSITORY: filesystem:///mnt/repository
        OPTIONS: ""
---
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: app, namespace: shop}
spec:
  refreshInterval: 1h
  secretStoreRef: {kind: ClusterSecretStore, name: onepassword}
  target:
    name: app-secret
    creationPolicy: Owner
    template:
      engineVersion: v2
      data:
        API_KEY: "{{ .api_key }}"
        token: "{{ .token }}"
        config.yaml: |
          username: {{ .username }}
          password: {{ .token }}
  dataFrom:
  - extract: {key: "shop app"}
---
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata:
  name: fields
  namespace: shop
  labels: {app.kubernetes.io/name: shop}
spec:
  refreshInterval: 1h
  secretStoreRef: {kind: ClusterSecretStore, name: onepassword}
  target: {creationPolicy: Owner}
  data:
  - secretKey: client-id
    remoteRef: {key: "op://shop/login/section/client id"}
  - secretKey: redis-password
    remoteRef: {key: redis/password}
-- apps/aws.yaml
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: payment, namespace: shop}
spec:
  refreshInterval: 1h
  secretStoreRef: {kind: ClusterSecretStore, name: aws-secrets-manager}
  target: {name: payment-secret, creationPolicy: Orphan, deletionPolicy: Retain}
  data:
  - secretKey: key
    remoteRef: {key: "arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop/payment-AbCdEf", property: key}
  - secretKey: owner
    remoteRef: {key: shop/prod/payment, property: "users.#.name", version: "uuid/6d1c3f8a-0000-4000-8000-2f3a4b5c6d7e"}
---
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: parameter, namespace: shop}
spec:
  refreshPolicy: CreatedOnce
  secretStoreRef: {kind: SecretStore, name: aws-parameter-store}
  target: {creationPolicy: Merge, deletionPolicy: Retain}
  data:
  - secretKey: google-client-id
    remoteRef: {key: /shop/prod/auth/google-client-id}
---
apiVersion: external-secrets.io/v1
kind: SecretStore
metadata: {name: aws-parameter-store, namespace: shop}
spec:
  provider: {aws: {service: ParameterStore, region: eu-central-1}}
-- apps/others.yaml
apiVersion: external-secrets.io/v1beta1
kind: ExternalSecret
metadata: {name: doppler, namespace: shop}
spec:
  refreshInterval: 1h
  secretStoreRef: {kind: SecretStore, name: doppler-auth-api}
  target: {name: doppler}
  data:
  - secretKey: DATABASE_URL
    remoteRef: {key: DATABASE_URL}
---
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata:
  name: google
  namespace: shop
  annotations: {argocd.argoproj.io/sync-wave: "-1"}
spec:
  refreshInterval: 0s
  secretStoreRef: {kind: ClusterSecretStore, name: gcp-store}
  target: {template: {type: kubernetes.io/dockerconfigjson, data: {.dockerconfigjson: "{{ .registry }}"}}}
  data:
  - secretKey: registry
    remoteRef: {key: projects/123/secrets/registry, version: "7"}
---
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: vault, namespace: shop}
spec:
  refreshInterval: 1h
  secretStoreRef: {kind: ClusterSecretStore, name: vault-backend}
  target: {creationPolicy: Orphan}
  data:
  - secretKey: password
    remoteRef: {key: kv/shop/prod/db, property: password}
  - secretKey: certificate
    remoteRef: {key: kv/shop/prod/db, property: tls.crt, decodingStrategy: Base64}
"""


def external_secrets(documents: list[dict[str, Any]]) -> dict[str, Any]:
    """The ExternalSecrets by name, in the form in which a rendering changes nothing."""
    return {
        document["metadata"]["name"]: normalised(document)
        for document in documents
        if document["kind"] == "ExternalSecret"
    }


def test_external_secrets_of_any_provider_render_the_same_again(tmp_path: Path) -> None:
    """Names, properties, versions, policies, stores and the objects' own names are carried over, none stays behind."""
    project = Project(tmp_path)
    files = golden.parse(TREE).files
    golden.write(files, project.root)
    done = project.ksecret("import", "prod=apps")
    assert (done.code, re.findall("stays as it is.*", done.err)) == (0, []), done.err
    before = [document for text in files.values() for document in yaml.safe_load_all(text)]
    rendered = list(yaml.safe_load_all(project.done("render", "prod")))
    assert external_secrets(rendered) == external_secrets(before)
    assert {document["kind"] for document in rendered} == {"ExternalSecret"}
    assert project.done("render", "prod", "--check") == ""
    spec = yaml.safe_load((project.root / "overlays/prod/secrets/ksecret.yaml").read_text())["spec"]
    assert "azureKeyVault" not in spec.get("source", {})
    assert spec["overrides"]["payment-secret"]["externalSecret"] == {
        "name": "payment",
        "creationPolicy": "Orphan",
        "store": {"name": "aws-secrets-manager", "kind": "ClusterSecretStore"},
    }
    declared = yaml.safe_load((project.root / "generators/app-secret.yaml").read_text())["spec"]
    assert declared["keys"]["API_KEY"] == {"remoteName": "shop app", "property": "api_key"}
    assert declared["inputs"] == {"username": {"remoteName": "shop app", "property": "username"}}


def test_an_external_secret_of_a_base_whose_store_is_filled_in_elsewhere_stays(tmp_path: Path) -> None:
    """A patch gives the store its name; the base alone names none."""
    project = Project(tmp_path)
    head = "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: app, namespace: shop}\nspec:\n"
    store = "  secretStoreRef:\n    kind: ClusterSecretStore\n    name: TO_BE_PATCHED\n"
    project.write("apps/all.yaml", head + store + "  data: [{secretKey: x, remoteRef: {key: x}}]\n")
    done = project.ksecret("import", "prod=apps")
    assert done.code == 2
    assert done.err.startswith(
        "error: apps/all.yaml:7:11: ExternalSecret app stays as it is: no store has the name that it reads\n"
        "hint: import the folder with the kustomization that fills it in\n"
    )


def test_an_extract_of_which_nobody_names_the_members_stays(tmp_path: Path) -> None:
    """So do several, since it can't be known which of them a name comes from, and what a function makes of one."""
    project = Project(tmp_path)
    plain = "  dataFrom: [{extract: {key: shop}}]\n"
    several = "  dataFrom: [{extract: {key: a}}, {extract: {key: b}}]\n"
    template = '  target: {template: {data: {a: "{{ .a }}"}}}\n'
    head = "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: NAME, namespace: shop}\nspec:\n"
    store = "  secretStoreRef: {kind: ClusterSecretStore, name: vault}\n"
    function = '  target: {template: {data: {a: "{{ .a | trunc 5 }}"}}}\n'
    data = "  data: [{secretKey: x, remoteRef: {key: x}}]\n"
    bodies = {"plain": plain, "several": several + template, "function": plain + function, "whole": data}
    project.write(
        "apps/all.yaml", "---\n".join(head.replace("NAME", name) + store + body for name, body in bodies.items())
    )
    done = project.ksecret("import", "prod=apps")
    assert [line for line in done.err.splitlines() if "stays as it is" in line or line.startswith("hint: list")] == [
        "warning: apps/all.yaml:2:7: ExternalSecret plain stays as it is: no key of it can be declared",
        "hint: list what it takes under data, one entry for each key",
        "warning: apps/all.yaml:14:23: ExternalSecret several stays as it is: "
        "its templates take members of several values, and it does not say which has which",
        "hint: list each member under data: its value as remoteRef.key, itself as remoteRef.property",
        "warning: apps/all.yaml:22:30: ExternalSecret function stays as it is: "
        "the template of a says what a declaration can't",
    ]
    assert sorted(path.name for path in (project.root / "generators").iterdir()) == ["whole.yaml"]
