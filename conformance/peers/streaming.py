"""The Python package `websockets` as a peer for messages of any length, of which it never holds more than a few fragments.

    streaming.py serve HOST [CERTIFICATE KEY]    says where it listens, and serves
    streaming.py connect URL [ROOT]              is a client until the other end closes

In either part it answers a binary message with its length and SHA-1. The text `send LENGTH` orders a binary message of that
length, in fragments, and then its length and SHA-1. Any other text is echoed.
"""

import asyncio
import hashlib
import random
import ssl
import sys

# A file in this folder has the package's own name.
sys.path.pop(0)

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    ServerPerMessageDeflateFactory,
)

PIECE = 256 * 1024
# The fastest level: the processor's time is what a run costs.
SETTINGS = {"level": 1}
# No proxy and no limit on a message's length; all else is as the package has it.
OPTIONS = {"compression": None, "max_size": None}


async def run_server(host, *tls):
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
    extensions = [ServerPerMessageDeflateFactory(compress_settings=SETTINGS)]
    async with serve(handle, host, 0, ssl=context, extensions=extensions, **OPTIONS) as server:
        say(f"listening on {host}:{server.sockets[0].getsockname()[1]}")
        await asyncio.get_running_loop().create_future()


async def run_client(url, *root):
    context = None
    if root:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(root[0])
    extensions = [ClientPerMessageDeflateFactory(compress_settings=SETTINGS)]
    async with connect(url, ssl=context, extensions=extensions, proxy=None, **OPTIONS) as socket:
        await handle(socket)


async def handle(socket):
    try:
        while True:
            digest, length, text = hashlib.sha1(), 0, None
            async for piece in socket.recv_streaming():
                if isinstance(piece, str):
                    text = (text or "") + piece
                else:
                    digest.update(piece)
                    length += len(piece)
            if text is None:
                await socket.send(f"{length} {digest.hexdigest()}")
            elif text.startswith("send "):
                await socket.send(await stream(socket, int(text.split(" ")[1])))
            else:
                await socket.send(text)
    except ConnectionClosed:
        say(f"closed {socket.close_code}")


async def stream(socket, length):
    """Sends what no compression shortens and what any does, by turns, and returns what came of it."""
    digest, source = hashlib.sha1(), random.Random(length)
    repetitive = (b"as it was said before, " * PIECE)[:PIECE]

    async def pieces():
        for at in range(0, length, PIECE):
            piece = repetitive if at // PIECE % 2 else source.randbytes(PIECE)
            piece = piece[: length - at]
            digest.update(piece)
            yield piece

    await socket.send(pieces())
    return f"{length} {digest.hexdigest()}"


def say(line):
    print(line, flush=True)


if __name__ == "__main__":
    asyncio.run((run_server if sys.argv[1] == "serve" else run_client)(*sys.argv[2:]))
