"""A reverse proxy for the tests: it checks the Authorization header, can use TLS, and can simulate an outage."""

import datetime
import http.server
import ipaddress
import ssl
import threading
import time
from contextlib import contextmanager

import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Outage:
    """For some seconds calls get no answer, beginning with the nth act that is written to the journal."""

    def __init__(self, nth, duration_s, is_carried_out):
        self.n_before, self.duration_s, self.is_carried_out = nth - 1, duration_s, is_carried_out
        self.ends_s = None

    def begins_with(self, path):
        if self.ends_s is not None or not path.endswith("/runs/log-parameter"):
            return False
        self.n_before -= 1
        if self.n_before >= 0:
            return False
        self.ends_s = time.monotonic() + self.duration_s
        return True

    def is_on(self):
        return self.ends_s is not None and time.monotonic() < self.ends_s


@contextmanager
def gate(behind, authorization=None, certificate=None, outage=None):
    """Yields the address of the proxy. `certificate` is a file that contains certificate and key."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def forward(self):
            length = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(length)
            if self.headers.get("Authorization") != authorization:
                return self.answer(401, b"who are you?", "text/plain")
            is_first = outage and outage.begins_with(self.path)
            is_answered = not (outage and outage.is_on())
            if not is_answered:
                self.close_connection = True
                if not (is_first and outage.is_carried_out):
                    return None
            kept = {"Content-Type": self.headers.get("Content-Type", "")}
            answer = requests.request(
                self.command, behind + self.path, data=body, headers=kept, timeout=60
            )
            kind = answer.headers.get("Content-Type", "")
            return self.answer(answer.status_code, answer.content, kind) if is_answered else None

        def answer(self, status, content, kind):
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = forward

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    scheme = "http"
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        scheme = "https"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"{scheme}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def self_signed(folder):
    """Writes a certificate for 127.0.0.1 and its key into one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    file.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return file
