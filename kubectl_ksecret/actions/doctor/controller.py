"""The Sealed Secrets controller: whether it is there, and whether it has the keys that the overlay seals for."""

from base64 import b64encode
from collections.abc import Iterator
from datetime import timedelta

from ...backends import backend_of
from ...cluster.api import Refused
from ...cluster.certificates import Controller, NoController, Reached
from ...cluster.resources import PODS, SEALED_SECRETS, SERVICES
from ...cluster.verification import Verifier
from ...errors import InputError
from ...model.kubernetes import Object
from ...sealing import certificate, sealedsecret
from ...sealing.certificate import Certificate
from ...sealing.validity import judge
from ...sensitive import Sensitive
from .. import certificate as committed
from .controllerpods import KINDS, waiting_for, without_pods
from .examination import Examination, Question, Step

_SERVED = "the cluster serves SealedSecret"
_ANSWERS = "the Sealed Secrets controller answers"
_CERTIFICATE = "the certificate is one of the controller's"
_KEYS = "the sealing keys that the committed values need"
_CHART = "https://bitnami.github.io/sealed-secrets"
_SOON = timedelta(days=30)
_INSTALLATION = f"helm install sealed-secrets sealed-secrets --repo={_CHART} --namespace=kube-system"
# The smallest text that can be sealed to see whether the controller has the key; it means nothing.
_PROBE = Sensitive(b"ksecret")


def answers(examination: Examination) -> bool:
    """Whether the controller can be asked. Raises Refused without the right to ask it."""
    try:
        examination.controller()
    except NoController:
        return False
    except Refused as refused:
        if refused.status == 403:
            raise
        return False
    return True


def _served(examination: Examination) -> Iterator[Step]:
    served = examination.serves(SEALED_SECRETS)
    yield Step(
        question=_SERVED,
        subject=f"customresourcedefinition.apiextensions.k8s.io/{SEALED_SECRETS.full_name}",
        verdict="passed" if served else "failed",
        cause="" if served else f"it does not serve {SEALED_SECRETS.group}/{SEALED_SECRETS.version}",
        remedy="" if served else _INSTALLATION,
    )


def _answering(examination: Examination) -> Iterator[Step]:
    where = examination.request.controller
    try:
        reached = examination.controller()
    except NoController as missing:
        name = where.names[0]
        yield _silent(name, missing.mistakes[0].message, _elsewhere(examination))
    except Refused as refused:
        if refused.status == 403:
            raise
        yield _silence(examination)
    else:
        yield Step(
            question=_ANSWERS,
            subject=f"service/{reached.service}",
            verdict="passed",
            cause=f"in {reached.namespace}",
        )


def _silent(service: str, cause: str, remedy: str) -> Step:
    return Step(question=_ANSWERS, subject=f"service/{service}", verdict="failed", cause=cause, remedy=remedy)


def _elsewhere(examination: Examination) -> str:
    """Return the command that asks the controller where it really is; without one, the command that installs it."""
    try:
        services = examination.all(SERVICES)
    except Refused as refused:
        if refused.status != 403:
            raise
        return "name it with --controller-name and --controller-namespace"
    for service in services:
        metadata = service["metadata"]
        labels = metadata.get("labels") or {}
        names = {metadata["name"], labels.get("app.kubernetes.io/name"), labels.get("name")}
        if names & {*Controller().names} and not metadata["name"].endswith("-metrics"):
            options = f"--controller-namespace={metadata['namespace']} --controller-name={metadata['name']}"
            return f"kubectl ksecret doctor {examination.environment.name} {options}"
    return _INSTALLATION


def _silence(examination: Examination) -> Step:
    """Find out why a controller whose Service is there does not answer."""
    where = examination.request.controller
    by_name = {service["metadata"]["name"]: service for service in examination.all(SERVICES, where.namespace)}
    name = next((name for name in where.names if name in by_name), where.names[0])
    selector = (by_name.get(name, {}).get("spec") or {}).get("selector") or {}
    pods = [pod for pod in examination.all(PODS, where.namespace) if _matches(pod, selector)]
    if not pods:
        return _without_pods(examination, name, selector)
    pod = pods[0]["metadata"]["name"]
    if reason := next(waiting_for(pods[0]), ""):
        return _silent(
            name, f"its pod {pod} waits: {reason}", f"kubectl describe pod {pod} --namespace={where.namespace}"
        )
    cause = f"its pod {pod} is there, and does not answer"
    return _silent(name, cause, f"kubectl logs --tail=20 {pod} --namespace={where.namespace}")


