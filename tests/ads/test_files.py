"""The files to upload: the platform's own columns, whole or not at all, nothing a spreadsheet would calculate."""

import csv
import stat
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from accounts.audiences import AudienceKey, Kind
from accounts.errors import NotSent
from flows.channels.ads import Member
from flows.channels.ads.file import FileAds
from flows.spreadsheet import as_text
from tests.cast import NOW

DANA = Member(sha256(b"dana@acme.example").hexdigest())
ACME = Member("acme.example", "Acme Works")


def audience(platform: str, kind: Kind = "people") -> AudienceKey:
    return AudienceKey(platform, "new-business", "evaluation", kind)


def written(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def rows(path: Path) -> list[list[str]]:
    return list(csv.reader(path.read_text(encoding="utf-8").splitlines()))


@pytest.mark.parametrize(
    ("platform", "kind", "member", "headers", "cells"),
    [
        (
            "linkedin", "people", DANA,
            ["email", "firstname", "lastname", "jobtitle", "employeecompany", "country", "googleaid"],
            [DANA.key, "", "", "", "", "", ""],
        ),
        (
            "linkedin", "companies", ACME,
            ["companyname", "companywebsite", "companyemaildomain", "linkedincompanypageurl", "stocksymbol",
             "industry", "city", "state", "companycountry", "zipcode"],
            ["Acme Works", "acme.example", "acme.example", "", "", "", "", "", "", ""],
        ),
        ("google", "people", DANA, ["Email"], [DANA.key]),
        ("meta", "people", DANA, ["email"], [DANA.key]),
    ],
)  # fmt: skip
def test_a_file_has_the_platforms_own_columns(
    tmp_path: Path, platform: str, kind: Kind, member: Member, headers: list[str], cells: list[str]
) -> None:
    assert list(FileAds(tmp_path).add(audience(platform, kind), [member], NOW)) == [member]
    assert [rows(path) for path in written(tmp_path)] == [[headers, cells]]


def test_adds_and_removes_are_two_files_named_for_time_audience_and_action(tmp_path: Path) -> None:
    channel = FileAds(tmp_path)
    channel.remove(audience("linkedin"), [DANA], NOW)
    channel.add(audience("linkedin"), [DANA], NOW)
    names = [path.name.rpartition("-")[0] for path in written(tmp_path / "linkedin")]
    assert names == [
        "20261124T100000Z-new-business-evaluation-people-add",
        "20261124T100000Z-new-business-evaluation-people-remove",
    ]


def test_the_same_members_at_the_same_time_are_the_same_file(tmp_path: Path) -> None:
    for _ in range(2):
        FileAds(tmp_path).add(audience("meta"), [DANA], NOW)
    assert len(written(tmp_path)) == 1
    FileAds(tmp_path).add(audience("meta"), [DANA], NOW + timedelta(hours=1))
    assert len(written(tmp_path)) == 2


def test_no_plain_address_is_in_a_file_and_only_the_owner_can_read_it(tmp_path: Path) -> None:
    FileAds(tmp_path).add(audience("google"), [DANA], NOW)
    (path,) = written(tmp_path)
    assert "@" not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "name", ["=HYPERLINK(0)", "+1", "-1+1", "@SUM(A1)", "\t=1+1", "  =1", "\r\n=1", "＝1", "\x00=1"]
)
def test_a_company_whose_name_is_a_formula_stays_text(tmp_path: Path, name: str) -> None:
    FileAds(tmp_path).add(audience("linkedin", "companies"), [Member("acme.example", name)], NOW)
    (path,) = written(tmp_path)
    cell = rows(path)[1][0]
    assert cell.startswith("'")
    assert len(rows(path)) == 2


def test_ordinary_names_are_left_alone() -> None:
    assert as_text("Müller & Söhne GmbH, Werk 2") == "Müller & Söhne GmbH, Werk 2"
    assert as_text("A=B") == "A=B"


def test_a_company_without_a_name_goes_by_its_domain(tmp_path: Path) -> None:
    FileAds(tmp_path).remove(audience("linkedin", "companies"), [Member("acme.example")], NOW)
    (path,) = written(tmp_path)
    assert rows(path)[1][:2] == ["acme.example", "acme.example"]


def test_a_platform_without_such_a_list_says_so_and_says_that_trying_again_is_useless(tmp_path: Path) -> None:
    with pytest.raises(NotSent, match="no file format for companies on google") as refusal:
        FileAds(tmp_path).add(audience("google", "companies"), [ACME], NOW)
    assert refusal.value.permanent
    assert written(tmp_path) == []


def test_a_folder_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "meta").write_text("a file stands where the folder should be")
    with pytest.raises(NotSent, match="cannot write") as refusal:
        FileAds(tmp_path).add(audience("meta"), [DANA], NOW)
    assert not refusal.value.permanent
    assert [path.name for path in written(tmp_path)] == ["meta"]


def test_a_half_written_file_of_a_killed_run_is_in_nobodys_way(tmp_path: Path) -> None:
    FileAds(tmp_path).add(audience("meta"), [DANA], NOW)
    (path,) = written(tmp_path)
    whole = path.read_text()
    path.with_suffix(".part").write_text("email\nhal")
    path.unlink()
    FileAds(tmp_path).add(audience("meta"), [DANA], NOW)
    assert [found.read_text() for found in written(tmp_path)] == [whole]
