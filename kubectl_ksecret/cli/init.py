"""`kubectl ksecret init`."""

from datetime import UTC, datetime

import click

from ..actions import init as action
from ..model.types.backends import BACKENDS
from ..model.types.sources import SOURCES
from . import given


@click.command("init")
@click.argument("folder", metavar="DIR")
@click.option(
    "--backend", metavar="NAME|YAML", required=True, help=f"One of {', '.join(BACKENDS)}, or with its fields."
)
@click.option("--namespace", required=True, help="Namespace of all that is rendered.")
@click.option("--source", metavar="NAME|YAML", help=f"One of {', '.join(SOURCES)}, with its fields.")
@click.option("--vault-url", metavar="URL", help="The Azure Key Vault that holds the values: short for --source.")
@click.option("--names", metavar="PATTERN", help="Pattern of the names in the source.")
@click.option("--property", metavar="PATTERN", help="Pattern of the property that each key takes.")
@click.option("--certificate", metavar="FILE", help="The controller's certificate (kubeseal --fetch-cert).")
@click.option(
    "--age", "recipients", multiple=True, metavar="RECIPIENT", help="Encrypt for it; several times for several."
)
@click.option("--generator", is_flag=True, help="Render on every build, by kustomize's exec functions.")
@click.option("--dry-run", is_flag=True, help="List the files that would be made, and write none.")
def command(
    folder: str,
    backend: str,
    namespace: str,
    source: str | None,
    vault_url: str | None,
    names: str | None,
    property: str | None,
    certificate: str | None,
    recipients: tuple[str, ...],
    generator: bool,
    dry_run: bool,
) -> None:
    """Make an overlay in DIR, and the first declaration where there is none.

    \b
    Examples:
      kubectl ksecret init overlays/test --backend externalSecret --namespace shop-test \\
        --vault-url https://shop-test.vault.azure.net
      kubectl ksecret init overlays/prod --backend sealedSecret --namespace shop --certificate sealing.pem
      kubectl ksecret init overlays/prod --backend sops --namespace shop --age age1…
      kubectl ksecret init overlays/prod --backend secret --namespace shop --source 'dotenv: {file: ../../../.env}'
      kubectl ksecret init overlays/prod --namespace shop --names 'shop/prod/{secret}' --property '{remoteName}' \\
        --source 'vault: {address: "https://vault.example:8200", mount: secret}' --backend vaultSecretsOperator
      kubectl ksecret init overlays/prod --namespace shop --backend ackSecretManager \\
        --source 'alibabaKms: {region: cn-hangzhou}'
      kubectl ksecret init overlays/prod --namespace shop \\
        --backend 'externalSecret: {store: {name: doppler, kind: ClusterSecretStore}}'
    """
    if not folder:
        raise click.UsageError("DIR is empty.")
    request = action.InitRequest(
        folder=folder,
        backend=backend,
        namespace=namespace,
        source=source,
        vault_url=vault_url,
        names=names,
        property=property,
        certificate=(certificate, given.content(certificate)) if certificate else None,
        recipients=recipients,
        generator=generator,
        dry_run=dry_run,
    )
    done = action.init(request, datetime.now(UTC))
    click.echo("".join(f"{file}\n" for file in done.written), nl=False)
    for note in done.notes:
        click.echo(f"note: {note}", err=True)
