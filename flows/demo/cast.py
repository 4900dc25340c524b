"""Names the demo world is made of. Every company, person and address is invented; every domain ends in `.example`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Region:
    """A sales region: its people's country, zone and language, and the two reps who work it."""

    name: str
    country: str
    timezone: str
    language: str
    currency: str
    reps: tuple[tuple[str, str], tuple[str, str]]
    first_names: tuple[str, ...]
    last_names: tuple[str, ...]


REGIONS = (
    Region(
        "DACH",
        "DE",
        "Europe/Berlin",
        "de",
        "EUR",
        (("Ravi Menon", "ravi"), ("Johanna Falk", "johanna")),
        ("Anja", "Björn", "Clara", "Dirk", "Elif", "Florian", "Greta", "Henning", "Imke", "Jonas", "Katrin", "Lennart"),
        ("Ahlers", "Brandis", "Cordes", "Dörfel", "Ehrlich", "Fahrenholz", "Gehrke", "Harms", "Jansen", "Krämer"),
    ),
    Region(
        "North America",
        "US",
        "America/New_York",
        "en",
        "USD",
        (("Sofía Ortega", "sofia"), ("Marcus Webb", "marcus")),
        (
            "Abigail",
            "Brandon",
            "Celeste",
            "Darnell",
            "Eliza",
            "Franklin",
            "Georgia",
            "Hector",
            "Ivy",
            "Jerome",
            "Kayla",
        ),
        ("Abbott", "Barlow", "Carver", "Dalton", "Ellery", "Farrow", "Granger", "Holloway", "Ingram", "Keating"),
    ),
    Region(
        "Asia Pacific",
        "SG",
        "Asia/Singapore",
        "en",
        "SGD",
        (("Mei Tan", "mei"), ("Arun Pillai", "arun")),
        ("Aisha", "Boon", "Chitra", "Darren", "Eunice", "Farid", "Grace", "Hui Min", "Irwan", "Jia Hao", "Kavitha"),
        ("Chua", "Goh", "Hassan", "Iskandar", "Koh", "Lim", "Menon", "Ng", "Ong", "Rajan", "Seah"),
    ),
)

#: company, industry
COMPANIES = (
    ("Aldermoor Castings", "Metal casting"),
    ("Brightfield Foods", "Food processing"),
    ("Corvane Logistics", "Warehousing"),
    ("Duskwater Paper", "Paper"),
    ("Eastholm Plastics", "Plastics"),
    ("Fennick Automotive", "Automotive parts"),
    ("Glasswerk Tiefental", "Glass"),
    ("Harrowgate Cold Store", "Cold storage"),
    ("Ironleaf Forge", "Metal casting"),
    ("Juniper Dairy", "Food processing"),
    ("Kestrel Packaging", "Packaging"),
    ("Larkspur Chemicals", "Chemicals"),
    ("Millrace Textiles", "Textiles"),
    ("Northmoor Timber", "Timber"),
    ("Oakhaven Bakery Group", "Food processing"),
    ("Pinewick Furniture", "Furniture"),
    ("Quarrystone Cement", "Building materials"),
    ("Redthorn Bottling", "Beverages"),
    ("Silberbach Präzision", "Machining"),
    ("Tarnbrook Rubber", "Plastics"),
    ("Umberfield Mills", "Food processing"),
    ("Vantry Distribution", "Warehousing"),
    ("Westerlohe Guss", "Metal casting"),
    ("Yarrow Medical Devices", "Medical devices"),
    ("Zephyr Fans", "Machining"),
    ("Amberline Coatings", "Chemicals"),
    ("Birchgate Printing", "Printing"),
    ("Cinderford Ceramics", "Ceramics"),
    ("Dovetail Joinery", "Timber"),
    ("Emberhill Breweries", "Beverages"),
    ("Foxglove Pharma Supply", "Pharmaceuticals"),
    ("Greywater Dyeworks", "Textiles"),
    ("Hollowbrook Aluminium", "Metal casting"),
    ("Inverlake Seafood", "Cold storage"),
    ("Jadebridge Electronics", "Electronics"),
    ("Kallasand Wire", "Metal processing"),
    ("Lindenau Kabel", "Metal processing"),
    ("Mistral Cooling", "Cold storage"),
)

#: Two divisions of one company, worked by different reps, that must stay apart.
DIVISIONS = ("Orrin Industries", "Machining", ("Presses", "Filtration"))

#: title, what the rules should make of it; the first four sit in nearly every group
TITLES = {
    "en": (
        "Energy Manager",
        "Chief Financial Officer",
        "Automation Engineer",
        "Production Supervisor",
        "Head of Procurement",
        "Managing Director",
        "General Counsel",
        "Director of Operations",
        "IT Security Officer",
        "Plant Controller",
    ),
    "de": (
        "Energiemanagerin",
        "Kaufmännischer Leiter",
        "Leiter Automatisierungstechnik",
        "Schichtleiterin",
        "Leiterin Einkauf",
        "Geschäftsführer",
        "Syndikusrechtsanwältin",
        "Werkleiter",
        "IT-Sicherheitsbeauftragter",
        "Controllerin",
    ),
}
