"""`kubectl ksecret import --from-cluster`."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime

import click

from .. import importing as action
from ..actions import certificate as certificates
from ..actions.seal import SealPorts, TypedSource
from ..cluster.api import Api
from ..cluster.certificates import Controller, from_controller
from ..frozen import Record
from ..importing import live, livevalues
from ..model.kubernetes import Object
from ..sources import open_source, open_writable
from . import asking, seal
from .importreport import print_report
from .progress import progress_bar

# Options that are handed on as they are.
SHARED = ("selector", "backend", "source", "recipients", "seal", "accept", "into", "dry_run", "controller")


class LiveOptions(Record):
    """What was typed."""

    name: str
    secrets: Sequence[str]
    api: Api
    vault_url: str | None
    certificate: tuple[str, bytes] | None
    selector: str
    backend: str | None
    source: TypedSource | None
    recipients: Sequence[str]
    seal: bool
    accept: Sequence[str]
    into: str | None
    dry_run: bool
    controller: Controller


def run(options: LiveOptions) -> int:
    """Import, print what was made, and return the exit code."""
    _refuse(options)
    now, namespace = datetime.now(UTC), options.api.settings.namespace
    request = live.LiveRequest(names=options.secrets, selector=options.selector, backend=options.backend or "")
    collected = live.collect(options.api, namespace, request)
    fetched = _fetched(options, collected, now)
    argument = action.EnvironmentArgument(
        name=options.name,
        path=f"namespace {namespace}",
        namespace=namespace,
        vault_url=options.vault_url,
        live=collected,
        form=_form(options),
    )
    report = action.import_environments(
        action.ImportRequest(
            environments=[argument],
            into=options.into,
            certificates={options.name: options.certificate} if options.certificate else {},
            fetched={options.name: fetched} if fetched else {},
            seals=options.seal,
            dry_run=options.dry_run,
        ),
        now,
    )
    print_report(report)
    overlay = report.overlays.get(options.name)
    if not options.seal or overlay is None:
        return 0
    if options.dry_run or not overlay.unsealed:
        sealed = f"would seal the values of {', '.join(overlay.unsealed)}" if overlay.unsealed else "nothing to seal"
        click.echo(f"{options.name}: {sealed}")
        return 0
    return _seal(options, overlay, fetched, now)


def _refuse(options: LiveOptions) -> None:
    """Raise UsageError for options and arguments that don't go together."""
    if options.secrets and options.selector:
        raise click.UsageError("-l and names of Secrets exclude each other.")
    for address in options.secrets:
        if "/" in address:
            raise click.UsageError(f"a Secret is imported whole: name it as {address.partition('/')[0]}.")
    if options.source and options.vault_url:
        raise click.UsageError("--source and --vault-url exclude each other.")
    if options.seal and options.backend in ("externalSecret", "secret"):
        raise click.UsageError(f"--seal: the backend {options.backend} seals nothing.")
    if options.source and options.backend == "externalSecret":
        raise click.UsageError("--source: External Secrets Operator reads its store.")
    if options.recipients and options.backend != "sops":
        raise click.UsageError("--age goes with --backend sops.")
    if options.certificate and options.backend not in (None, "sealedSecret"):
        raise click.UsageError("--certificate goes with --backend sealedSecret.")


def _form(options: LiveOptions) -> action.OverlayForm:
    source: Object | None = None
    if options.source and options.source.dotenv is not None:
        folder = os.path.join(os.path.realpath(options.into or "."), "overlays", options.name, "secrets")
        source = {"dotenv": {"file": os.path.relpath(os.path.realpath(options.source.dotenv), folder)}}
    elif options.source or (options.backend == "secret" and not options.vault_url):
        source = {"environment": {}}
    return action.OverlayForm(backend=options.backend or "", source=source, recipients=options.recipients)


def _fetched(options: LiveOptions, collected: action.CollectedObjects, now: datetime) -> bytes | None:
    """Return the certificate of the cluster's own controller, where values are sealed for it."""
    external = any(document.subject.kind == "ExternalSecret" for document in collected.documents)
    if not options.seal or options.certificate or external or options.backend not in (None, "sealedSecret"):
        return None
    pem = from_controller(options.api, options.controller, otherwise="the certificate with --certificate")
    return certificates.usable(pem, now).pem


def _seal(options: LiveOptions, overlay: action.ImportedOverlay, fetched: bytes | None, now: datetime) -> int:
    """Seal the live values and print what was sealed."""
    exit_code = 0
    given = options.certificate[1] if options.certificate else None
    typed = livevalues.TypedReaders(certificate=fetched or given, recipients=options.recipients)
    with progress_bar("sealing") as sealing:
        ports = SealPorts(
            consent=asking.consent(options.accept, os.environ),
            variables=os.environ,
            given=None,
            opened_by=lambda environment: open_source(environment, sealing),
            writable=lambda environment: open_writable(environment, sealing),
            reading=sealing,
            sealing=sealing,
        )
        for outcome in livevalues.seal_live(overlay, options.api, ports, typed, now):
            exit_code = max(exit_code, seal.report(outcome, dry_run=False))
    if exit_code == 0:
        click.echo(f"hint: kubectl ksecret sync {options.name} --adopt takes over the Secrets that are there", err=True)
    return exit_code
