"""Two clients of one chat, on two servers, hear each other: meet.py URL URL"""
import asyncio
import sys

import websockets


async def connect(url):
    while True:  # until it listens
        try:
            return await websockets.connect(url)
        except OSError:
            await asyncio.sleep(0.1)


async def hears(client, word, other):
    """Says it again while nothing comes: replicas may not have met yet."""
    while True:
        await other.send(word)
        try:
            while True:
                message = await asyncio.wait_for(client.recv(), 1)
                if word in (message if isinstance(message, str) else message.decode()):
                    return
        except asyncio.TimeoutError:
            pass


async def main(urls):
    one, two = [await connect(url) for url in urls]
    await hears(one, "from-two", two)
    await hears(two, "from-one", one)


asyncio.run(asyncio.wait_for(main(sys.argv[1:]), 60))
