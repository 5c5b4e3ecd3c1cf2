"""`kubectl ksecret unseal`."""

import click

from . import arguments, given, plaintext


@click.command("unseal")
@click.argument("files", nargs=-1, required=True, metavar="FILE|-...")
@click.option(
    "--private-key",
    "keys",
    multiple=True,
    required=True,
    metavar="FILE",
    help="PEM file, or the controller's TLS Secrets as YAML; may be given several times.",
)
@arguments.output("yaml", "json")
@plaintext.allow_terminal()
def command(files: tuple[str, ...], keys: tuple[str, ...], output: str, allow_terminal: bool) -> None:
    """Open SealedSecrets with the controller's private key, for recovery.

    Plain Secrets go to standard output, which must not be a file. A FILE that is - is standard input.

    \b
    Examples:
      kubectl ksecret unseal overlays/prod/secrets/manifests/*.yaml --private-key backup.yaml \\
        | kubectl apply --server-side --field-manager=ksecret -f -
    """
    from ..actions import unseal as action  # --help must not load cryptography

    plaintext.begin(allow_terminal)
    opened = action.unseal([(f, given.piped_or_content(f)) for f in files], [(k, given.content(k)) for k in keys])
    plaintext.write(opened, output)
