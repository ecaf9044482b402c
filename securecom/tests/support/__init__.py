"""What the tests stand on: servers, clients, networks and files made for them."""
