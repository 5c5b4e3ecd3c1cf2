"""What an operator may do to a Secret though everything is written right."""

from collections.abc import Iterator

from . import Finding, rule
from .scope import Repository, overlay_subject


@rule("operator-may-empty-secret", "note")
def operator_may_empty_secret(repository: Repository) -> Iterator[Finding]:
    """An operator deletes keys of a Secret, or all of them, when it can't read the source for a moment.

    ack-secret-manager before 0.5.11 empties a Secret when KMS refuses it (403) or throttles it (429), and later ones do
    so with cleanupSecretOnFailure; pods that start then fail. It takes over a Secret that exists, whole, and deletes it
    together with its ExternalSecret. Run 0.5.11 or later without that option; then except this finding.
    """
    for overlay in repository.overlays:
        environment = overlay.environment
        if environment.backend.may_empty:
            yield Finding(
                message=f"{environment.backend.operator} may empty the Secrets of {environment.name}",
                place=environment.overlay.spec.origin.key("backend"),
                hint=environment.backend.may_empty,
                subject=overlay_subject(environment),
                field="spec.backend",
                overlay=environment.name,
            )


RULES = (operator_may_empty_secret,)
