# SPDX-License-Identifier: Apache-2.0
"""A bad network in front of the local AWS: answers that are lost, late or refusals.

    faults = FaultyAws(moto)
    faults.on("CreateUser", "lose", times=1)     # the call is made, and the connection then dropped
"""
import http.client
import http.server
import threading
import urllib.parse

THROTTLED = (b'<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type>'
             b"<Code>Throttling</Code><Message>Rate exceeded</Message></Error><RequestId>r</RequestId></ErrorResponse>")
NOT_YET = (b"<ErrorResponse><Error><Code>NoSuchEntity</Code><Message>The user with name %s cannot be found.</Message>"
           b"</Error></ErrorResponse>")


class FaultyAws:
    """kinds: lose (done, no answer), drop (not done, no answer), throttle, fail (500), page (HTML instead of XML),
    hang (no answer for a long time), late (done after it was given up), not_yet (the user is not visible)."""

    def __init__(self, moto):
        self.moto, self.rules, self.calls = moto, [], []
        self.forms = {}  # action: what was last said with it
        self.lock = threading.Lock()
        self.closing = threading.Event()
        self.is_down = False
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                outer.handle(self)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def on(self, action, kind, times=1, seconds=20):
        with self.lock:
            self.rules.append({"action": action, "kind": kind, "times": times, "seconds": seconds})

    def count(self, action):
        with self.lock:
            return self.calls.count(action)

    def stop(self):
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()

    # ---- One call ----

    def handle(self, request):
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        form = urllib.parse.parse_qs(body.decode())
        action = form.get("Action", [""])[0]
        self.forms[action] = {name: values[0] for name, values in form.items()}
        rule = self._take(action)
        kind = "drop" if self.is_down else rule["kind"] if rule else "pass"
        if kind == "throttle":
            return self._answer(request, 503, THROTTLED)
        if kind == "fail":
            return self._answer(request, 500, b"")
        if kind == "page":
            return self._answer(request, 200, b"<html><body>It works!<br></body></html>")
        if kind == "not_yet":
            return self._answer(request, 404, NOT_YET % form["UserName"][0].encode())
        if kind in ("hang", "late"):
            self.closing.wait(rule["seconds"])
        if kind in ("pass", "lose", "late"):
            status, answer = self._forward(request, body)
        if kind != "pass":
            request.close_connection = True
            return None
        return self._answer(request, status, answer)

    def _take(self, action):
        with self.lock:
            self.calls.append(action)
            for rule in self.rules:
                if rule["action"] in (action, "*") and rule["times"] > 0:
                    rule["times"] -= 1
                    return rule
        return None

    def _forward(self, request, body):
        """With the headers as they came, Host included: they are signed."""
        connection = http.client.HTTPConnection("127.0.0.1", self.moto.port, timeout=30)
        connection.putrequest("POST", request.path, skip_host=True, skip_accept_encoding=True)
        for name, value in request.headers.items():
            if name.lower() != "connection":
                connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        return answer.status, data

    @staticmethod
    def _answer(request, status, body):
        request.send_response(status)
        request.send_header("Content-Type", "text/xml")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)
