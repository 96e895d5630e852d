"""Attachments in the shepherd's loop: who is attached to which container, and what is waited for of each.

An attachment's input is read while the container takes it; when it takes no more, its readiness is waited for instead.
"""

from __future__ import annotations

import selectors
from collections.abc import Callable
from typing import Any

from fairway.cluster.node.shepherd.attachments import TOO_SLOW, Attachment
from fairway.cluster.node.shepherd.links import Link
from fairway.cluster.node.shepherd.running import Container

Send = Callable[[Link, dict[str, Any]], None]


class Attaching:
    def __init__(self, selector: selectors.BaseSelector, send: Send) -> None:
        self._selector, self._send = selector, send

    def attach(self, link: Link, container: Container, request: dict[str, Any]) -> None:
        """Raises OSError. The answer comes when it ends."""
        attachment = Attachment(link, request["seq"], request["name"], request["streams"], container.input)
        container.attachments.append(attachment)
        if container.unheard is not None:
            for stream, data in container.unheard.pieces:
                attachment.say(stream, data)
            container.unheard = None
        self._read(container, attachment)

    def say(self, container: Container, stream: str, data: bytes) -> None:
        if container.unheard is not None:
            container.unheard.keep(stream, data)
        for attachment in [each for each in container.attachments if not each.say(stream, data)]:
            self._end(container, attachment, TOO_SLOW)

    def detach(self, container: Container, name: str) -> None:
        for attachment in [each for each in container.attachments if each.name == name]:
            self._end(container, attachment)

    def forget(self, container: Container, link: Link) -> None:
        """The agent has gone."""
        for attachment in [each for each in container.attachments if each.link is link]:
            self._end(container, attachment)

    def end(self, container: Container) -> None:
        """The container has ended, and all it said has been passed on."""
        for attachment in list(container.attachments):
            self._end(container, attachment)

    def _read(self, container: Container, attachment: Attachment) -> None:
        def ready(_: int) -> None:
            self._hear(container, attachment)

        self._selector.register(attachment.source, selectors.EVENT_READ, ready)
        # Nothing tells of an end that came before we opened the pipe but reading it.
        self._hear(container, attachment)

    def _hear(self, container: Container, attachment: Attachment) -> None:
        """All that it has said by now, as far as the container takes it."""
        while more := attachment.take():
            if attachment.to < 0:
                attachment.unsent = b""  # there is nobody to give it to
            elif not attachment.feed():
                more = False
                break
            if attachment.unsent:
                self._selector.unregister(attachment.source)
                self._wait_to_feed(container, attachment)
                return
        if more is False:
            self._selector.unregister(attachment.source)
            _end_input(container, attachment)

    def _wait_to_feed(self, container: Container, attachment: Attachment) -> None:
        def ready(_: int) -> None:
            goes_on = attachment.feed()
            if goes_on and attachment.unsent:
                return
            self._selector.unregister(attachment.to)
            if goes_on:
                self._read(container, attachment)
            else:
                _end_input(container, attachment)

        self._selector.register(attachment.to, selectors.EVENT_WRITE, ready)

    def _end(self, container: Container, attachment: Attachment, error: str = "") -> None:
        container.attachments.remove(attachment)
        for end in (attachment.source, attachment.to):
            if end >= 0 and end in self._selector.get_map():
                self._selector.unregister(end)
        attachment.close()
        self._send(attachment.link, attachment.answer(error))


def _end_input(container: Container, attachment: Attachment) -> None:
    had_some = attachment.to >= 0
    attachment.end_input()
    if had_some and container.request.get("once"):
        container.end_input()
