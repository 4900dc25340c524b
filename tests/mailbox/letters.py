"""Mail with labels, written for tests and benchmarks: what people and their programs write, in four languages.

Every body stands under the heads of several programs and above (or below) several kinds of quotes. Nobody in it exists.
"""

# ruff: noqa: E501 (what people and servers write stands on one line, as they wrote it)

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from itertools import cycle

from flows.mailbox import Kind

OURS = "marketing@lumenflow.example"
RETURN_PATH = "bounce+mfrggzdfmztwq2lk@mail.lumenflow.example"
MESSAGE_ID = "<tandem.17.8ddc525eb3e8ffdf@mail.lumenflow.example>"
DANA = "Dana Example <dana.example@acme.example>"
SUBJECT = "Acme: what waiting until Q1 costs"
DATE = "Fri, 18 Dec 2026 10:12:00 +0100"

#: What we wrote, as it is quoted.
QUOTED = (
    "Hi Dana,", "", "waiting another quarter costs Acme about as much as the switch itself.",
    "One page, no form: https://www.lumenflow.example/cost-of-waiting", "", "Best regards", "Ravi",
    "If this is not for you: unsubscribe https://t.example/u/abc",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Labelled:
    """A mail and what it is."""

    name: str
    raw: bytes
    kind: Kind
    #: A reply's own words.
    words: str = ""
    #: ``2027-01-05``: the first day back.
    back: str = ""
    #: Whether the head says nothing of a program (the hard ones).
    bare: bool = False


def letter(body: str, subject: str = f"Re: {SUBJECT}", html: str = "", **headers: str) -> bytes:
    """A mail from Dana to us; `headers` with underscores for hyphens, an empty one is left out."""
    message = EmailMessage(policy=SMTP)
    fields = {
        "From": DANA, "To": OURS, "Subject": subject, "Date": DATE, "Message-ID": "<a1b2@mail.acme.example>",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }  # fmt: skip
    for name, value in fields.items():
        if value:
            message[name] = value
    message.set_content(body)
    if html:
        message.add_alternative(html, subtype="html")
    return message.as_bytes()


ANSWERING = {"In_Reply_To": MESSAGE_ID, "References": MESSAGE_ID}

HUMAN: dict[str, tuple[str, ...]] = {
    "en": (
        "Thanks, this is useful. Can we talk on Thursday at 10?",
        "Not now. We are in the middle of a budget freeze, please try again in March.",
        "Please remove me from your list, I am not the right person.",
        "I'm out of the office next week, but happy to talk on 5 January. Does 3pm work?",
        "Your last mail bounced at my old address (550 5.1.1 user unknown), so here I am again.\n\nWhat does it cost?",
        "I am on holiday until Monday, so a short one: yes, send the offer to Max.\n\nDana",
        "Max Muster has left the company, by the way. I have taken over his projects. What did you discuss with him?",
        "ok",
        "Forwarded to our CFO. Please contact him directly: carla.chief@acme.example.\n\nKind regards\nDana Example",
        "We already received your offer, thank you. My colleague will be back on Monday and decide then.",
        "Interesting!\n\nTwo questions:\n1. Does it work with our ERP?\n2. Who else in our industry uses it?\n\nBest\nDana",
        "This is an automated world, but I am a real person: no, thanks.",
    ),
    "de": (
        "Danke, das hilft uns weiter. Können wir am Donnerstag um 10 Uhr telefonieren?",
        "Im Moment leider nicht, bitte melden Sie sich im März noch einmal.",
        "Ich bin nächste Woche im Urlaub. Passt Ihnen der 5. Januar?",
        "Bitte streichen Sie mich aus Ihrem Verteiler, ich bin nicht zuständig.",
        "Herr Muster ist nicht mehr bei uns, ich habe das Thema übernommen. Was kostet das für 200 Plätze?",
        "Vielen Dank für Ihre Nachricht. Ich habe sie an unsere Geschäftsführung weitergegeben.\n\nMit freundlichen Grüßen\nDana Beispiel",
        "passt",
        "Ihre letzte Mail kam als unzustellbar zurück, daher antworte ich von dieser Adresse.",
    ),
    "fr": (
        "Merci, c'est intéressant. Pouvons-nous en parler jeudi à 10 h ?",
        "Pas pour le moment, merci de me recontacter en mars.",
        "Je suis en congés la semaine prochaine, est-ce que le 5 janvier vous convient ?",
        "Veuillez me retirer de votre liste, je ne suis pas la bonne personne.",
        "M. Dupont a quitté la société, je reprends le dossier. Quel est le prix pour 200 postes ?",
        "d'accord",
    ),
    "es": (
        "Gracias, es muy útil. ¿Podemos hablar el jueves a las 10?",
        "Ahora no es buen momento, escríbame de nuevo en marzo.",
        "La semana que viene estoy de vacaciones, ¿le va bien el 5 de enero?",
        "Por favor, elimíneme de su lista, no soy la persona indicada.",
        "El señor García ya no trabaja aquí, ahora llevo yo el tema. ¿Cuánto cuesta para 200 puestos?",
        "vale",
    ),
}

ANNOUNCED: dict[str, tuple[str, ...]] = {
    "en": ("On Thu, 17 Dec 2026 at 09:00, Ravi Rep <marketing@lumenflow.example> wrote:",
           "On 17 Dec 2026, at 09:00, Ravi Rep <marketing@lumenflow.example>\nwrote:"),
    "de": ("Am Do., 17. Dez. 2026 um 09:00 Uhr schrieb Ravi Rep <marketing@lumenflow.example>:",
           "Am 17.12.26 um 09:00 schrieb Ravi Rep:"),
    "fr": ("Le jeu. 17 déc. 2026 à 09:00, Ravi Rep <marketing@lumenflow.example> a écrit :",
           "Le 17/12/2026 à 09:00, Ravi Rep a écrit :"),
    "es": ("El jue, 17 dic 2026 a las 9:00, Ravi Rep (<marketing@lumenflow.example>) escribió:",
           "El 17/12/2026 a las 09:00, Ravi Rep escribió:"),
}  # fmt: skip

BLOCKS: dict[str, str] = {
    "en": "From: Ravi Rep <marketing@lumenflow.example>\nSent: Thursday, December 17, 2026 9:00 AM\n"
          "To: Dana Example <dana.example@acme.example>\nSubject: {subject}",
    "de": "Von: Ravi Rep <marketing@lumenflow.example>\nGesendet: Donnerstag, 17. Dezember 2026 09:00\n"
          "An: Dana Example <dana.example@acme.example>\nBetreff: {subject}",
    "fr": "De : Ravi Rep <marketing@lumenflow.example>\nEnvoyé : jeudi 17 décembre 2026 09:00\n"
          "À : Dana Example <dana.example@acme.example>\nObjet : {subject}",
    "es": "De: Ravi Rep <marketing@lumenflow.example>\nEnviado el: jueves, 17 de diciembre de 2026 9:00\n"
          "Para: Dana Example <dana.example@acme.example>\nAsunto: {subject}",
}  # fmt: skip

RULES = {
    "en": "-----Original Message-----", "de": "-----Ursprüngliche Nachricht-----", "fr": "-----Message d'origine-----",
    "es": "-----Mensaje original-----",
}  # fmt: skip
PHONES = {
    "en": "Sent from my iPhone", "de": "Von meinem iPhone gesendet", "fr": "Envoyé de mon iPhone",
    "es": "Enviado desde mi iPhone",
}  # fmt: skip
PREFIX = {"en": "Re: ", "de": "AW: ", "fr": "RE: ", "es": "RV: "}

#: (name, how a body and the quote become a text) by language.
Posted = tuple[str, str]


def posted(body: str, language: str) -> Iterator[Posted]:
    """A body as several programs send it, with what they quote."""
    marked = "\n".join(f"> {line}".rstrip() for line in QUOTED)
    plain = "\n".join(QUOTED)
    block = BLOCKS[language].format(subject=SUBJECT)
    short, long = ANNOUNCED[language]
    yield "gmail", f"{body}\n\n{short}\n\n{marked}\n"
    yield "apple", f"{body}\n\n{PHONES[language]}\n\n{long}\n\n{marked}\n"
    yield "outlook", f"{body}\n\n{block}\n\n{plain}\n"
    yield "outlook-rule", f"{body}\n\n{RULES[language]}\n{block}\n\n{plain}\n"
    yield "outlook-line", f"{body}\n\n________________________________\n{block}\n\n{plain}\n"
    yield "signed", f"{body}\n\n-- \nDana Example · Acme GmbH · +49 30 123456\n\n{short}\n{marked}\n"
    yield "below", f"{short}\n{marked}\n\n{body}\n"
    yield "nothing", f"{body}\n"


def replies() -> Iterator[Labelled]:
    """What people answer."""
    for language, bodies in HUMAN.items():
        for number, body in enumerate(bodies):
            for program, text in posted(body, language):
                raw = letter(text, subject=PREFIX[language] + SUBJECT, **ANSWERING)
                yield Labelled(f"reply-{language}-{number}-{program}", raw, Kind.REPLY, body)
            answered = letter(body + "\n", subject=f"Re: Automatic reply: {SUBJECT}", **ANSWERING)
            yield Labelled(f"reply-{language}-{number}-to-note", answered, Kind.REPLY, body)
            suppressing = letter(
                body + "\n",
                subject=PREFIX[language] + SUBJECT,
                X_Auto_Response_Suppress="DR, OOF, AutoReply",
                **ANSWERING,
            )
            yield Labelled(f"reply-{language}-{number}-suppressing", suppressing, Kind.REPLY, body)
            for program, html in posted_html(body, language):
                raw = letter("", subject=PREFIX[language] + SUBJECT, html=html, **ANSWERING)
                yield Labelled(f"reply-{language}-{number}-{program}", raw, Kind.REPLY, body)


def posted_html(body: str, language: str) -> Iterator[Posted]:
    """The same from programs that send HTML only."""
    words = "".join(f"<div>{line}</div>" if line else "<div><br></div>" for line in body.split("\n"))
    quoted = "<br>".join(QUOTED)
    short = ANNOUNCED[language][0].replace("<", "&lt;").replace(">", "&gt;")
    block = BLOCKS[language].format(subject=SUBJECT).replace("<", "&lt;").replace(">", "&gt;").replace("\n", "<br>")
    yield "gmail-html", f"{words}<div class=gmail_quote><div>{short}<br></div><blockquote>{quoted}</blockquote></div>"
    yield (
        "outlook-html",
        (
            f"<html><head><style>p {{margin:0}}</style></head><body>{words}<div style='border-top:solid #E1E1E1 1.0pt'>"
            f"<p><b>{block}</b></p></div><p>{quoted}</p></body></html>"
        ),
    )


#: (text, first day back when written on Friday, 18 December 2026)
ABSENT: dict[str, tuple[tuple[str, str], ...]] = {
    "en": (
        ("I am out of the office until 5 January. In urgent cases please contact my colleague Max Muster.", "2027-01-05"),
        (("Thank you for your email. I am currently out of the office and will be back on January 5th, 2027.\n"
         "For urgent matters please call +49 30 123456."), "2027-01-05"),
        (("I'm away from Monday 21 December to Friday 1 January with limited access to email. "
         "For urgent matters contact sales@acme.example."), "2027-01-04"),
        ("I am on annual leave up to and including Sunday, 3 January 2027.\nYour email will not be forwarded.", "2027-01-04"),
        ("I'm out of office, returning 04/01/2027. I will respond to your message when I return.", "2027-01-04"),
        ("Our office is closed for the holidays. We will be back on Monday. Thank you for your message.", "2026-12-21"),
        ("I am on leave through January 8. If urgent, please contact max@acme.example.", "2027-01-11"),
        ("I am out of the office with no access to email. Thank you for your message.", ""),
        ("I am on maternity leave until March 2027. Please contact Max Muster in my absence.", "2027-03-01"),
    ),
    "de": (
        (("Vielen Dank für Ihre Nachricht. Ich bin bis einschließlich 03.01. nicht im Büro. "
         "In dringenden Fällen wenden Sie sich bitte an Max Muster."), "2027-01-04"),
        (("Ich bin bis zum 05.01.2027 im Urlaub und ab dem 06.01.2027 wieder für Sie da. Ihre E-Mail wird nicht "
         "weitergeleitet."), "2027-01-06"),
        ("Ich bin vom 21.12. bis 01.01. abwesend. Bei dringenden Anliegen: vertrieb@acme.example.", "2027-01-04"),
        ("Am Montag, den 4. Januar, bin ich wieder erreichbar. Während meiner Abwesenheit hilft Ihnen Max Muster.",
         "2027-01-04"),
        ("Ich bin derzeit nicht erreichbar. In dringenden Fällen: 030 123456.", ""),
        ("Ich befinde mich in Elternzeit bis Ende Januar. Bitte wenden Sie sich an Max Muster.", "2027-02-01"),
        ("Unser Büro ist geschlossen. Wir sind ab dem 7. Januar 2027 wieder für Sie da. Vielen Dank für Ihre Nachricht.",
         "2027-01-07"),
    ),
    "fr": (
        (("Bonjour,\n\nJe suis absent du bureau jusqu'au 4 janvier inclus. En cas d'urgence, vous pouvez contacter "
         "Max Muster."), "2027-01-05"),
        ("Merci pour votre message. Je serai de retour le lundi 4 janvier 2027.\nEn cas d'urgence : 01 23 45 67 89",
         "2027-01-04"),
        ("Actuellement en congés du 21/12 au 01/01, je vous répondrai à mon retour.", "2027-01-04"),
        ("Je suis en déplacement et de retour le 05/01/2027. Pendant mon absence, merci de contacter Max.", "2027-01-05"),
        ("Absente du bureau, je n'ai pas accès à ma messagerie. Merci pour votre message.", ""),
    ),
    "es": (
        ("Estaré fuera de la oficina hasta el 4 de enero. Para asuntos urgentes contacte con Max Muster.", "2027-01-05"),
        ("Gracias por su mensaje. Estoy de vacaciones y vuelvo el lunes 4 de enero de 2027. En caso de urgencia: 91 123 45 67",
         "2027-01-04"),
        ("Me encuentro ausente del 21/12 al 01/01. Durante mi ausencia puede contactar con Max Muster.", "2027-01-04"),
        ("No estaré disponible hasta el 05/01/2027. Le responderé a mi regreso.", "2027-01-06"),
        ("Estoy fuera de la oficina sin acceso a mi correo. Gracias por su mensaje.", ""),
    ),
}  # fmt: skip

#: (text, who is named, at which address)
LEFT: dict[str, tuple[tuple[str, str, str], ...]] = {
    "en": (
        ("Dana Example is no longer with Acme. Please contact Max Muster at max.muster@acme.example.", "Max Muster",
         "max.muster@acme.example"),
        ("I have left the company as of 30 November. My successor is Erika van der Berg (erika.berg@acme.example).",
         "Erika van der Berg", "erika.berg@acme.example"),
        ("Thank you for your email. I no longer work for Acme. For all enquiries please email sales@acme.example.", "",
         "sales@acme.example"),
        ("Dana no longer works here. Kind regards, Acme", "", ""),
    ),
    "de": (
        (("Frau Example ist nicht mehr für unser Unternehmen tätig. Bitte wenden Sie sich an Herrn Max Muster "
         "(max.muster@acme.example)."), "Max Muster", "max.muster@acme.example"),
        (("Ich habe das Unternehmen zum 30.11. verlassen. Meine Nachfolgerin ist Erika von Stein, "
         "erika.stein@acme.example."), "Erika von Stein", "erika.stein@acme.example"),
        ("Dana Example arbeitet nicht mehr bei Acme. Ihre E-Mail wird nicht weitergeleitet.", "", ""),
    ),
    "fr": (
        ("Dana Example a quitté l'entreprise. Merci de contacter Mme Claire Dubois : claire.dubois@acme.example",
         "Claire Dubois", "claire.dubois@acme.example"),
        (("Je ne fais plus partie de la société Acme. Vous pouvez désormais contacter Max Muster "
         "<max.muster@acme.example>."), "Max Muster", "max.muster@acme.example"),
    ),
    "es": (
        ("Dana Example ya no trabaja en Acme. Por favor contacte con Lucía Pérez (lucia.perez@acme.example).",
         "Lucía Pérez", "lucia.perez@acme.example"),
        ("Le informo de que he dejado la empresa. Póngase en contacto con Max Muster en max.muster@acme.example.",
         "Max Muster", "max.muster@acme.example"),
    ),
}  # fmt: skip

RECEIPTS: dict[str, tuple[str, ...]] = {
    "en": (
        "We have received your message. Your ticket number is 4711. We will get back to you within two business days.",
    ),
    "de": ("Ihre Anfrage ist bei uns eingegangen. Die Ticketnummer lautet 4711.",),
    "fr": ("Nous avons bien reçu votre demande et vous répondrons dans les meilleurs délais.",),
    "es": ("Hemos recibido su solicitud. Su número de ticket es 4711.",),
}

#: What programs put into the head, and the subject they write under. The last ones put nothing there.
NOTE_HEADS: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("exchange", "Automatic reply: {subject}", {"Auto_Submitted": "auto-generated", "X_Auto_Response_Suppress": "All",
                                                "X_MS_Exchange_Inbox_Rules_Loop": "dana.example@acme.example"}),
    ("gmail", "Re: {subject}", {"Auto_Submitted": "auto-replied", "Precedence": "bulk", "X_Autoreply": "yes"}),
    ("sieve", "Auto: {subject}", {"Auto_Submitted": "auto-replied (vacation)"}),
    ("notes", "AUTO: Dana Example is out of the office", {}),
    ("german", "Automatische Antwort: {subject}", {"X_Auto_Response_Suppress": "All"}),
    ("german-old", "Abwesenheitsnotiz: {subject}", {}),
    ("french", "Réponse automatique : {subject}", {}),
    ("spanish", "Respuesta automática: {subject}", {}),
    ("groupwise", "Re: {subject}", {"Precedence": "auto_reply"}),
    ("quoting", "Automatic reply: {subject}", {"Auto_Submitted": "auto-replied"}),
)  # fmt: skip
BARE_HEADS = (("bare-re", "Re: {subject}"), ("bare", "{subject}"))


