"""Holds the code of a model that brings a server of its own, of that server, and of a system that parts none."""

# As those of vLLM and Ollama do: a program of its own, at a port that is written down.
MODEL = """
import os, sys, time, urllib.request
from clarifai.runners.models.model_class import ModelClass
from clarifai.runners.utils.model_utils import execute_shell_command

NAME = {name!r}

class Served(ModelClass):
    def load_model(self):
        server = os.path.join(os.path.dirname(__file__), "server.py")
        self.server = execute_shell_command(f"{{sys.executable}} {{server}} {{NAME}} {port}")
        self.wait_for_server()

    def wait_for_server(self):  # as the SDK's helper does, which looks every five seconds
        while True:
            try:
                return urllib.request.urlopen("http://127.0.0.1:{port}/").close()
            except OSError:
                time.sleep(0.05)

    @ModelClass.method
    def predict(self, prompt: str) -> str:
        return urllib.request.urlopen("http://{host}:{port}/").read().decode()

    @ModelClass.method
    def other(self, port: int) -> str:
        return urllib.request.urlopen(f"http://127.0.0.1:{{port}}/").read().decode()
"""
SERVER = """
import http.server, os, socket, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{sys.argv[1]} {os.getppid()}".encode())

    def log_message(self, *args):
        pass

class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6 if os.environ.get("SERVE_6") else socket.AF_INET

Server((os.environ.get("SERVE_AT", "127.0.0.1"), int(sys.argv[2])), Handler).serve_forever()
"""

# As the default profile of Docker refuses it: pidfd_getfd (438) fails with EPERM.
REFUSED_CALL = """
import ctypes, struct
lines = [(0x20, 0, 0, 0), (0x15, 0, 1, 438), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7FFF0000)]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in lines))
table = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(lines), ctypes.addressof(code)))
ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)
assert ctypes.CDLL(None).prctl(22, 2, table, 0, 0) == 0
"""
