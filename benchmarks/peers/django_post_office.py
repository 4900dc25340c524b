"""django-post-office sends the same mails from its queue: started by benchmarks/sending.py, driven over its pipes.

Its own way of working, with defaults: templates in its table, rendered at delivery (so that a queue of mails is one of
contexts, as ours is one of touches), one process, its SMTP backend with connections kept, its log of every mail.

    first line in    {"port": …, "database": {…Django's…}, "subject": …, "text": …, "html": …, "contexts": […]}
    then, each time  {"send": 300}     answered by {"queued": seconds, "sent": seconds, "delivered": 300}
"""

import json
import logging
import secrets
import sys
import tempfile
import time
from typing import Any


def main() -> None:
    told = json.loads(sys.stdin.readline())
    logging.disable(logging.INFO)  # it would print between our figures
    _open_office(told)
    from post_office import mail
    from post_office.models import STATUS, Email, EmailTemplate

    template = EmailTemplate.objects.create(
        name="why-now", subject=told["subject"], content=told["text"], html_content=told["html"]
    )
    lock = tempfile.mktemp()  # noqa: S306 - the library makes the file, in a folder of ours
    for line in sys.stdin:
        wanted = json.loads(line)["send"]
        begun = time.perf_counter()
        mail.send_many([_letter(template, person) for person in told["contexts"][:wanted]])
        queued = time.perf_counter()
        mail.send_queued_mail_until_done(lockfile=lock, processes=1)
        sent = time.perf_counter()
        delivered = Email.objects.filter(status=STATUS.sent).count()
        Email.objects.all().delete()
        print(json.dumps({"queued": queued - begun, "sent": sent - queued, "delivered": delivered}), flush=True)


def _letter(template: Any, person: dict[str, Any]) -> dict[str, Any]:
    return {
        "recipients": [person["address"]], "sender": person["sender"], "template": template, "context": person,
        "render_on_delivery": True, "headers": person["headers"],
    }  # fmt: skip


def _open_office(told: dict[str, Any]) -> None:
    import django
    from django.conf import settings

    secret = {"SECRET_KEY": secrets.token_hex(16)}
    settings.configure(
        INSTALLED_APPS=["post_office"], DATABASES={"default": told["database"]}, USE_TZ=True, **secret,
        EMAIL_BACKEND="post_office.EmailBackend", EMAIL_HOST="127.0.0.1", EMAIL_PORT=told["port"],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        LOGGING_CONFIG=None, TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "OPTIONS": {}}],
    )  # fmt: skip
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


if __name__ == "__main__":
    main()
