"""The Python package `websockets` as a peer: an echo server, or a client that does what it is told in lines.

The lines are those of `ws.js`, and so are the orders in texts that begin with `!`.
"""

import asyncio
import os
import ssl
import sys

# This file has the package's own name, so its folder must not be searched for it.
sys.path.pop(0)

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

ARGS = [arg for arg in sys.argv[1:] if not arg.startswith("--")]
OPTIONS = {
    "compression": "deflate" if "--deflate" in sys.argv else None,
    "max_size": 32 * 2**20,
    # 65,536 fragments or 16 MiB may wait while the other side is busy.
    "write_limit": 2**20,
}


def say(line):
    print(line, flush=True)


def pattern(length):
    """`abcdefgh…` to the length asked for, as the other peers make it."""
    letters = b"abcdefghijklmnopqrstuvwxyz"
    return (letters * (length // 26 + 1))[:length]


def fragments(count, length):
    whole = pattern(length)
    step = -(-length // count)
    return [whole[i * step : (i + 1) * step] for i in range(count)]


async def run_server():
    tls = None
    if "PEER_CHAIN" in os.environ:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(os.environ["PEER_CHAIN"], os.environ["PEER_KEY"])
    async with serve(handle, "127.0.0.1", 0, ssl=tls, **OPTIONS) as server:
        say(f"listening on 127.0.0.1:{server.sockets[0].getsockname()[1]}")
        await asyncio.get_running_loop().create_future()


async def handle(socket):
    try:
        while True:
            message = await socket.recv()
            if isinstance(message, str) and message.startswith("!"):
                await obey_order(socket, message.split(" "))
            else:
                await socket.send(message)
    except ConnectionClosed:
        say(f"closed {socket.close_code} {socket.close_reason}")


async def obey_order(socket, words):
    order, *args = words
    if order == "!ping":
        await (await socket.ping("are you there"))
        await socket.send("pong are you there")
    elif order == "!fragments":
        await socket.send(fragments(int(args[0]), int(args[1])))
    elif order == "!flood":
        await socket.send(pattern(int(args[0])))
    elif order == "!close":
        await socket.close(int(args[0]), " ".join(args[1:]))


async def run_client(url):
    tls = None
    if "PEER_ROOT" in os.environ:
        tls = ssl.create_default_context(cafile=os.environ["PEER_ROOT"])
    async with connect(url, ssl=tls, **OPTIONS) as socket:
        say(f"open {socket.response.headers.get('Sec-WebSocket-Extensions', '')}")
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            order, *args = line.rstrip("\n").split(" ")
            say(await obey(socket, order, args))


async def obey(socket, order, args):
    if order == "text":
        return await echoed(socket, pattern(int(args[0])).decode())
    if order == "binary":
        return await echoed(socket, pattern(int(args[0])))
    if order == "fragments":
        return await echoed(socket, pattern(int(args[1])), fragments(int(args[0]), int(args[1])))
    if order == "ping":
        await (await socket.ping("are you there"))
        return "pong are you there"
    if order == "ask":
        await socket.send(" ".join(args))
        return f"said {await socket.recv()}"
    try:
        if order == "expect-close":
            await socket.send(" ".join(args))
        elif order == "overfill":
            await socket.send(pattern(int(args[0])))
        elif order == "close":
            await socket.close(int(args[0]), " ".join(args[1:]))
        await socket.recv()
    except ConnectionClosed:
        pass
    return f"closed {socket.close_code} {socket.close_reason}"


async def echoed(socket, message, pieces=None):
    await socket.send(message if pieces is None else pieces)
    answer = await socket.recv()
    if type(answer) is not type(message):
        return "wrong kind"
    if answer != message:
        return f"wrong content, {len(answer)} octets"
    return f"echoed {len(answer)}"


if __name__ == "__main__":
    asyncio.run(run_server() if ARGS[0] == "serve" else run_client(ARGS[1]))
