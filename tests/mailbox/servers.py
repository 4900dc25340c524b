"""What mail servers send back, written after their manner: reports in fields, and notices in plain words."""

# ruff: noqa: E501 (what people and servers write stands on one line, as they wrote it)

from tests.mailbox.letters import MESSAGE_ID, OURS, RETURN_PATH

GONE = "dana.example@acme.example"

COPY = (
    f"Return-Path: <{RETURN_PATH}>\r\nFrom: Ravi Rep <{OURS}>\r\nTo: Dana Example <{GONE}>\r\n"
    f"Subject: Acme: what waiting costs\r\nMessage-ID: {MESSAGE_ID}\r\n\r\nHi Dana, please contact me on Monday.\r\n"
)


def report(
    diagnostic: str = "",
    status: str = "5.0.0",
    action: str = "failed",
    human: str = "Your message could not be delivered.",
    more: str = "",
    final: str = GONE,
    copy: str = COPY,
) -> bytes:
    """A report in fields (RFC 3464) with the mail it is about."""
    said = f"Diagnostic-Code: smtp; {diagnostic}\r\n" if diagnostic else ""
    return (
        "Return-Path: <>\r\nFrom: MAILER-DAEMON@mx.acme.example (Mail Delivery System)\r\n"
        f"To: {RETURN_PATH}\r\nSubject: Undelivered Mail Returned to Sender\r\n"
        "Date: Fri, 18 Dec 2026 10:12:00 +0100\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="cut"\r\n\r\n'
        f"--cut\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{human}\r\n"
        "--cut\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.acme.example\r\n\r\n"
        f"Final-Recipient: rfc822; {final}\r\nAction: {action}\r\nStatus: {status}\r\n{said}{more}\r\n"
        f"--cut\r\nContent-Type: message/rfc822\r\n\r\n{copy}--cut--\r\n"
    ).encode()


def notice(
    body: str, subject: str = "failure notice", sender: str = "MAILER-DAEMON@mx.acme.example", head: str = ""
) -> bytes:
    """A notice in plain words."""
    return (
        f"From: {sender}\r\nTo: {RETURN_PATH}\r\nSubject: {subject}\r\nDate: Fri, 18 Dec 2026 10:12:00 +0100\r\n"
        f"{head}MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{body}"
    ).encode()


_BELOW = f"\n--- Below this line is a copy of the message.\n\n{COPY}"