def notes() -> Iterator[Labelled]:
    """Absences and departures, under the heads of several programs."""
    told = [
        (f"away-{language}-{number}", text, back, Kind.OUT_OF_OFFICE)
        for language, texts in ABSENT.items()
        for number, (text, back) in enumerate(texts)
    ]
    told += [(f"left-{language}-{number}", text, "", Kind.LEFT_COMPANY)
             for language, texts in LEFT.items() for number, (text, *_) in enumerate(texts)]  # fmt: skip
    for name, text, back, kind in told:
        for program, subject, head in NOTE_HEADS:
            if program == "notes" and kind is Kind.LEFT_COMPANY:
                continue
            body = f"{text}\n\n{ANNOUNCED['en'][0]}\n> {QUOTED[2]}\n" if program == "quoting" else f"{text}\n"
            raw = letter(body, subject=subject.format(subject=SUBJECT), In_Reply_To=MESSAGE_ID, **head)
            yield Labelled(f"{name}-{program}", raw, kind, back=back)
        for program, subject in BARE_HEADS:
            raw = letter(f"{text}\n", subject=subject.format(subject=SUBJECT))
            yield Labelled(f"{name}-{program}", raw, kind, back=back, bare=True)


def receipts() -> Iterator[Labelled]:
    """Programs that say thank you, and nothing of the reader."""
    heads = cycle(({"Auto_Submitted": "auto-replied"}, {"Precedence": "auto_reply"}, {"X_Autorespond": "1"}))
    for language, texts in RECEIPTS.items():
        for text in texts:
            raw = letter(f"{text}\n", subject=f"[Ticket 4711] {SUBJECT}", **next(heads))
            yield Labelled(f"receipt-{language}", raw, Kind.AUTO_REPLY)


def everything() -> Iterator[Labelled]:
    yield from replies()
    yield from notes()
    yield from receipts()


def day(back: datetime | None) -> str:
    """The day of return as the labels write it, in Dana's zone (an hour ahead of UTC)."""
    return back.date().isoformat() if back else ""
