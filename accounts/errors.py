"""Our errors, drawn as a tree.

TandemError                 anything we refuse or fail at, said in one line: what, where, how to mend it
├── Refused                 understood, and refused with a reason                               exit 1
│   ├── InputRefused        a file or row that cannot be read or breaks a rule
│   ├── ContentRefused      a play, content or layout file with a mistake in it (file, line, cure)
│   ├── NotFound            nobody and nothing by that name
│   └── PlanRefused         a send plan that may not leave
├── SettingsRefused         configuration that cannot work                                      exit 2
└── ChannelError            a provider or mail server said no, or said nothing
    ├── NotSent             for certain not accepted; `permanent` says whether trying again makes sense
    │   └── Unreachable     the provider itself does not answer or lets nobody in: no blame on this message
    └── OutcomeUnknown      bytes left, no answer came: may have been delivered; never resent blindly
"""

from datetime import timedelta


class TandemError(Exception):
    """One line for a person.

    what: the sentence, without a full stop. where: ``file:line``, row or name. cure: what to do about it.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str | None = None, cure: str | None = None) -> None:
        super().__init__(what)
        self.what, self.where, self.cure = what, where, cure

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        cure = f" ({self.cure})" if self.cure else ""
        return f"{place}{self.what}{cure}"


class Refused(TandemError):
    """The request was understood and is refused, with a reason."""


class InputRefused(Refused):
    """A file or a row that cannot be taken."""


class ContentRefused(Refused):
    """A play, content or layout file that has a mistake in it."""


class NotFound(Refused):
    """Nobody and nothing by that name."""


class PlanRefused(Refused):
    """A send plan that may not leave."""


class SettingsRefused(TandemError):
    """Configuration that cannot work."""

    exit_code = 2


class ChannelError(TandemError):
    """A provider or mail server said no, or said nothing."""


class NotSent(ChannelError):
    """Not accepted, for certain. `permanent`: trying this message again makes no sense.

    reason: a word of `accounts.touch_states.Refusal` that says what it failed by, where the channel knows.
    retry_after: how long the provider asks us to wait, if it does.
    """

    def __init__(
        self, what: str, *, permanent: bool, where: str | None = None, cure: str | None = None,
        reason: str | None = None, retry_after: timedelta | None = None,
    ) -> None:  # fmt: skip
        super().__init__(what, where=where, cure=cure)
        self.permanent = permanent
        self.reason = reason
        self.retry_after = retry_after


class Unreachable(NotSent):
    """The provider does not answer or lets nobody in. Other messages would fare the same: stop and come back."""

    def __init__(
        self, what: str, *, where: str | None = None, cure: str | None = None, reason: str | None = None
    ) -> None:
        super().__init__(what, permanent=False, where=where, cure=cure, reason=reason)


class OutcomeUnknown(ChannelError):
    """The bytes left and no answer came; the message may have been delivered."""
