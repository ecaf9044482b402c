"""`securecom-admin`: users and invitations, whether or not the server runs."""
