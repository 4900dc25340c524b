"""Which seat of the buying group does this person take? From the CRM's contact role or, failing that, the job title.

A role set by a rep is none of this file's business: it outranks both and is never overwritten.
The tables CRM_ROLES and RULES are meant to be read: the first rule that fits decides, and says so in its evidence.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from accounts.spelling import squeeze
from accounts.titles import Said, Trait, read_title
from accounts.vocabulary import Role, RoleSource

T = Trait


@dataclass(frozen=True, slots=True)
class RoleFinding:
    """A role, who says so, and on what words it rests.

    confidence: 1 = the CRM says it, 0.85 = the title says it outright, 0.7 = usual for such a title, 0.5 and less = a
    guess worth a question to the rep, 0 = nothing to go by.
    """

    role: Role
    source: RoleSource
    evidence: str
    confidence: float
    rule: str


@dataclass(frozen=True, slots=True)
class Rule:
    """Fits a title that has a trait of every set in `needs` and none of `unless`."""

    name: str
    role: Role
    confidence: float
    needs: tuple[frozenset[Trait], ...]
    unless: frozenset[Trait] = frozenset()

    def fits(self, traits: frozenset[Trait]) -> bool:
        return all(not traits.isdisjoint(need) for need in self.needs) and traits.isdisjoint(self.unless)


def _any(*traits: Trait) -> frozenset[Trait]:
    return frozenset(traits)


_TOP = _any(T.CHIEF, T.GENERAL, T.BOARD, T.VP)
_LEADS = _any(T.CHIEF, T.GENERAL, T.BOARD, T.VP, T.DIRECTOR, T.PROXY, T.HEAD, T.MANAGER)
_LINE = _any(T.HEAD, T.MANAGER, T.DIRECTOR)
_RUNS = _LINE | _any(T.VP)
_TECHNOLOGY = _any(T.IT, T.ENGINEERING)

#: Salesforce OpportunityContactRole, HubSpot hs_buying_role and plain words, compared without case, accents and blanks;
#: of several the earlier role counts.
CRM_ROLES: dict[Role, str] = {
    Role.ECONOMIC_BUYER: """Economic Buyer, Economic Decision Maker, BUDGET_HOLDER, Budget Owner,
        Budgetverantwortlicher, Budgetverantwortliche, Responsable du budget, Responsable del presupuesto""",
    Role.DECISION_MAKER: "Decision Maker, Entscheider, Entscheiderin, Décideur, Décideuse, Decisor, Decisora",
    Role.EXECUTIVE_SPONSOR: "Executive Sponsor, Sponsor, Sponsor exécutif, Patrocinador, Patrocinador ejecutivo",
    Role.CHAMPION: "Champion, Internal Champion, Coach, Fürsprecher, Fürsprecherin, Ambassadeur, Impulsor, Impulsora",
    Role.TECHNICAL_EVALUATOR: """Technical Buyer, Evaluator, Technical Evaluator, Technical Decision Maker,
        Technischer Prüfer, Technischer Entscheider, Évaluateur, Évaluateur technique, Evaluador, Evaluador técnico""",
    Role.PROCUREMENT: "Procurement, Purchasing, Buyer, Einkauf, Einkäufer, Achats, Acheteur, Compras, Comprador",
    Role.LEGAL: "Legal, LEGAL_AND_COMPLIANCE, Compliance, Recht, Rechtsabteilung, Juridique, Jurídico",
    Role.BLOCKER: "Blocker, Gegner, Bloqueur, Opposant, Bloqueador, Opositor",
    Role.END_USER: """End User, Business User, User, Anwender, Anwenderin, Nutzer, Endanwender, Utilisateur,
        Utilisateur final, Usuario, Usuario final""",
    Role.INFLUENCER: "Influencer, Beeinflusser, Prescripteur, Influenceur, Influenciador, Prescriptor",
}

#: Values CRMs use for "nobody has said": the title decides.
CRM_SAYS_NOTHING = frozenset(("", "other", "none", "na", "null", "unknown", "notset", "sonstige", "autre", "otro"))

#: First fit wins. Traits: titles.py; the words behind them: titles.toml.
RULES: tuple[Rule, ...] = (
    # who only seems to hold the seat
    Rule("no longer there", Role.UNKNOWN, 0.85, (_any(T.FORMER),)),
    Rule("learns there", Role.UNKNOWN, 0.7, (_any(T.TRAINEE),)),
    Rule("works for somebody who decides", Role.INFLUENCER, 0.5, (_any(T.ASSISTANT),)),
    Rule("represents the employees", Role.INFLUENCER, 0.7, (_any(T.COUNCIL),)),
    Rule("sells for them", Role.UNKNOWN, 0.7, (_any(T.SELLS),), unless=_TOP | _any(T.DIRECTOR, T.HEAD, T.PURCHASING)),
    # who signs, who reads the contract, who buys
    Rule("leads finance", Role.ECONOMIC_BUYER, 0.85, (_any(T.FINANCE), _LEADS), unless=_any(T.PROJECT, T.IT)),
    Rule("law and compliance", Role.LEGAL, 0.85, (_any(T.LEGAL),)),
    Rule("purchasing", Role.PROCUREMENT, 0.85, (_any(T.PURCHASING),)),
    # the top
    Rule("leads technology", Role.DECISION_MAKER, 0.7, (_any(T.CHIEF, T.VP), _TECHNOLOGY)),
    Rule("leads the company", Role.EXECUTIVE_SPONSOR, 0.85, (_any(T.GENERAL),)),
    Rule("chief officer", Role.EXECUTIVE_SPONSOR, 0.7, (_any(T.CHIEF),)),
    Rule("sits on the board", Role.EXECUTIVE_SPONSOR, 0.5, (_any(T.BOARD),)),
    # areas
    Rule("leads projects", Role.INFLUENCER, 0.5, (_any(T.PROJECT),), unless=_any(T.VP, T.DIRECTOR)),
    Rule("looks after a product", Role.INFLUENCER, 0.5, (_any(T.PRODUCT),), unless=_any(T.VP, T.DIRECTOR)),
    Rule("runs a site", Role.DECISION_MAKER, 0.7, (_any(T.SITE), _RUNS), _TECHNOLOGY | _any(T.STAFF, T.OPERATIONS)),
    Rule("leads operations", Role.DECISION_MAKER, 0.7, (_any(T.OPERATIONS), _any(T.VP, T.DIRECTOR)), _TECHNOLOGY),
    Rule("holds signing authority", Role.DECISION_MAKER, 0.5, (_any(T.PROXY),)),
    Rule("leads a staff department", Role.INFLUENCER, 0.5, (_any(T.SELLS, T.MARKETING, T.PEOPLE), _LINE)),
    Rule("judges the technology", Role.TECHNICAL_EVALUATOR, 0.7, (_TECHNOLOGY,)),
    Rule("leads energy, environment or safety", Role.CHAMPION, 0.5, (_any(T.ENERGY), _RUNS)),
    Rule("works in operations", Role.END_USER, 0.7, (_any(T.OPERATIONS, T.SITE), _any(T.STAFF))),
    Rule("leads who would use it", Role.CHAMPION, 0.5, (_any(T.OPERATIONS), _any(T.HEAD, T.MANAGER))),
    # what is left
    Rule("vice president or director", Role.DECISION_MAKER, 0.5, (_any(T.VP, T.DIRECTOR),)),
    Rule("advises", Role.INFLUENCER, 0.5, (_any(T.ADVICE),)),
    Rule("works hands on", Role.END_USER, 0.5, (_any(T.STAFF),)),
    Rule("works in finance", Role.INFLUENCER, 0.5, (_any(T.FINANCE),)),
    Rule("works in a staff department", Role.INFLUENCER, 0.4, (_any(T.SELLS, T.MARKETING, T.PEOPLE, T.ENERGY),)),
    Rule("works in operations, rank unknown", Role.END_USER, 0.4, (_any(T.OPERATIONS),)),
    Rule("leads something", Role.INFLUENCER, 0.4, (_any(T.HEAD),)),
)


def find_role(crm_role: str | None, title: str | None) -> RoleFinding:
    """The role of a person: what the CRM says, else what the title says, else unknown. Never raises."""
    return (_crm_finding(crm_role) if crm_role else None) or find_role_of_title(title or "")


@lru_cache(maxsize=131_072)
def find_role_of_title(title: str) -> RoleFinding:
    """What a title alone says. Cached: half a million people share far fewer titles."""
    said = read_title(title)
    traits = frozenset(trait for words in said for trait in words.traits)
    rule = next((rule for rule in RULES if rule.fits(traits)), None)
    if rule is None:
        reason = f"title “{title.strip()[:120]}”: no rule fits" if title.strip() else "no CRM role and no title"
        return RoleFinding(Role.UNKNOWN, RoleSource.RULE, reason, 0.0, "none")
    return RoleFinding(rule.role, RoleSource.RULE, _evidence(title, rule, said), rule.confidence, rule.name)


def _evidence(title: str, rule: Rule, said: tuple[Said, ...]) -> str:
    wanted = frozenset().union(*rule.needs)
    words = " + ".join(words.words for words in said if not wanted.isdisjoint(words.traits))
    return f"title “{title.strip()[:120]}”: {words[:60]} = {rule.name}, so {rule.role.label} ({rule.confidence})"


@lru_cache(maxsize=4096)
def _crm_finding(crm_role: str) -> RoleFinding | None:
    """The role a CRM value names; of several (HubSpot keeps a list) the one that decides most."""
    words = [word.strip() for word in re.split(r"[;,|]", crm_role)]
    named = {_CRM_ROLE_OF[key]: word for word in words if (key := squeeze(word)) in _CRM_ROLE_OF}
    role = next((role for role in CRM_ROLES if role in named), None)
    if role is None:
        return None
    return RoleFinding(role, RoleSource.CRM, f"CRM role “{named[role]}”, so {role.label}", 1.0, "crm")


def is_known_crm_role(crm_role: str) -> bool:
    """Whether a CRM value names a role, or says that nobody has said; anything else is worth a look at CRM_ROLES."""
    return squeeze(crm_role) in CRM_SAYS_NOTHING or _crm_finding(crm_role) is not None


_CRM_ROLE_OF = {squeeze(word): role for role, words in CRM_ROLES.items() for word in words.split(",")} | {
    squeeze(role.value): role for role in CRM_ROLES
}
