"""TLS for Twisted with fewer copies, system calls and turns of the reactor than Twisted's own.

To its protocol such a transport is Twisted's `TLSMemoryBIOProtocol` and keeps all of its promises;
`securecom/tests/test_transport_sequences.py` plays the same events to each of them. What it does
otherwise:

- everything that was decrypted in one go reaches the protocol in one call;
- what was encrypted goes to the socket at once, and the reactor is asked to write only what the
  kernel does not take;
- while a chat is open, its two sockets are spliced (`splice`): what may pass unchanged is read,
  decrypted, encrypted and sent by one function, before Twisted's epoll reactor sees the event
  (`sieve`);
- a server does nothing before its client's first bytes, and what OpenSSL has to say when the
  handshake is over, which no client of ours needs, goes along with the next write;
- with `native`, bytes pass between socket, OpenSSL and protocol by buffers that all connections
  share, and a connection whose handshake is over lets go of the memory that took.

Private names of pyOpenSSL, and of Twisted's TLS, TCP and reactors, are used here and nowhere else,
but for one call in `securecom.tls`. If one is missing, `choice` takes a variant without it.
"""
