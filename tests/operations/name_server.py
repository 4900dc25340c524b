"""A name server on loopback that knows what it was told, and nothing else."""

import socketserver
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Thread

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

#: (name, type) -> what stands there, as a zone file writes it.
Zone = Mapping[tuple[str, str], list[str]]


@contextmanager
def name_server(zone: Zone, *, silent: bool = False) -> Iterator[str]:
    """Answers while the block runs; gives its address as ``127.0.0.1:5353``. `silent`: hears, and never answers."""

    class Answer(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            if not silent:
                wire, line = self.request
                line.sendto(_wire(dns.message.from_wire(wire), zone), self.client_address)

    with socketserver.UDPServer(("127.0.0.1", 0), Answer) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def _wire(asked: dns.message.Message, zone: Zone) -> bytes:
    """Cut off, and marked so, where it is longer than the asker takes: 512 octets unless it says more (EDNS)."""
    answer = _answer(asked, zone)
    try:
        return answer.to_wire(max_size=asked.payload or 512)
    except dns.exception.TooBig:
        answer.flags |= dns.flags.TC
        answer.answer.clear()
        return answer.to_wire()


def _answer(asked: dns.message.Message, zone: Zone) -> dns.message.Message:
    answer = dns.message.make_response(asked)
    answer.flags |= dns.flags.RA
    [question] = asked.question
    name, kind = question.name.to_text().rstrip("."), dns.rdatatype.to_text(question.rdtype)
    if (name, kind) in zone:
        answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *zone[name, kind]))
    elif name not in {known for known, _ in zone}:
        answer.set_rcode(dns.rcode.NXDOMAIN)
    return answer
