"""The client: one process, two roles.

The main role holds the standard channel and the person's attention; the daemon role holds the
request channel and answers chat requests. They speak to each other in Deferreds, through the
coordinator, which owns `is_chatting`.
"""
