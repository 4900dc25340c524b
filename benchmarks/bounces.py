"""How well is mail in the reply mailbox understood, and how fast? Beside flufl.bounce and Sisimai, on the same mails.

Without a corpus: labelled letters that we wrote ourselves (tests/mailbox/letters.py), which says that nothing broke and
little about mail of others. With `--corpus FOLDER`: every file below is one bounce as a server sent it, unless
FOLDER/labels.tsv says otherwise (``file name<tab>no bounce``). A corpus is split in halves by a hash of the file name;
phrases are written while looking at the dev half, the test half is only counted.

Sisimai (Perl) stands for the truth about causes: its reasons are read as our actions, reasons that say nothing
("onhold", "undefined", "filtered") are left out. The corpus that flufl.bounce ships is one that it was fitted to.

    python benchmarks/bounces.py [--corpus FOLDER] [--half dev|test|all] [--rounds 3] [--json]
"""

import argparse
import json
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email import message_from_bytes
from hashlib import sha256
from pathlib import Path
from shutil import which
from statistics import median
from time import process_time

from flows.mailbox import Action, Bounce, Kind, understand
from tests.mailbox.letters import Labelled, day, everything

TARGET = 500
#: Sisimai's reasons as our actions.
REASONS: Mapping[str, Action] = {
    "userunknown": Action.NEVER_AGAIN, "hostunknown": Action.NEVER_AGAIN, "suspend": Action.NEVER_AGAIN,
    "notaccept": Action.NEVER_AGAIN, "hasmoved": Action.ASK_REPLACEMENT, "mailboxfull": Action.MAILBOX_FULL,
    "expired": Action.RETRY_LATER, "networkerror": Action.RETRY_LATER, "systemerror": Action.RETRY_LATER,
    "systemfull": Action.RETRY_LATER, "mailererror": Action.RETRY_LATER, "toomanyconn": Action.OUR_FAULT,
    "speeding": Action.OUR_FAULT, "spamdetected": Action.OUR_FAULT, "blocked": Action.OUR_FAULT,
    "rejected": Action.OUR_FAULT, "securityerror": Action.OUR_FAULT, "policyviolation": Action.OUR_FAULT,
    "norelaying": Action.OUR_FAULT, "contenterror": Action.OUR_FAULT, "mesgtoobig": Action.OUR_FAULT,
    "exceedlimit": Action.OUR_FAULT, "virusdetected": Action.OUR_FAULT, "syntaxerror": Action.OUR_FAULT,
}  # fmt: skip
#: Hard for us, soft for Sisimai: nobody reads a suspended mailbox.
DISPUTED = "suspend"
ASKED_OF_SISIMAI = """
use strict; use warnings; use Sisimai; use JSON;
while (my $file = <STDIN>) { chomp $file;
  my $all = eval { Sisimai->make($file, delivered => 0) } || [];
  my $one = @$all ? $all->[0] : undef;
  print encode_json({ found => $one ? 1 : 0, reason => $one ? $one->reason : "",
    soft => $one ? $one->softbounce + 0 : -1,
    recipient => $one && $one->recipient ? $one->recipient->address : "" }), "\n"; }
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """A mail of a corpus."""

    path: Path
    raw: bytes
    is_bounce: bool


def half_of(name: str) -> str:
    """Which half a file belongs to, whatever is in it."""
    return "test" if sha256(name.encode()).digest()[0] & 1 else "dev"


def read_corpus(folder: Path, half: str) -> list[Sample]:
    labels = folder / "labels.tsv"
    others = {line.partition("\t")[0] for line in labels.read_text().splitlines()} if labels.exists() else set()
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file != labels)
    wanted = [file for file in files if half in ("all", half_of(file.name))]
    return [Sample(file, file.read_bytes(), file.name not in others) for file in wanted]


def ask_sisimai(samples: Sequence[Sample]) -> list[dict[str, object]] | None:
    """What Sisimai says of each; None where it is not installed."""
    if which("perl") is None or subprocess.run(["perl", "-MSisimai", "-e1"], capture_output=True).returncode:
        return None
    files = "".join(f"{sample.path.resolve()}\n" for sample in samples)
    told = subprocess.run(["perl", "-e", ASKED_OF_SISIMAI], input=files, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in told.stdout.splitlines()]


def ask_flufl(samples: Sequence[Sample]) -> list[str] | None:
    """``hard``, ``soft``, empty for nothing found, ``error`` where it raises; None where it is not installed."""
    try:
        from flufl.bounce import all_failures
    except ImportError:
        return None
    answers = []
    for sample in samples:
        try:
            temporary, permanent = all_failures(message_from_bytes(sample.raw))
        except Exception:
            answers.append("error")
        else:
            answers.append("hard" if permanent else "soft" if temporary else "")
    return answers


def measure_corpus(samples: Sequence[Sample]) -> dict[str, object]:
    """Shares in per cent; what they are of stands beside them."""
    counts: Counter[str] = Counter()
    sisimai, flufl = ask_sisimai(samples), ask_flufl(samples)
    for number, sample in enumerate(samples):
        told = sisimai[number] if sisimai else None
        is_bounce = sample.is_bounce and (told is None or told["reason"] != "vacation")
        counts["bounces" if is_bounce else "others"] += 1
        kind, bounce = _ours(sample, counts)
        _count(counts, "Tandem", kind in (Kind.BOUNCE, Kind.DELIVERY_DELAY), is_bounce)
        counts["Tandem calls a bounce a reply"] += is_bounce and kind is Kind.REPLY
        if flufl is not None:
            _count(counts, "flufl.bounce", flufl[number] in ("hard", "soft"), is_bounce)
            counts["flufl.bounce raised"] += flufl[number] == "error"
        if told is not None:
            _count(counts, "Sisimai", bool(told["found"]), is_bounce)
        if told is not None and told["found"] and is_bounce:
            _compare(counts, told, bounce, flufl[number] if flufl else None)
    return _shares(counts)


def _ours(sample: Sample, counts: Counter[str]) -> tuple[Kind | None, Bounce | None]:
    try:
        understood = understand(sample.raw)
    except Exception:
        counts["Tandem raised"] += 1
        return None, None
    return understood.kind, understood.bounce


def _count(counts: Counter[str], who: str, found: bool, is_bounce: bool) -> None:
    counts[f"{who} found"] += found and is_bounce
    counts[f"{who} wrongly"] += found and not is_bounce


def _compare(counts: Counter[str], told: Mapping[str, object], bounce: Bounce | None, flufl: str | None) -> None:
    """With Sisimai's reason and its hard or soft, where it has one and the other found anything."""
    action = REASONS.get(str(told["reason"]))
    if action is None:
        return
    is_hard = told["soft"] == 0
    if bounce is not None:
        counts["actions"] += 1
        counts["same action"] += bounce.action is action
        counts["same hardness"] += bounce.is_hard == is_hard
        counts["undisputed"] += told["reason"] != DISPUTED
        counts["same hardness, undisputed"] += told["reason"] != DISPUTED and bounce.is_hard == is_hard
        counts["recipients"] += bool(told["recipient"])
        counts["same recipient"] += str(told["recipient"]).lower() == bounce.recipient.lower() != ""
    if flufl in ("hard", "soft"):
        counts["flufl actions"] += 1
        counts["flufl same hardness"] += (flufl == "hard") == is_hard


