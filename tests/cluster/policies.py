"""Policies of the test cluster that refuse what a test wants to be refused."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from .shops import Shop

VERSION = "admissionregistration.k8s.io/v1"
SECONDS_TO_HOLD = 30


@contextmanager
def refusing(shop: Shop, resource: str, group: str, version: str, message: str = "'no'") -> Iterator[str]:
    """Refuse every write of a resource in the shop's namespace; yields the policy's name. `message` is CEL."""
    name = shop.namespace
    rule = {"apiGroups": [group], "apiVersions": [version], "operations": ["CREATE", "UPDATE"], "resources": [resource]}
    # What a person applies passes, so that a test can go on.
    validation = {
        "expression": f"request.namespace != '{name}' || request.options.fieldManager != 'ksecret'",
        "messageExpression": message,
    }
    policy = {"matchConstraints": {"resourceRules": [rule]}, "validations": [validation]}
    binding = {"policyName": name, "validationActions": ["Deny"]}
    kinds = {"ValidatingAdmissionPolicy": policy, "ValidatingAdmissionPolicyBinding": binding}
    shop.cluster.apply(
        *(
            {"apiVersion": VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}
            for kind, spec in kinds.items()
        )
    )
    full_name = f"{resource}.{group}" if group else resource
    try:
        _wait(shop, full_name, refused=True)
        yield name
    finally:
        for kind in kinds:
            shop.cluster.kubectl("delete", kind.lower(), name)
        _wait(shop, full_name, refused=False)


def _wait(shop: Shop, resource: str, *, refused: bool) -> None:
    """Wait until the policy holds, or no longer does: the API server looks for policies now and then."""
    end = time.monotonic() + SECONDS_TO_HOLD
    command = (
        "kubectl",
        f"--kubeconfig={shop.cluster.kubeconfig}",
        f"--namespace={shop.namespace}",
        "annotate",
        resource,
    )
    options = ("--all", "--overwrite", "--dry-run=server", "--field-manager=ksecret", "tried=now")
    while (subprocess.run([*command, *options], capture_output=True, check=False).returncode != 0) != refused:
        assert time.monotonic() < end
        time.sleep(0.1)
