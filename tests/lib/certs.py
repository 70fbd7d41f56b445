# SPDX-License-Identifier: Apache-2.0
"""A certificate authority for the tests' listeners."""
import datetime
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_NO_OTHER_USE = {use: False for use in ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
                                        "key_agreement", "encipher_only", "decipher_only")}
DAY = datetime.timedelta(days=1)


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _write(path, data):
    path.write_bytes(data)
    path.chmod(0o600)
    return path


class Authority:
    """Keeps ca.pem in a folder and writes certificates beside it."""

    def __init__(self, folder):
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder("Coffer test authority", self.key)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(x509.KeyUsage(key_cert_sign=True, crl_sign=True, **_NO_OTHER_USE), critical=True)
        self.certificate = builder.sign(self.key, hashes.SHA256())
        self.ca_file = _write(folder / "ca.pem", self.certificate.public_bytes(serialization.Encoding.PEM))

    def _builder(self, name, key):
        # Newer Pythons insist on both key identifiers.
        now = datetime.datetime.now(datetime.timezone.utc)
        return (x509.CertificateBuilder().subject_name(_name(name)).issuer_name(_name("Coffer test authority"))
                .public_key(key.public_key()).serial_number(x509.random_serial_number())
                .not_valid_before(now - DAY).not_valid_after(now + 30 * DAY)
                .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
                .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False))

    def issue(self, name, host="127.0.0.1"):
        """Writes NAME.pem and NAME.key for an IP address; returns both paths. Calling it again replaces them."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.DNSName("localhost"),
                                             x509.IPAddress(ipaddress.ip_address(host)),
                                             x509.IPAddress(ipaddress.ip_address("::1"))])
        certificate = self._builder(name, key).add_extension(names, critical=False).sign(self.key, hashes.SHA256())
        pem = serialization.Encoding.PEM
        return (_write(self.folder / f"{name}.pem", certificate.public_bytes(pem)),
                _write(self.folder / f"{name}.key", key.private_bytes(
                    pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())))
