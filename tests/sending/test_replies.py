"""What mail servers say, and what it means: replies in the manner of the large providers, each with its label."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.touch_states import Refusal, explain
from flows.channels.email.replies import (
    ADDRESS,
    BEFORE_READER,
    BY_DIGITS,
    BY_ENHANCED,
    BY_WORDS,
    Moment,
    meaning_of,
    read_reply,
)

M, R = Moment, Refusal
GOOD, LATER = True, False  # "for good" and "later"

#: (moment, the reply as it stands on the line, what it is about, whether it is for good)
ROWS: list[tuple[Moment, str, Refusal, bool]] = [
    # The reader's address does not exist.
    (M.RCPT, "550-5.1.1 The email account that you tried to reach does not exist.\n550 5.1.1 Check it. ab12 - gsmtp",
     R.NO_SUCH_MAILBOX, GOOD),
    (M.RCPT, "550 5.1.1 <x@acme.example>: Recipient address rejected: User unknown in virtual mailbox table",
     R.NO_SUCH_MAILBOX, GOOD),
    (M.RCPT, "450 4.1.1 <x@acme.example>: Recipient address rejected: unverified address", R.NO_SUCH_MAILBOX, LATER),
    (M.RCPT, "550 5.4.1 Recipient address rejected: Access denied. [AB1.prod.example]", R.NO_SUCH_MAILBOX, GOOD),
    (M.DOT, "554 delivery error: dd This user doesn't have an account (x@acme.example) [-5]", R.NO_SUCH_MAILBOX, GOOD),
    (M.RCPT, "550 No such user here", R.NO_SUCH_MAILBOX, GOOD),
    (M.RCPT, "550 x@acme.example: user unknown", R.NO_SUCH_MAILBOX, GOOD),
    (M.RCPT, "550 Invalid recipient x@acme.example", R.NO_SUCH_MAILBOX, GOOD),
    (M.RCPT, "550 Requested action not taken: mailbox not found", R.NO_SUCH_MAILBOX, GOOD),
    (M.RCPT, "551 Not local; please try another server", R.NO_SUCH_MAILBOX, GOOD),
    (M.RCPT, "550 5.7.17 Mailbox owner has changed", R.NO_SUCH_MAILBOX, GOOD),
    (M.RCPT, "550 5.7.1 Recipient not found", R.NO_SUCH_MAILBOX, GOOD),
    (M.RCPT, "550 5.1.6 The person has moved", R.NO_SUCH_MAILBOX, GOOD),
    (M.RCPT, "553 5.1.2 We weren't able to find the recipient domain.", R.NO_SUCH_DOMAIN, GOOD),
    (M.RCPT, "450 4.1.2 <x@nowhere.example>: Recipient address rejected: Domain not found", R.NO_SUCH_DOMAIN, LATER),
    (M.RCPT, "556 5.1.10 Recipient address has null MX", R.NO_SUCH_DOMAIN, GOOD),
    (M.RCPT, "550 5.4.4 unable to route: no mail hosts for domain", R.NO_SUCH_DOMAIN, GOOD),
    (M.RCPT, "501 5.1.3 Bad recipient address syntax", R.BAD_ADDRESS, GOOD),
    (M.RCPT, "553 sorry, that address looks odd to me", R.BAD_ADDRESS, GOOD),
    (M.RCPT, "550 5.2.1 The email account that you tried to reach is inactive.", R.MAILBOX_DISABLED, GOOD),
    (M.RCPT, "550 5.2.1 <x@acme.example>... Mailbox disabled for this recipient", R.MAILBOX_DISABLED, GOOD),
    (M.RCPT, "550 Account x@acme.example has been suspended", R.MAILBOX_DISABLED, GOOD),
    # It exists and takes nothing now.
    (M.RCPT, "452-4.2.2 The recipient's inbox is out of storage space.\n452 4.2.2 Please direct them to their storage.",
     R.MAILBOX_FULL, LATER),
    (M.RCPT, "552 5.2.2 The recipient's inbox is out of storage space and inactive.", R.MAILBOX_FULL, GOOD),
    (M.DOT, "552 5.2.2 <x@acme.example>: user is over quota", R.MAILBOX_FULL, GOOD),
    (M.RCPT, "422 4.2.2 Mailbox full", R.MAILBOX_FULL, LATER),
    (M.RCPT, "552 Requested mail action aborted: exceeded storage allocation", R.MAILBOX_FULL, GOOD),
    (M.RCPT, "552 no", R.MAILBOX_FULL, GOOD),
    (M.RCPT, "450 4.2.1 The user you are trying to contact is receiving mail too quickly.", R.TOO_MANY, LATER),
    (M.RCPT, "550 5.2.1 The user is receiving mail at a rate that prevents additional messages", R.TOO_MANY, GOOD),
    (M.RCPT, "450 4.2.0 <x@acme.example>: Recipient address rejected: Greylisted, see http://postgrey.example/help",
     R.GREYLISTED, LATER),
    (M.RCPT, "451 4.7.1 Greylisting in action, please come back later", R.GREYLISTED, LATER),
    (M.RCPT, "451 Graylisted, try again in 300 seconds", R.GREYLISTED, LATER),
    # Their server has a bad day.
    (M.MAIL, "421 4.3.0 Temporary System Problem. Try again later.", R.SERVER_BUSY, LATER),
    (M.MAIL, "452 4.3.1 Insufficient system storage", R.SERVER_BUSY, LATER),
    (M.DOT, "451 4.3.2 Please try again later", R.SERVER_BUSY, LATER),
    (M.DOT, "451 4.3.0 Mail server temporarily rejected message", R.SERVER_BUSY, LATER),
    (M.DOT, "451 4.4.2 Timeout - closing connection.", R.SERVER_BUSY, LATER),
    (M.RCPT, "450 4.4.1 connection timed out", R.SERVER_BUSY, LATER),
    (M.DOT, "451 Resources temporarily unavailable. Please try again later [#4.16.5].", R.SERVER_BUSY, LATER),
    (M.CONNECT, "421 Service not available, closing transmission channel", R.SERVER_BUSY, LATER),
    (M.DATA, "451 local error in processing", R.SERVER_BUSY, LATER),
    (M.RCPT, "452 4.5.3 Too many recipients", R.TOO_MANY, LATER),
    (M.MAIL, "450 4.7.1 Error: too much mail from 192.0.2.1", R.TOO_MANY, LATER),
    (M.DOT, "421 4.7.28 An unusual rate of unsolicited mail originating from your IP address.", R.TOO_MANY, LATER),
    (M.DOT, "550 5.4.5 Daily user sending limit exceeded.", R.TOO_MANY, GOOD),
    (M.MAIL, "451 4.7.500 Server busy. Please try again later", R.SERVER_BUSY, LATER),
    # The message.
    (M.DOT, "552 5.3.4 Your message exceeded our message size limits.", R.TOO_LARGE, GOOD),
    (M.MAIL, "552 5.3.4 Message size exceeds fixed limit", R.TOO_LARGE, GOOD),
    (M.DOT, "552 5.2.3 Message length exceeds administrative limit", R.TOO_LARGE, GOOD),
    (M.DOT, "552 Message too big for system", R.TOO_LARGE, GOOD),
    (M.MAIL, "552 no", R.TOO_LARGE, GOOD),
    (M.DOT, "550-5.7.1 We think this message is unsolicited.\n550 5.7.1 It has been blocked.", R.REFUSED_AS_SPAM, GOOD),
    (M.DOT, "554 5.7.1 Spam message rejected", R.REFUSED_AS_SPAM, GOOD),
    (M.DOT, "421 4.7.0 This message is suspicious due to the nature of the content or the links within.",
     R.REFUSED_AS_SPAM, LATER),
    (M.DOT, "554 Message not allowed - [PH01] Email not accepted for policy reasons.", R.REFUSED_AS_SPAM, GOOD),
    (M.DOT, "554 5.7.1 Message contains a virus", R.REFUSED_AS_SPAM, GOOD),
    (M.DOT, "550 5.7.1 This message violates the email policy of acme.example", R.REFUSED_BY_POLICY, GOOD),
    (M.RCPT, "550 5.7.1 Your message wasn't delivered: the sender is not authorized to write to this recipient",
     R.REFUSED_BY_POLICY, GOOD),
    (M.DOT, "550 5.6.0 Headers cannot be decoded", R.REFUSED_BY_SERVER, GOOD),
    (M.DOT, "554 5.4.6 Too many hops: this may be a mail loop", R.TOO_MANY, GOOD),
    # Us.
    (M.AUTH, "535 5.7.8 Username and Password not accepted.", R.LOGIN_REFUSED, GOOD),
    (M.AUTH, "535 Authentication failed", R.LOGIN_REFUSED, GOOD),
    (M.AUTH, "454 4.7.0 Too many login attempts, please try again later.", R.TOO_MANY, LATER),
    (M.MAIL, "530 5.7.0 Authentication Required.", R.LOGIN_REFUSED, GOOD),
    (M.MAIL, "530 5.7.57 Client not authenticated to send mail.", R.LOGIN_REFUSED, GOOD),
    (M.RCPT, "554 5.7.1 <x@acme.example>: Relay access denied", R.LOGIN_REFUSED, GOOD),
    (M.RCPT, "550 5.7.64 TenantAttribution; Relay Access Denied", R.LOGIN_REFUSED, GOOD),
    (M.MAIL, "553 5.1.8 <bounce@mail.example>: Sender address rejected: Domain not found", R.SENDER_REFUSED, GOOD),
    (M.RCPT, "450 4.1.8 <bounce@mail.example>: Sender address rejected: Domain not found", R.SENDER_REFUSED, LATER),
    (M.RCPT, "550 Sender verify failed: user unknown", R.SENDER_REFUSED, GOOD),
    (M.MAIL, "553 5.1.7 The sender address is not a valid address.", R.SENDER_REFUSED, GOOD),
    (M.MAIL, "550 no", R.SENDER_REFUSED, GOOD),
    (M.RCPT, "554 5.7.1 Service unavailable; Client [192.0.2.1] blocked using bl.example", R.SENDER_BLOCKLISTED, GOOD),
    (M.CONNECT, "554 no", R.SENDER_BLOCKLISTED, GOOD),
    (M.MAIL, "550 5.7.606 Access denied, banned sending IP [192.0.2.1]", R.SENDER_BLOCKLISTED, GOOD),
    (M.RCPT, "550 5.7.511 Access denied, banned sender", R.SENDER_BLOCKLISTED, GOOD),
    (M.DOT, "421 4.7.0 suspicious due to the very low reputation of the sending domain", R.SENDER_BLOCKLISTED, LATER),
    (M.MAIL, "553 5.7.1 [BL21] Connections not accepted from IP addresses on the Spamhaus blocklist",
     R.SENDER_BLOCKLISTED, GOOD),
    (M.DOT, "550-5.7.26 Unauthenticated email is not accepted due to\n550 5.7.26 the domain's DMARC policy.",
     R.NOT_AUTHENTICATED, GOOD),
    (M.DOT, "421 4.7.27 Your email has been rate limited because SPF did not pass.", R.NOT_AUTHENTICATED, LATER),
    (M.DOT, "550 5.7.30 DKIM authentication did not pass.", R.NOT_AUTHENTICATED, GOOD),
    (M.DOT, "550 5.7.515 Access denied, sending domain mail.example doesn't meet the required authentication level.",
     R.NOT_AUTHENTICATED, GOOD),
    (M.RCPT, "450 4.7.25 Client host rejected: cannot find your hostname, [192.0.2.1]", R.NOT_AUTHENTICATED, LATER),
    (M.DOT, "554 5.7.9 Message not accepted for policy reasons: failed DMARC", R.NOT_AUTHENTICATED, GOOD),
    (M.MAIL, "421 4.7.0 The IP address sending this message does not have a PTR record", R.NOT_AUTHENTICATED, LATER),
    # Nobody knows.
    (M.RCPT, "550 no", R.REFUSED_BY_SERVER, GOOD),
    (M.DOT, "554 Transaction failed", R.REFUSED_BY_SERVER, GOOD),
    (M.RCPT, "499 wat", R.REFUSED_BY_SERVER, LATER),
]  # fmt: skip


@pytest.mark.parametrize(("moment", "said", "reason", "permanent"), ROWS, ids=[row[1][:60] for row in ROWS])
def test_every_labelled_reply_means_what_its_label_says(
    moment: Moment, said: str, reason: Refusal, permanent: bool
) -> None:
    code, lines = int(said[:3]), [line[4:] for line in said.split("\n")]
    meaning = meaning_of(moment, read_reply(code, lines))
    assert (meaning.reason, meaning.permanent) == (reason, permanent)


@pytest.mark.parametrize(
    ("code", "enhanced", "permanent"), [(550, "4.2.2", False), (452, "5.2.2", True), (421, "5.7.1", False)]
)
def test_the_enhanced_code_says_for_how_long_except_where_the_server_hangs_up(
    code: int, enhanced: str, permanent: bool
) -> None:
    assert meaning_of(M.RCPT, read_reply(code, [f"{enhanced} whatever"])).permanent is permanent


def test_the_enhanced_code_outranks_words_and_digits_where_it_is_not_vague() -> None:
    reply = read_reply(554, ["5.1.1 blocked as spam by our blocklist"])
    assert meaning_of(M.RCPT, reply).reason is R.NO_SUCH_MAILBOX


def test_a_reply_is_read_without_the_codes_that_stand_before_each_line() -> None:
    reply = read_reply(550, ["5.1.1 The account", "5.1.1  does not exist"])
    assert (reply.enhanced, reply.words, str(reply)) == (
        "5.1.1", "The account does not exist", "550 5.1.1 The account does not exist",
    )  # fmt: skip


@pytest.mark.parametrize("words", ["1.2.3.4 is blocked", "5.1 pieces", "5.1.1000 no", ""])
def test_numbers_that_are_no_enhanced_codes_are_words(words: str) -> None:
    assert read_reply(550, [words]).enhanced is None


def test_every_reason_of_the_table_has_a_reply_that_shows_it() -> None:
    """A word of the table that no labelled reply leads to would be a guess."""
    known = {*BY_ENHANCED.values(), *(reason for _, reason in BY_WORDS), *BY_DIGITS.values()}
    assert known <= {row[2] for row in ROWS}
    assert all("_" not in explain(reason) for reason in known)


def test_nothing_said_before_the_reader_is_named_is_about_the_readers_address() -> None:
    """A person marked as bounced by mistake never hears from us again."""
    for _, said, _, _ in ROWS:
        reply = read_reply(int(said[:3]), [line[4:] for line in said.split("\n")])
        assert all(meaning_of(moment, reply).reason not in ADDRESS for moment in BEFORE_READER), said


@given(st.integers(400, 599), st.sampled_from(list(Moment)), st.lists(st.text(max_size=300), max_size=4))
def test_whatever_a_server_says_means_something(code: int, moment: Moment, lines: list[str]) -> None:
    assert isinstance(meaning_of(moment, read_reply(code, lines)).reason, Refusal)
