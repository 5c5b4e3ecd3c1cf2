"""`kubectl ksecret import`."""

import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import click

from .. import importing as action
from ..files.project import decode
from ..sensitive import forbid_core_dumps
from . import given


@click.command("import")
@click.argument("environments", metavar="[NAME=]PATH...", nargs=-1, required=True)
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
    "--namespace",
    "namespaces",
    multiple=True,
    metavar="NAME=NAMESPACE",
    help="Of an environment whose objects say none, or several: those of others stay as they are.",
)
@click.option(
    "--vault-url",
    "vault_urls",
    multiple=True,
    metavar="NAME=URL",
    help="The Key Vault of an environment whose store is not among its objects.",
)
@click.option("--dry-run", is_flag=True, help="Do everything but write.")
def command(
    environments: tuple[str, ...],
    into: str | None,
    wire: bool,
    same: tuple[str, ...],
    certificates: tuple[str, ...],
    namespaces: tuple[str, ...],
    vault_urls: tuple[str, ...],
    dry_run: bool,
) -> None:
    """Make declarations and overlays of the manifests that you have; nothing is overwritten.

    PATH is an environment: a file, a folder, a folder with a kustomization, or - for standard input. Its name is the
    folder's unless you give one. ExternalSecrets, their stores, SealedSecrets, Secrets and secretGenerator entries
    are read; no value is written or shown. What would lose something by it stays as it is, and is listed with the
    reason. The kustomizations that are deployed build the overlays once the lines that are printed are edited, which
    --wire does.

    \b
    Examples:
      kubectl ksecret import k8s/overlays/test k8s/overlays/prod --wire
      kubectl ksecret import test=k8s/test.yaml prod=k8s/prod --certificate sealing.pem
      kubectl ksecret import overlays/test overlays/prod \\
        --same app-secrets/jwt-secret-key=backend-secrets/jwt-secret
      kubectl get externalsecrets,secretstores -n shop -o yaml | kubectl ksecret import test=-
    """
    forbid_core_dumps()
    named = [_named(environment) for environment in environments]
    if [path for _, path in named].count("-") > 1:
        raise click.UsageError("standard input is one environment.")
    names = [name for name, _ in named]
    namespace_of, url_of = _by_name("--namespace", namespaces, names), _by_name("--vault-url", vault_urls, names)
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
        into=into,
        wire=wire,
        same=[_same(pair) for pair in same],
        certificates=_certificates(certificates, names),
        dry_run=dry_run,
    )
    _print(action.import_environments(request, datetime.now(UTC)))


def _print(report: action.ImportReport) -> None:
    """Print the files on standard output, and on standard error what is left to do, in its order."""
    click.echo("".join(f"{file}\n" for file in report.written), nl=False)
    for mistake in report.left:
        click.echo(mistake.said("warning"), err=True)
    for note in report.notes:
        click.echo(f"note: {note}", err=True)
    wiring = report.wiring
    for addition in wiring.additions:
        click.echo(f"{'added' if report.wired else 'add'}: {addition}", err=True)
    for removal in wiring.removals:
        click.echo(f"{'removed' if report.wired else 'remove'}: {removal}", err=True)
    for removal in wiring.later:
        click.echo(f"remove once it is sealed: {removal}", err=True)
    if wiring.unlisted:
        click.echo(f"note: nothing lists these any more, so delete them: {', '.join(wiring.unlisted)}", err=True)
    for reason in wiring.withheld:
        click.echo(f"note: {reason}", err=True)


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
        if not equals or name not in names:
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
