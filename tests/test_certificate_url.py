"""`certificate --url`: what a server gives, and what it can do to whoever asks it."""

import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from kubectl_ksecret.sealing.certificate import read

from .keyvault.certificates import server_context
from .projects import DAY, Done, certificate, sealing, shop


class Answers(BaseHTTPRequestHandler):
    """Answers each path as the test says: with a status, a header and a body."""

    answers: ClassVar[Mapping[str, tuple[int, str, bytes]]] = {}

    def do_GET(self) -> None:
        status, location, body = self.answers[self.path]
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


class Server:
    """An HTTPS server, and a project whose overlay has another certificate."""

    def __init__(self, folder: Path, url: str, authority: Path) -> None:
        self.project, self.url, self.authority = shop(folder), url, authority
        self.path = self.project.root / "overlays/prod/secrets/sealing.pem"

    def gives(self, body: bytes, status: int = 200, location: str = "") -> str:
        """Return a URL that is answered so."""
        path = f"/{len(Answers.answers)}"
        Answers.answers = {**Answers.answers, path: (status, location, body)}
        return self.url + path

    def take(self, url: str, **variables: str) -> Done:
        trusting = {"SSL_CERT_FILE": str(self.authority), **variables}
        return self.project.untrusting("certificate", "prod", "--url", url, **trusting)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    context, authority = server_context("controller")
    (tmp_path / "ca.pem").write_bytes(authority)
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as running:
        running.socket = context.wrap_socket(running.socket, server_side=True)
        thread = threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield Server(tmp_path, f"https://127.0.0.1:{running.server_port}", tmp_path / "ca.pem")
        running.shutdown()
        thread.join()


def test_what_a_url_gives_is_written_and_the_next_seal_asks_for_it(server: Server) -> None:
    """Only the certificate is kept of what stands around it, and nothing of it is trusted."""
    given = sealing(2).certificate
    old, new = (read(pem).fingerprint for pem in (sealing(1).certificate, given))
    assert server.project.ksecret("seal", "prod").code == 0
    done = server.take(server.gives(b"a bundle\n" + given + b"and more\n"))
    assert done.code == 0, done.err
    assert server.path.read_bytes() == given
    assert done.out.startswith(f"overlays/prod/secrets/sealing.pem: {new} from ")
    assert done.err.endswith("prod --reseal seals it anew, and asks whether the certificate is the right one\n")
    refused = server.project.untrusting("seal", "prod", "--reseal")
    assert (refused.code, f"for: {new} (until now {old})" in refused.err) == (2, True)


def ending(days: int) -> bytes:
    return certificate(rsa.generate_private_key(65537, 2048), begins=-2 * DAY, ends=timedelta(days=days))


UNUSABLE: Mapping[str, Callable[[], bytes]] = {
    "the file holds no PEM certificate": lambda: b"<html>Sign in</html>",
    "the certificate can't be read": lambda: b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    "the certificate's key is not RSA": lambda: certificate(ec.generate_private_key(ec.SECP256R1())),
    "the file holds a private key": lambda: sealing(1).private_key,
    "the certificate ended": lambda: ending(-1),
}


@pytest.mark.parametrize("problem", UNUSABLE)
def test_what_can_not_seal_is_refused_and_changes_nothing(server: Server, problem: str) -> None:
    before = server.project.files()
    done = server.take(server.gives(UNUSABLE[problem]()))
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith(f"error: what was given can't seal: {problem}")
    assert server.project.files() == before


def test_a_redirection_is_not_followed(server: Server) -> None:
    """It could lead to http://, where anybody on the way answers."""
    url = server.gives(b"", 302, server.gives(sealing(2).certificate))
    done = server.take(url)
    assert (done.code, done.err) == (
        3,
        f"error: {url} gives no certificate: 302, a redirection, which is not followed\n"
        "hint: name the URL that it leads to\n",
    )


def test_a_server_that_refuses_is_named_with_its_status(server: Server) -> None:
    url = server.gives(sealing(2).certificate, 403)
    assert server.take(url).err == f"error: {url} gives no certificate: 403\n"


def test_a_server_of_an_authority_that_is_not_trusted_is_refused(server: Server, tmp_path: Path) -> None:
    """The reason is that of TLS, and where authorities are named."""
    url = server.gives(sealing(2).certificate)
    (tmp_path / "other.pem").write_bytes(server_context("another")[1])
    done = server.take(url, SSL_CERT_FILE=str(tmp_path / "other.pem"))
    assert (done.code, done.err) == (
        3,
        f"error: {url} gives no certificate: unable to get local issuer certificate\n"
        "hint: SSL_CERT_FILE names the authorities that are trusted\n",
    )
    assert server.path.read_bytes() == sealing(1).certificate


def test_a_certificate_is_not_taken_over_http(server: Server) -> None:
    for url in (server.url.replace("https", "http"), "file:///etc/hosts", "sealing.pem"):
        done = server.take(url)
        assert (done.code, done.err) == (
            2,
            "error: a certificate is taken from https:// alone\nhint: else anybody on the way swaps it\n",
        )


def test_a_server_that_is_not_there_is_an_answer(server: Server) -> None:
    done = server.take("https://127.0.0.1:1/cert.pem")
    assert (done.code, done.err) == (
        3,
        "error: https://127.0.0.1:1/cert.pem gives no certificate: Connection refused\n",
    )
