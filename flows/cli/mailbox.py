"""`tandem watch`: the reply mailbox, heard within seconds."""

from functools import partial

import click


@click.command()
@click.option("--play", default="new-business", show_default=True, help="Whose weights and pauses count.")
def watch(play: str) -> None:
    """Wait at the reply mailbox and take in what comes, until Ctrl-C. `tandem up` does the same where it is set.

    Example: tandem watch
    """
    from accounts.errors import SettingsRefused
    from flows.cli.run import run_now
    from flows.mailbox.watching import watch as wait_at
    from flows.settings import load_settings

    settings = load_settings()
    if settings.mailbox.host is None:
        raise SettingsRefused("there is no mailbox to wait at", where="mailbox.host", cure="name the IMAP server")
    wait_at(settings.mailbox, partial(run_now, "signals", play, None), partial(click.echo, err=True))
