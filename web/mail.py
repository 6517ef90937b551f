"""Mail: a port with a console side (default), an SMTP side, and a fake that remembers (tests)."""

from __future__ import annotations

import smtplib
import sys
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Protocol


@dataclass(frozen=True)
class Mail:
    """A message to one address."""

    to: str
    subject: str
    body: str
    headers: tuple[tuple[str, str], ...] = ()
    """Further header lines."""


class Mailer(Protocol):
    """Sends mail. May raise OSError or smtplib.SMTPException; the worker tries again."""

    simulated: bool

    def send(self, mail: Mail) -> None:
        """Send one message."""
        ...


def message(mail: Mail, sender: str) -> EmailMessage:
    """The message as it goes over the wire."""
    built = EmailMessage()
    built["From"], built["To"], built["Subject"] = sender, mail.to, mail.subject
    for name, value in mail.headers:
        built[name] = value
    built.set_content(mail.body)
    return built


class ConsoleMailer:
    """Prints mail to standard error instead of sending it."""

    simulated = True

    def __init__(self, sender: str) -> None:
        self.sender = sender

    def send(self, mail: Mail) -> None:
        built = message(mail, self.sender)
        lines = [f"From: {built['From']}", f"To: {mail.to}", f"Subject: {mail.subject}", "", mail.body]
        sys.stderr.write("\n".join(["", "-- mail (printed, not sent) --", *lines, "-- end of mail --", ""]))


@dataclass
class MemoryMailer:
    """Keeps mail for a test to read."""

    simulated = True
    sent: list[Mail] = field(default_factory=list)

    def send(self, mail: Mail) -> None:
        self.sent.append(mail)


class SmtpMailer:
    """Sends through an SMTP server, one connection per message."""

    simulated = False

    def __init__(
        self, host: str, port: int, sender: str, *, user: str = "", password: str = "", tls: bool = False
    ) -> None:
        self.host, self.port, self.sender = host, port, sender
        self.user, self.password, self.tls = user, password, tls

    def send(self, mail: Mail) -> None:
        with smtplib.SMTP(self.host, self.port, timeout=20) as server:
            if self.tls:
                server.starttls()
            if self.user:
                server.login(self.user, self.password)
            server.send_message(message(mail, self.sender))
