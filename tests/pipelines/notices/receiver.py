"""Who is told, on loopback: an HTTP receiver and a mail server, both real and small. No tests here."""

import asyncio
import base64
import email
import email.policy
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

from aiohttp import web


@dataclass
class Receiver:
    """`statuses` are answered one after the other, then 200; while `held` is not set, nothing is."""

    port: int = 0
    calls: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    held: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?token=do-not-tell"

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(body) for _, body in self.calls]

    async def take(self, request: web.Request) -> web.Response:
        self.calls.append((dict(request.headers), await request.read()))
        await self.held.wait()
        status = self.statuses.pop(0) if self.statuses else 200
        return web.Response(status=status, headers={"Location": "/elsewhere"} if status == 302 else {})


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    receiver.held.set()
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", receiver.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.port = runner.addresses[0][1]
    try:
        yield receiver
    finally:
        await runner.cleanup()


@dataclass
class MailServer:
    """As much SMTP as a sender needs. With `users`, letters are taken from those who log in."""

    tls: ssl.SSLContext | None = None
    users: dict[str, str] = field(default_factory=dict)
    refuses: set[str] = field(default_factory=set)
    answers: str = "250 taken"
    port: int = 0
    letters: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._talk(reader, writer)
        except (ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            pass  # who hung up
        finally:
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def say(line: str) -> None:
            writer.write(f"{line}\r\n".encode())

        encrypted, user, to = False, "", []
        say("220 mail.test")
        while line := (await reader.readline()).decode().strip():
            word, _, rest = line.partition(" ")
            match word.upper():
                case "EHLO":
                    say("250-mail.test")
                    if self.tls and not encrypted:
                        say("250-STARTTLS")
                    say("250 AUTH PLAIN")
                case "STARTTLS":
                    say("220 go on")
                    await writer.start_tls(self.tls)  # type: ignore[arg-type]
                    encrypted = True
                case "AUTH":
                    _, name, password = base64.b64decode(rest.split()[1]).decode().split("\0")
                    good = self.users.get(name) == password
                    user = name if good else ""
                    say("235 welcome" if good else "535 who are you?")
                case "MAIL":
                    say("250 yes" if user or not self.users else "530 log in first")
                case "RCPT":
                    address = rest.partition("<")[2].partition(">")[0]
                    if address in self.refuses:
                        say("550 nobody here")
                    else:
                        to.append(address)
                        say("250 yes")
                case "DATA":
                    say("354 go on")
                    content = await reader.readuntil(b"\r\n.\r\n")
                    if self.answers.startswith("250"):
                        letter = email.message_from_bytes(content[:-3], policy=email.policy.default)
                        assert isinstance(letter, EmailMessage)
                        self.letters.append(letter)
                        self.recipients.append(to)
                        self.encrypted.append(encrypted)
                    say(self.answers)
                case "QUIT":
                    say("221 bye")
                    return
                case _:
                    say("250 yes")
            await writer.drain()


@asynccontextmanager
async def mailing(server: MailServer) -> AsyncIterator[MailServer]:
    listening = await asyncio.start_server(server.talk, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    async with listening:
        yield server