def _without_pods(examination: Examination, service: str, selector: Object) -> Step:
    namespace = examination.request.controller.namespace
    for kind, resources in KINDS.items():
        for workload in examination.all(resources, namespace):
            if _matches(workload["spec"].get("template") or {}, selector):
                standstill = without_pods(kind, workload)
                return _silent(service, f"{kind}/{workload['metadata']['name']} {standstill.cause}", standstill.remedy)
    labels = ",".join(f"{name}={value}" for name, value in sorted(selector.items()))
    command = f"kubectl get deployments,pods --namespace={namespace} --selector={labels}"
    return _silent(service, "no pod has the labels that the Service selects", command)


def _matches(document: Object, selector: Object) -> bool:
    labels = (document.get("metadata") or {}).get("labels") or {}
    return bool(selector) and selector.items() <= labels.items()


def _held(examination: Examination) -> Iterator[Step]:
    named = backend_of(examination.environment).certificate(examination.environment)
    if named is None or not answers(examination):
        return
    environment = examination.environment
    fetch = f"kubectl ksecret certificate {environment.name} --fetch"
    file = environment.project.name(named.path)
    try:
        ours = certificate.read(environment.project.read(named.path, named.named_at))
    except InputError as error:
        yield _of_certificate(file, error.mistakes[0].message, fetch)
        return
    except ValueError as error:
        yield _of_certificate(file, str(error), fetch)
        return
    faults = {fact.kind: fact.message for fact in judge(ours, now=examination.request.now, warn=_SOON)}
    soon = faults.pop("ends-soon", "")
    for message in faults.values():
        yield _of_certificate(file, message, fetch)
        return
    fault, remark = _against(examination, ours)
    if fault:
        yield _of_certificate(file, fault, fetch)
        return
    cause = f"{remark}: {ours.fingerprint}, until {ours.not_after:%Y-%m-%d}"
    yield Step(
        question=_CERTIFICATE, subject=file, verdict="passed", cause=f"{cause}; {soon}" if soon else cause, listed=True
    )


def _against(examination: Examination, ours: Certificate) -> tuple[str, str]:
    """Compare the overlay's certificate with the controller's; returns what is wrong, or which of them it is."""
    controller = examination.controller()
    theirs = _theirs(controller)
    if ours.fingerprint == theirs:
        return "", "the current one"
    if _opens(examination, controller, ours):
        return "", f"an older one, whose key the controller still has (the current one is {theirs})"
    lost = f"the controller has no key for {ours.fingerprint}: it was rotated away, or is another cluster's"
    return f"{lost}; the controller's certificate is {theirs}", ""


def _of_certificate(file: str, cause: str, remedy: str) -> Step:
    return Step(question=_CERTIFICATE, subject=file, verdict="failed", cause=cause, remedy=remedy)


def _theirs(controller: Reached) -> str:
    """Return the fingerprint of the controller's current certificate; empty if what it gave is none."""
    try:
        return certificate.read(controller.certificate).fingerprint
    except ValueError:
        return ""


def seals_for_another(examination: Examination) -> bool:
    """Whether the overlay's certificate is another one than the current one of a controller that answers."""
    try:
        ours = committed.current(examination.environment, examination.request.now).validity.fingerprint
    except InputError:
        return True
    return ours != _theirs(examination.controller())


def _opens(examination: Examination, controller: Reached, ours: Certificate) -> bool:
    """Whether the controller has the key of a certificate: it is asked to open a word that is sealed for it."""
    namespace, name = examination.namespace, "ksecret"
    ciphertext = b64encode(sealedsecret.seal(_PROBE, ours, f"{namespace}/{name}")).decode()
    return Verifier(examination.api, controller).opens({"probe": ciphertext}, "strict", namespace, name)


def _needed(examination: Examination) -> Iterator[Step]:
    try:
        theirs = _theirs(examination.controller()) if answers(examination) else ""
    except Refused:
        theirs = ""
    for fingerprint, addresses in committed.needed(examination.environment).items():
        remark = " (the controller's current one)" if fingerprint and fingerprint == theirs else ""
        count = "1 key" if len(addresses) == 1 else f"{len(addresses)} keys"
        sealed = (
            f"{count} sealed for {fingerprint}{remark}"
            if fingerprint
            else f"{count} of which no record says for which they were sealed"
        )
        yield Step(question=_KEYS, subject=f"overlay/{examination.environment.name}", verdict="passed", cause=sealed)


QUESTIONS = (
    Question(_SERVED, _served),
    Question(_ANSWERS, _answering),
    Question(_CERTIFICATE, _held),
    Question(_KEYS, _needed),
)
