"""Which clicks no person made: each sign says why and how sure it is, and several add up."""

import random
import tomllib
from datetime import timedelta
from ipaddress import ip_network
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.errors import InputRefused
from accounts.machines import ENOUGH, Mailed, Trace, judge, own_verdict
from accounts.machines.networks import FILE, find, read_networks
from accounts.machines.programs import GMAIL_AHEAD
from accounts.machines.verdict import Family, Sign, Verdict, add_up
from accounts.vocabulary import SignalKind
from tests.cast import NOW

FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
BARRACUDA = "64.235.150.0/24"


def trace(
    id: int, kind: str = "clicked", seconds: float = 0, who: int | None = 1, touch: int | None = None, **data: Any
) -> Trace:
    return Trace(id, SignalKind(kind), who, NOW + timedelta(seconds=seconds), data, touch)


def machines(*traces: Trace, **mails: Any) -> set[int]:
    return {id for id, verdict in judge(traces, **mails).items() if verdict.is_machine}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"machine": True}, "the provider says so"),
        ({"machine": True, "honeypot": True}, "followed the link that people do not see"),
        ({"method": "HEAD"}, "asked for the headers only"),
        ({"user_agent": "Slackbot-LinkExpanding 1.0"}, "the program calls itself slackbot"),
        ({"user_agent": "Mozilla/5.0 (compatible; bingbot/2.0)"}, "the program calls itself bingbot"),
        ({"user_agent": "python-requests/2.32"}, "the program calls itself python-requests"),
        ({"user_agent": "Barracuda Sentinel (EE)"}, "the program calls itself barracuda"),
        ({"user_agent": "Some gateway's newbot"}, "the program calls itself bot"),
        ({"user_agent": "(via ggpht.com GoogleImageProxy)"}, "the program calls itself googleimageproxy"),
    ],
)
def test_a_click_may_give_itself_away(data: dict[str, Any], reason: str) -> None:
    verdict = own_verdict(SignalKind.CLICKED, data)
    assert verdict is not None
    assert verdict.is_machine
    assert verdict.reasons == (reason,)


@pytest.mark.parametrize(
    "agent",
    [
        FIREFOX,
        "Mozilla/5.0 (Linux; Android 13; CUBOT P80)",
        "Mozilla/4.0 (compatible; ms-office; MSOffice 16)",
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Thunderbird/140.0",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 [LinkedInApp]",
    ],
)
def test_browsers_mail_programs_and_telephones_are_peoples(agent: str) -> None:
    assert own_verdict(SignalKind.CLICKED, {"user_agent": agent, "method": "GET", "network": "203.0.113.0/24"}) is None


@pytest.mark.parametrize(
    ("agent", "is_machine", "word"),
    [
        ("Mozilla/5.0", True, "Apple's"),
        (GMAIL_AHEAD, True, "Gmail loaded"),
        ("Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)", False, "Gmail"),
        ("YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html", False, "Yahoo"),
    ],
)
def test_pictures_loaded_ahead_are_no_opens_and_those_a_proxy_loads_are_opens_at_an_unreliable_time(
    agent: str, is_machine: bool, word: str
) -> None:
    verdict = own_verdict(SignalKind.OPENED, {"user_agent": agent})
    assert verdict is not None
    assert (verdict.is_machine, word in verdict.reason) == (is_machine, True)


def test_a_scanners_network_alone_is_not_enough_since_people_may_sit_behind_it_and_a_second_sign_is() -> None:
    alone = own_verdict(SignalKind.CLICKED, {"network": BARRACUDA, "user_agent": FIREFOX})
    assert alone is not None
    assert (alone.is_machine, alone.confidence) == (False, pytest.approx(0.7))
    judged = judge([trace(1, "delivered", 0, touch=5), trace(2, seconds=9, touch=5, network=BARRACUDA)])
    assert judged[2].confidence == pytest.approx(1 - 0.3 * 0.5)
    assert judged[2].reasons == ("from a network of Barracuda", "within 10 seconds of the delivery")
    assert judged[2].is_machine


