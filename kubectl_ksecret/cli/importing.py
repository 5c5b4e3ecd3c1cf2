"""`kubectl ksecret import`."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from .. import importing as action
from ..files.project import decode
from ..sensitive import forbid_core_dumps
from . import arguments, given, kubectl
from .importreport import print_report

if TYPE_CHECKING:
    from ..cluster.api import Api

# The options of one form of the command, by the names of their parameters.
_OF_FILES = {"wire": "--wire", "same": "--same"}
_OF_CLUSTER = {
    "selector": "-l",
    "backend": "--backend",
    "source": "--source",
    "recipients": "--age",
    "seal": "--seal",
    "accept": "--accept",
    "kubeconfig": "--kubeconfig",
    "context": "--context",
}


@click.command("import")
@click.argument("environments", metavar="[NAME=]PATH... | NAME --from-cluster [SECRET]...", nargs=-1, required=True)
@click.option("--into", metavar="DIR", help="Make generators/ and overlays/ there, beside the tree that is deployed.")
@click.option("--wire", is_flag=True, help="Edit the kustomizations that are deployed, too.")
@click.option(
    "--same",
    multiple=True,
    metavar="OLD=NEW",
    help="SECRET or SECRET/KEY that has another name in another environment; the new name stays.",
)
@click.option(
    "--certificate",
    "certificates",
    multiple=True,
    metavar="[NAME=]FILE",
    help="The controller's certificate, of all environments or of one.",
)
@click.option(
    "-n",
    "--namespace",
    "namespaces",
    multiple=True,
    metavar="[NAME=]NAMESPACE",
    help="Of an environment whose objects say none, or several: those of others stay as they are.",
)
@click.option(
    "--vault-url",
    "vault_urls",
    multiple=True,
    metavar="[NAME=]URL",
    help="The Key Vault of an environment whose store is not among its objects.",
)
@click.option("--from-cluster", is_flag=True, help="Import what lives in a namespace: all, or the named Secrets.")
@click.option("-l", "--selector", metavar="LABEL=VALUE", default="", help="Of the cluster, what has these labels.")
@click.option(
    "--backend",
    type=click.Choice(("externalSecret", "sealedSecret", "sops", "secret")),
    help="The form that the overlay of live Secrets gets; by default the one that they have, or sealedSecret.",
)
@click.option(
    "--source",
    metavar="KIND=PATH",
    callback=given.source,
    help="Where the overlay of live Secrets takes new values from: dotenv=FILE or environment.",
)
@click.option("--age", "recipients", multiple=True, metavar="RECIPIENT", help="With --backend sops: encrypt for it.")
@click.option("--seal", is_flag=True, help="Seal the live values, too; they are in memory alone.")
@click.option("--accept", multiple=True, metavar="SHA256:…|age1…", help="Seal for this certificate or recipient.")
@click.option("--dry-run", is_flag=True, help="Do everything but write.")
@kubectl.controller_options(", for --seal")
@kubectl.flags(namespace=False)
def command(environments: tuple[str, ...], from_cluster: bool, **options: Any) -> None:
    """Make declarations and overlays of what you have; nothing is overwritten.

    PATH is an environment: a file, a folder, a folder with a kustomization, or - for standard input. Its name is the
    folder's unless you give one. ExternalSecrets, their stores, SealedSecrets, Secrets and secretGenerator entries
    are read; no value is written or shown. What would lose something by it stays as it is, and is listed with the
    reason. The kustomizations that are deployed build the overlays once the lines that are printed are edited, which
    --wire does.

    With --from-cluster the objects are those that live in a namespace. What a controller, Helm or Kubernetes itself
    makes is left out. No value is read, unless --seal writes them into the manifests, sealed.

    \b
    Examples:
      kubectl ksecret import k8s/overlays/test k8s/overlays/prod --wire
      kubectl ksecret import test=k8s/test.yaml prod=k8s/prod --certificate sealing.pem
      kubectl ksecret import overlays/test overlays/prod \\
        --same app-secrets/jwt-secret-key=backend-secrets/jwt-secret
      kubectl get externalsecrets,secretstores -n shop -o yaml | kubectl ksecret import test=-
      kubectl ksecret import prod --from-cluster --context shop-prod -n shop --seal
    """
    forbid_core_dumps()
    idle = _OF_FILES if from_cluster else _OF_CLUSTER
    for parameter, option in idle.items():
        if arguments.is_given(parameter):
            form = "the import of files" if from_cluster else "--from-cluster"
            raise click.UsageError(f"{option} goes with {form}.")
    (_live if from_cluster else _files)(environments, options)


def _files(environments: Sequence[str], options: Mapping[str, Any]) -> None:
    """Import what stands in files."""
    named = [_named(environment) for environment in environments]
    if [path for _, path in named].count("-") > 1:
        raise click.UsageError("standard input is one environment.")
    names = [name for name, _ in named]
    namespace_of = _by_name("--namespace", options["namespaces"], names)
    url_of = _by_name("--vault-url", options["vault_urls"], names)
    request = action.ImportRequest(
        environments=[
            action.EnvironmentArgument(
                name=name,
                path=path,
                text=decode(sys.stdin.buffer.read(), "standard input") if path == "-" else None,
                namespace=namespace_of.get(name),
                vault_url=url_of.get(name),
            )
            for name, path in named
        ],
        into=options["into"],
        wire=options["wire"],
        same=[_same(pair) for pair in options["same"]],
        certificates=_certificates(options["certificates"], names),
        dry_run=options["dry_run"],
    )
    print_report(action.import_environments(request, datetime.now(UTC)))


def _live(environments: Sequence[str], options: Mapping[str, Any]) -> None:
    """Import what lives in a cluster."""
    from . import importing_live

    name, *secrets = environments
    connect: Callable[..., Api] = options["connect"]
    exit_code = importing_live.run(
        importing_live.LiveOptions(
            name=name,
            secrets=secrets,
            api=connect(namespace=_by_name("--namespace", options["namespaces"], [name]).get(name)),
            vault_url=_by_name("--vault-url", options["vault_urls"], [name]).get(name),
            certificate=_certificates(options["certificates"], [name]).get(name),
            **{field: options[field] for field in importing_live.SHARED},
        )
    )
    sys.exit(exit_code)


def _named(argument: str) -> tuple[str, str]:
    """Return the environment's name and path; the name is the folder's unless it is given."""
    name, equals, path = argument.partition("=")
    if equals and "/" not in name and not os.path.exists(argument):
        return name, path
    if argument == "-":
        raise click.UsageError("standard input needs a name: NAME=-.")
    real = os.path.realpath(argument)
    return os.path.basename(real if os.path.isdir(real) else os.path.dirname(real)), argument


def _by_name(option: str, values: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    by_name = {}
    for text in values:
        name, equals, value = text.partition("=")
        if not equals and len(names) == 1:
            name, value = names[0], text
        elif not equals or name not in names:
            raise click.UsageError(f"{option} takes NAME=…; the environments are {', '.join(names)}.")
        by_name[name] = value
    return by_name


def _same(text: str) -> action.Same:
    old, equals, new = text.partition("=")
    if not (old and equals and new):
        raise click.UsageError("--same takes OLD=NEW, each a SECRET or a SECRET/KEY.")
    return action.Same(old, new)


def _certificates(values: Sequence[str], names: Sequence[str]) -> Mapping[str, tuple[str, bytes]]:
    by_name = {}
    for text in values:
        name, equals, file = text.partition("=")
        of_one = equals and name in names
        for environment in [name] if of_one else names:
            by_name[environment] = (file if of_one else text, given.content(file if of_one else text))
    return by_name
