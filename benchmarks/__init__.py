"""How fast the server is, measured from outside: see README.md. Run by hand, never by CI.

Reading order: `process` (a server on a core of its own), `loop` and `channel` (the generator's
light clients), `people` (who has an account), then what is measured: `relay`, `logins`, `memory`,
`nested`, `sampling`. `servers` is what the product is compared with; `__main__` interleaves.
"""