def test_two_signs_of_one_family_count_once() -> None:
    burst = [trace(n, seconds=n, touch=7, url=str(n)) for n in range(3)]
    judged = judge(burst, {7: Mailed(links=3)})
    assert judged[1].confidence == pytest.approx(0.9)
    assert judged[1].reasons == ("3 or more links within 2 seconds",)


@pytest.mark.parametrize(("seconds", "sure"), [(-2, 0.9), (0, 0.9), (2, 0.9), (2.1, 0.5), (10, 0.5), (10.1, None)])
def test_the_sooner_a_click_comes_after_the_delivery_of_its_mail_the_surer_it_is_a_scanners(
    seconds: float, sure: float | None
) -> None:
    judged = judge([trace(1, "delivered", 0, touch=5), trace(2, seconds=seconds, touch=5), trace(3, touch=6)])
    assert (judged[2].confidence if 2 in judged else None) == (sure and pytest.approx(sure))
    assert 3 not in judged


def test_where_no_delivery_is_told_the_time_of_leaving_counts() -> None:
    assert machines(trace(1, seconds=1, touch=5), mails={5: Mailed(left_at=NOW)}) == {1}
    assert machines(trace(1, seconds=60, touch=5), mails={5: Mailed(left_at=NOW)}) == set()


def test_three_links_within_two_seconds_are_a_scanners_and_two_are_a_persons() -> None:
    two = [trace(1, seconds=0, url="a"), trace(2, seconds=1, url="b")]
    assert machines(*two) == set()
    assert machines(*two, trace(3, seconds=2, url="c")) == {1, 2, 3}


def test_all_links_of_a_mail_within_seconds_speak_for_a_scanner_and_with_the_pace_they_are_enough() -> None:
    both = [trace(1, seconds=5, touch=5, url="a"), trace(2, seconds=9, touch=5, url="b")]
    judged = judge(both, {5: Mailed(links=2)})
    assert judged[1].reasons == ("all 2 links of the mail within 10 seconds",)
    assert not judged[1].is_machine
    assert machines(*both, mails={5: Mailed(links=2, left_at=NOW)}) == {1, 2}
    assert machines(*both, mails={5: Mailed(links=3, left_at=NOW)}) == set()
    assert judge([trace(1, touch=5, url="a")], {5: Mailed(links=1)}) == {}


def test_one_link_clicked_three_times_in_anger_is_a_persons() -> None:
    assert machines(*(trace(n, seconds=n / 2, url="a") for n in range(4))) == set()


def test_links_are_counted_by_clicks_and_never_by_the_one_that_people_do_not_see() -> None:
    """Pictures, a document and the hidden link are no links that somebody follows one after the other."""
    mails = {5: Mailed(links=3)}
    for kind, data in (("opened", {}), ("downloaded", {}), ("clicked", {"honeypot": True})):
        both = [trace(n, touch=5, url=str(n)) for n in (1, 2)]
        judged = judge([*both, trace(3, kind, touch=5, url="3", **data)], mails)
        assert not [reason for verdict in judged.values() for reason in verdict.reasons if "links" in reason]


def test_a_picture_may_be_loaded_at_once_by_whoever_opens_what_has_just_arrived() -> None:
    assert judge([trace(1, "delivered", touch=5), trace(2, "opened", seconds=1, touch=5)]) == {}
    assert 2 in judge([trace(1, "delivered", touch=5), trace(2, "downloaded", seconds=1, touch=5)])


def test_a_burst_ends_where_the_pace_ends() -> None:
    burst = [trace(n, seconds=n / 2, url=str(n)) for n in range(4)]
    assert machines(*burst, trace(9, seconds=60, url="x")) == {0, 1, 2, 3}


def test_three_people_clicking_at_once_are_three_people() -> None:
    assert machines(*(trace(n, who=n, url=str(n)) for n in range(1, 4))) == set()


def test_who_follows_the_hidden_link_did_the_clicks_beside_it_and_the_person_who_comes_later_did_theirs() -> None:
    hidden = trace(1, seconds=0, touch=5, honeypot=True, machine=True)
    beside = trace(2, seconds=8, touch=5, url="a", user_agent=FIREFOX)
    later = trace(3, seconds=3600, touch=5, url="a", user_agent=FIREFOX)
    elsewhere = trace(4, seconds=8, touch=6, url="a")
    assert machines(hidden, beside, later, elsewhere) == {1, 2}


