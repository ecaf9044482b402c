"""Fixtures of the system tests: real processes, real sockets, real time.

Which one to take:

- a server and clients as processes, with alice, bob and carol enrolled: `SystemCase` in
  `system_case`
- one more process, with a deadline on every wait: `Process` in `processes`; `Server`, `Client` in
  `programs`
- how such a process starts, by a fork of one that has imported Twisted: `nursery`. Nothing need be
  done for it; a process with a terminal, with chosen `files` or with other settings for Python,
  OpenSSL or the locale is started by itself
- a relay that damages, delays or records what passes: `Relay` in `intermediaries`
- a peer that breaks the rules: `IntruderCase` in `intruder_case`; `Stranger`, `Modified` in
  `intermediaries`
- a server that betrays its users: `python -m tests.support.hostile_server`
- shorter deadlines than the product's: `python -m tests.support.shortened`
"""
