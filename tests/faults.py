"""Faults for a copy of the sample, each with what must be found, written by hand: rule, file and line.

The copy is wider than the sample by a mailer in two more overlays, `eu` with SOPS and `us` with SealedSecrets, so that
each rule has something to be broken.
"""

import base64
import re
import shutil
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from .peers import ROOT, run
from .projects import Project, age, certificate, sealing

Change = Callable[[Project], object]

BACKEND, REDIS = "generators/backend-secrets.yaml", "generators/redis-auth.yaml"
TEST, PROD = "overlays/test/secrets", "overlays/prod/secrets"
EU, US, MAILER = "overlays/eu/secrets", "overlays/us/secrets", "mailer/declared/mailer.yaml"
SEALED = f"{PROD}/manifests/backend-secrets.yaml"
SEALED_REDIS = f"{PROD}/manifests/redis-auth.yaml"
RELOADED = '{reloader.stakater.com/auto: "true"}'


def widened(folder: Path) -> Project:
    """The sample, and the mailer of `eu` and `us`; all is in order."""
    project = Project(folder)
    for name in ("generators", "overlays"):
        shutil.copytree(ROOT / name, project.root / name)
    project.write(".git/info/exclude", ".env\n")
    project.write(".env", "SMTP_PASSWORD_EU=the password of eu\nSMTP_PASSWORD_US=the password of us\n")
    project.write(MAILER, DECLARED)
    project.write("mailer/deployed/kustomization.yaml", "resources: [mailer.yaml]\n")
    project.write("mailer/deployed/mailer.yaml", DEPLOYED)
    certificate_file, recipients = "{sealedSecret: {certificate: sealing.pem}}", [age("mailer").recipient]
    for name, backend in (("eu", f"{{sops: {{age: {recipients}}}}}"), ("us", certificate_file)):
        project.write(f"overlays/{name}/secrets/ksecret.yaml", OVERLAY.format(name=name, backend=backend))
        head = f"namespace: mailer-{name}\nresources:\n- ../../mailer/deployed\n- secrets\n"
        project.write(f"overlays/{name}/kustomization.yaml", head)
    project.write(f"{US}/sealing.pem", sealing(1).certificate)
    project.ksecret("seal", "eu")
    project.ksecret("seal", "us")
    return project


DECLARED = """\
apiVersion: ksecret.dev/v1alpha1
kind: SecretDeclaration
metadata:
  name: mailer
spec:
  purpose: What the mailer needs to send
  keys:
    smtp-password:
      purpose: Password at the mail server
    smtp-url:
      purpose: URL of the mail server
      template: "smtp://{{ parameters.host }}/{{ smtp-password | urlencode }}"
"""
DEPLOYED = """\
apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: mailer
spec:
  selector: {matchLabels: {app: mailer}}
  template:
    metadata: {labels: {app: mailer}}
    spec:
      containers: [{name: mailer, image: mailer:1}]
      volumes:
      - name: settings
        secret:
          secretName: mailer
          items:
          - {key: smtp-password, path: password}
          - {key: smtp-url, path: url}
"""
OVERLAY = """\
apiVersion: ksecret.dev/v1alpha1
kind: SecretOverlay
metadata:
  name: {name}
spec:
  declarations: [../../../mailer/declared]
  namespace: mailer-{name}
  parameters: {{host: mail.{name}.example}}
  source:
    names: "{{remoteName}}-{name}"
    dotenv: {{file: ../../../.env}}
  backend: {backend}
"""


# Why no fault with an overlay of `fetched` stands beside those that are looked for with values.
UNREAD = "check --with-values would have to sign in to its source"
FETCHED_SECRET = """\
apiVersion: ksecret.dev/v1alpha1
kind: SecretDeclaration
metadata:
  name: {name}
spec:
  purpose: What an operator fetches
  keys:
{keys}"""
FETCHED = """\
apiVersion: ksecret.dev/v1alpha1
kind: SecretOverlay
metadata:
  name: {name}
spec:
  declarations: [../../declared]
  namespace: {name}
  source:
    {source}
  backend:
    {backend}
"""


class Fault(NamedTuple):
    """What is changed in a copy, and what is found then; `alone` says why no other fault can stand beside it.

    With `arguments`, other than those that every check has, it is alone too. `values` are those in the Key Vault that
    are not as they should be, by name.
    """

    changes: tuple[Change, ...]
    expected: tuple[str, ...]
    alone: str = ""
    arguments: tuple[str, ...] = ()
    values: Mapping[str, str | None] = {}


def fetched(name: str, source: str, backend: str, keys: str, within: str = "", later: str = "") -> Change:
    """An overlay of its own, rendered and deployed, of a Secret of these keys that another operator fetches.

    With `later` those are its keys after it was rendered.
    """

    def apply(project: Project) -> None:
        folder, declared = f"{within or name}/overlay", f"{within or name}/declared/{name}.yaml"
        project.write(declared, FETCHED_SECRET.format(name=name, keys=keys))
        overlay = FETCHED.format(name=name, source=source, backend=backend)
        project.write(f"{folder}/secrets/ksecret.yaml", overlay)
        project.write(f"{folder}/kustomization.yaml", f"namespace: {name}\nresources: [secrets]\n")
        assert project.ksecret("render", name, "--write").code == 0
        project.write(declared, FETCHED_SECRET.format(name=name, keys=later or keys))

    return apply


def write(file: str, text: str) -> Change:
    """A new file."""
    return lambda project: project.write(file, text)


def other_digest(text: str, key: str) -> str:
    """A manifest whose record speaks of another ciphertext of a key."""
    changed, count = re.subn(rf"(?m)^( +{key}:\n +.* digest=sha256:)\w+", r"\g<1>" + "0" * 64, text)
    assert count == 1
    return changed


def append(file: str, text: str) -> Change:
    """More at a file's end."""
    return lambda project: project.write(file, (project.root / file).read_text() + text)


def replace(file: str, old: str, new: str) -> Change:
    """Another text for one that stands there once."""

    def apply(project: Project) -> None:
        text = (project.root / file).read_text()
        assert text.count(old) == 1, (file, old, text.count(old))
        project.write(file, text.replace(old, new))

    return apply


def change(file: str, how: Callable[[str], str]) -> Change:
    """A change of a file that the command made, whose text is not known here."""

    def apply(project: Project) -> None:
        text = (project.root / file).read_text()
        changed = how(text)
        assert changed != text, file
        project.write(file, changed)

    return apply


def listed(folder: str, name: str, text: str) -> Change:
    """A new file among the resources of a kustomization."""

    def apply(project: Project) -> None:
        project.write(f"{folder}/{name}", text)
        file = f"{folder}/kustomization.yaml"
        before, patches, after = (project.root / file).read_text().partition("patches:\n")
        project.write(file, f"{before}- {name.removesuffix('/kustomization.yaml')}\n{patches}{after}")

    return apply