def test_a_program_that_gave_itself_away_on_a_mail_made_its_other_clicks_on_that_mail_too() -> None:
    def scan(id: int, seconds: float, method: str = "GET", network: str = "198.51.100.0/24") -> Trace:
        return trace(id, seconds=seconds, touch=5, url=str(id), method=method, user_agent=FIREFOX, network=network)

    found = machines(scan(1, 0, "HEAD"), scan(2, 300), scan(3, 900), scan(4, 300, network="203.0.113.0/24"))
    assert found == {1, 2}


def test_only_what_a_program_could_do_may_be_a_machines() -> None:
    kinds = {kind for kind in SignalKind if own_verdict(kind, {"method": "HEAD"})}
    assert kinds == {SignalKind(kind) for kind in ("opened", "clicked", "visited", "downloaded", "ad_clicked")}


def test_of_one_family_the_surest_sign_counts_and_enough_is_enough() -> None:
    slow, quick = Sign(Family.PACE, 0.5, "within 10 seconds"), Sign(Family.PACE, 0.8, "within 2 seconds")
    for both in ([slow, quick], [quick, slow], [quick, quick]):
        verdict = add_up(both)
        assert verdict is not None
        assert (verdict.reasons, verdict.confidence) == (("within 2 seconds",), pytest.approx(0.8))
    assert Verdict(ENOUGH, ()).is_machine
    assert not Verdict(ENOUGH - 0.001, ()).is_machine


def fetch(id: int, seconds: float, **other: Any) -> Trace:
    """By one program, from one network, on one mail, unless something else is said."""
    said = {"touch": 5, "url": str(id), "user_agent": FIREFOX, "network": "198.51.100.0/24", **other}
    return trace(id, seconds=seconds, **{name: value for name, value in said.items() if value is not None})


@pytest.mark.parametrize(
    ("other", "is_company"),
    [
        ({}, True),
        ({"touch": 6}, False),
        ({"touch": None}, False),
        ({"user_agent": f"{FIREFOX} (another)"}, False),
        ({"user_agent": None}, False),
        ({"network": "203.0.113.0/24"}, False),
        ({"network": None}, False),
        ({"network": None, "ip": "198.51.100.0/24"}, True),
    ],
)
def test_a_program_is_the_same_by_its_mail_its_name_and_its_network(other: dict[str, Any], is_company: bool) -> None:
    """Also where both are unknown they are not the same."""
    caught = fetch(1, 0, method="HEAD")
    assert machines(caught, fetch(2, 5, **other)) == ({1, 2} if is_company else {1})
    if None in other.values() and not is_company:
        assert machines(fetch(1, 0, method="HEAD", **other), fetch(2, 5, **other)) == {1}


def test_company_ends_with_its_time_on_both_sides_and_the_nearest_counts() -> None:
    times = {2: -600, 3: -601, 4: 600, 5: 601, 6: 1500}
    found = machines(fetch(1, 0, method="HEAD"), *(fetch(id, seconds) for id, seconds in times.items()))
    assert found == {1, 2, 4}
    caught = [fetch(id, seconds, method="HEAD") for id, seconds in ((1, 0), (2, 2_000), (3, 4_000))]
    for seconds, is_company in ((500, True), (1_000, False), (1_500, True), (2_500, True), (4_500, True)):
        assert (9 in machines(*caught, fetch(9, seconds))) is is_company
    trap = trace(1, touch=5, honeypot=True)
    assert machines(trap, trace(2, seconds=10, touch=5), trace(3, seconds=10.1, touch=5)) == {1, 2}


def test_only_what_is_a_machines_gives_others_away_and_tells_nothing_new_of_its_like() -> None:
    doubtful = [fetch(id, id, network=BARRACUDA) for id in (1, 2)]
    assert {verdict.reasons for verdict in judge(doubtful).values()} == {("from a network of Barracuda",)}
    caught = [fetch(id, id, method="HEAD") for id in (1, 2)]
    assert {verdict.reasons for verdict in judge(caught).values()} == {("asked for the headers only",)}


