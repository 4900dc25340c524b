"""What programs call themselves. Crawlers from a list that is kept for that purpose; gateways and mail programs here.

The list is `crawler-user-agents` (https://github.com/monperrus/crawler-user-agents). It names what crawls the web; mail
gateways that say who they are, and bare libraries, are named below.
"""

import re
from functools import cache, lru_cache

from accounts.machines.verdict import Family, Sign

#: Words of gateways and tools in a user agent, after the list of crawlers.
_NAMED = re.compile(
    r"barracuda|mimecast|proofpoint|safelinks|urldefense|symantec|messagelabs|fortimail|fortinet|ironport|ciscosecure"
    r"|trendmicro|sophos|zscaler|checkpoint|forcepoint|hornetsecurity|retarus|headless|phantomjs|selenium|puppeteer"
    r"|playwright|python-|aiohttp|httpx|curl/|wget/|java/|go-http|libwww|httpclient|okhttp|axios|node-fetch|scan|spider"
    r"|crawl|prefetch|preview",
    re.IGNORECASE,
)
#: Ends in "bot" and is no telephone of that name.
_BOT = re.compile(r"(?<!cu)bot\b", re.IGNORECASE)

#: Apple's mail programs load all pictures when a mail arrives, with this and nothing else as their name. Source: what
#: Mail Privacy Protection sends since iOS 15; a bare "Mozilla/5.0" is no browser's.
APPLE = "Mozilla/5.0"
#: Gmail loads pictures before it shows a mail in an open session, by this name (SparkPost, "Gmail is prefetching
#: images", 2022). Not to be confused with its proxy, which loads them when a person opens the mail.
GMAIL_AHEAD = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/42.0.2311.135 "
    "Safari/537.36 Edge/12.246 Mozilla/5.0"
)
#: They load the picture when the person opens the mail, once for all times: the open is real, its time is not.
PROXIES = {"GoogleImageProxy": "Gmail", "YahooMailProxy": "Yahoo"}


@lru_cache(maxsize=8192)
def program_sign(user_agent: str, is_picture: bool) -> Sign | None:
    """What a user agent says; `is_picture`: of the open pixel, where mail programs speak for their readers."""
    if is_picture and (ahead := _ahead(user_agent)):
        return ahead
    if not user_agent:
        return Sign(Family.PROGRAM, 0.5, "the program says nothing of itself")
    name = _known_crawler(user_agent) or _named(user_agent)
    return Sign(Family.PROGRAM, 0.95, f"the program calls itself {name}") if name else None


def _ahead(user_agent: str) -> Sign | None:
    """Of mail programs that load pictures ahead of the reader, or in their place."""
    if user_agent == APPLE:
        return Sign(Family.PROGRAM, 0.9, "Apple's mail program loads pictures ahead of the reader")
    if user_agent == GMAIL_AHEAD:
        return Sign(Family.PROGRAM, 0.95, "Gmail loaded the pictures ahead of the reader")
    through = next((house for name, house in PROXIES.items() if name in user_agent), None)
    if through is None:
        return None
    return Sign(Family.PROGRAM, 0.1, f"opened through {through}: by a person, at a time that is not theirs")


def _named(user_agent: str) -> str | None:
    found = _NAMED.search(user_agent) or _BOT.search(user_agent)
    return found.group().strip("-/ ").lower() if found else None


def _known_crawler(user_agent: str) -> str | None:
    found = _crawlers().search(user_agent)
    return found.group().strip("-/ ^()").lower()[:40] if found else None


@cache
def _crawlers() -> re.Pattern[str]:
    from crawleruseragents import CRAWLER_USER_AGENTS_DATA  # 1,400 patterns: read where a program is asked about

    return re.compile("|".join(f"(?:{entry['pattern']})" for entry in CRAWLER_USER_AGENTS_DATA))
