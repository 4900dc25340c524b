"""Who sees ads and who does not, what has to change on a platform, and the truth about small audiences."""

from datetime import datetime, timedelta

import pytest

from accounts.audiences import (
    Firm,
    Prospect,
    find_changes,
    member_of,
    servability,
    want_companies,
    want_people,
    why_no_ads,
)
from accounts.vocabulary import MemberState, Reason
from tests.cast import NOW

STAGES = ("contacted", "discovery", "evaluation")
TALKED = NOW - timedelta(days=30)
ALICE = Prospect("alice@acme.example", "evaluation", TALKED, "consent", TALKED, "ok", None)
ACME = Firm("acme.example", "Acme Works", "evaluation", TALKED)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, None),
        ({"ads_consent_at": None}, None),
        ({"first_contacted_at": None}, Reason.NOT_CONTACTED),
        ({"first_contacted_at": NOW + timedelta(days=1)}, Reason.NOT_CONTACTED),
        ({"ads_consent_basis": None}, Reason.NO_CONSENT),
        ({"ads_consent_basis": ""}, Reason.NO_CONSENT),
        ({"ads_consent_at": NOW + timedelta(days=1)}, Reason.NO_CONSENT),
        ({"opted_out_at": NOW}, Reason.OPTED_OUT),
        ({"email_status": "complained"}, Reason.OPTED_OUT),
        ({"email_status": "bounced"}, Reason.BOUNCED),
        ({"email_status": "left"}, Reason.LEFT),
        ({"suppressed": True}, Reason.SUPPRESSED),
        ({"account_held": True}, Reason.ACCOUNT_HELD),
        ({"person_held": True}, Reason.STAKEHOLDER_HELD),
        ({"vetoed": True}, Reason.VETOED),
        ({"owner_conflict": True}, Reason.OWNER_CONFLICT),
    ],
)
def test_every_no_keeps_a_person_out_of_ads(change: dict[str, object], reason: Reason | None) -> None:
    person = ALICE._replace(**change)
    assert why_no_ads(person, NOW) is reason
    wanted = want_people([person], ["linkedin"], NOW)["linkedin"]
    assert wanted.members == ({} if reason else {"evaluation": {member_of("linkedin", ALICE.email)}})
    assert wanted.excluded == ({reason: 1} if reason else {})


def test_each_platform_gets_its_own_form_of_a_person_and_says_whom_it_cannot_use() -> None:
    people = [ALICE._replace(email="al.ice@gmail.com"), ALICE._replace(email="ali ce@acme.example")]
    wanted = want_people(people, ["linkedin", "google"], NOW)
    assert len(wanted["linkedin"].members["evaluation"]) == 2
    assert wanted["google"].members == {"evaluation": {member_of("google", "alice@gmail.com")}}
    assert (wanted["linkedin"].unusable, wanted["google"].unusable) == (0, 1)


class TestCompanies:
    def want(self, *firms: Firm) -> dict[str, frozenset[str]]:
        return dict(want_companies(firms, STAGES, NOW).members)

    def test_a_contacted_company_is_in_the_audience_of_its_stage(self) -> None:
        wanted = want_companies([ACME, Firm("globex.example", "Globex", "discovery", TALKED)], STAGES, NOW)
        assert wanted.members == {"evaluation": {"acme.example"}, "discovery": {"globex.example"}}
        assert wanted.names["globex.example"] == "Globex"

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"first_contacted_at": None}, Reason.NOT_CONTACTED),
            ({"held": True}, Reason.ACCOUNT_HELD),
            ({"suppressed": True}, Reason.SUPPRESSED),
        ],
    )
    def test_one_division_that_may_not_be_touched_keeps_the_whole_domain_out(
        self, change: dict[str, object], reason: Reason
    ) -> None:
        """An ad to the company reaches both divisions."""
        other = ACME._replace(name="Acme South", stage=None)._replace(**change)
        wanted = want_companies([ACME, other], STAGES, NOW)
        assert (wanted.members, wanted.excluded) == ({}, {reason: 1})

    def test_a_domain_is_in_one_audience_that_of_the_division_furthest_along(self) -> None:
        assert self.want(ACME._replace(stage="contacted"), ACME, ACME._replace(stage="discovery")) == {
            "evaluation": {"acme.example"}
        }

    def test_a_mailbox_provider_is_nobodys_company(self) -> None:
        wanted = want_companies([ACME._replace(domain="gmail.com"), ACME._replace(domain=None)], STAGES, NOW)
        assert (wanted.members, wanted.unusable) == ({}, 2)

    def test_a_domain_in_no_stage_with_ads_is_nobodys_business(self) -> None:
        wanted = want_companies([ACME._replace(stage=None, first_contacted_at=None)], STAGES, NOW)
        assert (wanted.members, wanted.excluded) == ({}, {})


class TestChanges:
    def test_nothing_to_do_when_the_platform_has_what_is_wanted(self) -> None:
        changes = find_changes({"a", "b"}, {"a": MemberState.ADDED, "b": MemberState.PENDING_ADD})
        assert (changes.add, changes.remove) == (frozenset(), frozenset())

    def test_who_is_wanted_and_not_there_is_added_also_again(self) -> None:
        states = {"gone": MemberState.PENDING_REMOVE, "old": MemberState.ADDED}
        changes = find_changes({"new", "gone", "old"}, states)
        assert (changes.add, changes.remove) == ({"new", "gone"}, frozenset())

    def test_who_is_no_longer_wanted_is_removed_also_if_the_upload_was_never_confirmed(self) -> None:
        states = {"there": MemberState.ADDED, "maybe": MemberState.PENDING_ADD, "going": MemberState.PENDING_REMOVE}
        changes = find_changes(set(), states)
        assert (changes.add, changes.remove) == (frozenset(), {"there", "maybe"})


@pytest.mark.parametrize(
    ("confirmed", "kind", "text"),
    [
        (0, "people", "0 of 300, not servable yet"),
        (212, "people", "212 of 300, not servable yet"),
        (299, "people", "299 of 300, not servable yet"),
        (300, "people", "300 of 300, servable once 300 match"),
        (40, "companies", "40 companies, 300 members needed"),
    ],
)
def test_a_small_audience_is_called_small(confirmed: int, kind: str, text: str) -> None:
    assert servability(confirmed, 300, kind) == text  # type: ignore[arg-type]


def test_the_clock_is_the_one_handed_in() -> None:
    later: datetime = NOW + timedelta(days=2)
    assert why_no_ads(ALICE._replace(opted_out_at=NOW + timedelta(days=1)), later) is Reason.OPTED_OUT
