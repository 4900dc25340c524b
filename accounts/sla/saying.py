"""The promises in words both teams use."""

from accounts.vocabulary import Duty

DUTIES = {
    Duty.ANSWER: "answer who asked",
    Duty.CALL: "call a hot account",
    Duty.FIRST_NURTURE: "write first, after the first contact",
    Duty.FRESH_CONTENT: "replace stale content people wait for",
    Duty.HANDOFF_ANSWER: "answer a hand-off that came back",
    Duty.RIGHT_LIST: "put a wrong list right",
}
