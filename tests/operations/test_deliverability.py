"""Whether mail is believed: keys, one domain for all, a way out, and what the DNS says about it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import SecretStr

from accounts.errors import InputRefused, SettingsRefused
from flows.channels.email.dkim import SEALED, SIGNED
from flows.channels.email.dkim_keys import MAKE_A_KEY
from flows.cli import tandem
from flows.doctor import Patient, examine, records, reputation
from flows.doctor.records import organisation, tags
from flows.doctor.resolver import LookUp, Resolver, is_reserved
from flows.operating.deployments import deployments_file
from flows.operating.up import everything
from flows.settings import Dkim, Settings, Smtp
from tests.operations.name_server import name_server
from tests.operations.patients import patient

pytestmark = pytest.mark.usefixtures("house")

DOMAIN = "mail.lumenflow.dev"
BOUNCES = "bounces.lumenflow.dev"
Found = dict[tuple[str, str], list[str]]


def pem(key: Any) -> str:
    return str(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())


RSA = pem(generate_private_key(65537, 2048))
SHORT_RSA = pem(generate_private_key(65537, 1024))  # noqa: S505 -- what the doctor is to complain about
ED25519 = pem(Ed25519PrivateKey.generate())


def house(**changes: Any) -> dict[str, Any]:
    """The settings of one that sends through a mail server, everything as it should be."""
    keys = Dkim(rsa_key=SecretStr(RSA), ed25519_key=SecretStr(ED25519))
    sound = {
        "channel": "smtp", "sending_domain": DOMAIN, "bounce_domain": BOUNCES, "dkim": keys,
        "base_url": "https://go.lumenflow.dev", "smtp": Smtp(host="smtp.sendgrid.net"),
    }  # fmt: skip
    return {**sound, **changes}


def published_by(settings: Settings) -> Found:
    """A zone in which everything stands that is to be published."""
    zone = {(record.name, record.kind): [record.value] for record in records.records(settings)}
    return {**zone, (BOUNCES, "MX"): ["10 mx.lumenflow.dev."]}


def looking_up(found: Found) -> LookUp:
    return lambda name, kind: found.get((name, kind), [])


def look_at(found: Found, **changes: Any) -> Patient:
    base = patient(**house(**changes))
    return Patient(base.settings, base.now, look_up=looking_up(found))


class TestSigning:
    def test_sound_keys_are_named_with_domain_and_selector(self) -> None:
        found = reputation.signing(patient(**house()))
        assert found is not None
        assert (found.state, DOMAIN in found.says) == ("ok", True)
        assert "tandem (rsa, 2048 bits), tandem-ed25519 (ed25519, 256 bits)" in found.says

    @pytest.mark.parametrize(
        ("dkim", "state", "says"),
        [
            (Dkim(), "warn", "unsigned"),
            (Dkim(rsa_key=SecretStr("hush-hush")), "fail", "no private key"),
            (Dkim(rsa_key_file=Path("nowhere.pem")), "fail", "nowhere.pem cannot be read"),
            (Dkim(rsa_key=SecretStr(SHORT_RSA)), "warn", "1024 bits"),
            (Dkim(ed25519_key=SecretStr(ED25519)), "warn", "some receivers verify RSA only"),
        ],
    )
    def test_what_is_wrong_with_a_key_has_a_cure(self, dkim: Dkim, state: str, says: str) -> None:
        found = reputation.signing(patient(**house(dkim=dkim)))
        assert found is not None
        assert (found.state, says in found.says, bool(found.cure)) == (state, True, True), found
        assert "hush" not in f"{found.says}{found.cure}"

    def test_a_key_that_others_may_read(self, tmp_path: Path) -> None:
        file = tmp_path / "key.pem"
        file.write_text(RSA)
        for mode, state in ((0o644, "warn"), (0o600, "ok")):
            file.chmod(mode)
            found = reputation.signing(patient(**house(dkim=Dkim(rsa_key_file=file))))
            assert found is not None
            assert found.state == state, found

    def test_where_nothing_leaves_nothing_needs_a_key_and_providers_have_their_own(self) -> None:
        assert reputation.signing(patient()) is None
        found = reputation.signing(patient(**house(channel="postmark", dkim=Dkim())))
        assert found is not None
        assert (found.state, "postmark signs" in found.says) == ("ok", True)

    def test_tandem_up_does_not_start_with_a_key_that_cannot_sign(self) -> None:
        settings = Settings(dkim=Dkim(rsa_key=SecretStr("hush-hush")))
        said: list[str] = []
        with (
            pytest.raises(SettingsRefused, match=r"dkim\.rsa_key"),
            everything(settings, None, None, deployments_file(), said.append),
        ):
            pass
        assert said == [], "nothing was started"


class TestAlignment:
    @pytest.mark.parametrize(
        ("changes", "state"),
        [
            ({}, "ok"),
            ({"dkim": Dkim()}, "ok"),
            ({"dkim": Dkim(rsa_key=SecretStr(RSA), domain="lumenflow.dev")}, "ok"),
            ({"dkim": Dkim(rsa_key=SecretStr(RSA), domain="relay.dev")}, "fail"),
            ({"bounce_domain": "relay.dev"}, "warn"),
            ({"bounce_domain": "relay.dev", "dkim": Dkim()}, "fail"),
            ({"bounce_domain": None}, "ok"),
            ({"sending_domain": "a.co.uk", "bounce_domain": "b.co.uk", "dkim": Dkim()}, "fail"),
            ({"sending_domain": "x.a.co.uk", "bounce_domain": "y.a.co.uk", "dkim": Dkim()}, "ok"),
        ],
    )
    def test_signature_or_return_path_must_be_of_the_domain_in_from(self, changes: Any, state: str) -> None:
        found = reputation.alignment(patient(**house(**changes)))
        assert found is not None
        assert (found.state, bool(found.cure)) == (state, state != "ok"), found

    def test_nothing_is_asked_of_a_house_that_sends_nothing(self) -> None:
        assert reputation.alignment(patient()) is None

    def test_the_registered_domain_is_the_one_below_the_public_suffix(self) -> None:
        assert organisation("a.b.lumenflow.co.uk") == "lumenflow.co.uk"
        assert organisation("lumenflow.example") == "lumenflow.example"
        assert organisation("co.uk") == "co.uk"


class TestOneClick:
    @pytest.mark.parametrize(
        ("base_url", "state"),
        [("https://go.lumenflow.dev", "ok"), ("http://go.lumenflow.dev", "fail"), ("http://127.0.0.1:8088", None)],
    )
    def test_unsubscribing_with_one_click_needs_https_outside_this_machine(
        self, base_url: str, state: str | None
    ) -> None:
        found = reputation.one_click(patient(base_url=base_url))
        assert (found.state if found else None) == state


class TestPublished:
    def test_what_tandem_says_to_publish_is_what_it_wants_to_find(self) -> None:
        wanted = published_by(Settings(**house()))
        assert set(wanted) == {
            (f"tandem._domainkey.{DOMAIN}", "TXT"), (f"tandem-ed25519._domainkey.{DOMAIN}", "TXT"),
            (BOUNCES, "TXT"), (BOUNCES, "MX"), ("_dmarc.lumenflow.dev", "TXT"),
        }  # fmt: skip
        found = reputation.published(look_at(wanted))
        assert found is not None
        assert (found.state, found.says) == ("ok", "5 records say what they should")

    @pytest.mark.parametrize(
        ("name", "kind", "stands_there", "state", "says"),
        [
            (f"tandem._domainkey.{DOMAIN}", "TXT", [], "fail", "not published"),
            (f"tandem._domainkey.{DOMAIN}", "TXT", ["v=DKIM1; p="], "fail", "withdrawn"),
            (f"tandem._domainkey.{DOMAIN}", "TXT", ["v=DKIM1; k=rsa; p=AAAA"], "fail", "another key"),
            (f"tandem._domainkey.{DOMAIN}", "TXT", ["v=DKIM1; p=A", "v=DKIM1; p=B"], "fail", "2 records"),
            (BOUNCES, "TXT", [], "fail", "no SPF record"),
            (BOUNCES, "TXT", ["google-site-verification=x"], "fail", "no SPF record"),
            (BOUNCES, "TXT", ["v=spf1 include:sendgrid.net ~all", "v=spf1 -all"], "fail", "2 SPF records"),
            (BOUNCES, "TXT", ["v=spf1 include:sendgrid.net +all"], "fail", "the whole world"),
            (BOUNCES, "TXT", ["v=spf1 ip4:192.0.2.1 -all"], "warn", "does not name include:sendgrid.net"),
            ("_dmarc.lumenflow.dev", "TXT", [], "fail", "no DMARC record"),
            ("_dmarc.lumenflow.dev", "TXT", ["v=DMARC1; p=none", "v=DMARC1; p=reject"], "fail", "2 DMARC"),
            (BOUNCES, "MX", [], "fail", "bounces are lost"),
            (BOUNCES, "MX", ["0 ."], "fail", "null MX"),
        ],
    )
    def test_what_stands_in_the_dns_is_read_as_receivers_read_it(
        self, name: str, kind: str, stands_there: list[str], state: str, says: str
    ) -> None:
        found = reputation.published(look_at({**published_by(Settings(**house())), (name, kind): stands_there}))
        assert found is not None
        assert (found.state, found.cure) == (state, "tandem dns says what to publish")
        assert found.says.startswith(f"{name}: ")
        assert says in found.says

    def test_other_texts_beside_the_record_do_no_harm(self) -> None:
        zone = published_by(Settings(**house()))
        zone[BOUNCES, "TXT"] = ["google-site-verification=x", "V=spf1 mx include:sendgrid.net -all"]
        zone["_dmarc.lumenflow.dev", "TXT"] = ["v=DMARC1;p=reject; sp=none"]
        found = reputation.published(look_at(zone))
        assert found is not None
        assert found.state == "ok"

    def test_a_key_published_for_testing_is_said_so(self) -> None:
        zone = published_by(Settings(**house()))
        name = (f"tandem._domainkey.{DOMAIN}", "TXT")
        zone[name] = [f"{zone[name][0]}; t=y:s"]
        found = reputation.published(look_at(zone))
        assert found is not None
        assert (found.state, "t=y" in found.says) == ("warn", True)

    @pytest.mark.parametrize(
        ("policy", "changes", "state"),
        [
            ("v=DMARC1; p=reject; adkim=s; aspf=s", {}, "ok"),
            ("v=DMARC1; p=reject; aspf=s", {"dkim": Dkim()}, "fail"),
            ("v=DMARC1; p=reject; adkim=s", {"dkim": Dkim()}, "ok"),
            (
                "v=DMARC1; p=reject; adkim=s; aspf=s",
                {"dkim": Dkim(rsa_key=SecretStr(RSA), domain="lumenflow.dev")}, "fail",
            ),
        ],
    )  # fmt: skip
    def test_a_policy_of_strict_alignment_is_held_against_our_domains(
        self, policy: str, changes: Any, state: str
    ) -> None:
        zone = {**published_by(Settings(**house(**changes))), ("_dmarc.lumenflow.dev", "TXT"): [policy]}
        found = reputation.published(look_at(zone, **changes))
        assert found is not None
        assert found.state == state, found

    def test_a_policy_of_the_sending_domain_itself_outranks_the_one_above(self) -> None:
        zone = published_by(Settings(**house(dkim=Dkim())))
        zone[f"_dmarc.{DOMAIN}", "TXT"] = ["v=DMARC1; p=reject; aspf=s"]
        found = reputation.published(look_at(zone, dkim=Dkim()))
        assert found is not None
        assert "strict alignment" in found.says

    @pytest.mark.parametrize(
        ("host", "mechanism"),
        [
            ("smtp.sendgrid.net", "include:sendgrid.net"),
            ("email-smtp.eu-west-1.amazonaws.com", "include:amazonses.com"),
            ("notsendgrid.net", "a:notsendgrid.net"), ("mx.lumenflow.dev", "a:mx.lumenflow.dev"),
            ("192.0.2.7", "ip4:192.0.2.7"), ("2001:db8::7", "ip6:2001:db8::7"), ("127.0.0.1", records.OUR_ADDRESS),
        ],
    )  # fmt: skip
    def test_spf_names_the_mail_server_that_is_set(self, host: str, mechanism: str) -> None:
        wanted = records.records(Settings(**house(smtp=Smtp(host=host))))
        assert (BOUNCES, f"v=spf1 {mechanism} ~all") in [(record.name, record.value) for record in wanted]

    def test_of_a_provider_that_signs_itself_only_the_policy_is_ours(self) -> None:
        [policy] = records.records(Settings(**house(channel="postmark")))
        assert policy.name == "_dmarc.lumenflow.dev"

    def test_nobody_is_asked_about_names_that_are_nowhere_or_where_nothing_leaves(self) -> None:
        def never(name: str, kind: str) -> list[str]:
            raise AssertionError(f"asked for {name}")

        for changes in ({"sending_domain": "mail.lumenflow.example"}, {"channel": "outbox"}):
            base = patient(**house(**changes))
            assert reputation.published(Patient(base.settings, base.now, look_up=never)) is None

    def test_a_name_server_that_does_not_answer_fails_nothing(self) -> None:
        base = patient(**house())
        found = reputation.published(Patient(base.settings, base.now, look_up=lambda _name, _kind: None))
        assert found is not None
        assert (found.state, "not compared" in found.says) == ("warn", True)

    def test_a_key_that_cannot_sign_is_said_once(self) -> None:
        dkim = Dkim(rsa_key=SecretStr("hush-hush"))
        base = patient(**house(dkim=dkim))
        asked = Patient(base.settings, base.now, look_up=looking_up({}))
        found = examine(asked, (reputation.signing, reputation.alignment, reputation.published))
        assert [one.name for one in found if one.state == "fail"] == ["DKIM"]


class TestResolver:
    def test_it_reads_texts_and_mail_servers_whole_and_knows_nothing_from_no_answer(self) -> None:
        long = f"v=DKIM1; k=rsa; p={'A' * 700}"
        zone = {
            ("key.lumenflow.dev", "TXT"): [" ".join(f'"{long[at : at + 255]}"' for at in range(0, len(long), 255))],
            ("lumenflow.dev", "MX"): ["10 mx.lumenflow.dev.", "20 mx2.lumenflow.dev."],
        }
        with name_server(zone) as server:
            ask = Resolver(server)
            assert ask("key.lumenflow.dev", "TXT") == [long]
            assert sorted(ask("lumenflow.dev", "MX") or []) == ["10 mx.lumenflow.dev.", "20 mx2.lumenflow.dev."]
            assert ask("lumenflow.dev", "TXT") == [], "the name is there, the text is not"
            assert ask("nowhere.dev", "TXT") == [], "there is no such name"

    def test_one_that_never_answers_is_asked_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("flows.doctor.resolver.PATIENCE", 0.2)
        with name_server({("lumenflow.dev", "TXT"): ['"x"']}, silent=True) as server:
            ask = Resolver(server)
            assert ask("lumenflow.dev", "TXT") is None
        with name_server({("lumenflow.dev", "TXT"): ['"x"']}) as server:
            ask.server = server
            assert ask("lumenflow.dev", "TXT") is None, "it is not asked a second time"

    @pytest.mark.parametrize("server", ["ns.lumenflow.dev", "127.0.0.1:dns", ""])
    def test_a_name_server_is_named_by_its_address(self, server: str) -> None:
        with pytest.raises(InputRefused, match="is no name server"):
            Resolver(server)

    def test_reserved_names_are_known(self) -> None:
        assert is_reserved("mail.lumenflow.example")
        assert is_reserved("localhost")
        assert is_reserved("example.com")
        assert not is_reserved("lumenflow.dev")
        assert not is_reserved("counterexample.dev")


class TestCommand:
    @pytest.fixture
    def variables(self, house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in {
            "CHANNEL": "smtp", "SENDING_DOMAIN": DOMAIN, "BOUNCE_DOMAIN": BOUNCES, "SMTP__HOST": "smtp.sendgrid.net",
            "DKIM__RSA_KEY": RSA, "DKIM__ED25519_KEY": ED25519,
        }.items():  # fmt: skip
            monkeypatch.setenv(f"TANDEM_{name}", value)

    def zone(self) -> Found:
        """As a name server has it, from the lines that the command itself prints."""
        printed = CliRunner().invoke(tandem, ["dns", "--zone"])
        assert printed.exit_code == 0
        zone: Found = {}
        for line in printed.output.splitlines():
            name, _, _, kind, value = line.split(" ", 4)
            assert all(len(part) <= 255 for part in value.split('"'))
            zone[name.rstrip("."), kind] = [value.replace(records.OUR_SERVER, "10 mx.lumenflow.dev.")]
        return zone

    @pytest.mark.usefixtures("variables")
    def test_what_was_published_as_it_says_is_found_in_order(self) -> None:
        with name_server(self.zone()) as server:
            result = CliRunner().invoke(tandem, ["dns", "--server", server, "--json"])
        found = json.loads(result.output)
        assert [(entry["state"], entry["type"]) for entry in found] == [
            ("ok", "TXT"), ("ok", "TXT"), ("ok", "TXT"), ("ok", "TXT"), ("ok", "MX"),
        ]  # fmt: skip
        assert result.exit_code == 0
        assert "PRIVATE" not in result.output

    @pytest.mark.usefixtures("variables")
    def test_what_is_missing_is_said_with_what_to_publish(self) -> None:
        zone = self.zone()
        del zone[BOUNCES, "TXT"]
        with name_server(zone) as server:
            result = CliRunner().invoke(tandem, ["dns", "--server", server])
        assert result.exit_code == 1
        assert f"✗ {BOUNCES}  TXT" in result.output
        assert "v=spf1 include:sendgrid.net ~all\n    now: no SPF record" in result.output

    @pytest.mark.usefixtures("variables")
    def test_offline_it_says_what_to_publish_and_that_it_did_not_look(self) -> None:
        result = CliRunner().invoke(tandem, ["dns", "--offline"])
        assert result.exit_code == 0
        assert "Not compared with the DNS" in result.output
        assert f"tandem._domainkey.{DOMAIN}" in result.output

    def test_a_house_without_a_key_is_told_how_to_make_one(self) -> None:
        result = CliRunner().invoke(tandem, ["dns"])
        assert result.exit_code == 0, "names that are nowhere are asked of nobody"
        assert "openssl genrsa" in result.output


def test_tags_are_read_whatever_blanks_stand_between() -> None:
    assert tags(" v=DKIM1 ;k=rsa; p=AB CD ;; ") == {"v": "DKIM1", "k": "rsa", "p": "ABCD"}


class TestManual:
    words = Path(reputation.__file__).parents[2].joinpath("docs", "deliverability.md").read_text("utf-8")

    @pytest.mark.parametrize("kind", ["rsa", "ed25519"])
    def test_it_makes_keys_as_the_program_says(self, kind: str) -> None:
        assert MAKE_A_KEY[kind] in self.words

    def test_it_explains_every_header_of_a_stakeholders_mail(self) -> None:
        furniture = {"mime-version", "content-type"}
        told = self.words.lower()
        assert [name for name in (*SEALED, *SIGNED) if name not in furniture and name not in told] == []

    def test_what_it_quotes_is_what_the_program_says(self) -> None:
        said = "".join(Path(module.__file__).read_text("utf-8") for module in (records, reputation))
        quoted = re.findall(r"(?m)^\| `([^`]+)` \|", self.words.partition("## When something is wrong")[2])
        assert len(quoted) >= 7
        for words in quoted:
            pattern = ".*".join(re.escape(part) for part in re.split(r"…|\d+ ", words) if part.strip())
            assert re.search(pattern, said), words
