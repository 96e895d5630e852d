"""E-mail: one plain-text letter through the mail server of the settings.

smtplib blocks, so it runs in threads of its own: a mail server that hangs holds up letters and nothing else.
"""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from email.utils import formatdate
from pathlib import Path

from fairway.kernel.objects import errors
from fairway.pipelines.notices.webhooks import NotTaken
from fairway.pipelines.settings import PipelinesSettings

SECONDS = 15.0
"""For each word of the conversation with the mail server."""

_AT_ONCE = 2


class Letters:
    def __init__(self, settings: PipelinesSettings) -> None:
        self._settings = settings
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="letters")

    def check(self) -> None:
        """Raises BadRequest where no letter can be sent at all."""
        if not self._settings.smtp_host or not self._settings.smtp_from:
            raise errors.BadRequest(
                "e-mail needs a mail server: set smtp_host and smtp_from in the table [pipelines] of config.toml"
            )

    async def send(self, id_: str, to: Sequence[str], subject: str, text: str, now: float) -> str:
        """Raises NotTaken. Gives a sentence where some of several recipients were refused, else nothing."""
        try:
            self.check()
        except errors.BadRequest as missing:
            raise NotTaken(missing.message) from None
        letter = EmailMessage()
        letter["From"], letter["To"], letter["Subject"] = self._settings.smtp_from, ", ".join(to), subject
        letter["Date"] = formatdate(now)
        # The same for each try of one delivery, so that a reader's program can see that two are one.
        letter["Message-ID"] = f"<{id_}@fairway>"
        letter["Auto-Submitted"] = "auto-generated"
        letter.set_content(text)
        refused = await asyncio.get_running_loop().run_in_executor(self._threads, self._send, letter)
        return f"not taken for {', '.join(refused)}" if refused else ""

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _send(self, letter: EmailMessage) -> list[str]:
        host = self._settings.smtp_host
        try:
            with self._connected() as server:
                return sorted(server.send_message(letter))
        except smtplib.SMTPRecipientsRefused as refused:
            final = all(code >= 500 for code, _ in refused.recipients.values())
            raise NotTaken(f"{host} takes no letters for {', '.join(refused.recipients)}", final=final) from None
        except smtplib.SMTPAuthenticationError:
            raise NotTaken(f"{host} does not accept smtp_user with the password in smtp_password_file") from None
        except smtplib.SMTPResponseException as refused:
            said = refused.smtp_error
            text = said.decode(errors="replace") if isinstance(said, bytes) else said
            raise NotTaken(f"{host} answered {refused.smtp_code} {text[:500]}") from None
        except (smtplib.SMTPException, OSError, ValueError) as failure:
            raise NotTaken(f"{host} cannot be reached: {str(failure) or type(failure).__name__}") from None

    def _connected(self) -> smtplib.SMTP:
        settings = self._settings
        trusting = ssl.create_default_context()
        if settings.smtp_security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                settings.smtp_host, settings.smtp_port, timeout=SECONDS, context=trusting
            )
        else:
            server = smtplib.SMTP(settings.smtp_host, settings.smtp_port, timeout=SECONDS)
        try:
            if settings.smtp_security == "starttls":
                server.starttls(context=trusting)
            if settings.smtp_user:
                server.login(settings.smtp_user, self._password())
        except BaseException:
            server.close()
            raise
        return server

    def _password(self) -> str:
        path = self._settings.smtp_password_file
        return Path(path).expanduser().read_text().strip() if path else ""
