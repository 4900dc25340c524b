"""No more mail, written instead of clicked: a no is not missed, and nobody is let go who asks to stay."""

import pytest

from flows.mailbox import Kind, understand
from flows.mailbox.optouts import asks_for_no_more, asks_in_subject
from tests.mailbox.letters import letter

#: What lawyers have people put below a mail.
SMALL_PRINT = (
    "Erika Stein\nHead of Operations\nAcme GmbH, Hauptstr. 1, 10115 Berlin\nGeschäftsführung: Max Muster\n\n"
    + "Diese E-Mail enthält vertrauliche Informationen und ist nur für den Empfänger bestimmt. " * 8
)


@pytest.mark.parametrize(
    "words",
    [
        "Please take me off your list.", "STOP", "Unsubscribe!", "Bitte nehmen Sie mich aus Ihrem Verteiler.",
        "Merci de me retirer de votre liste", "Por favor, no me escriban más.", "Non desidero ricevere altre email.",
        "Kindly remove us from your mailing list.", "I would like to opt out.", "How do I unsubscribe from this?",
        "Please cease all communication.", "Löschen Sie bitte meine Daten.", "Ich will keine weitere Kontaktaufnahme.",
        "Hiermit widerspreche ich der Nutzung meiner Daten.", "Arrêtez de m'écrire", "Por favor, eliminen mis datos.",
        "Schrijf me uit, alstublieft.", "Não quero receber mais mensagens.", "今後の配信停止をお願いします。",
    ],
)  # fmt: skip
def test_who_writes_that_it_is_enough_is_understood_also_above_a_page_of_small_print(words: str) -> None:
    assert asks_for_no_more(words)
    if len(words.split()) > 1:
        assert asks_for_no_more(f"{words}\n\n{SMALL_PRINT}") == words


@pytest.mark.parametrize(
    "words",
    [
        "Please don't take me off the list, I do read these.",
        "Bitte nicht abmelden, ich lese das gern.",
        "Ne pas me désabonner, s'il vous plaît.",
        "Could you send me two names from your list of references?",
        "Please remove the second page from your offer.",
        "Can you pull a report from your database?",
        "When readers unsubscribe from a newsletter in your tool, what happens?",
        "Can you delete my last mail?",
        "Können Sie die Daten in Ihrem System auch löschen?",
        "Ich widerspreche Ihnen da.",
        "No more questions, we sign.",
        "Can an admin stop seats in bulk?",
        "Stop by on Thursday?",
    ],
)
def test_who_asks_to_stay_or_about_something_else_stays(words: str) -> None:
    assert asks_for_no_more(words) == ""


def test_the_first_sentence_alone_is_enough_above_a_name() -> None:
    for words in ("STOP\n\nErika Stein\nAcme", "Please stop. I never signed up for this.", "Unsubscribe!\nE. Stein"):
        assert asks_for_no_more(words)
    assert asks_for_no_more("Stop us if you know this already. Erika Stein") == ""


def test_far_down_in_a_letter_such_words_may_be_about_something_else() -> None:
    assert asks_for_no_more("Thursday is fine. " * 30 + "By the way, please remove me from the Monday call.") == ""


@pytest.mark.parametrize(
    "subject", ["unsubscribe", "Unsubscribe!", "RE: Unsubscribe", "AW: Fwd: stop", "Remove me from your list"]
)
def test_the_subject_may_say_it_alone(subject: str) -> None:
    assert asks_in_subject(subject) == subject
    found = understand(letter("", subject=subject))
    assert (found.kind, found.words) == (Kind.REPLY, subject)


@pytest.mark.parametrize(
    "subject", ["Re: Stop by on Thursday", "Re: Remove me from your list of worries", "Baja California", ""]
)
def test_a_subject_that_is_ours_says_nothing_of_the_reader(subject: str) -> None:
    assert asks_in_subject(subject) == ""