def external(name: str, annotation: str, *remote_names: str) -> str:
    """An ExternalSecret of somebody's store, written by hand."""
    names = remote_names or ("a",)
    data = "".join(f"  - {{secretKey: a{n}, remoteRef: {{key: {each}}}}}\n" for n, each in enumerate(names))
    return (
        f"apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata:\n  name: {name}\n  annotations:\n"
        f"    {annotation}\nspec:\n  refreshInterval: 1h0m0s\n"
        f"  secretStoreRef: {{name: somebodys, kind: ClusterSecretStore}}\n  data:\n{data}"
    )


def synced(head: str) -> tuple[Change, ...]:
    """A further overlay of the mailer whose Secrets only sync makes, under a kustomization that begins so."""
    overlay = OVERLAY.format(name="asia", backend="{secret: {}}")
    return (
        write("overlays/asia/secrets/ksecret.yaml", overlay),
        lambda project: project.ksecret("render", "asia", "--write"),
        write("overlays/asia/kustomization.yaml", f"{head}resources:\n- secrets\n"),
    )


PATCH = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: any\n  labels: {team: web}\n"
BROKER = """\
apiVersion: broker.example/v1
kind: Broker
metadata:
  name: broker
spec:
  listeners: [redis-auth]
"""


def component(folder: str, name: str, text: str) -> Change:
    """A new component of a kustomization; lines before its resources stay where they are."""

    def apply(project: Project) -> None:
        head = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
        project.write(f"overlays/components/{name}/kustomization.yaml", head + text)
        file = f"{folder}/kustomization.yaml"
        listing = (project.root / file).read_text()
        if "components:\n" not in listing:
            listing = listing.replace("resources:\n", "components:\nresources:\n")
        project.write(file, listing.replace("components:\n", f"components:\n- ../components/{name}\n"))

    return apply


def without_key(text: str, key: str) -> str:
    """A SealedSecret without what is sealed for a key, and without its record."""
    return re.sub(rf"(?m)^      {key}:\n.*\n|^    {key}: >-\n(?:      .*\n)+", "", text)


def ended_certificate(project: Project) -> None:
    """That of `us`, made anew for the same key and over since yesterday."""
    key = load_pem_private_key(sealing(1).private_key, None)
    assert isinstance(key, rsa.RSAPrivateKey)
    ended = certificate(key, begins=timedelta(days=-9), ends=timedelta(days=-1))
    project.write(f"{US}/sealing.pem", ended)


def private_key(project: Project) -> None:
    """A key in the middle of a text."""
    key = sealing(2).private_key.decode()
    project.write("docs/access.md", f"# Access\n\nTake this:\n\n{key}")


def private_key_as_base64(project: Project) -> None:
    """A key as a kubeconfig holds it."""
    text = base64.b64encode(sealing(3).private_key).decode()
    project.write("deploy/kubeconfig", f"kind: Config\nusers:\n- name: ci\n  user:\n    client-key-data: {text}\n")


def build_of_base(project: Project) -> None:
    """What was built without any Secret."""
    project.write("build.txt", run("kubectl", "kustomize", project.root / "overlays/base"))


def deployment(name: str, pod: str, annotations: str = RELOADED, kind: str = "Deployment") -> str:
    """A workload; its annotations are in line 5, its pod begins in line 11."""
    return (
        f"apiVersion: apps/v1\nkind: {kind}\nmetadata:\n  name: {name}\n  annotations: {annotations}\n"
        f"spec:\n  selector: {{matchLabels: {{app: {name}}}}}\n  template:\n    metadata: {{labels: {{app: {name}}}}}\n"
        f"    spec:\n{pod}"
    )


def cron_job(name: str, pod: str) -> str:
    """A CronJob; its pod begins in line 10."""
    return (
        f"apiVersion: batch/v1\nkind: CronJob\nmetadata:\n  name: {name}\nspec:\n  schedule: 0 3 * * *\n"
        f"  jobTemplate:\n    spec:\n      template:\n        spec:\n{pod}"
    )


def external_secret(name: str, spec: str, version: str = "v1") -> str:
    """An ExternalSecret; its specification begins in line 6."""
    return f"apiVersion: external-secrets.io/{version}\nkind: ExternalSecret\nmetadata:\n  name: {name}\nspec:\n{spec}"


ELSEWHERE = "  secretStoreRef: {kind: ClusterSecretStore, name: elsewhere}\n"
MERGED = "  target: {name: elsewhere-made, creationPolicy: Merge}\n"
KEY = "  data: [{secretKey: token, remoteRef: {key: token}}]\n"

INIT = deployment(
    "reporter",
    """\
      initContainers:
      - name: wait
        image: wait:1
        env:
        - name: PASSWORD
          valueFrom: {secretKeyRef: {name: SECRET, key: KEY}}
      containers: [{name: main, image: main:1}]
""",
)
PROJECTED = """\
          restartPolicy: Never
          containers: [{name: main, image: main:1}]
          volumes:
          - name: all
            projected:
              sources:
              - configMap: {name: settings}
              - secret:
                  name: SECRET
                  items:
                  - {key: password, path: a}
                  - {key: KEY, path: b}
"""


