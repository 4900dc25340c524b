"""A file is read whatever state it is in, or refused with its cure."""

import csv
import io
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.errors import InputRefused
from flows.importing.reading import Sheet, open_sheet

HEADER = "account,email,first_name\n"


def opened(path: Path, content: bytes | str, **options: str) -> Sheet:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return open_sheet(path, {"account", "email", "first_name"}.__contains__, **options)


def rows(sheet: Sheet, at_once: int = 3) -> list[list[str]]:
    return [row for piece in sheet.rows(at_once) for row in piece.rows]


def broken(sheet: Sheet, at_once: int = 3) -> list[tuple[int, str, str]]:
    return [(one.line, one.text, one.complaint) for piece in sheet.rows(at_once) for one in piece.broken]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_delimiter_byte_order_mark_and_line_ends_are_found_out(
    tmp_path: Path, delimiter: str, start: bytes, ending: str
) -> None:
    text = ending.join(delimiter.join(row) for row in (("account", "email", "first_name"), ("acme", "a@x", "Zoë"), ()))
    sheet = opened(tmp_path / "people.csv", start + text.encode())
    assert sheet.header == ("account", "email", "first_name")
    assert rows(sheet) == [["acme", "a@x", "Zoë"]]
    assert sheet.notices == ()


def test_a_delimiter_inside_quotes_of_the_header_does_not_mislead(tmp_path: Path) -> None:
    sheet = opened(tmp_path / "people.csv", '"name, and, title";account;email\nx;y;z\n')
    assert sheet.header == ("name, and, title", "account", "email")


def test_windows_1252_is_read_and_told(tmp_path: Path) -> None:
    sheet = opened(tmp_path / "people.csv", (HEADER + "acme,a@x,Ann\nacme,b@x,Müller\n").encode("cp1252"))
    assert rows(sheet)[1] == ["acme", "b@x", "Müller"]
    assert sheet.notices == ("people.csv is not UTF-8 and was read as Windows-1252: look at the name in line 3",)


def test_utf_16_of_excel_is_read_and_told(tmp_path: Path) -> None:
    sheet = opened(tmp_path / "people.csv", (HEADER + "acme,a@x,Zoë\n").replace(",", "\t").encode("utf-16"))
    assert rows(sheet) == [["acme", "a@x", "Zoë"]]
    assert "UTF-16" in sheet.notices[0]


def test_an_encoding_can_be_named(tmp_path: Path) -> None:
    sheet = opened(tmp_path / "people.csv", (HEADER + "acme,a@x,Łukasz\n").encode("cp1250"), encoding="cp1250")
    assert rows(sheet) == [["acme", "a@x", "Łukasz"]]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf \r\n\n", "is empty"),
        (b"PK\x03\x04rest", "Excel workbook"),
        (b"\x1f\x8b\x08rest", "compressed"),
        (b"%PDF-1.7", "PDF"),
        (b"account,email\nacme,\x00\x01\x02", "null bytes"),
        (HEADER.encode() + b"acme,a@x,\x81\xfc\n", "neither UTF-8 nor Windows-1252"),
        ((HEADER + "acme,a@x,Zoë\n").encode() + b"acme,b@x,M\xfcller\n", "not in this line"),
        (b"account,email,Email\n", "two columns 'email'"),
        (b"x" * 2_100_000, "longer than a megabyte"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_in_one_line_with_its_cure(
    tmp_path: Path, content: bytes, said: str
) -> None:
    with pytest.raises(InputRefused, match=said) as refusal:
        opened(tmp_path / "people.csv", content)
    assert "people.csv" in str(refusal.value)
    assert refusal.value.cure
    assert "\n" not in str(refusal.value)


def test_a_file_that_is_not_there_or_not_ours_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="cannot be read"):
        open_sheet(tmp_path / "nowhere.csv", bool)


def test_a_mixture_of_encodings_names_the_line(tmp_path: Path) -> None:
    content = (HEADER + "acme,a@x,Zoë\n").encode() + b"acme,b@x,M\xfcller\n"
    with pytest.raises(InputRefused, match=r"people\.csv:3: is UTF-8 up to here"):
        opened(tmp_path / "people.csv", content)


def test_a_last_line_that_is_cut_off_is_no_row(tmp_path: Path) -> None:
    sheet = opened(tmp_path / "people.csv", HEADER + "acme,a@x,Ann\nacme,b@")
    assert rows(sheet) == [["acme", "a@x", "Ann"]]
    assert broken(sheet) == [(3, "acme,b@", "is cut off: the file ends inside it")]


def test_a_file_that_ends_inside_quotes_gives_up_one_line_only(tmp_path: Path) -> None:
    sheet = opened(tmp_path / "people.csv", HEADER + 'acme,a@x,Ann\nacme,b@x,"Bo\nacme,c@x,Cy\n')
    assert rows(sheet) == [["acme", "a@x", "Ann"], ["acme", "c@x", "Cy"]]
    assert broken(sheet) == [(3, 'acme,b@x,"Bo', "opens a quote that is never closed")]


