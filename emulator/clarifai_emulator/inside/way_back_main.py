"""Tries, in a container, whether an address leads to the emulator: whether who answers there has its certificate.

    python way_back_main.py HOST PORT AUTHORITY.pem

Runs in the *model's* image; the standard library only. The last line that it prints says what went wrong.
"""

import socket
import ssl
import sys

SECONDS = 5.0


def try_way(host, port, authority):
    """Return why it does not lead to the emulator; empty where it does."""
    context = ssl.create_default_context(cafile=authority)
    try:
        with socket.create_connection((host, port), timeout=SECONDS) as plain:
            with context.wrap_socket(plain, server_hostname=host):
                return ""
    except ssl.SSLError as error:
        return f"somebody else answers there, or speaks no TLS ({getattr(error, 'verify_message', '') or error})"
    except socket.gaierror:
        return "the name is not known there"
    except TimeoutError:
        return f"no answer within {SECONDS:g} s, as behind a firewall or another network's address"
    except OSError as error:
        return (error.strerror or str(error)).lower()


def main():
    host, port, authority = sys.argv[1:]
    why = try_way(host, int(port), authority)
    print(why or "ok", flush=True)
    return 1 if why else 0


if __name__ == "__main__":
    sys.exit(main())
