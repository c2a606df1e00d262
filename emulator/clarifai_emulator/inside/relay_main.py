"""Passes connections on, in a container in the network of its machine: from the address that other containers there
reach to the end of the emulator's tunnel, which is at that machine's loopback.

    python relay_main.py ADDRESS PORT        says "port N" once it listens at a free port N of ADDRESS

Runs in the *model's* image; the standard library only. It sees encrypted bytes, and ends when the tunnel has.
"""

import asyncio
import sys

CHUNK = 64 * 1024


async def pump(reader, writer):
    try:
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def pass_on(reader, writer, port):
    try:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError as error:
        print(f"the tunnel does not answer: {error.strerror or error}", flush=True)
        writer.close()
        return
    await asyncio.gather(pump(reader, there_writer), pump(there_reader, writer))


async def serve(address, port):
    server = await asyncio.start_server(lambda reader, writer: pass_on(reader, writer, port), address, 0)
    print(f"port {server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2])))
