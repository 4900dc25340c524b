"""What large providers and common servers answer, and what follows from it. In their manner; addresses are invented."""

# ruff: noqa: E501 (a server's answer stands on one line, as it came)
import pytest

from flows.mailbox import Action, understand
from tests.mailbox.servers import report

ANSWERS: dict[Action, tuple[tuple[str, str], ...]] = {
    Action.NEVER_AGAIN: (
        (
            "5.1.1",
            "550-5.1.1 The email account that you tried to reach does not exist. Please try 550-5.1.1 double-checking the recipient's email address for typos",
        ),
        (
            "5.4.1",
            "550 5.4.1 Recipient address rejected: Access denied. [AM5EUR03FT012.eop-EUR03.prod.protection.example]",
        ),
        ("5.4.1", "550 5.4.1 All recipient addresses rejected : Access denied"),
        ("5.5.0", "550 5.5.0 Requested action not taken: mailbox unavailable"),
        ("5.0.0", "554 delivery error: dd Requested mail action aborted - Mailbox not found - mta1007.mail.example"),
        (
            "5.0.0",
            "554 delivery error: dd This user doesn't have a provider.example account (dana@provider.example) [0]",
        ),
        (
            "5.1.10",
            "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient dana@acme.example not found by SMTP address lookup",
        ),
        (
            "5.1.351",
            "550 5.1.351 Remote server returned unknown recipient or mailbox unavailable -> 550 No such user here",
        ),
        ("5.4.310", "550 5.4.310 DNS domain acme.example does not exist [Message=InfoDomainNonexistent]"),
        ("5.1.0", "550 #5.1.0 Address rejected."),
        ("5.0.0", "550 Invalid Recipient - https://community.mimecast.example/docs/DOC-1369#550"),
        ("5.1.1", "550 5.1.1 <dana@icloud.example>: user does not exist"),
        (
            "5.0.0",
            "550 Requested action not taken: mailbox unavailable. For explanation visit https://postmaster.gmx.example/en/error-messages?ip=192.0.2.1&c=mub",
        ),
        ("5.1.1", "550 5.1.1 unknown email address"),
        (
            "5.0.0",
            "550 Recipient address rejected: Adresse d au moins un destinataire invalide. Invalid recipient. OFR204_418 [418]",
        ),
        ("5.0.0", "550 user has no mailbox / Benutzer hat kein Postfach (t-online)"),
        ("5.0.0", "550-Requested action not taken: mailbox unavailable 550 invalid DNS MX or A/AAAA resource record"),
        (
            "5.0.0",
            "550 Message was not accepted -- invalid mailbox. Local mailbox dana@mail.example is unavailable: user not found",
        ),
        (
            "5.0.0",
            "550 Message was not accepted -- invalid mailbox. Local mailbox dana@mail.example is unavailable: account is disabled",
        ),
        ("5.7.1", "550 5.7.1 No such user!"),
        ("5.1.1", "550 5.1.1 Mailbox for dana@acme.example is suspended / not activated"),
        ("5.0.0", "550 Unrouteable address"),
        ("5.0.0", "all relevant MX records point to non-existent hosts"),
        (
            "5.0.0",
            "SMTP error from remote mail server after RCPT TO:<dana@acme.example>: host mx.acme.example [192.0.2.1]: 550 No Such User Here",
        ),
        ("5.4.4", "unable to look up host acme.example: Name or service not known"),
        (
            "5.1.1",
            "Amazon SES did not send the message to this address because it is on the suppression list for your account.",
        ),
        ("5.0.0", "605 Not delivering to previously bounced address"),
    ),
    Action.ASK_REPLACEMENT: (
        ("5.1.6", "550 5.1.6 User has moved to dana@globex.example"),
        ("5.1.1", "550 5.1.1 This person no longer works here"),
    ),
    Action.MAILBOX_FULL: (
        ("4.2.2", "452 4.2.2 The recipient's inbox is out of storage space. Please direct the recipient to"),
        ("5.2.2", "552-5.2.2 The email account that you tried to reach is over quota"),
        (
            "5.2.2",
            "554 5.2.2 mailbox full; STOREDRV.Deliver.Exception:QuotaExceededException.MapiExceptionShutoffQuotaExceeded",
        ),
        (
            "5.0.0",
            "552-Requested mail action aborted: exceeded storage allocation 552-Quota exceeded. The recipient's mailbox is full.",
        ),
        ("5.0.0", "mailbox is full (MTA-imposed quota exceeded while writing to file /var/mail/dana)"),
    ),
    Action.RETRY_LATER: (
        ("5.4.14", "554 5.4.14 Hop count exceeded - possible mail loop ATTR34"),
        (
            "4.4.317",
            "450 4.4.317 Cannot connect to remote server [Message=451 4.7.0 Temporary server error. Please try again later.",
        ),
        ("5.4.312", "550 5.4.312 DNS query failed: ServerFailure"),
        ("5.4.316", "550 5.4.316 Message expired, connection refused (Socket error code 10061)"),
        ("4.4.7", "400 4.4.7 Message delayed"),
        ("4.4.7", "550 4.4.7 QUEUE.Expired; message expired"),
        ("4.0.0", "451 Internal resource temporarily unavailable - https://community.mimecast.example"),
        ("4.0.0", "421 Service refuse. Veuillez essayer plus tard. service refused, please try later. OFR004_104"),
        ("5.0.0", "retry time not reached for any host after a long failure period"),
        ("4.4.1", "connect to acme.example[192.0.2.1]:25: No route to host"),
        (
            "4.4.3",
            "Host or domain name not found. Name service error for name=acme.example type=MX: Host not found, try again",
        ),
        ("5.4.6", "mail for acme.example loops back to myself"),
        ("4.4.2", "lost connection with mx.acme.example[192.0.2.1] while sending end of data"),
        ("4.7.4", "TLS is required, but was not offered by host"),
        ("4.7.5", "Server certificate not trusted"),
        (
            "4.1.1",
            "450 4.1.1 <dana@acme.example>: Recipient address rejected: unverified address: connect to mx: Connection refused",
        ),
        ("4.3.0", "451 4.3.0 Error: queue file write error"),
        ("4.3.1", "452 4.3.1 Insufficient system storage"),
        ("4.3.2", "421 4.3.2 Service not available, closing transmission channel"),
    ),
    Action.OUR_FAULT: (
        (
            "5.7.1",
            "550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. Please contact your Internet service provider since part of their network is on our block list (S3140).",
        ),
        (
            "4.0.0",
            "421 RP-001 (SNT004-MC1F38) Unfortunately, some messages from 192.0.2.1 weren't sent. Please try again. We have limits for how many messages can be sent per hour",
        ),
        (
            "5.7.606",
            "550 5.7.606 Access denied, banned sending IP [192.0.2.7]. To request removal from this list please visit",
        ),
        ("5.7.511", "550 5.7.511 Access denied, banned sender[192.0.2.1]"),
        ("5.7.9", "554 5.7.9 Message not accepted for policy reasons. See https://postmaster.example/error-codes"),
        ("4.7.0", "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to user complaints - 4.16.55.1"),
        (
            "5.7.1",
            "553 5.7.1 [BL21] Connections will not be accepted from 192.0.2.1, because the ip is in Spamhaus's list",
        ),
        (
            "5.2.1",
            "550 5.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional messages from being delivered.",
        ),
        ("5.0.350", "550 5.0.350 Remote server returned an error -> 550 Administrative prohibition"),
        ("5.7.350", "550 5.7.350 Remote server returned message detected as spam"),
        ("5.7.708", "550 5.7.708 Service unavailable. Access denied, traffic not accepted from this IP."),
        (
            "5.7.133",
            "550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required; Delivery restriction check failed",
        ),
        ("5.7.1", "550 5.7.1 RESOLVER.RST.AuthRequired; authentication required"),
        ("5.7.64", "550 5.7.64 TenantAttribution; Relay Access Denied"),
        ("5.7.23", "550 5.7.23 The message was rejected because of Sender Policy Framework violation"),
        (
            "5.7.509",
            "550 5.7.509: Access denied, sending domain lumenflow.example does not pass DMARC verification and has a DMARC policy of reject.",
        ),
        (
            "5.7.26",
            "550-5.7.26 This mail has been blocked because the sender is unauthenticated. Gmail requires all senders to authenticate with either SPF or DKIM.",
        ),
        ("5.7.520", "550 5.7.520 Access denied, Your organization does not allow external forwarding."),
        ("5.1.8", "550 5.1.8 Access denied, bad outbound sender AS(42004)"),
        ("5.7.1", "554 5.7.1 <dana@acme.example>: Relay access denied"),
        ("5.7.1", "550 #5.7.1 Your access to submit messages to this e-mail system has been rejected."),
        (
            "5.0.0",
            "554 Your access to this mail system has been rejected due to the sending MTA's poor reputation. If you believe that this failure is in error, please contact",
        ),
        (
            "5.0.0",
            "550 Rejected by header based Anti-Spoofing policy: marketing@lumenflow.example - https://community.mimecast.example",
        ),
        ("5.0.0", "550 Administrative prohibition - envelope blocked - https://community.mimecast.example"),
        ("5.7.0", "550 5.7.0 Blocked - see https://ipcheck.proofpoint.example/?ip=192.0.2.1"),
        ("5.0.0", "554 Blocked - see https://support.proofpoint.example/dnsbl-lookup.cgi?ip=192.0.2.1"),
        (
            "5.7.1",
            "554 5.7.1 [CS01] Message rejected due to local policy. Please visit https://support.apple.example/en-us/HT204137",
        ),
        (
            "5.0.0",
            "554-Transaction failed 554-Reject due to policy restrictions. 554 For explanation visit https://postmaster.gmx.example",
        ),
        ("5.2.0", "550 5.2.0 Mail rejete. Mail rejected. OFR_506 [506]"),
        ("5.0.0", "550 spam detected: your message was rejected by our filters OUR_REF_42"),
        (
            "5.0.0",
            "554 IP=192.0.2.1 - A problem occurred. (Ask your postmaster for help or to contact tosa@rx.t-online.example to clarify.)",
        ),
        ("5.0.0", "550 Sender verify failed"),
        ("5.0.0", "550 Verification failed for <bounce+x@mail.lumenflow.example> 550 Sender verify failed"),
        ("5.0.0", "SMTP error from remote mail server after end of data: 550 High probability of spam"),
        ("5.6.0", "554 5.6.0 Corrupt message content"),
        ("5.3.4", "552 5.3.4 Message size exceeds fixed maximum message size: 10485760"),
        ("5.3.4", "554 5.3.4 Message too big for system"),
        ("5.7.1", "551 5.7.1 Forwarding to remote hosts disabled"),
        ("4.7.1", "450 4.7.1 Client host rejected: cannot find your reverse hostname, [192.0.2.1]"),
        ("5.5.2", "504 5.5.2 <lumen>: Helo command rejected: need fully-qualified hostname"),
        ("5.7.1", "550 5.7.1 Message rejected. See https://support.example/antispam"),
        ("5.2.0", "550 5.2.0 DMARC: rejected"),
        ("5.0.0", "550 Mail appears to be unsolicited - send error reports to postmaster@acme.example"),
        ("5.7.1", "554 5.7.1 Virus found in message"),
    ),
}


@pytest.mark.parametrize(
    ("status", "answer", "action"),
    [(status, answer, action) for action, answers in ANSWERS.items() for status, answer in answers],
)
def test_the_answer_leads_to_the_action(status: str, answer: str, action: Action) -> None:
    bounce = understand(report(answer, status)).bounce
    assert bounce is not None
    assert bounce.action is action, bounce