def test_clicks_of_nobody_known_are_nobodys_burst() -> None:
    assert machines(*(trace(n, who=None, url=str(n)) for n in range(3))) == set()


def test_a_link_is_known_by_its_address_or_else_by_what_it_leads_to_or_else_by_its_mail() -> None:
    assert machines(*(trace(n, content=str(n)) for n in range(3))) == {0, 1, 2}
    assert machines(*(trace(n, touch=n + 1) for n in range(3))) == {0, 1, 2}
    assert machines(*(trace(n, touch=n + 1, url="a", content=str(n)) for n in range(3))) == set()
    assert machines(*(trace(n, touch=n + 1, content="a") for n in range(3))) == set()


def test_links_are_told_apart_by_time_and_not_by_the_order_in_which_they_were_written_down() -> None:
    assert machines(trace(1, seconds=60, url="a"), trace(2, seconds=1, url="b"), trace(3, seconds=0, url="c")) == set()
    assert machines(*(trace(n, seconds=n * 1.25, url=str(n)) for n in range(3))) == set(), "two and a half seconds"
    both = [trace(1, seconds=0, touch=5, url="a"), trace(2, seconds=10.5, touch=5, url="b")]
    assert judge(both, {5: Mailed(links=2)}) == {}


def test_what_a_person_asked_for_is_never_called_a_machines() -> None:
    assert (
        judge([trace(1, "unsubscribed", method="HEAD", user_agent="curl/8"), trace(2, "replied", machine=True)]) == {}
    )
    assert own_verdict(SignalKind.REPLIED, {"machine": True}) is None


@pytest.mark.parametrize(
    "data",
    [
        {"user_agent": ["curl"]}, {"network": 7}, {"ip": "not an address"}, {"machine": "yes"}, {"method": None},
        {"user_agent": "x" * 100_000}, {"network": "0.0.0.0/0"}, {"ip": "::ffff:1.2.3.4%eth0"},
    ],
)  # fmt: skip
def test_nonsense_speaks_for_nothing(data: dict[str, Any]) -> None:
    assert own_verdict(SignalKind.CLICKED, data) is None


def test_a_hundred_thousand_clicks_in_one_second_are_judged_in_one_walk() -> None:
    storm = [trace(n, seconds=n / 1e6, touch=5, url=str(n), honeypot=not n % 2) for n in range(100_000)]
    assert len(machines(*storm)) == 100_000


def test_the_list_of_networks_is_data_with_its_sources_and_answers_for_parts_of_a_prefix() -> None:
    known = find("64.235.150.17")
    assert known is not None
    assert (known.name, bool(known.source)) == ("Barracuda", True)
    assert find(BARRACUDA) == known
    assert find("64.235.0.0/16") is None
    assert find("203.0.113.0/24") is find("2001:db8::/48") is None


def test_a_place_is_found_by_an_address_a_prefix_or_an_address_with_its_prefix_and_around_it_is_elsewhere() -> None:
    entries = tomllib.loads(FILE.read_text(encoding="utf-8"))
    for entry in entries.values():
        for prefix in entry["prefixes"]:
            listed: Any = ip_network(prefix)
            inside = (prefix, f" {prefix} ", str(listed[-1]), f"{listed[-1]}/{listed.prefixlen}")
            assert {place.name for asked in inside if (place := find(asked))} == {entry["name"]}, prefix
            assert find(str(listed.supernet())) is None, "half of it, or less"


def test_a_place_is_told_as_its_prefix_or_its_address() -> None:
    for name in ("network", "ip"):
        verdict = own_verdict(SignalKind.CLICKED, {name: BARRACUDA})
        assert verdict is not None
        assert verdict.reasons == ("from a network of Barracuda",)


