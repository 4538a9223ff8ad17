"""A mail program as people have one, with nothing but Python's own library; run on its own host.

Reads one JSON object: what (submit, fetch, pop) and what it needs; writes a JSON object. What a
server says is given as it is, and a certificate that proves nothing is an error.
"""

import base64
import imaplib
import json
import poplib
import smtplib
import ssl
import sys
import time
from typing import Any

SERVER = "mail.example.test"


def submit(wish: dict[str, Any]) -> dict[str, Any]:
    """Hand in a message; the code and the words of whichever command was refused, or 250."""
    trusted = ssl.create_default_context()
    data = base64.b64decode(wish["message"])
    if wish["port"] == 465:
        server: smtplib.SMTP = smtplib.SMTP_SSL(SERVER, 465, context=trusted, timeout=30)
    else:
        server = smtplib.SMTP(SERVER, wish["port"], timeout=30)
        server.starttls(context=trusted)
    with server:
        try:
            if wish["user"]:
                server.login(wish["user"], wish["password"])
            server.sendmail(wish["sender"], wish["to"], data, ["BODY=8BITMIME"])
        except smtplib.SMTPRecipientsRefused as refused:
            code, said = next(iter(refused.recipients.values()))
            return {"code": code, "said": said.decode()}
        except smtplib.SMTPResponseException as refused:
            words = refused.smtp_error
            text = words.decode() if isinstance(words, bytes) else words
            return {"code": refused.smtp_code, "said": text}
    return {"code": 250, "said": ""}


def fetch(wish: dict[str, Any]) -> dict[str, Any]:
    """Wait for the message with a subject over IMAP, and give it byte by byte."""
    with imaplib.IMAP4_SSL(SERVER, 993, ssl_context=ssl.create_default_context()) as server:
        server.login(wish["user"], wish["password"])
        server.select("INBOX", readonly=True)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            server.noop()
            _, found = server.search(None, "SUBJECT", f'"{wish["subject"]}"')
            if numbers := found[0].split():
                _, parts = server.fetch(numbers[-1].decode(), "(BODY.PEEK[])")
                assert isinstance(parts[0], tuple)
                return {"message": base64.b64encode(parts[0][1]).decode()}
            time.sleep(0.1)
    return {"message": ""}


def pop(wish: dict[str, Any]) -> dict[str, Any]:
    """Give every message of the mailbox over POP3."""
    trusted = ssl.create_default_context()
    server = poplib.POP3_SSL(SERVER, 995, context=trusted, timeout=30)
    server.user(wish["user"])
    server.pass_(wish["password"])
    count, _ = server.stat()
    found = [b"\r\n".join([*server.retr(number + 1)[1], b""]) for number in range(count)]
    server.quit()
    return {"messages": [base64.b64encode(data).decode() for data in found]}


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    json.dump({"submit": submit, "fetch": fetch, "pop": pop}[asked["what"]](asked), sys.stdout)