def test_a_stray_quote_gives_up_its_own_line_and_keeps_counting(tmp_path: Path) -> None:
    text = HEADER + 'acme,a@x,"Ann\nacme,b@x,Bo\nacme,c@x,"Cy"\nacme,d@x,Di\n'
    sheet = opened(tmp_path / "people.csv", text)
    assert rows(sheet) == [["acme", "b@x", "Bo"], ["acme", "c@x", "Cy"], ["acme", "d@x", "Di"]]
    assert [line for piece in sheet.rows(2) for line in piece.lines] == [3, 4, 5]
    assert broken(sheet) == [(2, 'acme,a@x,"Ann', "has text after a closing quote")]


def test_a_row_with_too_many_values_is_no_row(tmp_path: Path) -> None:
    sheet = opened(tmp_path / "people.csv", HEADER + "acme,a@x,Ann,Lee\nacme,b@x,Bo\n")
    assert rows(sheet) == [["acme", "b@x", "Bo"]]
    assert broken(sheet) == [(2, "acme,a@x,Ann,Lee", "has 4 values where the header has 3")]


def test_a_short_row_inside_the_file_is_filled_up_as_excel_leaves_out_empty_cells(tmp_path: Path) -> None:
    sheet = opened(tmp_path / "people.csv", HEADER + "acme,a@x\n\nacme,b@x,Bo\n")
    assert rows(sheet) == [["acme", "a@x", ""], ["acme", "b@x", "Bo"]]
    assert sum(piece.short for piece in sheet.rows()) == 1


def test_a_complete_last_line_needs_no_line_end(tmp_path: Path) -> None:
    sheet = opened(tmp_path / "people.csv", HEADER + "acme,a@x,Ann")
    assert rows(sheet) == [["acme", "a@x", "Ann"]]
    assert broken(sheet) == []


def test_a_line_break_inside_quotes_belongs_to_the_value(tmp_path: Path) -> None:
    sheet = opened(tmp_path / "people.csv", HEADER + 'acme,a@x,"Ann\nMarie"\nacme,b@x,Bo\n')
    assert rows(sheet) == [["acme", "a@x", "Ann\nMarie"], ["acme", "b@x", "Bo"]]
    assert [line for piece in sheet.rows() for line in piece.lines] == [2, 4]


def test_a_quote_that_swallows_everything_is_given_up_at_the_limit_and_nothing_after_it_is_lost(tmp_path: Path) -> None:
    many = "".join(f"acme,p{number}@x,Pat\n" for number in range(9_000))
    sheet = opened(tmp_path / "people.csv", HEADER + 'acme,a@x,"Ann\n' + many)
    assert len(rows(sheet, 1_000)) == 9_000
    assert [line for line, _, _ in broken(sheet, 1_000)] == [2]


def test_the_mark_between_values_is_taken_out_of_a_file_that_has_it(tmp_path: Path) -> None:
    assert rows(opened(tmp_path / "people.csv", HEADER + "acme,a@x,An\x1fn\n")) == [["acme", "a@x", "An n"]]


value = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\x1f\x85\u2028\u2029"), max_size=12)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.lists(st.tuples(value, value, value), min_size=1, max_size=9), st.sampled_from([1, 2, 5]))
def test_whatever_a_csv_writer_wrote_comes_back_with_the_line_it_began_on(
    tmp_path: Path, table: list[tuple[str, ...]], at_once: int
) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(("account", "email", "first_name"))
    begins = []
    for row in table:
        begins.append(len(io.StringIO(text.getvalue(), newline="").readlines()) + 1)
        writer.writerow(row)
    sheet = opened(tmp_path / "people.csv", text.getvalue())
    assert rows(sheet, at_once) == [list(row) for row in table]
    assert [line for piece in sheet.rows(at_once) for line in piece.lines] == begins
    assert broken(sheet) == []


def test_memory_stays_flat_however_long_the_file_is(tmp_path: Path) -> None:
    """60 MB are read in a process that grows by less than a sixth of that."""
    program = (
        "import sys; from pathlib import Path; from flows.importing.reading import open_sheet\n"
        "def peak(): return int(Path('/proc/self/status').read_text().partition('VmHWM:')[2].split()[0]) // 1024\n"
        "before = peak(); sheet = open_sheet(Path(sys.argv[1]), bool)\n"
        "print(sum(len(piece.rows) for piece in sheet.rows()), peak() - before)"
    )
    line = "acme,someone.with.a.long.name@acme.example,Someone With A Long Name And Many Titles\n"
    (tmp_path / "people.csv").write_text(HEADER + line * 720_000)
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "people.csv")], capture_output=True, text=True, check=True
    )
    count, grown = map(int, done.stdout.split())
    assert count == 720_000
    assert grown < 10
