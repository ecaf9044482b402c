"""Fixtures of the unit tests: servers, clients, networks and files, all in memory.

Which one to take, from the smallest to the largest:

- one protocol, or two with TLS between them: `Network` in `network`; `NetworkCase` in
  `joined_connections`; `TLSCase` in `tls_case`
- a control lane and nothing below it: `Side` in `control_pair`
- the two ends of a chat: `Pair` in `chat_pair`; rekeying: `rekeying_pair`
- the server, command by command: `MemoryServer` and its `client(name)`, a `ManualClient`, in
  `memory_server`
- chat requests on the server: `RequestCase` in `request_case`
- one client, when the server is honest or lies: `AliceTestCase` in `scripted_server_case`
- a front-end: `LinesCase` in `lines_case`, over the `ScriptedCore` in `scripted_core`
- whole clients at a whole server: `MemoryClient` in `memory_client`; `TwoClientsCase` in
  `two_clients_case`
- typed lines, whole clients and a whole server: `VisitCase` in `visitor`
- a registry: `RegistryContract` in `registry_contract`; on disk: `RegistryFileCase` in
  `registry_file`
- the state folder, and `securecom-admin`: `StateCase` in `state_case`; `AdminCase` in `admin_case`

A Scripted thing does what the test says, a Manual one only what the test calls, and a Memory one is
the product itself on a `Network`.
"""
