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


AUTOMATIC = {"Auto_Submitted": "auto-replied"}
#: Of one kind each: (what it is, text, head, subject, first day back, Date if another than `DATE`, who follows).
SINGLE: tuple[tuple[Kind, str, dict[str, str], str, str, str, tuple[str, str] | None], ...] = (
    (
        Kind.OUT_OF_OFFICE,
        "Hello,\n\nThank you for your email. I'm currently travelling for business and will be slow to respond. I'll be back in the office on Wednesday, January 6.\n\nBest,\nDana",
        AUTOMATIC,
        "Re: {subject}",
        "2027-01-06",
        "",
        None,
    ),
    (
        Kind.OUT_OF_OFFICE,
        "I'm OOO 12/21-1/4 and will respond on my return. For anything urgent, ping Max (max@acme.example).",
        AUTOMATIC,
        "OOO Re: {subject}",
        "2027-01-05",
        "Fri, 18 Dec 2026 10:12:00 -0500",
        None,
    ),
    (
        Kind.OUT_OF_OFFICE,
        "Happy holidays! Acme is shutting down from Dec 24th through Jan 3rd. I'll reply when I'm back on the 4th.",
        AUTOMATIC,
        "Automatic reply: x",
        "2027-01-04",
        "",
        None,
    ),
    (
        Kind.OUT_OF_OFFICE,
        "Thanks for your note. I am on PTO today and will get back to you tomorrow.",
        AUTOMATIC,
        "Re: {subject}",
        "2026-12-19",
        "",
        None,
    ),
    (
        Kind.OUT_OF_OFFICE,
        "I am currently on parental leave and will return in April 2027. Max Muster is covering for me: max@acme.example",
        AUTOMATIC,
        "Re: {subject}",
        "2027-04-01",
        "",
        None,
    ),
    (
        Kind.OUT_OF_OFFICE,
        "Sehr geehrte Damen und Herren,\n\nvielen Dank für Ihre Nachricht. Ich bin am 04.01.2027 wieder persönlich für Sie erreichbar. Ihre E-Mail wird nicht weitergeleitet.\n\nMfG",
        AUTOMATIC,
        "Re: {subject}",
        "2027-01-04",
        "",
        None,
    ),
    (
        Kind.OUT_OF_OFFICE,
        "Guten Tag,\nich bin ab dem 21.12. bis einschließlich 08.01.2027 nicht im Hause. In dringenden Fällen erreichen Sie meine Vertretung Frau Müller unter 030/1234-56.",
        AUTOMATIC,
        "Re: {subject}",
        "2027-01-11",
        "",
        None,
    ),
    (
        Kind.OUT_OF_OFFICE,
        "Hallo, ich bin heute nicht im Büro und morgen wieder da. LG Dana",
        {},
        "Abwesenheitsnotiz",
        "2026-12-19",
        "",
        None,
    ),
    (
        Kind.OUT_OF_OFFICE,
        "Ich bin bis auf Weiteres krankheitsbedingt abwesend. Bitte wenden Sie sich an Max Muster, max@acme.example.",
        AUTOMATIC,
        "Re: {subject}",
        "",
        "",
        None,
    ),
    (
        Kind.OUT_OF_OFFICE,
        "Bonjour, je suis actuellement en congé maternité jusqu'au 15 mars 2027. Merci de vous adresser à ma collègue Claire Dubois (claire@acme.example).",
        AUTOMATIC,
        "Re: {subject}",
        "2027-03-16",
        "",
        None,
    ),
    (
        Kind.OUT_OF_OFFICE,
        "Bonjour,\n\nAbsent jusqu'au lundi 4 janvier (retour le mardi 5 janvier).\n\nCordialement",
        {},
        "Réponse automatique : x",
        "2027-01-05",
        "",
        None,
    ),
    (
        Kind.OUT_OF_OFFICE,
        "Je suis absent ce jour, je traiterai votre message à mon retour demain.",
        AUTOMATIC,
        "Re: {subject}",
        "2026-12-19",
        "",
        None,
    ),
    (
        Kind.OUT_OF_OFFICE,
        "Buenos días:\nEstaré de vacaciones desde el 21 de diciembre hasta el 7 de enero, ambos inclusive. Un saludo",
        AUTOMATIC,
        "Re: {subject}",
        "2027-01-08",
        "",
        None,
    ),
    (
        Kind.OUT_OF_OFFICE,
        "En estos momentos no puedo atenderle. Me reincorporo el 11/01/2027.",
        {},
        "Respuesta automática: x",
        "2027-01-11",
        "",
        None,
    ),
    (
        Kind.LEFT_COMPANY,
        "Dear sender, Dana Example left Acme Corp on 30 Nov 2026. Please direct future correspondence to Erika Stein <erika@acme.example>. This mailbox is not monitored.",
        AUTOMATIC,
        "Re: {subject}",
        "",
        "",
        ("Erika Stein", "erika@acme.example"),
    ),
    (
        Kind.LEFT_COMPANY,
        "Please note that I am no longer an employee of Acme. Should you have any questions, kindly contact our office at info@acme.example. Many thanks!",
        AUTOMATIC,
        "Re: {subject}",
        "",
        "",
        ("", "info@acme.example"),
    ),
    (
        Kind.LEFT_COMPANY,
        "Hi, Dana is no longer at Acme. Her accounts are now handled by Max Muster, max.muster@acme.example. Thanks!",
        AUTOMATIC,
        "Re: {subject}",
        "",
        "",
        ("Max Muster", "max.muster@acme.example"),
    ),
    (
        Kind.LEFT_COMPANY,
        "As of December 1st I've moved to a new role outside Acme. For partnership topics, Max Muster (max@acme.example) is your point of contact.",
        AUTOMATIC,
        "Re: {subject}",
        "",
        "",
        ("Max Muster", "max@acme.example"),
    ),
    (
        Kind.LEFT_COMPANY,
        "Sehr geehrte Damen und Herren, ich bin seit dem 01.12.2026 nicht mehr für die Acme GmbH tätig. Ihr neuer Ansprechpartner ist Herr Max Muster, Tel. 030 1234, E-Mail: max@acme.example.",
        AUTOMATIC,
        "Re: {subject}",
        "",
        "",
        ("Max Muster", "max@acme.example"),
    ),
    (
        Kind.LEFT_COMPANY,
        "Frau Example ist zum Jahresende aus unserem Unternehmen ausgeschieden. Bitte senden Sie Ihre Anfrage an vertrieb@acme.example.",
        AUTOMATIC,
        "Re: {subject}",
        "",
        "",
        ("", "vertrieb@acme.example"),
    ),
    (
        Kind.LEFT_COMPANY,
        "Bonjour, Mme Example ne fait plus partie des effectifs d'Acme. Pour toute demande, contactez M. Paul Martin au 01 23 45 67 89 ou paul.martin@acme.example",
        AUTOMATIC,
        "Re: {subject}",
        "",
        "",
        ("Paul Martin", "paul.martin@acme.example"),
    ),
    (
        Kind.LEFT_COMPANY,
        "Hola, a partir del 1 de diciembre ya no formo parte de Acme. Para cualquier consulta, pueden dirigirse a Lucía Pérez: lucia@acme.example",
        AUTOMATIC,
        "Re: {subject}",
        "",
        "",
        ("Lucía Pérez", "lucia@acme.example"),
    ),
    (
        Kind.LEFT_COMPANY,
        "Adresse email désactivée : Dana Example a quitté Acme. Merci d'écrire à contact@acme.example",
        AUTOMATIC,
        "Re: {subject}",
        "",
        "",
        ("", "contact@acme.example"),
    ),
    (
        Kind.AUTO_REPLY,
        "Thank you for contacting Acme. This is an automated confirmation that your e-mail arrived in our inbox. A member of the team will reply within 24 hours.",
        AUTOMATIC,
        "Re: {subject}",
        "",
        "",
        None,
    ),
    (
        Kind.REPLY,
        "Hi Ravi,\n\nsorry for the late answer, I was on vacation until yesterday. The numbers look good. Could you send a quote for 40 seats?\n\nDana\n",
        ANSWERING,
        "Re: {subject}",
        "",
        "",
        None,
    ),
    (
        Kind.REPLY,
        "Ravi - I'm traveling this week with limited access to email, but yes. Let's do it. Call me Monday.",
        ANSWERING,
        "Re: {subject}",
        "",
        "",
        None,
    ),
    (
        Kind.REPLY,
        "We're no longer working with your competitor, so good timing. Please contact my assistant Max to set something up.",
        ANSWERING,
        "Re: {subject}",
        "",
        "",
        None,
    ),
    (Kind.REPLY, "STOP", ANSWERING, "Re: {subject}", "", "", None),
    (Kind.REPLY, "unsubscribe", ANSWERING, "Re: {subject}", "", "", None),
    (Kind.REPLY, "Wrong person. Talk to procurement.", ANSWERING, "Re: {subject}", "", "", None),
    (
        Kind.REPLY,
        "Hallo Herr Rep, ich bin ab Montag im Urlaub und melde mich danach. Schöne Feiertage!",
        ANSWERING,
        "Re: {subject}",
        "",
        "",
        None,
    ),
    (
        Kind.REPLY,
        "Bonjour, je serai absent jusqu'au 4 janvier. Rappelez-moi après. Cordialement, Dana",
        ANSWERING,
        "Re: {subject}",
        "",
        "",
        None,
    ),
    (
        Kind.REPLY,
        "Gracias, pero ya no trabajo en ese departamento. Hable con Lucía.",
        ANSWERING,
        "Re: {subject}",
        "",
        "",
        None,
    ),
    (Kind.REPLY, "👍", ANSWERING, "Re: {subject}", "", "", None),
    (
        Kind.REPLY,
        "Thank you for your message. As discussed, attached is the signed order. Please confirm.",
        ANSWERING,
        "Re: {subject}",
        "",
        "",
        None,
    ),
    (
        Kind.REPLY,
        "Our mail server rejected your attachment as too large, please resend it as a link.",
        ANSWERING,
        "Re: {subject}",
        "",
        "",
        None,
    ),
    (
        Kind.REPLY,
        "I retired from the board last year but still run operations, so yes I'm the right person.",
        ANSWERING,
        "Re: {subject}",
        "",
        "",
        None,
    ),
    (
        Kind.REPLY,
        "We have received your proposal and will get back to you next week. Dana",
        ANSWERING,
        "Re: {subject}",
        "",
        "",
        None,
    ),
    (Kind.REPLY, "Out of budget until March. Try me then.", ANSWERING, "Re: Out of patience? Acme", "", "", None),
    (
        Kind.REPLY,
        "Please take me off this list. I left the procurement team in May.",
        ANSWERING,
        "Re: {subject}",
        "",
        "",
        None,
    ),
    (Kind.REPLY, "Can you resend? It went to spam.", ANSWERING, "AW: {subject}", "", "", None),
    (
        Kind.OUT_OF_OFFICE,
        "Thanks for reaching out! I'm off on holiday and back at my desk on Mon 11 Jan. If it can't wait, try Max on 0300 123.",
        AUTOMATIC,
        "Re: {subject}",
        "2027-01-11",
        "",
        None,
    ),
    (
        Kind.OUT_OF_OFFICE,
        "I will be out of the office starting 12/21/2026 and will not return until 01/04/2027.",
        AUTOMATIC,
        "Dana Example is out of the office.",
        "2027-01-04",
        "Fri, 18 Dec 2026 10:12:00 -0600",
        None,
    ),
    (
        Kind.OUT_OF_OFFICE,
        "I'm attending a conference until Thursday 24 December and may be slow to reply. Thanks for your patience.",
        AUTOMATIC,
        "Re: {subject}",
        "2026-12-24",
        "",
        None,
    ),
    (
        Kind.OUT_OF_OFFICE,
        "The office is closed between Christmas and New Year. We reopen on Monday 4 January 2027.",
        AUTOMATIC,
        "Re: {subject}",
        "2027-01-04",
        "",
        None,
    ),
    (
        Kind.AUTO_REPLY,
        "I only work Mondays and Tuesdays. I will answer your email on my next working day.",
        AUTOMATIC,
        "Re: {subject}",
        "",
        "",
        None,
    ),
    (
        Kind.OUT_OF_OFFICE,
        "Vielen Dank für Ihre E-Mail. Leider bin ich bis zum 10. Januar 2027 nicht zu erreichen. Herzliche Grüße, Dana",
        AUTOMATIC,
        "Re: {subject}",
        "2027-01-11",
        "",
        None,
    ),
    (
        Kind.OUT_OF_OFFICE,
        "Unsere Praxis bleibt vom 23.12.2026 bis zum 06.01.2027 geschlossen.",
        {},
        "Automatische Antwort: x",
        "2027-01-07",
        "",
        None,
    ),
    (
        Kind.OUT_OF_OFFICE,
        "Ich bin in der Zeit vom 21.12.2026 - 31.12.2026 außer Haus. Mails werden in dieser Zeit nicht gelesen.",
        AUTOMATIC,
        "Re: {subject}",
        "2027-01-01",
        "",
        None,
    ),
    (
        Kind.OUT_OF_OFFICE,
        "Danke für deine Mail! Ich bin im Weihnachtsurlaub. Ab Montag, 11.1. lese ich wieder mit.",
        AUTOMATIC,
        "Re: {subject}",
        "2027-01-11",
        "",
        None,
    ),
    (
        Kind.OUT_OF_OFFICE,
        "Bonjour et merci de votre message. Je suis en déplacement jusqu'au mercredi 23 décembre inclus et je consulterai ma messagerie ponctuellement.",
        AUTOMATIC,
        "Re: {subject}",
        "2026-12-24",
        "",
        None,
    ),
    (
        Kind.OUT_OF_OFFICE,
        "Je suis en congés, retour le 11 janvier 2027. Pour toute urgence : Max Muster, 06 12 34 56 78",
        {},
        "Message d'absence",
        "2027-01-11",
        "",
        None,
    ),
    (
        Kind.OUT_OF_OFFICE,
        "Hola, estoy de baja por maternidad hasta mediados de abril. Por favor contacta con Max.",
        AUTOMATIC,
        "Re: {subject}",
        "",
        "",
        None,
    ),
    (
        Kind.OUT_OF_OFFICE,
        "Gracias por contactar. Nuestras oficinas estarán cerradas del 24 de diciembre al 3 de enero.",
        AUTOMATIC,
        "Re: {subject}",
        "2027-01-04",
        "",
        None,
    ),
    (
        Kind.OUT_OF_OFFICE,
        "Estimado/a, me encuentro fuera de la ciudad y regreso el lunes 28 de diciembre.",
        AUTOMATIC,
        "Re: {subject}",
        "2026-12-28",
        "",
        None,
    ),
    (
        Kind.LEFT_COMPANY,
        "Dana Example has moved on from Acme. You can reach out to Max Muster, Head of Operations, at max@acme.example going forward.",
        AUTOMATIC,
        "Re: {subject}",
        "",
        "",
        ("Max Muster", "max@acme.example"),
    ),
    (
        Kind.LEFT_COMPANY,
        "I have retired! After 30 years... For business matters write to Erika Stein, erika@acme.example",
        AUTOMATIC,
        "Re: {subject}",
        "",
        "",
        ("Erika Stein", "erika@acme.example"),
    ),
    (
        Kind.LEFT_COMPANY,
        "The person you are trying to reach is no longer employed by Acme Ltd. Please resend your message to hello@acme.example.",
        AUTOMATIC,
        "Re: {subject}",
        "",
        "",
        ("", "hello@acme.example"),
    ),
    (
        Kind.LEFT_COMPANY,
        "This employee no longer works at our company.",
        AUTOMATIC,
        "Undelivered? no: automatic reply",
        "",
        "",
        ("", ""),
    ),
    (
        Kind.LEFT_COMPANY,
        "Ich habe die Acme AG per Ende November verlassen. Ihre Anfragen beantwortet gerne mein Kollege Max Muster (max@acme.example).",
        AUTOMATIC,
        "Re: {subject}",
        "",
        "",
        ("Max Muster", "max@acme.example"),
    ),
    (
        Kind.LEFT_COMPANY,
        "Frau Example steht Ihnen leider nicht mehr zur Verfügung, sie arbeitet nicht mehr in unserem Hause. Kontakt: Erika Stein, erika@acme.example",
        AUTOMATIC,
        "Re: {subject}",
        "",
        "",
        ("Erika Stein", "erika@acme.example"),
    ),
    (
        Kind.LEFT_COMPANY,
        "Depuis le 1er décembre, je ne travaille plus chez Acme. Mon successeur, Paul Martin, se fera un plaisir de vous répondre : paul@acme.example",
        AUTOMATIC,
        "Re: {subject}",
        "",
        "",
        ("Paul Martin", "paul@acme.example"),
    ),
    (
        Kind.LEFT_COMPANY,
        "Dana Example causó baja en la empresa. Diríjase por favor a Juan Ruiz (juan@acme.example).",
        AUTOMATIC,
        "Re: {subject}",
        "",
        "",
        ("Juan Ruiz", "juan@acme.example"),
    ),
    (
        Kind.AUTO_REPLY,
        "Your request (#99812) has been logged with our service desk and will be handled shortly.",
        AUTOMATIC,
        "Re: {subject}",
        "",
        "",
        None,
    ),
    (
        Kind.REPLY,
        "Nope, sorry. All budget is gone until the new fiscal year, which starts 1 April.",
        ANSWERING,
        "Re: {subject}",
        "",
        "",
        None,
    ),
    (
        Kind.REPLY,
        "Hi, I'm covering for Dana while she is on maternity leave until April. Send me the one-pager?",
        ANSWERING,
        "Re: {subject}",
        "",
        "",
        None,
    ),
    (
        Kind.REPLY,
        "Dana is on leave, I read her mail. Not interested.\n\nMax Muster",
        ANSWERING,
        "Re: {subject}",
        "",
        "",
        None,
    ),
    (
        Kind.REPLY,
        "Happy to, but I'm away until the 11th. Book something after that: https://cal.example/dana",
        ANSWERING,
        "Re: {subject}",
        "",
        "",
        None,
    ),
    (Kind.REPLY, "Bin im Urlaub, melde mich ab 11.1.", ANSWERING, "Re: {subject}", "", "", None),
    (
        Kind.REPLY,
        "Merci, mais je quitte la société fin décembre. Voyez avec Paul Martin (paul@acme.example).",
        ANSWERING,
        "Re: {subject}",
        "",
        "",
        None,
    ),
    (
        Kind.REPLY,
        "Ya hablé con vuestro compañero, espero la oferta. Un saludo",
        ANSWERING,
        "Re: {subject}",
        "",
        "",
        None,
    ),
    (
        Kind.REPLY,
        "Thanks Ravi. We will get back to you after the board meeting. Please do not reply to all next time ;-)",
        ANSWERING,
        "Re: {subject}",
        "",
        "",
        None,
    ),
    (Kind.REPLY, "Who is this? How did you get my address?", {}, "Re: {subject}", "", "", None),
    (Kind.REPLY, "Please send the contract to legal@acme.example and cc me.", {}, "{subject}", "", "", None),
    (
        Kind.REPLY,
        "Delivery failed last time because our mailbox was full, sorry. Could you send it again?",
        ANSWERING,
        "Re: {subject}",
        "",
        "",
        None,
    ),
)


def singles() -> Iterator[Labelled]:
    """Letters of one kind each, as different as people are."""
    for number, (kind, text, head, subject, back, date, _) in enumerate(SINGLE):
        raw = letter(f"{text}\n", subject=subject.format(subject=SUBJECT), **{"Date": date or DATE, **head})
        yield Labelled(f"single-{number}", raw, kind, text if kind is Kind.REPLY else "", back, bare=not head)


def everything() -> Iterator[Labelled]:
    yield from replies()
    yield from notes()
    yield from receipts()
    yield from singles()


def day(back: datetime | None) -> str:
    """The day of return as the labels write it, in Dana's zone (an hour ahead of UTC)."""
    return back.date().isoformat() if back else ""
