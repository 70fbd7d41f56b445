# SPDX-License-Identifier: Apache-2.0
"""PGP keys of people, made and used with GnuPG.

    people = Gpg()
    ann = people.key("ann")              # ann.text: base64, as the API wants it; ann.fingerprint
    people.decrypt(message)              # what stands in it; with whichever key of these
    people.close()
"""
import base64
import dataclasses
import pathlib
import re
import shutil
import subprocess
import tempfile

THEN = "20200101T000000!"


@dataclasses.dataclass
class PgpKey:
    name: str
    fingerprint: str
    binary: bytes
    armored: str
    secret: bytes

    @property
    def text(self):
        return base64.b64encode(self.binary).decode()


class Gpg:
    def __init__(self):
        # Not below pytest's folder: the agent's socket has a path of at most 107 bytes.
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="gpg-", dir="/tmp"))

    def run(self, *args, stdin=None, then=False):
        options = ["--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""]
        if then:
            options += ["--faked-system-time", THEN]
        return subprocess.run(["gpg", "--homedir", str(self.home), *options, *args], input=stdin, capture_output=True,
                              check=True, timeout=300).stdout

    def key(self, name, kind="future-default", usage="default", subkey=None, lasts="0", subkey_lasts="0", then=False):
        """kind of future-default and usage of default: an ed25519 key with a cv25519 subkey. then: made in 2020."""
        self.run("--quick-gen-key", f"{name} <{name}@example.com>", kind, usage, lasts, then=then)
        fingerprint = self._fingerprint(name)
        if subkey:
            self.run("--quick-add-key", fingerprint, subkey, "encr", subkey_lasts, then=then)
        return self._export(name)

    def revoked(self, key):
        """The key, revoked."""
        certificate = (self.home / "openpgp-revocs.d" / f"{key.fingerprint.upper()}.rev").read_text()
        self.run("--import", stdin=certificate.replace(":-----BEGIN", "-----BEGIN").encode())
        return self._export(key.name)

    def decrypt(self, message):
        return self.run("--decrypt", stdin=message).decode()

    def close(self):
        subprocess.run(["gpgconf", "--homedir", str(self.home), "--kill", "all"], check=False, capture_output=True)
        shutil.rmtree(self.home, ignore_errors=True)

    def _fingerprint(self, name):
        listing = self.run("--list-keys", "--with-colons", f"{name}@example.com").decode()
        return re.search(r"^fpr:+([0-9A-F]+):", listing, re.M)[1]

    def _export(self, name):
        address = f"{name}@example.com"
        return PgpKey(name, self._fingerprint(name).lower(), self.run("--export", address),
                      self.run("--armor", "--export", address).decode(), self.run("--export-secret-keys", address))
