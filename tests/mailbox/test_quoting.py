"""The words of a reply alone, whatever program wrote it."""

# ruff: noqa: E501 (announcements stand on one line, as programs write them)
import pytest

from flows.mailbox.quoting import MOST_WORDS, own_words, split


@pytest.mark.parametrize(
    ("text", "own"),
    [
        (
            "Yes.\n\nGet Outlook for iOS<https://aka.ms/x>\n________________________________\nFrom: Ravi Rep <r@x.example>\nSent: Thursday, 17 December 2026 09:00:00\nTo: Dana <d@acme.example>\nSubject: Acme\n\nHi",
            "Yes.",
        ),
        ("Yes.\n\nOn 17/12/2026 09:00, Ravi Rep wrote:\n> Hi\n> there\n\n-- \nDana", "Yes."),
        (
            "Yes.\n\n    On Thursday, December 17, 2026 at 09:00:00 AM GMT+1, Ravi Rep <r@x.example> wrote:  \n \n Hi Dana",
            "Yes.",
        ),
        (
            "Yes.\n\n------- Original Message -------\nOn Thursday, December 17th, 2026 at 9:00 AM, Ravi <r@x.example> wrote:\n\n> Hi",
            "Yes.",
        ),
        (
            "Oui.\n\n*De :* Ravi Rep <r@x.example>\n*Envoyé :* jeudi 17 décembre 2026 09:00\n*À :* Dana\n*Objet :* Acme\n\nBonjour",
            "Oui.",
        ),
        ("Ja.\n\nAm 17.12.2026 um 09:00 schrieb Ravi <r@x.example>:\n\n\ufeff\nHi", "Ja."),
        ("Sí.\n\nEl 17 dic 2026, a las 9:00, Ravi <r@x.example> escribió:\n\n> Hola", "Sí."),
        (
            'Ja.\n\nGesendet: Donnerstag, 17. Dezember 2026 um 09:00 Uhr\nVon: "Ravi" <r@x.example>\nAn: d@acme.example\nBetreff: Acme\nHi',
            "Ja.",
        ),
        (
            "Ja.\n\n-------- Ursprüngliche Nachricht --------\nVon: Ravi <r@x.example>\nDatum: 17.12.26 09:00 (GMT+01:00)\nAn: Dana\nBetreff: Acme\n\nHi",
            "Ja.",
        ),
        (
            "Yes.\n\n-------- Original message --------\nFrom: Ravi\nDate: 17/12/2026\nTo: Dana\nSubject: Acme\n\nHi",
            "Yes.",
        ),
        ("> Does Thursday work?\n\nYes.\n\n> What size?\n\n40 seats.\n", "Yes.\n\n40 seats."),
        (
            "On Thu, Dec 17, 2026 at 9:00 AM Ravi <r@x.example> wrote:\n\n> Does Thursday work?\n\nYes.\n\n> What size?\n\n40 seats.\n",
            "Yes.\n\n40 seats.",
        ),
        ("Here is what I wrote:\nwe want 40 seats.\n", "Here is what I wrote:\nwe want 40 seats."),
        ("From: our side it is fine.\nTo: be sure, ask Max.\n", "From: our side it is fine.\nTo: be sure, ask Max."),
        (
            "On 5 January we decide. As my boss wrote:\n\n40 seats at most.",
            "On 5 January we decide. As my boss wrote:\n\n40 seats at most.",
        ),
        ("Yes\n\nLe 17/12/2026 à 09:00, Ravi Rep <r@x.example> a écrit :\n> x", "Yes"),
        ("Yes\r\n\r\nOn Thu, 17 Dec 2026, 09:00 Ravi Rep, <r@x.example> wrote:\r\n\r\n> x\r\n", "Yes"),
        (
            "Yes\n\nVon: Ravi Rep [mailto:r@x.example] \nGesendet: Donnerstag, 17. Dezember 2026 09:00\nAn: Dana\nBetreff: x\n\nHi",
            "Yes",
        ),
        ("Yes\n\n----- Reply message -----\nFrom: Ravi\nTo: Dana\nSubject: x\nDate: x\n\nHi", "Yes"),
        (
            "Yes, see below.\n\n---\n\nThree points:\n- one\n- two\n",
            "Yes, see below.\n\n---\n\nThree points:\n- one\n- two",
        ),
        ("Yes\n\n17.12.2026 09:00, Ravi Rep <r@x.example> wrote:\n> x", "Yes"),
        ("Yes\n\nRavi Rep <r@x.example> schrieb am Do., 17. Dez. 2026, 09:00:\n\n> x", "Yes"),
        ("Yes\n\n<r@x.example> escribió el jue, 17 dic 2026:\n> x", "Yes"),
        ("Yes\n\nEnviado: jueves, 17 de diciembre de 2026\nDe: Ravi\nPara: Dana\nAsunto: x\n\nhola", "Yes"),
    ],
)
def test_the_words_are_the_writers_own(text: str, own: str) -> None:
    assert own_words(text) == own


def test_a_signature_is_cut_and_a_telephones_footer_too() -> None:
    assert own_words("Yes.\n\n-- \nDana\nAcme") == own_words("Yes.\n\nSent from my iPhone") == "Yes."


def test_two_thousand_letters_are_kept() -> None:
    assert len(own_words("words " * 1_000)) <= MOST_WORDS == 2_000


def test_a_text_tells_whether_it_quotes() -> None:
    assert split("Yes.\n> Hi").quotes
    assert not split("Yes.\n").quotes