#: name -> (notice, action, hard)
NOTICES: dict[str, tuple[bytes, str, bool]] = {
    "qmail": (
        notice("Hi. This is the qmail-send program at mx.acme.example.\nI'm afraid I wasn't able to deliver your message.\n\n"
               f"<{GONE}>:\nSorry, no mailbox here by that name. (#5.1.1)\n{_BELOW}"),
        "never_again", True,
    ),
    "exim": (
        notice("This message was created automatically by mail delivery software.\n\nA message that you sent could not be "
               f"delivered to one or more of its\nrecipients. This is a permanent error.\n\n  {GONE}\n    mailbox is full: "
               f"retry timeout exceeded\n\n------ This is a copy of the message, including all the headers. ------\n\n{COPY}",
               "Mail delivery failed: returning message to sender", head=f"X-Failed-Recipients: {GONE}\r\n"),
        "mailbox_full", False,
    ),
    "sendmail": (
        notice("The original message was received at Fri, 18 Dec 2026 10:00:00 +0100\n\n   ----- The following addresses had "
               f"permanent fatal errors -----\n<{GONE}>\n    (reason: 550 5.7.1 Message rejected as spam)\n",
               "Returned mail: see transcript for details"),
        "our_fault", False,
    ),
    "postfix": (
        notice("This is the mail system at host mx.acme.example.\n\nI'm sorry to have to inform you that your message could not"
               f"\nbe delivered.\n\n<{GONE}>: Host or domain name not found. Name service error for name=acme.example\n"
               "    type=AAAA: Host not found\n", "Undelivered Mail Returned to Sender"),
        "never_again", True,
    ),
    "domino": (
        notice(f"Your message\n\n  Subject: Acme: what waiting costs\n\nwas not delivered to:\n\n  {GONE}\n\nbecause:\n\n"
               "  User dana (dana.example@acme.example) not listed in Domino Directory\n", "DELIVERY FAILURE: User not listed",
               "postmaster@acme.example"),
        "never_again", True,
    ),
    "groupwise": (
        notice(f"The message that you sent was undeliverable to the following:\n\n\tdana.example (user not found)\n\t{GONE}\n",
               "Message status - undeliverable", "Postmaster@acme.example"),
        "never_again", True,
    ),
    "mailenable": (
        notice("MailEnable: Message could not be delivered to some recipients.\nThe following recipient(s) could not be "
               f"reached:\n\n\tRecipient: [SMTP:{GONE}]\n\tReason: Mailbox over quota\n", "Message Delivery Failure",
               "postmaster@acme.example"),
        "mailbox_full", False,
    ),
    "exchange-2003": (
        notice(f"Your message did not reach some or all of the intended recipients.\n\nThe following recipient(s) could not be "
               f"reached:\n\n      {GONE} on 18.12.2026 10:00\n            The e-mail account does not exist at the "
               "organization this message was sent to.\n            <mx.acme.example #5.1.1>\n", "Undeliverable: Acme",
               "System Administrator <postmaster@acme.example>"),
        "never_again", True,
    ),
    "left": (
        notice(f"Delivery to the following recipient failed permanently: {GONE}\n\nDana Example has left the company.\n",
               "Delivery failed"),
        "ask_replacement", True,
    ),
    "moved": (
        notice(f"<{GONE}>: 551 User has moved; please try <dana@globex.example>\n", "Undeliverable mail"),
        "ask_replacement", True,
    ),
    "host down": (
        notice(f"I'm not going to try again; this message has been in the queue too long.\n\n<{GONE}>:\nCould not connect to "
               "any host: connection timed out (#4.4.1)\n"),
        "retry_later", False,
    ),
    "dmarc": (
        notice(f"<{GONE}>: 550 5.7.26 Unauthenticated email from lumenflow.example is not accepted due to domain's DMARC "
               "policy.\n", "Mail delivery failed"),
        "our_fault", False,
    ),
    "blocklist": (
        notice(f"<{GONE}>: 554 Service unavailable; Client host [192.0.2.7] blocked using a DNSBL\n", "Mail delivery failed"),
        "our_fault", False,
    ),
    "large": (
        notice(f"<{GONE}>: message size 52428800 exceeds size limit 10485760 of server\n", "Mail delivery failed"),
        "our_fault", False,
    ),
    "german": (
        notice(f"Ihre Nachricht an {GONE} konnte nicht zugestellt werden.\nGrund: Der Empfänger ist unbekannt, die Adresse "
               "existiert nicht.\n", "Unzustellbar: Acme", "postmaster@acme.example"),
        "never_again", True,
    ),
    "german, full": (
        notice(f"Die Nachricht an <{GONE}> ist nicht zustellbar: Das Postfach ist voll.\n", "Mail nicht zustellbar"),
        "mailbox_full", False,
    ),
    "french": (
        notice(f"Votre message n'a pas pu être remis à {GONE} : utilisateur inconnu.\n", "Échec de la remise"),
        "never_again", True,
    ),
    "spanish": (
        notice(f"No se pudo entregar su mensaje a {GONE}.\nEl buzón está lleno.\n", "Correo devuelto"),
        "mailbox_full", False,
    ),
    "japanese": (
        notice(f"メールを配信できませんでした。\n<{GONE}>\n宛先不明です。\n", "エラーメール"),
        "never_again", True,
    ),
    "says nothing": (
        notice(f"Your message could not be delivered to {GONE}.\n", "Undeliverable"),
        "unknown", True,
    ),
}  # fmt: skip