LISTED = """\
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: NAME-settings}
- """
SECOND = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: NAME-settings}
---
"""


def second(name: str, document: str) -> str:
    """A file of two documents; the second begins in line 5."""
    return SECOND.replace("NAME", name) + document


def in_list(name: str, item: str) -> str:
    """A List of two objects; the second begins in line 7."""
    return LISTED.replace("NAME", name) + item.replace("\n", "\n  ").rstrip(" ")


def settings(name: str, comment: str) -> str:
    """A ConfigMap with a comment in line 3."""
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}} {comment}\n"


def reporter(name: str, secret: str, key: str, annotations: str = RELOADED) -> str:
    """A Deployment whose init container reads a key, in line 16."""
    text = INIT.replace("reporter", name).replace("SECRET", secret).replace("KEY", key)
    return text.replace(RELOADED, annotations)


def projected(secret: str, key: str) -> str:
    """A pod with a projected volume: of a Secret, in its line 9, the password and another key, in its line 12."""
    return PROJECTED.replace("SECRET", secret).replace("KEY", key)


_OF_THE_TREE = {
    "unreadable-file": Fault(
        (write("overlays/test/notes.yaml", "one: 1\ntwo: 'open\n"),), ("unreadable-file overlays/test/notes.yaml:3",)
    ),
    "unreadable-file, the second document, of a component": Fault(
        (
            component("overlays/prod", "unread", "commonLabels: {}\n"),
            write("overlays/components/unread/more.yaml", "kind: ConfigMap\n---\na: 1\na: 2\n"),
        ),
        ("unreadable-file overlays/components/unread/more.yaml:4",),
    ),
    "not-deployed, as the folder is not listed": Fault(
        (replace("overlays/prod/kustomization.yaml", "- secrets\n", ""),),
        ("not-deployed overlays/prod/kustomization.yaml:4",),
        alone="nothing of prod's Secrets is built",
    ),
    "not-deployed, as a component's patch deletes one": Fault(
        (
            component(
                "overlays/prod",
                "without-redis",
                "patches:\n- patch: '{$patch: delete, apiVersion: bitnami.com/v1alpha1, kind: SealedSecret, "
                "metadata: {name: redis-auth, namespace: klinematrix-prod}}'\n",
            ),
        ),
        ("not-deployed generators/redis-auth.yaml:4",),
        alone="what else is wrong with redis-auth is not built",
    ),
    "not-deployed, by a folder that is no kustomization": Fault(
        (
            replace(f"{PROD}/ksecret.yaml", "  source:\n", "  kustomization: ../../elsewhere\n  source:\n"),
            write("overlays/elsewhere/README", "Nothing is here.\n"),
        ),
        ("not-deployed overlays/prod/secrets/ksecret.yaml:10",),
        alone="nothing of prod is built",
    ),
    "generator-skipped, as a validator": Fault(
        (
            build_of_base,
            replace(
                f"{TEST}/kustomization.yaml",
                "resources:\n- manifests\n",
                "validators:\n- ksecret.yaml\nconfigurations:\n- manifests/_references.yaml\n",
            ),
        ),
        ("generator-skipped overlays/test/secrets/kustomization.yaml:4",),
        arguments=("test", "--built", "build.txt"),
    ),
    "generator-skipped, from the nested base": Fault(
        (
            build_of_base,
            replace("overlays/test/kustomization.yaml", "- secrets\n", ""),
            append("overlays/base/kustomization.yaml", "generators:\n- ../test/secrets/ksecret.yaml\n"),
        ),
        ("generator-skipped overlays/base/kustomization.yaml:8",),
        arguments=("test", "--built", "build.txt"),
    ),
    "kustomization-reaches-no-secret": Fault(
        synced("namespace: mailer-asia\nnamePrefix: far-\n"),
        ("kustomization-reaches-no-secret overlays/asia/secrets/ksecret.yaml:12",),
        alone="an overlay of its own",
    ),
    "kustomization-reaches-no-secret, by a suffix that a component adds": Fault(
        (*synced("namespace: mailer-asia\n"), component("overlays/asia", "suffixed", "nameSuffix: -far\n")),
        ("kustomization-reaches-no-secret overlays/asia/secrets/ksecret.yaml:12",),
        alone="the same overlay",
    ),
    "namespace-missing": Fault(
        (replace("overlays/test/kustomization.yaml", "namespace: klinematrix-test", "commonLabels: {}"),),
        ("namespace-missing overlays/test/kustomization.yaml:1",),
        alone="what says no namespace may be in any",
    ),
    "namespace-missing, another one from a component": Fault(
        (
            replace("overlays/prod/kustomization.yaml", "namespace: klinematrix-prod\n", ""),
            component("overlays/prod", "moved", "namespace: klinematrix-live\n"),
        ),
        ("namespace-missing overlays/components/moved/kustomization.yaml:3",),
        alone="all of prod lies in another namespace",
    ),
    "manifests-out-of-date": Fault(
        (replace(f"{TEST}/manifests/backend-secrets.yaml", "refreshInterval: 1h", "refreshInterval: 2h"),),
        ("manifests-out-of-date overlays/test/secrets/manifests/backend-secrets.yaml:0",),
    ),
    "manifests-out-of-date, by what references are renamed": Fault(
        (replace(f"{PROD}/manifests/_references.yaml", "  - path: spec/configSecret\n    kind: Alertmanager\n", ""),),
        ("manifests-out-of-date overlays/prod/secrets/manifests/_references.yaml:0",),
    ),
    "secret-twice": Fault(
        (
            listed(
                "overlays/prod",
                "redis.yaml",
                external_secret("redis", f"{ELSEWHERE}{KEY}  target: {{name: redis-auth}}\n"),
            ),
        ),
        ("secret-twice overlays/prod/redis.yaml:4",),
    ),
    "secret-twice, in a List": Fault(
        (
            listed(
                "overlays/test",
                "twice.yaml",
                in_list(
                    "twice",
                    "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata:\n  name: backend-secrets\n"
                    "spec: {encryptedData: {}}\n",
                ),
            ),
        ),
        ("secret-twice overlays/test/twice.yaml:10",),
    ),
}
_OF_SEALED_SECRETS = {
    "not-sealed": Fault(
        (change(f"{US}/manifests/mailer.yaml", lambda text: without_key(text, "smtp-password")),),
        ("not-sealed mailer/declared/mailer.yaml:8",),
    ),
    "not-sealed, a whole Secret": Fault(
        (
            lambda project: (project.root / SEALED_REDIS).unlink(),
            replace(f"{PROD}/manifests/kustomization.yaml", "- redis-auth.yaml\n", ""),
        ),
        ("not-sealed generators/redis-auth.yaml:8",),
        alone="what else is wrong with its file can't be there",
    ),
    "not-sealed, of what SOPS has encrypted": Fault(
        (
            change(
                f"{EU}/manifests/mailer.yaml",
                lambda text: re.sub(r"(?m)^  smtp-password: .*\n|^      smtp-password:\n.*\n", "", text),
            ),
        ),
        ("not-sealed mailer/declared/mailer.yaml:8",),
        alone="all below it in the file moves up",
    ),
    "sealed-not-declared": Fault(
        (
            change(
                SEALED_REDIS,
                lambda text: re.sub("(?m)^    password: (>-\n.*\n)", r"\g<0>    former-password: \1", text),
            ),
        ),
        ("sealed-not-declared overlays/prod/secrets/manifests/redis-auth.yaml:11",),
    ),
    "sealed-not-declared, in stringData beside what SOPS has encrypted": Fault(
        (
            change(
                f"{EU}/manifests/mailer.yaml",
                lambda text: re.sub(
                    r"(?m)^  smtp-url: (.*)\nkind: Secret\n", r"\g<0>stringData:\n  smtp-url: \1\n", text
                ),
            ),
        ),
        ("sealed-not-declared overlays/eu/secrets/manifests/mailer.yaml:8",),
        alone="all below it in the file moves down",
    ),
    "sealed-for-another-place": Fault(
        (replace(SEALED_REDIS, "namespace: klinematrix-prod", "namespace: klinematrix-test"),),
        ("sealed-for-another-place overlays/prod/secrets/manifests/redis-auth.yaml:6",),
    ),
    "sealed-for-another-place, by its scope": Fault(
        (
            replace(
                f"{US}/manifests/mailer.yaml",
                "  name: mailer\n",
                '  annotations:\n    sealedsecrets.bitnami.com/cluster-wide: "true"\n  name: mailer\n',
            ),
        ),
        ("sealed-for-another-place overlays/us/secrets/manifests/mailer.yaml:6",),
    ),
    "foreign-field": Fault(
        (append(SEALED, "data:\n  jwt-secret: bm90IGEgcmVhbCB2YWx1ZQ==\n"),),
        ("foreign-field overlays/prod/secrets/manifests/backend-secrets.yaml:38",),
    ),
    "foreign-field, of the metadata": Fault(
        (append(f"{US}/manifests/mailer.yaml", "  immutable: true\n"),),
        ("foreign-field overlays/us/secrets/manifests/mailer.yaml:22",),
        alone="a key that is not sealed has no lines",
    ),
    "not-encrypted": Fault(
        (
            change(
                f"{EU}/manifests/mailer.yaml",
                lambda text: re.sub("(?m)^  smtp-url: ENC.*", "  smtp-url: bm90IGEgcmVhbCB2YWx1ZQ==", text),
            ),
        ),
        ("not-encrypted overlays/eu/secrets/manifests/mailer.yaml:5",),
    ),
    "not-encrypted, as the block lacks its MAC": Fault(
        (change(f"{EU}/manifests/mailer.yaml", lambda text: re.sub("(?m)^  mac: .*\n", "", text)),),
        ("not-encrypted overlays/eu/secrets/manifests/mailer.yaml:17",),
    ),
    "manifest-out-of-date": Fault(
        (replace(SEALED, "type: Opaque", "type: example.org/other"),),
        ("manifest-out-of-date overlays/prod/secrets/manifests/backend-secrets.yaml:22",),
    ),
    "manifest-out-of-date, of what SOPS has encrypted": Fault(
        (replace(f"{EU}/manifests/mailer.yaml", "namespace: mailer-eu", "namespace: mailer-us"),),
        ("manifest-out-of-date overlays/eu/secrets/manifests/mailer.yaml:15",),
    ),
    "template-changed": Fault(
        (replace(MAILER, "smtp://", "smtps://"),),
        ("template-changed mailer/declared/mailer.yaml:12",) * 2,  # eu and us, which are sealed one by one
    ),
    "template-changed, by a parameter": Fault(
        (replace(f"{US}/ksecret.yaml", "mail.us.example", "post.us.example"),),
        ("template-changed mailer/declared/mailer.yaml:12",),
        alone="the same is found of a template",
    ),
    "malformed-ciphertext": Fault(
        (change(SEALED, lambda text: re.sub("(?m)^(    jwt-secret: >-\n      A.{200}).*", r"\1", text)),),
        ("malformed-ciphertext overlays/prod/secrets/manifests/backend-secrets.yaml:17",),
    ),
    "malformed-ciphertext, by hand, the second document": Fault(
        (
            listed(
                "overlays/base",
                "older.yaml",
                second(
                    "older",
                    "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: older}\n"
                    "spec:\n  encryptedData:\n    one: AgAA\n",
                ),
            ),
        ),
        ("malformed-ciphertext overlays/base/older.yaml:10",),
    ),
    "certificate-ended, as it can't be read": Fault(
        (write(f"{PROD}/sealing.pem", "-----BEGIN CERTIFICATE-----\n"),),
        ("certificate-ended overlays/prod/secrets/ksecret.yaml:15",),
    ),
    "certificate-ended": Fault(
        (ended_certificate,),
        ("certificate-ended overlays/us/secrets/ksecret.yaml:12",),
    ),
    "sealed-by-another-hand": Fault(
        (change(f"{US}/manifests/mailer.yaml", lambda text: other_digest(text, "smtp-url")),),
        ("sealed-by-another-hand overlays/us/secrets/manifests/mailer.yaml:11",),
    ),
    "sealed-by-another-hand, of what SOPS has encrypted": Fault(
        (change(f"{EU}/manifests/mailer.yaml", lambda text: other_digest(text, "smtp-url")),),
        ("sealed-by-another-hand overlays/eu/secrets/manifests/mailer.yaml:5",),
        alone="what is not encrypted is no other hand's ciphertext",
    ),
    "certificate-changed": Fault(
        (lambda project: project.write(f"{PROD}/sealing.pem", sealing(2).certificate),),
        ("certificate-changed overlays/prod/secrets/ksecret.yaml:15",),
        alone="prod's certificate can't be read",
    ),
    "certificate-changed, as another one is named": Fault(
        (
            replace(f"{US}/ksecret.yaml", "sealing.pem", "../../../certificates/us.pem"),
            lambda project: project.write("certificates/us.pem", sealing(2).certificate),
        ),
        ("certificate-changed overlays/us/secrets/ksecret.yaml:12",),
        alone="the certificate of us has ended",
    ),
    "recipients-changed": Fault(
        (replace(f"{EU}/ksecret.yaml", age("mailer").recipient, age("stranger").recipient),),
        ("recipients-changed overlays/eu/secrets/manifests/mailer.yaml:18",),
    ),
    "recipients-changed, in the file": Fault(
        (replace(f"{EU}/manifests/mailer.yaml", age("mailer").recipient, age("stranger").recipient),),
        ("recipients-changed overlays/eu/secrets/manifests/mailer.yaml:18",),
        alone="the same is found of the overlay",
    ),
    "strict-scope-broken, by a prefix": Fault(
        (
            replace(
                "overlays/prod/kustomization.yaml", "kind: Kustomization\n", "kind: Kustomization\nnamePrefix: a-\n"
            ),
        ),
        (
            "strict-scope-broken overlays/prod/secrets/manifests/backend-secrets.yaml:5",
            "strict-scope-broken overlays/prod/secrets/manifests/redis-auth.yaml:5",
        ),
        alone="all objects of prod have other names",
    ),
    "strict-scope-broken, by hand, in the nested base": Fault(
        (
            listed(
                "overlays/base",
                "nested/kustomization.yaml",
                "resources: [elsewhere.yaml]\n",
            ),
            write(
                "overlays/base/nested/elsewhere.yaml",
                "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata:\n  name: elsewhere\n"
                "  namespace: klinematrix-old\nspec: {encryptedData: {}}\n",
            ),
        ),
        # In the namespaces of test and of prod.
        ("strict-scope-broken overlays/base/nested/elsewhere.yaml:5",) * 2,
    ),
}
_OF_ENVIRONMENTS = {
    "foreign-name": Fault(
        (
            append(
                f"{PROD}/ksecret.yaml",
                "  overrides:\n    backend-secrets:\n      keys:\n"
                "        alpaca-api-key: {remoteName: alpaca-api-key-test}\n",
            ),
        ),
        ("foreign-name overlays/prod/secrets/ksecret.yaml:19",),
    ),
    "foreign-name, the reverse": Fault(
        (
            append(
                f"{TEST}/ksecret.yaml",
                "  overrides:\n    backend-secrets:\n      keys:\n"
                "        jwt-secret: {remoteName: jwt-secret-key-prod}\n",
            ),
            replace(f"{TEST}/manifests/backend-secrets.yaml", "key: jwt-secret-key-test", "key: jwt-secret-key-prod"),
        ),
        ("foreign-name overlays/test/secrets/ksecret.yaml:22",),
        alone="an exception has these lines",
    ),
    "vault-collision": Fault(
        (
            replace(BACKEND, "remoteName: mongodb-connection-string", "remoteName: JWT-Secret-Key"),
            replace(f"{TEST}/manifests/backend-secrets.yaml", "mongodb-connection-string-test", "JWT-Secret-Key-test"),
        ),
        ("vault-collision generators/backend-secrets.yaml:19",) * 2,  # of test's names and of prod's
        alone="the double of Key Vault has one value for two names",
    ),
    "vault-collision, of an override": Fault(
        (
            append(
                f"{PROD}/ksecret.yaml",
                "  overrides:\n    redis-auth:\n      keys:\n        password: {remoteName: JWT-SECRET-KEY-PROD}\n",
            ),
        ),
        ("vault-collision overlays/prod/secrets/ksecret.yaml:19",),
        alone="other overrides have these lines",
    ),
    "parity-missing": Fault(
        (listed("overlays/prod", "grafana.yaml", external_secret("grafana-admin", ELSEWHERE + KEY)),),
        ("parity-missing overlays/prod/grafana.yaml:4",),
    ),
    "parity-missing, a key, in a List": Fault(
        (
            listed(
                "overlays/test",
                "shared.yaml",
                external_secret("shared-auth", ELSEWHERE + "  data: [{secretKey: token}, {secretKey: user}]\n"),
            ),
            listed(
                "overlays/prod",
                "shared.yaml",
                in_list("shared", external_secret("shared-auth", f"{ELSEWHERE}{KEY}")).replace("shared-settings", "a"),
            ),
        ),
        ("parity-missing overlays/prod/shared.yaml:13",),
    ),
    "parity-type": Fault(
        (
            listed("overlays/test", "typed.yaml", external_secret("typed", ELSEWHERE + KEY)),
            listed(
                "overlays/prod",
                "typed.yaml",
                external_secret("typed", f"{ELSEWHERE}{KEY}  target:\n    template:\n      type: example.org/other\n"),
            ),
        ),
        ("parity-type overlays/test/typed.yaml:6",),
    ),
    "parity-type, of a SealedSecret, the second document": Fault(
        (
            listed(
                "overlays/test",
                "hand.yaml",
                second(
                    "hand",
                    external_secret(
                        "by-hand",
                        f"{ELSEWHERE}  data: []\n  dataFrom: [{{find: {{path: a}}}}]\n"
                        "  target:\n    template:\n      type: example.org/other\n",
                    ),
                ),
            ),
            listed(
                "overlays/prod",
                "hand.yaml",
                "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: by-hand}\n"
                "spec: {encryptedData: {}, template: {type: Opaque}}\n",
            ),
        ),
        ("parity-type overlays/test/hand.yaml:15",),
    ),
    "parity-name": Fault(
        (
            listed("overlays/test", "named.yaml", external_secret("registry-token", ELSEWHERE + KEY)),
            listed("overlays/prod", "named.yaml", external_secret("registry-tokens", ELSEWHERE + KEY)),
        ),
        ("parity-name overlays/test/named.yaml:4",),
    ),
    "parity-name, by their keys, in a List": Fault(
        (
            listed(
                "overlays/test",
                "login.yaml",
                in_list(
                    "login",
                    external_secret("mail-login", f"{ELSEWHERE}  data: [{{secretKey: who}}, {{secretKey: what}}]\n"),
                ),
            ),
            listed(
                "overlays/prod",
                "login.yaml",
                external_secret("post-access", ELSEWHERE + "  data: [{secretKey: what}, {secretKey: who}]\n"),
            ),
        ),
        ("parity-name overlays/test/login.yaml:10",),
    ),
}
_OF_READERS = {
    "missing-secret, an init container": Fault(
        (listed("overlays/base", "a.yaml", reporter("a", "redis-aut", "password")),),
        ("missing-secret overlays/base/a.yaml:16",),
    ),
    "missing-secret, a projected volume of a CronJob": Fault(
        (listed("overlays/base", "b.yaml", cron_job("b", projected("nobodys", "user"))),),
        ("missing-secret overlays/base/b.yaml:19",),
    ),
    "missing-secret, an Ingress in a List": Fault(
        (
            listed(
                "overlays/prod",
                "c.yaml",
                in_list(
                    "c",
                    "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: c}\n"
                    "spec:\n  tls:\n  - hosts: [c.example]\n    secretName: c-tls\n",
                ),
            ),
        ),
        ("missing-secret overlays/prod/c.yaml:13",),
    ),
    "missing-secret, a ServiceAccount, the second document": Fault(
        (
            listed(
                "overlays/base",
                "d.yaml",
                second(
                    "d", "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: d}\nimagePullSecrets:\n- name: pull\n"
                ),
            ),
        ),
        ("missing-secret overlays/base/d.yaml:9",),
    ),
    "missing-key, an init container": Fault(
        (listed("overlays/base", "e.yaml", reporter("e", "redis-auth", "passwort")),),
        ("missing-key overlays/base/e.yaml:16",),
    ),
    "missing-key, a projected volume of a CronJob": Fault(
        (listed("overlays/test", "f.yaml", cron_job("f", projected("redis-auth", "user"))),),
        ("missing-key overlays/test/f.yaml:22",),
    ),
    "unused-key": Fault(
        (change("overlays/base/backend.yaml", lambda text: text[: text.index("        - name: ALPHA_VANTAGE")]),),
        ("unused-key generators/backend-secrets.yaml:25",) * 2,  # nothing in test, nothing in prod
    ),
    "unused-key, as a component's patch deletes the reader": Fault(
        (
            component(
                "overlays/test",
                "unread-redis",
                "patches:\n"
                "- patch: '{$patch: delete, apiVersion: apps/v1, kind: StatefulSet, metadata: {name: redis}}'\n",
            ),
        ),
        ("unused-key generators/redis-auth.yaml:8",),
        alone="others read redis-auth",
    ),
    "unused-key, as a volume takes the other one": Fault(
        (replace("mailer/deployed/mailer.yaml", "          - {key: smtp-password, path: password}\n", ""),),
        ("unused-key mailer/declared/mailer.yaml:8",) * 2,  # nothing in eu, nothing in us
    ),
    "wave-order": Fault(
        (
            listed(
                "overlays/base",
                "g.yaml",
                reporter(
                    "g",
                    "redis-auth",
                    "password",
                    '{reloader.stakater.com/auto: "true", argocd.argoproj.io/sync-wave: "-1"}',
                ),
            ),
        ),
        ("wave-order overlays/base/g.yaml:5",) * 2,  # before test's ExternalSecret, before prod's SealedSecret
    ),
    "wave-order, a hook with a projected volume": Fault(
        (
            listed(
                "overlays/test",
                "h.yaml",
                "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: h\n  annotations:\n"
                "    argocd.argoproj.io/hook: PreSync\nspec:\n  template:\n    metadata: {}\n    spec:\n"
                + projected("redis-auth", "password"),
            ),
        ),
        ("wave-order overlays/test/h.yaml:6",),
    ),
    "secret-is-hook": Fault(
        (listed("overlays/base", "hook.yaml", external("hook", "argocd.argoproj.io/hook: PreSync")),),
        ("secret-is-hook overlays/base/hook.yaml:6",),
    ),
    "secret-is-hook, as a chart has it": Fault(
        (listed("overlays/base", "chart.yaml", external("chart", "helm.sh/hook: pre-install,pre-upgrade")),),
        ("secret-is-hook overlays/base/chart.yaml:6",),
    ),
    "foreign-remote-name": Fault(
        (listed("overlays/base", "foreign.yaml", external("foreign", "a: b", "mail-prod")),),
        ("foreign-remote-name overlays/base/foreign.yaml:11",),
    ),
    "foreign-remote-name, as names begin": Fault(
        (listed("overlays/base", "begins.yaml", external("begins", "a: b", "test_mail", "prod_mail")),),
        ("foreign-remote-name overlays/base/begins.yaml:12", "foreign-remote-name overlays/base/begins.yaml:11"),
    ),
    "needs-no-restriction": Fault(
        (
            write("overlays/above.yaml", PATCH),
            append("overlays/test/kustomization.yaml", "- path: ../above.yaml\n  target: {kind: Deployment}\n"),
        ),
        ("needs-no-restriction overlays/test/kustomization.yaml:9",),
        alone="other faults write into the same file",
    ),
    "needs-no-restriction, a file of a ConfigMap": Fault(
        (
            write("overlays/settings.txt", "a\n"),
            append(
                "overlays/prod/kustomization.yaml",
                "configMapGenerator:\n- name: settings\n  files: [../settings.txt]\n",
            ),
        ),
        ("needs-no-restriction overlays/prod/kustomization.yaml:9",),
        alone="other faults write into the same file",
    ),
    "name-not-followed": Fault(
        (
            append("overlays/test/kustomization.yaml", "namePrefix: eu-\n"),
            listed("overlays/test", "broker.yaml", BROKER),
        ),
        ("name-not-followed overlays/test/broker.yaml:6",),
        alone="every name of the build is another one",
    ),
    "name-not-followed, in an annotation, by a suffix": Fault(
        (
            append("overlays/test/kustomization.yaml", "nameSuffix: -eu\n"),
            listed(
                "overlays/test",
                "broker.yaml",
                BROKER.replace("redis-auth", "none").replace("spec:", "  annotations: {reads: redis-auth}\nspec:"),
            ),
        ),
        ("name-not-followed overlays/test/broker.yaml:5",),
        alone="every name of the build is another one",
    ),
    "not-buildable": Fault(
        (append("overlays/base/kustomization.yaml", "- gone.yaml\n"),),
        ("not-buildable overlays/base/kustomization.yaml:7",) * 2,
        alone="nothing else is found in a build that is none",
    ),
    "not-buildable, a remote patch": Fault(
        (
            append(
                "overlays/test/kustomization.yaml", "- path: https://example.org/patch.yaml\n  target: {kind: Job}\n"
            ),
        ),
        ("not-buildable overlays/test/kustomization.yaml:9",),
        alone="nothing else is found in a build that is none",
    ),
    "not-expressible, two entries of Vault": Fault(
        (
            fetched(
                "ledger",
                'vault: {address: "https://vault.example:8200", mount: secret}',
                "vaultSecretsOperator: {}",
                "    token: {purpose: a, property: value}\n",
                later="    token: {purpose: a, property: value}\n"
                "    pin: {purpose: b, remoteName: ledger-pin, property: value}\n",
            ),
        ),
        ("not-expressible ledger/declared/ledger.yaml:8",),
        alone=UNREAD,
    ),
    "not-expressible, labels beside base64": Fault(
        (
            fetched(
                "stamps",
                "alibabaKms: {region: cn-hangzhou}",
                "ackSecretManager: {store: {name: kms}}",
                "    stamp.png: {purpose: a}\n",
                later="    stamp.png: {purpose: a, encoding: base64}\n  labels: {team: shop}\n",
            ),
        ),
        (
            "not-expressible stamps/declared/stamps.yaml:9",
            "not-expressible stamps/declared/stamps.yaml:8",
            "operator-may-empty-secret stamps/overlay/secrets/ksecret.yaml:10",
        ),
        alone=UNREAD,
    ),
    "operator-may-empty-secret": Fault(
        (
            fetched(
                "orders",
                "alibabaKms: {region: cn-hangzhou}",
                "ackSecretManager: {store: {name: kms}}",
                "    token: {purpose: a}\n",
            ),
        ),
        ("operator-may-empty-secret orders/overlay/secrets/ksecret.yaml:10",),
        alone=UNREAD,
    ),
    "operator-may-empty-secret, in a hidden folder and with the store": Fault(
        (
            fetched(
                "parcels",
                "alibabaKms: {region: cn-shanghai}",
                "ackSecretManager: {store: {name: kms, auth: {rrsa: "
                "{oidcProviderARN: acs:ram::1:oidc-provider/a, ramRoleARN: acs:ram::1:role/b}}}}",
                "    token: {purpose: a}\n",
                within=".cn",
            ),
        ),
        ("operator-may-empty-secret .cn/overlay/secrets/ksecret.yaml:10",),
        alone=UNREAD,
    ),
    "injector-annotation, a misspelt name in a CronJob": Fault(
        (
            listed(
                "overlays/base",
                "injected.yaml",
                "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: report}\nspec:\n  schedule: 1 * * * *\n"
                "  jobTemplate:\n    spec:\n      template:\n        metadata:\n          annotations:\n"
                '            vault.hashicorp.com/agent-inject: "true"\n'
                "            vault.hashicorp.com/roles: shop\n"
                "            vault.hashicorp.com/auth-type: jwt\n"
                "        spec: {restartPolicy: Never, containers: [{name: a, image: a:1}]}\n",
            ),
        ),
        ("injector-annotation overlays/base/injected.yaml:12",),
    ),
    "injector-annotation, a DaemonSet whose own metadata has it": Fault(
        (
            listed(
                "overlays/base",
                "outside.yaml",
                deployment(
                    "outside",
                    "      containers: [{name: b, image: b:1}]\n",
                    annotations='{vault.hashicorp.com/agent-inject: "true"}',
                    kind="DaemonSet",
                ),
            ),
        ),
        ("injector-annotation overlays/base/outside.yaml:5",),
    ),
    "no-restart": Fault(
        (replace("overlays/base/redis.yaml", 'auto: "true"', 'auto: "false"'),),
        ("no-restart overlays/base/redis.yaml:7",),
    ),
    "no-restart, a DaemonSet's init container that takes all": Fault(
        (
            listed(
                "overlays/base",
                "i.yaml",
                deployment(
                    "i",
                    "      initContainers:\n      - name: a\n        image: a:1\n        envFrom:\n"
                    "        - secretRef: {name: redis-auth}\n      containers: [{name: b, image: b:1}]\n",
                    annotations="{example.org/team: web}",
                    kind="DaemonSet",
                ),
            ),
        ),
        ("no-restart overlays/base/i.yaml:5",),
    ),
}
READERS = "  readers: [nobody-else]\n"


def binding(name: str, role: str, *, namespace: str = "") -> str:
    """A RoleBinding in a namespace, else a ClusterRoleBinding, of the account tools/ci, whose name is in line 6."""
    kind, metadata = "ClusterRoleBinding", f"{{name: {name}}}"
    if namespace:
        kind, metadata = "RoleBinding", f"{{name: {name}, namespace: {namespace}}}"
    return (
        f"apiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}\nmetadata: {metadata}\n"
        f"roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {role}}}\n"
        "subjects:\n- {name: ci, kind: ServiceAccount, namespace: tools}\n"
    )


_OF_ACCESS = {
    "readable-by-others": Fault(
        (
            append("generators/redis-auth.yaml", READERS),
            listed("overlays/test", "readable.yaml", binding("ci-edits", "edit", namespace="klinematrix-test")),
        ),
        ("readable-by-others overlays/test/readable.yaml:6",),
    ),
    "readable-by-others, by who makes pods everywhere, in a List": Fault(
        (
            append("generators/backend-secrets.yaml", READERS),
            listed("overlays/prod", "pods.yaml", in_list("pods", binding("ci-jobs", "jobs"))),
            listed(
                "overlays/prod",
                "jobs.yaml",
                "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: jobs}\n"
                "rules:\n- {apiGroups: [batch], resources: [jobs], verbs: [create]}\n",
            ),
        ),
        ("readable-by-others overlays/prod/pods.yaml:12",),
    ),
}
_OF_MANIFESTS = {
    "plaintext-secret, stringData, the second document": Fault(
        (
            listed(
                "overlays/base",
                "j.yaml",
                second("j", "apiVersion: v1\nkind: Secret\nmetadata: {name: j}\nstringData:\n  token: no real value\n"),
            ),
        ),
        ("plaintext-secret overlays/base/j.yaml:9",),
    ),
    "plaintext-secret, data, in a List": Fault(
        (
            listed(
                "overlays/base",
                "k.yaml",
                in_list("k", "apiVersion: v1\nkind: Secret\nmetadata: {name: k}\ndata:\n  token: bm90IHJlYWw=\n"),
            ),
        ),
        ("plaintext-secret overlays/base/k.yaml:11",),
    ),
    "plaintext-secret, a secretGenerator of a nested base": Fault(
        (
            listed(
                "overlays/base",
                "generated/kustomization.yaml",
                "secretGenerator:\n- name: generated\n  literals:\n  - one=\n  - two=no real value\n",
            ),
        ),
        ("plaintext-secret overlays/base/generated/kustomization.yaml:5",),
    ),
    "placeholder, in a patch": Fault(
        (replace("overlays/test/workload-identity.yaml", "3f1c2b7e-5a94-4d0e-9c1b-8e6f7a2d4c35", "YOUR_CLIENT_ID"),),
        ("placeholder overlays/test/workload-identity.yaml:6",),
    ),
    "placeholder, a store in a List": Fault(
        (
            listed(
                "overlays/base",
                "l.yaml",
                in_list(
                    "l",
                    "apiVersion: external-secrets.io/v1\nkind: SecretStore\nmetadata: {name: other}\n"
                    "spec:\n  provider:\n    azurekv:\n      authType: ManagedIdentity\n"
                    '      vaultUrl: "https://<vault>.vault.azure.net"\n',
                ),
            ),
        ),
        ("placeholder overlays/base/l.yaml:14",),
    ),
    "store-identity": Fault(
        (
            change(
                "overlays/test/workload-identity.yaml",
                lambda text: text[: text.index("    azure.workload.identity/tenant-id")],
            ),
        ),
        ("store-identity overlays/base/service-accounts.yaml:4",),
    ),
    "store-identity, the second document": Fault(
        (
            listed(
                "overlays/test",
                "m.yaml",
                second(
                    "m",
                    "apiVersion: external-secrets.io/v1\nkind: SecretStore\nmetadata: {name: own}\n"
                    "spec:\n  provider:\n    azurekv:\n      authType: WorkloadIdentity\n"
                    "      serviceAccountRef: {name: klinematrix}\n      vaultUrl: https://own.vault.azure.net\n",
                ),
            ),
        ),
        ("store-identity overlays/test/m.yaml:12",),
    ),
    "store-missing": Fault(
        (
            listed(
                "overlays/test",
                "n.yaml",
                external_secret("nn", f"  secretStoreRef:\n    name: azure-keyvault-stor\n{KEY}{MERGED}"),
            ),
        ),
        ("store-missing overlays/test/n.yaml:7",),
    ),
    "store-missing, of an entry, in a List": Fault(
        (
            listed(
                "overlays/test",
                "o.yaml",
                in_list(
                    "o",
                    external_secret(
                        "o",
                        f"{ELSEWHERE}{MERGED}  data:\n  - secretKey: token\n    sourceRef:\n"
                        "      storeRef: {kind: ClusterSecretStore, name: azure-keyvault-store}\n",
                    ),
                ),
            ),
        ),
        ("store-missing overlays/test/o.yaml:17",),
    ),
    "old-api-version": Fault(
        (listed("overlays/test", "p.yaml", external_secret("p", ELSEWHERE + KEY + MERGED, version="v1beta1")),),
        ("old-api-version overlays/test/p.yaml:1",),
    ),
    "old-api-version, the second document, in no build": Fault(
        (
            write(
                "overlays/base/q.yaml",
                second(
                    "q",
                    "apiVersion: external-secrets.io/v1alpha1\nkind: ClusterSecretStore\n"
                    "metadata: {name: q}\nspec: {}\n",
                ),
            ),
        ),
        ("old-api-version overlays/base/q.yaml:5",),
    ),
    "operator-refuses": Fault(
        (
            listed(
                "overlays/test",
                "r.yaml",
                external_secret("r", f"{ELSEWHERE}{KEY}{MERGED}".replace("Merge}", "Merge, deletionPolicy: Delete}")),
            ),
        ),
        ("operator-refuses overlays/test/r.yaml:8",),
    ),
    "operator-refuses, to add to what another one owns": Fault(
        (
            listed(
                "overlays/test",
                "owned.yaml",
                external_secret("owned", f"{ELSEWHERE}{KEY}{MERGED}".replace("elsewhere-made", "redis-auth")),
            ),
        ),
        ("operator-refuses overlays/test/owned.yaml:8",),
    ),
    "operator-refuses, an entry of a ClusterExternalSecret in a List": Fault(
        (
            listed(
                "overlays/base",
                "s.yaml",
                in_list(
                    "s",
                    "apiVersion: external-secrets.io/v1\nkind: ClusterExternalSecret\nmetadata: {name: s}\n"
                    "spec:\n  externalSecretSpec:\n    secretStoreRef: {kind: ClusterSecretStore, name: elsewhere}\n"
                    "    dataFrom:\n    - extract: {key: a}\n    - extract: {key: a}\n      find: {path: b}\n",
                ),
            ),
        ),
        ("operator-refuses overlays/base/s.yaml:15",),
    ),
    "tracked-secret-file": Fault(
        (write("overlays/base/.env.live", "TOKEN=no real value\n"),), ("tracked-secret-file overlays/base/.env.live:0",)
    ),
    "tracked-secret-file, a key": Fault(
        (write("deploy/tls/server.key", "no real key\n"),), ("tracked-secret-file deploy/tls/server.key:0",)
    ),
    "private-key, within a text": Fault((private_key,), ("private-key docs/access.md:5",)),
    "private-key, in base64": Fault((private_key_as_base64,), ("private-key deploy/kubeconfig:5",)),
}
_WITH_VALUES = ("--with-values",)
_OF_VALUES = {
    "value-missing": Fault(
        (),
        ("value-missing generators/redis-auth.yaml:9",),
        arguments=_WITH_VALUES,
        values={"redis-password-prod": None},
    ),
    "value-missing, in a dotenv file": Fault(
        (write(".env", "SMTP_PASSWORD_EU=the password of eu\n"),),
        # The password, and the URL that is made of it.
        ("value-missing mailer/declared/mailer.yaml:9",) * 2,
        arguments=_WITH_VALUES,
    ),
    "value-unusable": Fault(
        (
            append(
                f"{PROD}/ksecret.yaml",
                "  overrides:\n    backend-secrets:\n      keys:\n        mongodb-url: {property: url}\n",
            ),
        ),
        ("value-unusable overlays/prod/secrets/ksecret.yaml:19",),
        alone="other overrides have these lines",
        arguments=_WITH_VALUES,
    ),
    "value-unusable, in a dotenv file": Fault(
        (
            append(
                f"{EU}/ksecret.yaml", "  overrides:\n    mailer:\n      keys:\n        smtp-password: {property: a}\n"
            ),
        ),
        ("value-unusable overlays/eu/secrets/ksecret.yaml:16",),
        arguments=_WITH_VALUES,
    ),
    "value-breaks-rule": Fault(
        (),
        ("value-breaks-rule generators/redis-auth.yaml:11",),
        arguments=_WITH_VALUES,
        values={"redis-password-test": "too short"},
    ),
    "value-breaks-rule, a format": Fault(
        (),
        ("value-breaks-rule generators/backend-secrets.yaml:20",),
        arguments=_WITH_VALUES,
        values={"mongodb-connection-string-prod": "host.example:27017"},
    ),
    "same-value": Fault(
        (),
        ("same-value generators/backend-secrets.yaml:21",),
        arguments=_WITH_VALUES,
        values={"alpaca-api-key-test": "one value", "alpaca-api-key-prod": "one value"},
    ),
    "same-value, of two keys": Fault(
        (),
        ("same-value generators/backend-secrets.yaml:25",),  # test comes after prod
        arguments=_WITH_VALUES,
        values={"alpha-vantage-api-key-test": "another value", "alpaca-secret-key-prod": "another value"},
    ),
    "value-in-repository": Fault(
        (write("docs/notes.md", "# Notes\n\nTake the value of jwt-secret-key-test for now.\n"),),
        ("value-in-repository docs/notes.md:3",),
        arguments=_WITH_VALUES,
    ),
    "value-in-repository, in base64, in a ConfigMap of a List": Fault(
        (
            listed(
                "overlays/base",
                "t.yaml",
                in_list(
                    "t",
                    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: t}\ndata:\n  one: "
                    + base64.b64encode(b"the value of jwt-secret-key-prod").decode()
                    + "\n",
                ),
            ),
        ),
        ("value-in-repository overlays/base/t.yaml:11",),
        arguments=_WITH_VALUES,
    ),
}
_OF_EXCEPTIONS = {
    "exception-unused": Fault(
        (
            append(
                f"{TEST}/ksecret.yaml", "  exceptions:\n  - {rule: no-restart, object: Deployment/backend, reason: a}\n"
            ),
        ),
        ("exception-unused overlays/test/secrets/ksecret.yaml:20",),
    ),
    "exception-unused, a comment, the second document": Fault(
        (
            listed(
                "overlays/base", "u.yaml", second("u", settings("u2", "# ksecret: ignore[placeholder] not yet known"))
            ),
        ),
        ("exception-unused overlays/base/u.yaml:7",),
    ),
    "exception-unknown-rule": Fault(
        (append(f"{EU}/ksecret.yaml", "  exceptions:\n  - {rule: no-restar, object: DaemonSet/mailer, reason: a}\n"),),
        ("exception-unknown-rule overlays/eu/secrets/ksecret.yaml:14",),
        alone="overrides have these lines",
    ),
    "exception-unknown-rule, a comment in a List": Fault(
        (listed("overlays/prod", "v.yaml", in_list("v", settings("v2", "# ksecret: ignore[anything] not yet known"))),),
        ("exception-unknown-rule overlays/prod/v.yaml:9",),
    ),
    "exception-expired": Fault(
        (
            append(
                f"{US}/ksecret.yaml",
                "  exceptions:\n  - rule: no-restart\n    object: DaemonSet/mailer\n    reason: a\n"
                '    until: "2020-01-31"\n',
            ),
        ),
        ("exception-expired overlays/us/secrets/ksecret.yaml:14",),
    ),
    "exception-expired, what it was for is told again": Fault(
        (
            append(
                f"{PROD}/ksecret.yaml",
                "  exceptions:\n  - reason: a\n    object: StatefulSet/redis\n    rule: no-restart\n"
                '    until: "2020-01-31"\n',
            ),
            replace("overlays/base/redis.yaml", 'auto: "true"', 'auto: "false"'),
        ),
        ("exception-expired overlays/prod/secrets/ksecret.yaml:19", "no-restart overlays/base/redis.yaml:7"),
        alone="overrides have these lines",
    ),
    "exception-without-until": Fault(
        (append(f"{PROD}/ksecret.yaml", "  exceptions:\n  - {rule: plaintext-secret, object: Secret/a, reason: a}\n"),),
        ("exception-without-until overlays/prod/secrets/ksecret.yaml:17",),
        alone="overrides have these lines",
    ),
    "exception-without-until, a comment, the second document": Fault(
        (
            listed(
                "overlays/base",
                "w.yaml",
                second(
                    "w",
                    "apiVersion: v1\nkind: Secret\nmetadata: {name: w}\nstringData:\n"
                    "  token: no real value # ksecret: ignore[plaintext-secret] soon\n",
                ),
            ),
        ),
        # It silences nothing.
        ("exception-without-until overlays/base/w.yaml:9", "plaintext-secret overlays/base/w.yaml:9"),
    ),
    "exception-without-reason": Fault(
        (replace(REDIS, "remoteName: redis-password", "remoteName: redis-password # ksecret: ignore[foreign-name]"),),
        ("exception-without-reason generators/redis-auth.yaml:10",),
    ),
    "exception-without-reason, a comment in a List": Fault(
        (listed("overlays/test", "x.yaml", in_list("x", settings("x2", "# ksecret: ignore[placeholder]"))),),
        ("exception-without-reason overlays/test/x.yaml:9",),
    ),
}
FAULTS = (
    _OF_THE_TREE
    | _OF_SEALED_SECRETS
    | _OF_ENVIRONMENTS
    | _OF_READERS
    | _OF_ACCESS
    | _OF_MANIFESTS
    | _OF_VALUES
    | _OF_EXCEPTIONS
)
