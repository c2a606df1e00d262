"""Speaks an editor's side of the Debug Adapter Protocol, as little of it as the tests need."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Editor:
    """Attaches to a port, sets breakpoints, and reads what comes in order."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=15)
        self._file = self._socket.makefile("rb")
        self._number = 0

    def __enter__(self) -> Editor:
        try:
            self.request("initialize", adapterID="test", pathFormat="path", linesStartAt1=True)
            self.until(lambda message: message.get("command") == "initialize")
            self.request("attach", justMyCode=True)
            self.until(lambda message: message.get("event") == "initialized")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def configure(self, file: Path, *lines: int) -> None:
        """Set breakpoints at these lines, and say that all is set."""
        self.request("setBreakpoints", source={"path": str(file)}, breakpoints=[{"line": line} for line in lines])
        set_ = self.until(lambda message: message.get("command") == "setBreakpoints")
        assert all(each["verified"] for each in set_["body"]["breakpoints"]), set_
        self.finish_configuration()

    def finish_configuration(self) -> None:
        self.request("configurationDone")
        self.until(lambda message: message.get("command") == "configurationDone")

    def stopped(self) -> tuple[int, str, int]:
        """Wait until the model stops; return the thread, the function and the line."""
        thread = int(self.until(lambda message: message.get("event") == "stopped")["body"]["threadId"])
        self.request("stackTrace", threadId=thread)
        stack = self.until(lambda message: message.get("command") == "stackTrace")["body"]["stackFrames"]
        return thread, stack[0]["name"], stack[0]["line"]

    def go_on(self, thread: int, how: str = "continue") -> None:
        self.request(how, threadId=thread)
        self.until(lambda message: message.get("command") == how)

    def request(self, command: str, **arguments: Any) -> None:
        self._number += 1
        body = json.dumps({"seq": self._number, "type": "request", "command": command, "arguments": arguments})
        self._socket.sendall(f"Content-Length: {len(body)}\r\n\r\n{body}".encode())

    def until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Read messages until one is wanted, and return it."""
        while True:
            message = self._read()
            if wanted(message):
                assert message.get("success", True), message
                return message

    def _read(self) -> dict[str, Any]:
        size = 0
        while line := self._file.readline().strip():
            size = int(line.partition(b":")[2])
        assert size, "the debugger has hung up"
        return json.loads(self._file.read(size))
