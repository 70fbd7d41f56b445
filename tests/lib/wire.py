# SPDX-License-Identifier: Apache-2.0
"""A proxy for one TCP port that keeps what passes, and can stop letting it pass."""
import selectors
import socket
import threading

from . import settings


class Wire:
    """Listens on self.port and passes everything to target_port and back.

    cut() makes it as if the cable were pulled: connections hang, new ones too. heal() drops them and goes on.
    """

    def __init__(self, target_port):
        self.target_port = target_port
        self.port = settings.free_port()
        self.seen = bytearray()
        self.is_cut = False
        self.pairs = {}
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", self.port))
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.wakeup, self.waker = socket.socketpair()
        self.selector.register(self.wakeup, selectors.EVENT_READ)
        self.ends = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def cut(self):
        self.is_cut = True

    def heal(self):
        with self.lock:
            for one in list(self.pairs):
                self._drop(one)
            self.is_cut = False

    def stop(self):
        self.ends = True
        self.waker.send(b"x")
        self.thread.join()
        for one in list(self.pairs):
            self._drop(one)
        for end in (self.listener, self.wakeup, self.waker):
            end.close()

    def _run(self):
        while not self.ends:
            for key, _ in self.selector.select(timeout=0.5):
                with self.lock:
                    if key.fileobj is self.listener:
                        self._accept()
                    elif key.fileobj in self.pairs:
                        self._pass_on(key.fileobj)

    def _accept(self):
        near, _ = self.listener.accept()
        try:
            far = socket.create_connection(("127.0.0.1", self.target_port), timeout=5)
        except OSError:
            near.close()
            return
        for one, other in ((near, far), (far, near)):
            self.pairs[one] = other
            self.selector.register(one, selectors.EVENT_READ)

    def _pass_on(self, one):
        try:
            data = one.recv(1 << 16)
            if data and not self.is_cut:
                self.seen += data
                self.pairs[one].sendall(data)
        except OSError:
            data = b""
        if not data:
            self._drop(one)

    def _drop(self, one):
        other = self.pairs.pop(one, None)
        if other is None:
            return
        del self.pairs[other]
        for end in (one, other):
            self.selector.unregister(end)
            end.close()