def test_no_network_of_the_list_is_private_or_stands_in_another() -> None:
    entries = tomllib.loads(FILE.read_text(encoding="utf-8"))
    read_networks(FILE)
    listed: list[Any] = [ip_network(prefix) for entry in entries.values() for prefix in entry["prefixes"]]
    assert [one for one in listed if not one.is_global or one.is_multicast] == []
    assert [(one, other) for one, other in combinations(listed, 2) if one.overlaps(other)] == []
    assert [name for name, entry in entries.items() if not entry["source"] or not entry["checked"]] == []
    assert {entry["sure"] for entry in entries.values() if entry["sure"] >= ENOUGH} == set(), "none decides alone"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('name = "A"\nsure = 0.7\nprefixes = ["192.0.2.0/25"]\nsource = "s"', "is too narrow to be met"),
        ('name = "A"\nsure = 0.7\nprefixes = ["192.0.2.9/24"]\nsource = "s"', "is no prefix"),
        ('name = "A"\nsure = 7\nprefixes = ["192.0.2.0/24"]\nsource = "s"', "is no share of certainty"),
        ('name = "A"\nsure = 1\nprefixes = ["192.0.2.0/24"]\nsource = "s"', "is no share of certainty"),
        ('name = "A"\nsure = -0.1\nprefixes = ["192.0.2.0/24"]\nsource = "s"', "is no share of certainty"),
        ('name = "A"\nsure = 0.7\nprefixes = ["2001:db8::/49"]\nsource = "s"', "write /48 or shorter"),
        ('name = "A"\nsure = 0.7\nprefixes = ["192.0.2.0/24"]', "has no source"),
        ("sure = 0.7", "has no name and no prefixes and no source"),
        ('name = "A"\nprefixes = ["192.0.2.0/24"]\nsource = "s"', "has no sure"),
    ],
)
def test_a_mistake_in_the_list_of_networks_is_told_with_its_entry(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "networks.toml"
    path.write_text(f"[acme]\n{text}\n")
    with pytest.raises(InputRefused, match=said) as refused:
        read_networks(path)
    assert refused.value.where == f"{path}: [acme]"


def test_six_bits_more_of_the_same_network_may_say_something_else(tmp_path: Path) -> None:
    path = tmp_path / "networks.toml"
    entry = 'name = "{0}"\nsure = 0.7\nprefixes = ["{1}"]\nsource = "s"\n'
    path.write_text(f"[a]\n{entry.format('wide', '192.0.0.0/16')}[b]\n{entry.format('narrow', '192.0.2.0/24')}")
    table = read_networks(path)
    assert {network.name for by_prefix in table[4].values() for network in by_prefix.values()} == {"wide", "narrow"}
    assert sorted(table[4]) == [16, 24]


data = st.fixed_dictionaries(
    {"url": st.sampled_from("abcd")},
    optional={
        "honeypot": st.booleans(), "machine": st.booleans(), "method": st.sampled_from(["GET", "HEAD"]),
        "user_agent": st.sampled_from([FIREFOX, "curl/8", ""]),
        "network": st.sampled_from([BARRACUDA, "203.0.113.0/24"]),
    },
)  # fmt: skip
traces = st.builds(
    lambda seconds, who, touch, kind, said: trace(0, kind, seconds, who, touch, **said),
    st.integers(0, 15), st.sampled_from([1, 2]), st.sampled_from([None, 7, 8]),
    st.sampled_from(["clicked", "delivered", "opened", "downloaded"]), data,
)  # fmt: skip
MAILS = {7: Mailed(links=2, left_at=NOW), 8: Mailed(links=3)}


@given(st.lists(traces, max_size=14), st.randoms(), st.integers(0, 14))
def test_order_does_not_matter_and_more_evidence_only_makes_it_surer(
    some: list[Trace], chance: random.Random, cut: int
) -> None:
    numbered = [Trace(n, t.kind, t.person, t.occurred_at, t.data, t.touch) for n, t in enumerate(some)]
    shuffled = chance.sample(numbered, len(numbered))
    whole = judge(numbered, MAILS)
    assert whole == judge(shuffled, MAILS)
    part = judge(shuffled[:cut], MAILS)
    assert all(whole[id].confidence >= verdict.confidence for id, verdict in part.items())
    assert all(0 < verdict.confidence < 1 for verdict in whole.values())
    assert all(verdict.is_machine == (verdict.confidence >= ENOUGH) for verdict in whole.values())
