-- prosody 0.12: one Lua 5.4 thread, epoll backend
run_as_root = true
daemonize = false
pidfile = "@RUN@/prosody.pid"
data_path = "@RUN@/prosody-data"
certificates = "@RUN@"
modules_enabled = { "saslauth" }
modules_disabled = { "s2s", "offline", "s2s_auth_certs" }
authentication = "internal_plain"
storage = "internal"
network_backend = "epoll"
network_settings = { tcp_backlog = 1024 }
c2s_ports = {}
s2s_ports = {}
c2s_direct_tls_ports = { @PORT@ }
c2s_direct_tls_interfaces = { "127.0.0.1" }
interfaces = { "127.0.0.1" }
c2s_direct_tls_ssl = { certificate = "@RUN@/server.crt", key = "@RUN@/server.key" }
ssl = { certificate = "@RUN@/server.crt", key = "@RUN@/server.key" }
log = { error = "@RUN@/prosody.log" }
VirtualHost "localhost"