def _shares(counts: Counter[str]) -> dict[str, object]:
    def share(part: str, whole: str) -> float | None:
        asked = part in counts and counts[whole]  # who is not installed has found nothing, and missed nothing
        return round(100 * counts[part] / counts[whole], 1) if asked else None

    shares: dict[str, object] = {f"% found by {who}": share(f"{who} found", "bounces")
                                 for who in ("Tandem", "flufl.bounce", "Sisimai")}  # fmt: skip
    shares["% same action as Sisimai"] = share("same action", "actions")
    shares["% same hard/soft as Sisimai"] = share("same hardness", "actions")
    shares["% same hard/soft, suspended mailboxes aside"] = share("same hardness, undisputed", "undisputed")
    shares["% same hard/soft, flufl.bounce"] = share("flufl same hardness", "flufl actions")
    shares["% same recipient as Sisimai"] = share("same recipient", "recipients")
    plain = ("bounces", "others", "actions", "Tandem wrongly", "flufl.bounce wrongly", "Sisimai wrongly",
             "Tandem calls a bounce a reply", "Tandem raised", "flufl.bounce raised")  # fmt: skip
    return shares | {name: counts[name] for name in plain}


def measure_letters(letters: Sequence[Labelled]) -> dict[str, object]:
    """Both errors that matter, and what was read from each."""
    people = [letter for letter in letters if letter.kind is Kind.REPLY]
    machines = [letter for letter in letters if letter.kind is not Kind.REPLY]
    told = {letter.name: understand(letter.raw) for letter in letters}
    absences = [letter for letter in machines if letter.kind is Kind.OUT_OF_OFFICE]

    def share(wrong: int, of: Sequence[Labelled]) -> float:
        return round(100 * wrong / len(of), 2)

    return {
        "letters of people": len(people),
        "letters of machines": len(machines),
        "% of people taken for machines": share(sum(told[x.name].kind is not Kind.REPLY for x in people), people),
        "% of machines taken for people": share(sum(told[x.name].kind is Kind.REPLY for x in machines), machines),
        "% of machines of another kind": share(sum(told[x.name].kind is not x.kind for x in machines), machines),
        "% of replies with other words": share(
            sum(told[x.name].words.split() != x.words.split() for x in people), people
        ),
        "% of absences with another day": share(sum(day(told[x.name].back_at) != x.back for x in absences), absences),
    }


def measure_speed(raws: Sequence[bytes], rounds: int) -> float:
    """Mails a second of CPU, median of rounds."""
    speeds = []
    for _ in range(rounds):
        started = process_time()
        for raw in raws:
            understand(raw)
        speeds.append(len(raws) / (process_time() - started))
    return median(speeds)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--half", choices=("dev", "test", "all"), default="test")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    letters = list(everything())
    found: dict[str, object] = measure_letters(letters)
    found["letters a second"] = round(measure_speed([letter.raw for letter in letters], asked.rounds))
    if asked.corpus:
        samples = read_corpus(asked.corpus, asked.half)
        found |= measure_corpus(samples)
        found["mails of the corpus a second"] = round(measure_speed([sample.raw for sample in samples], asked.rounds))
    if asked.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:48} {value if value is not None else '-'}")
    print(f"target: {TARGET} mails a second and core")


if __name__ == "__main__":
    main()
