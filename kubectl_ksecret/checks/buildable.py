"""Can everything that is deployed be built, by any deployer and on any machine?"""

from collections.abc import Iterator

from . import Finding, Severity, rule
from .scope import Repository, overlay_subject


@rule("not-buildable", "error")
def not_buildable(repository: Repository) -> Iterator[Finding]:
    """A kustomization can't be built, so nothing of what it deploys is checked.

    Correct it, or have another program build it and check that: `kubectl ksecret check OVERLAY --built -`. A remote
    file or folder is fetched with `--allow-remote` alone. In a kustomization without an overlay this is a warning.
    """
    for unbuilt in repository.unbuilt:
        if unbuilt.mistake is None:
            continue
        milder: Severity | None = None if unbuilt.environments else "warning"
        environment = unbuilt.environments[0] if unbuilt.environments else None
        yield Finding(
            message=unbuilt.mistake.message,
            place=unbuilt.mistake.place,
            hint=unbuilt.mistake.hint,
            subject=overlay_subject(environment) if environment else None,
            overlay=environment.name if environment else "",
            milder=milder,
        )


@rule("needs-no-restriction", "note")
def needs_no_restriction(repository: Repository) -> Iterator[Finding]:
    """A kustomization reads a file from outside of its folder, which kustomize refuses by default.

    Whoever deploys it needs `--load-restrictor LoadRestrictionsNone`, which `kubectl apply -k` does not have. Move the
    file below the kustomization, or into a base of its own that is listed as a folder.
    """
    for build in repository.builds:
        for named in build.leading_out:
            yield Finding(
                message=f"{build.project.name(named.path)} lies outside of the folder of this kustomization",
                place=named.place,
                hint="it builds with kustomize build --load-restrictor LoadRestrictionsNone alone",
                field=str(named.field[0]),
                overlay=build.only_overlay,
            )


RULES = (not_buildable, needs_no_restriction)
