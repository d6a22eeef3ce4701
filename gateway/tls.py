"""TLS of our own: what the server shows, and whose certificates it takes."""

import ssl

from starlette.requests import Request

from runtime.errors import SettingsError
from runtime.settings import PREFIX, Settings

#: Where the connection leaves the name in a request's state (gateway/connection.py).
COMMON_NAME = "common_name"


def server_context(settings: Settings) -> ssl.SSLContext | None:
    """The server's side of TLS; None where no certificate is configured.

    Raises:
        SettingsError: a file cannot be read, or does not hold what it should.
    """
    certificate = settings.tls_certificate
    if certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    doing = "TLS_CERTIFICATE"
    try:
        context.load_cert_chain(certificate, settings.tls_key)
        if settings.tls_client_ca is not None:
            doing = "TLS_CLIENT_CA"
            context.load_verify_locations(settings.tls_client_ca)
            context.verify_mode = ssl.CERT_REQUIRED if settings.tls_client_required else ssl.CERT_OPTIONAL
        if settings.tls_client_crl is not None:
            doing = "TLS_CLIENT_CRL"
            context.load_verify_locations(settings.tls_client_crl)
            context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    except OSError as error:  # ssl.SSLError is one
        cure = "give a file in PEM form; for a certificate also its key"
        raise SettingsError(f"{PREFIX}{doing}: {error.strerror or error}: {cure}") from error
    return context


def name_of(transport_certificate: object) -> str | None:
    """The common name in a checked certificate as `ssl.SSLSocket.getpeercert` gives it.

    None without a certificate, and for one that does not name exactly one.
    """
    if not isinstance(transport_certificate, dict):
        return None
    subject = transport_certificate.get("subject", ())
    names = [value for part in subject for key, value in part if key == "commonName"]
    return str(names[0]) if len(names) == 1 else None


def common_name(request: Request) -> str | None:
    """The common name of the certificate this request's connection was made with, if any."""
    name = request.scope.get("state", {}).get(COMMON_NAME)
    return name if isinstance(name, str) else None
