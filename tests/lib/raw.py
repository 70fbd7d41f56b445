# SPDX-License-Identifier: Apache-2.0
"""What no HTTP library would send: bytes as they are, over TLS or in clear."""
import socket
import ssl


class Raw:
    """One connection. Use it in a `with`."""

    def __init__(self, port, ca_file=None, timeout=10, before=b""):
        """before: what goes out ahead of the TLS handshake, as a proxy's header does."""
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        if before:
            self.socket.sendall(before)
        if ca_file:
            context = ssl.create_default_context(cafile=str(ca_file))
            self.socket = context.wrap_socket(self.socket, server_hostname="127.0.0.1")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        """False when the other side has closed already."""
        try:
            self.socket.sendall(data)
            return True
        except OSError:
            return False

    def receive(self):
        """One answer: its head, and as much body as its Content-Length says. b"" when there is none."""
        data = b""
        while not self._is_complete(data):
            try:
                chunk = self.socket.recv(65536)
            except OSError:
                break
            if not chunk:
                break
            data += chunk
        return data

    @staticmethod
    def _is_complete(data):
        head, separator, body = data.partition(b"\r\n\r\n")
        if not separator:
            return False
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.strip().lower() == b"content-length":
                return len(body) >= int(value)
        return b" 204 " in head.split(b"\r\n")[0]

    def is_closed(self, within):
        """Whether the other side ends the connection in time."""
        self.socket.settimeout(within)
        try:
            while True:
                if not self.socket.recv(65536):
                    return True
        except TimeoutError:
            return False
        except OSError:
            return True


def status_of(answer):
    """The code of a raw answer; None when there was none."""
    return int(answer.split(b" ")[1]) if answer.startswith(b"HTTP/1.") else None


def ask(node, method, path, token=None, headers=(), body=b"", before=b""):
    """One request whose path is sent as it is; returns (status, raw answer)."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}", *headers]
    if token:
        lines.append(f"X-Vault-Token: {token}")
    with Raw(node.port, node.authority.ca_file, before=before) as raw:
        raw.send("\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + body)
        answer = raw.receive()
    return status_of(answer), answer
