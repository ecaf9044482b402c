/* The load generator for message relays (TLS 1.3, non-blocking, epoll, one thread).
 *
 * P pairs of clients A_i <-> B_i log in, then one bounded workload runs:
 *   pingpong  one message outstanding per pair, bounced for ever
 *   stream    A keeps --window messages outstanding, B acknowledges every --ack
 *   idle      --conns connections log in and stay silent
 *   churn     chats of all pairs end and are asked for again, --together pairs at once
 *   unread    A sends all that is taken, and B reads nothing
 * Prints one JSON object.  Server CPU is utime+stime(+reaped children) of the process
 * trees named by --pid, read from /proc before and after the measured interval.
 * A server of two nodes has two ports.
 */
#define _GNU_SOURCE
#include "generator.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const struct driver *drivers[] = {&drv_plain, &drv_raw,       &drv_mqtt, &drv_xmpp,
                                         &drv_irc,   &drv_securecom, NULL};
static const struct driver *drv = &drv_plain;
const char *opt_domain = "localhost", *opt_user_prefix = "";
static const char *opt_host = "127.0.0.1", *opt_cert, *opt_key, *opt_groups, *opt_lcert, *opt_lkey,
                  *opt_sigalgs;
static int opt_port, opt_pairs = 1, opt_size = 200, opt_window = 64, opt_ack = 32, opt_conns = 2000,
                     opt_lport = 9555, opt_coalesce, opt_inflight = 32, opt_settle = 1000,
                     opt_active, opt_other_port, opt_across, opt_together;
int opt_active_pairs, opt_request, opt_protocol = 2;
static int opt_mixed;
static const char *opt_people;
static double opt_secs = 8, opt_warm = 1, opt_cpu, opt_stay;

static enum { W_PINGPONG, W_STREAM, W_IDLE, W_CHURN, W_UNREAD } work;

static int ep, nready, nconns, running, measuring, nbegun, nchurned;
static struct conn *conns;
static uint64_t n_msgs, n_bytes, n_acks, n_bad, n_closed;
static uint32_t *lat;
static size_t nlat, caplat;
static char tls_info[160];

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + t.tv_nsec;
}

void die(const char *fmt, ...) {
    va_list a;
    va_start(a, fmt);
    fprintf(stderr, "generator: ");
    vfprintf(stderr, fmt, a);
    va_end(a);
    fputc('\n', stderr);
    exit(1);
}

/* ---------- buffers ---------- */
static void reserve(struct buf *b, size_t n) {
    if (b->off && (b->off == b->len)) b->off = b->len = 0;
    if (b->len + n <= b->cap) return;
    if (b->off) {
        memmove(b->p, b->p + b->off, b->len - b->off);
        b->len -= b->off;
        b->off = 0;
    }
    if (b->len + n > b->cap) {
        b->cap = (b->len + n) * 2;
        b->p = realloc(b->p, b->cap);
        if (!b->p) die("oom");
    }
}

void consume(struct buf *b, size_t n) {
    b->off += n;
    if (b->off == b->len) b->off = b->len = 0;
}

/* ---------- connections ---------- */
static void arm(struct conn *c, int out) {
    if (c->want_out == out) return;
    struct epoll_event e = {.events = EPOLLIN | (out ? EPOLLOUT : 0), .data.ptr = c};
    epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e);
    c->want_out = out;
}

static void conn_close(struct conn *c, const char *why) {
    if (c->state == ST_CLOSED) return;
    if (running || nready < nconns) {
        n_closed++;
        if (n_closed <= 5) fprintf(stderr, "generator: conn %s closed: %s\n", c->name, why);
    }
    c->state = ST_CLOSED;
    close(c->fd);
    SSL_free(c->ssl);
    c->ssl = NULL;
}

/* In a stream each message is a record, but all records of a burst leave in one send: else the
   generator would be measured. The server reads many at once either way. */
static void gather_records(struct conn *c) {
    c->records = BIO_new(BIO_s_mem());
    if (!c->records) die("oom");
    SSL_set0_wbio(c->ssl, c->records);
}

static void send_records(struct conn *c) {
    char *p;
    size_t n = (size_t)BIO_get_mem_data(c->records, &p);
    while (c->sent < n) {
        ssize_t r = send(c->fd, p + c->sent, n - c->sent, 0);
        if (r < 0 && (errno == EAGAIN || errno == EINTR)) {
            arm(c, 1);
            return;
        }
        if (r < 0) {
            conn_close(c, strerror(errno));
            return;
        }
        c->sent += (size_t)r;
    }
    c->sent = 0;
    if (n) (void)BIO_reset(c->records);
    arm(c, 0);
}

static void flush_out(struct conn *c) {
    while (c->out.len > c->out.off) {
        int r = SSL_write(c->ssl, c->out.p + c->out.off, c->out.len - c->out.off);
        if (r > 0) {
            consume(&c->out, r);
            continue;
        }
        int e = SSL_get_error(c->ssl, r);
        if (e == SSL_ERROR_WANT_WRITE) {
            arm(c, 1);
            return;
        }
        if (e == SSL_ERROR_WANT_READ) return;
        conn_close(c, "write error");
        return;
    }
    if (c->records)
        send_records(c);
    else
        arm(c, 0);
}

static void queue_bytes(struct conn *c, const void *p, size_t n) {
    reserve(&c->out, n);
    memcpy(c->out.p + c->out.len, p, n);
    c->out.len += n;
}

void send_bytes(struct conn *c, const void *p, size_t n) {
    if (c->state == ST_CLOSED) return;
    if (c->out.len > c->out.off || (opt_coalesce && running)) {
        queue_bytes(c, p, n);
        if (!opt_coalesce) flush_out(c);
        return;
    }
    const char *q = p;
    while (n) {
        int r = SSL_write(c->ssl, q, n);
        if (r > 0) {
            q += r;
            n -= r;
            continue;
        }
        int e = SSL_get_error(c->ssl, r);
        if (e == SSL_ERROR_WANT_WRITE) {
            queue_bytes(c, q, n);
            arm(c, 1);
            return;
        }
        if (e == SSL_ERROR_WANT_READ) {
            queue_bytes(c, q, n);
            return;
        }
        conn_close(c, "write error");
        return;
    }
}

static const char hexd[] = "0123456789abcdef";

static void put_seq(unsigned char *o, uint64_t s) {
    for (int i = SEQ_LEN - 1; i >= 0; i--) {
        o[i] = hexd[s & 15];
        s >>= 4;
    }
}

static uint64_t get_seq(const unsigned char *p) {
    uint64_t v = 0;
    for (int i = 0; i < SEQ_LEN; i++) {
        int c = p[i];
        v = v << 4 | (c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return v;
}

/* With --mixed the pairs take turns among these. */
static const size_t mixed_sizes[] = {37, 200, 1024, 4096, 16384};

size_t message_size(const struct conn *c) {
    return opt_mixed ? mixed_sizes[c->pair % 5] : (size_t)opt_size;
}

static void make_tmpl(struct conn *c, int k, char kind, size_t n) {
    char *pl = malloc(n + 1);
    memset(pl, 'x', n);
    for (size_t i = 0; i < n; i++)
        pl[i] = 'a' + (i * 7 + c->pair) % 26;
    pl[0] = kind;
    unsigned char *o = malloc(n + 512);
    size_t po;
    memset(pl + 1, '0', SEQ_LEN);
    c->tmpl_len[k] = drv->encode(c, pl, n, o, &po);
    c->tmpl[k] = o;
    c->seq_off[k] = po + 1;
    free(pl);
}

void conn_ready(struct conn *c) {
    if (c->state == ST_READY) return;
    c->state = ST_READY;
    nready++;
    if (work != W_IDLE && work != W_CHURN && c->pair < opt_active_pairs) {
        make_tmpl(c, 0, 'D', message_size(c));
        make_tmpl(c, 1, 'A', 24);
        c->ts = calloc(TSRING, sizeof *c->ts);
    }
}

static void send_data(struct conn *c, uint64_t t) {
    put_seq(c->tmpl[0] + c->seq_off[0], c->tx_seq);
    c->ts[c->tx_seq % TSRING] = t;
    c->tx_seq++;
    send_bytes(c, c->tmpl[0], c->tmpl_len[0]);
}

static void refill(struct conn *c) {
    while (running && c->state == ST_READY && c->tx_seq - c->acked < (uint64_t)opt_window)
        send_data(c, now_ns());
}

/* Send until the kernel takes no more. */
static void pour(struct conn *c) {
    while (c->state == ST_READY && !c->want_out) {
        for (int i = 0; i < opt_window; i++)
            send_data(c, 0);
        flush_out(c);
    }
}

void on_msg(struct conn *c, const unsigned char *p, size_t n) {
    if (!running) return;
    if (n < 1 + SEQ_LEN) {
        n_bad++;
        return;
    }
    uint64_t s = get_seq(p + 1);
    if (p[0] == 'A') {
        n_acks++;
        c->acked = s;
        refill(c);
        return;
    }
    if (s != c->rx_seq || n != message_size(c)) {
        if (n_bad++ < 3)
            fprintf(stderr, "bad seq on %s: got %llu want %llu len %zu\n", c->name,
                    (unsigned long long)s, (unsigned long long)c->rx_seq, n);
        c->rx_seq = s;
    }
    c->rx_seq++;
    uint64_t t = now_ns();
    if (measuring) {
        n_msgs++;
        n_bytes += n;
        if (nlat == caplat) {
            caplat = caplat ? caplat * 2 : 1 << 20;
            lat = realloc(lat, caplat * sizeof *lat);
        }
        if (nlat < (1u << 24)) {
            uint64_t d = (t - c->peer->ts[s % TSRING]) / 10;
            lat[nlat++] = d > 0xffffffffu ? 0xffffffffu : d;
        }
    }
    if (work == W_PINGPONG)
        send_data(c, t);
    else if (++c->since_ack >= (uint64_t)opt_ack) {
        c->since_ack = 0;
        put_seq(c->tmpl[1] + c->seq_off[1], c->rx_seq);
        send_bytes(c, c->tmpl[1], c->tmpl_len[1]);
    }
}

void bind_raw(struct conn *c, int pair) {
    c->pair = pair;
    c->peer = &conns[pair];
    conns[pair].peer = c;
    sprintf(c->name, "b%d", pair);
}

static void do_handshake(struct conn *c) {
    int r = SSL_do_handshake(c->ssl);
    if (r == 1) {
        if (!tls_info[0]) {
            const char *g = "";
#ifdef SSL_CTRL_GET_NEGOTIATED_GROUP
            int nid = (int)SSL_get_negotiated_group(c->ssl);
            g = OBJ_nid2sn(nid);
            if (!g) g = (nid & 0xffff) == 0x11ec ? "X25519MLKEM768" : "?";
            ERR_clear_error();
#endif
            EVP_PKEY *pk = NULL;
            X509 *x = SSL_get0_peer_certificate(c->ssl);
            if (x) pk = X509_get0_pubkey(x);
            snprintf(tls_info, sizeof tls_info, "%s %s %s cert=%s", SSL_get_version(c->ssl),
                     SSL_get_cipher(c->ssl), g, pk ? EVP_PKEY_get0_type_name(pk) : "-");
        }
        if (strcmp(SSL_get_version(c->ssl), "TLSv1.3"))
            die("not TLS 1.3: %s", SSL_get_version(c->ssl));
        c->state = ST_LOGIN;
        arm(c, 0);
        drv->start(c);
        flush_out(c);
        return;
    }
    int e = SSL_get_error(c->ssl, r);
    if (e == SSL_ERROR_WANT_READ)
        arm(c, 0);
    else if (e == SSL_ERROR_WANT_WRITE)
        arm(c, 1);
    else {
        unsigned long q = ERR_get_error();
        conn_close(c, q ? ERR_reason_error_string(q) : "handshake failed");
    }
}

static void on_readable(struct conn *c) {
    for (;;) { /* until WANT_READ: read-ahead data gives no new event */
        reserve(&c->in, 32768);
        int r = SSL_read(c->ssl, c->in.p + c->in.len, 32768);
        if (r > 0) {
            c->in.len += r;
            if (drv->data(c) < 0) {
                conn_close(c, "protocol error");
                return;
            }
            if (c->state == ST_CLOSED) return;
            continue;
        }
        int e = SSL_get_error(c->ssl, r);
        if (e == SSL_ERROR_WANT_READ) break;
        if (e == SSL_ERROR_WANT_WRITE) {
            arm(c, 1);
            break;
        }
        {
            unsigned long q = ERR_peek_last_error();
            conn_close(c, e == SSL_ERROR_ZERO_RETURN ? "eof"
                          : q                        ? ERR_reason_error_string(q)
                                                     : "read error");
            return;
        }
    }
    if (c->out.len > c->out.off || c->records) flush_out(c);
}

static void on_event(struct conn *c, uint32_t ev) {
    if (c->state == ST_CLOSED) return;
    if (c->state == ST_CONNECTING) {
        int err = 0;
        socklen_t l = sizeof err;
        getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &l);
        if (err) {
            conn_close(c, strerror(err));
            return;
        }
        c->state = ST_TLS;
    }
    if (c->state == ST_TLS) {
        do_handshake(c);
        if (c->state != ST_LOGIN) return;
        ev |= EPOLLIN;
    }
    if (ev & EPOLLOUT) flush_out(c);
    if (running && work == W_UNREAD) pour(c);
    if (c->state != ST_CLOSED && (ev & (EPOLLIN | EPOLLHUP | EPOLLERR))) on_readable(c);
}

static SSL_CTX *cctx, *lctx;
static int lfd = -1, naccepted;

static int user_index(struct conn *c) {
    return 2 * c->pair + c->side;
}

const char *user_name(struct conn *c) {
    static char n[16];
    snprintf(n, sizeof n, "user%05d", user_index(c));
    return n;
}

static void churn_next(void) {
    if (nbegun < opt_active_pairs) drv->churn(&conns[nbegun++]);
}

void on_churn(int is_last) {
    if (measuring) n_msgs++;
    if (!is_last) return;
    nchurned++;
    churn_next();
}

static int is_churned(void) {
    return work == W_CHURN && nchurned == opt_active_pairs;
}

/* Of the node that this person comes to: with --across all callees are at the other one, else every
   second pair. */
static int port_of(const struct conn *c) {
    int is_other = opt_across ? c->side : c->pair & 1;
    return opt_other_port && is_other ? opt_other_port : opt_port;
}

static void open_conn(struct conn *c);

void open_aux(struct conn *c, int port) {
    struct conn *x = &conns[nconns + (c - conns)];
    c->aux = x;
    x->owner = c;
    x->is_aux = 1;
    x->port = port;
    x->pair = c->pair;
    x->side = c->side;
    snprintf(x->name, sizeof x->name, "%.20s+", c->name);
    open_conn(x);
}

static void open_conn(struct conn *c) {
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    int one = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port_of(c))};
    inet_pton(AF_INET, opt_host, &a.sin_addr);
    if ((ntohl(a.sin_addr.s_addr) >> 24) != 127) die("loopback only");
    if (opt_people) { /* a loopback address for each person, as people.py counts them */
        struct sockaddr_in me = {.sin_family = AF_INET};
        int u = user_index(c->is_aux ? c->owner : c);
        me.sin_addr.s_addr =
            htonl(0x7f010000u | (unsigned)(u / 250) << 8 | (unsigned)(u % 250 + 1));
        setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
        if (bind(c->fd, (void *)&me, sizeof me)) die("bind: %s", strerror(errno));
    }
    if (c->port) a.sin_port = htons(c->port);
    if (connect(c->fd, (struct sockaddr *)&a, sizeof a) && errno != EINPROGRESS)
        die("connect: %s", strerror(errno));
    c->ssl = SSL_new(cctx);
    SSL_set_fd(c->ssl, c->fd);
    SSL_set_connect_state(c->ssl);
    if (!opt_people) SSL_set_tlsext_host_name(c->ssl, opt_domain);
    if (opt_people) {
        char alpn[40];
        int an = snprintf(alpn + 1, sizeof alpn - 1, "securecom-%s/%d",
                          c->is_aux ? "request" : "standard", opt_protocol);
        alpn[0] = (char)an;
        SSL_set_alpn_protos(c->ssl, (unsigned char *)alpn, (unsigned)an + 1);
        if (!c->is_aux) {
            char fn[512];
            snprintf(fn, sizeof fn, "%s/%05d.pem", opt_people, user_index(c));
            if (SSL_use_certificate_file(c->ssl, fn, SSL_FILETYPE_PEM) != 1 ||
                SSL_use_PrivateKey_file(c->ssl, fn, SSL_FILETYPE_PEM) != 1)
                die("no person %s", fn);
        }
    }
    c->state = ST_CONNECTING;
    c->want_out = 1;
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
    epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &e);
}

static void accept_all(void) {
    for (;;) {
        int fd = accept4(lfd, NULL, NULL, SOCK_NONBLOCK);
        if (fd < 0) return;
        if (naccepted >= nconns / 2) {
            close(fd);
            continue;
        }
        int one = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct conn *c = &conns[nconns / 2 + naccepted++];
        c->fd = fd;
        c->side = 1;
        c->accepted = 1;
        strcpy(c->name, "b?");
        c->ssl = SSL_new(lctx);
        SSL_set_fd(c->ssl, fd);
        SSL_set_accept_state(c->ssl);
        c->state = ST_TLS;
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
    }
}

static void loop_once(int ms) {
    struct epoll_event ev[256];
    int n = epoll_wait(ep, ev, 256, ms);
    for (int i = 0; i < n; i++)
        if (ev[i].data.ptr == &lfd)
            accept_all();
        else
            on_event(ev[i].data.ptr, ev[i].events);
}

/* Each connection is heard of every PING seconds, as a client's is: a server ends silent ones. */
static void ping_those_due(void) {
    static uint64_t begin, done;
    if (!begin) begin = now_ns();
    uint64_t all = 2 * (uint64_t)nconns, due = (now_ns() - begin) / 1000 * all / (PING * 1000000);
    for (; drv->ping && done < due; done++) {
        struct conn *c = &conns[done % all];
        if (c->ssl && c->is_in) drv->ping(c);
    }
}

/* Let things happen for so many seconds. */
static void rest(double seconds) {
    uint64_t end = now_ns() + (uint64_t)(seconds * 1e9);
    while (now_ns() < end) {
        loop_once(20);
        if (opt_stay > 0) ping_those_due();
    }
}

/* Let all pour until nobody could for a second; 0 if that takes more than so many. */
static int rest_until_full(double seconds) {
    uint64_t end = now_ns() + (uint64_t)(seconds * 1e9), since = now_ns(), before = 0;
    while (now_ns() < end) {
        uint64_t sent = 0;
        loop_once(20);
        for (int i = 0; i < opt_active_pairs; i++)
            sent += conns[i].tx_seq;
        if (sent != before) since = now_ns();
        before = sent;
        if (now_ns() - since > 1000000000ull) return 1;
    }
    return 0;
}

static int cmp32(const void *a, const void *b) {
    uint32_t x = *(uint32_t *)a, y = *(uint32_t *)b;
    return x < y ? -1 : x > y;
}

static SSL_CTX *mk(int server) {
    SSL_CTX *x = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    SSL_CTX_set_min_proto_version(x, TLS1_3_VERSION);
    SSL_CTX_set_mode(x, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                            SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(x, 1);
    SSL_CTX_set_verify(x, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_session_cache_mode(x, SSL_SESS_CACHE_OFF);
    return x;
}

static void usage(void) {
    fprintf(stderr, "generator --driver D --port N --pid PID [--pid PID..] --work "
                    "pingpong|stream|idle|churn|unread [options]\n"
                    "  --pairs P (1)  --size BYTES (200)  --window W (64)  --ack N (32)  --secs S "
                    "(8)  --warm S (1)\n"
                    "  --conns N (2000, idle)  --inflight N (32 logins at once)  --coalesce (a "
                    "burst in one TLS record)\n"
                    "  --host 127.x  --domain localhost  --groups X25519  --cert F --key F (client "
                    "certificate)\n"
                    "  --active P (of all pairs only the first P send; the rest stays idle)  "
                    "--mixed (a size a pair)\n"
                    "  --cpu S (no longer than until the server has used so many CPU seconds)\n"
                    "  --stay S (idle: for so long, with a ping every 30 s)\n"
                    "  --together P (churn: so many pairs at once)  --aside PID (its CPU apart)\n"
                    "  --other-port N (a second node, for every second pair)  --across (for all "
                    "callees)\n"
                    "  securecom: --people DIR --request --protocol 1|2 (2)\n"
                    "  raw: --listen-port N --listen-cert F --listen-key F\n  drivers:\n");
    for (int i = 0; drivers[i]; i++)
        fprintf(stderr, "    %-6s %s\n", drivers[i]->name, drivers[i]->help);
    exit(2);
}

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i];
        if (!strcmp(a, "--coalesce")) {
            opt_coalesce = 1;
            continue;
        }
        if (!strcmp(a, "--request")) {
            opt_request = 1;
            continue;
        }
        if (!strcmp(a, "--across")) {
            opt_across = 1;
            continue;
        }
        if (!strcmp(a, "--mixed")) {
            opt_mixed = 1;
            continue;
        }
        if (i + 1 >= argc) usage();
        const char *v = argv[++i];
#define S(n, var) else if (!strcmp(a, n)) var = v
#define I(n, var) else if (!strcmp(a, n)) var = atoi(v)
#define F(n, var) else if (!strcmp(a, n)) var = atof(v)
        if (!strcmp(a, "--driver")) {
            drv = NULL;
            for (int k = 0; drivers[k]; k++)
                if (!strcmp(drivers[k]->name, v)) drv = drivers[k];
            if (!drv) usage();
        } else if (!strcmp(a, "--pid")) {
            watch(atoi(v));
        } else if (!strcmp(a, "--aside")) {
            watch_aside(atoi(v));
        } else if (!strcmp(a, "--work"))
            work = !strcmp(v, "pingpong") ? W_PINGPONG
                   : !strcmp(v, "stream") ? W_STREAM
                   : !strcmp(v, "idle")   ? W_IDLE
                   : !strcmp(v, "churn")  ? W_CHURN
                   : !strcmp(v, "unread") ? W_UNREAD
                                          : (usage(), 0);
        S("--host", opt_host);
        S("--domain", opt_domain);
        S("--groups", opt_groups);
        S("--cert", opt_cert);
        S("--key", opt_key);
        S("--sigalgs", opt_sigalgs);
        S("--listen-cert", opt_lcert);
        S("--listen-key", opt_lkey);
        I("--listen-port", opt_lport);
        S("--people", opt_people);
        I("--active", opt_active);
        I("--port", opt_port);
        I("--other-port", opt_other_port);
        I("--together", opt_together);
        I("--pairs", opt_pairs);
        I("--size", opt_size);
        I("--window", opt_window);
        I("--ack", opt_ack);
        I("--conns", opt_conns);
        I("--inflight", opt_inflight);
        I("--protocol", opt_protocol);
        I("--settle", opt_settle);
        F("--secs", opt_secs);
        F("--cpu", opt_cpu);
        F("--stay", opt_stay);
        F("--warm", opt_warm);
        else usage();
    }
    if (!opt_port) usage();
    if (opt_secs > 15 || opt_stay > 90 || opt_conns > 20000)
        die("bounds: secs <= 15, stay <= 90, conns <= 20000");
    if (opt_protocol < 1 || opt_protocol > 2) usage();
    if ((size_t)opt_size > drv->max_payload || opt_size < 32)
        die("size out of range for this driver");
    if (opt_window > TSRING) die("window too large");
    struct rlimit rl;
    getrlimit(RLIMIT_NOFILE, &rl);
    rl.rlim_cur = rl.rlim_max;
    setrlimit(RLIMIT_NOFILE, &rl);
    alarm(300);
    cctx = mk(0);
    if (opt_groups && !SSL_CTX_set1_groups_list(cctx, opt_groups)) die("groups");
    if (opt_sigalgs && !SSL_CTX_set1_sigalgs_list(cctx, opt_sigalgs)) die("sigalgs");
    if (opt_cert && (SSL_CTX_use_certificate_chain_file(cctx, opt_cert) != 1 ||
                     SSL_CTX_use_PrivateKey_file(cctx, opt_key, SSL_FILETYPE_PEM) != 1))
        die("client cert");
    ep = epoll_create1(0);
    nconns = work == W_IDLE ? opt_conns & ~1 : opt_pairs * 2;
    int half = nconns / 2;
    opt_active_pairs = work == W_IDLE ? 0 : opt_active ? opt_active : half;
    conns = calloc(2 * nconns, sizeof *conns);
    for (int i = 0; i < nconns; i++) {
        struct conn *c = &conns[i];
        c->side = i >= half;
        c->pair = i % half;
        c->peer = &conns[(i + half) % nconns];
        c->state = -1;
        snprintf(c->name, sizeof c->name, "%s%c%d", opt_user_prefix, c->side ? 'b' : 'a', c->pair);
        snprintf(c->pname, sizeof c->pname, "%s%c%d", opt_user_prefix, c->side ? 'a' : 'b',
                 c->pair);
    }
    int toopen = nconns;
    if (drv->accepts) {
        lctx = mk(1);
        if (!opt_lcert || SSL_CTX_use_certificate_chain_file(lctx, opt_lcert) != 1 ||
            SSL_CTX_use_PrivateKey_file(lctx, opt_lkey, SSL_FILETYPE_PEM) != 1)
            die("listen cert");
        lfd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        int one = 1;
        setsockopt(lfd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        struct sockaddr_in a = {.sin_family = AF_INET,
                                .sin_port = htons(opt_lport),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        if (bind(lfd, (void *)&a, sizeof a) || listen(lfd, 1024)) die("listen");
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = &lfd};
        epoll_ctl(ep, EPOLL_CTL_ADD, lfd, &e);
        toopen = half;
    }
    /* log in, --inflight at a time, interleaving A and B of a pair */
    struct usage u0 = usage_now(1);
    uint64_t t0 = now_ns();
    int opened = 0;
    double g0 = self_cpu();
    while (nready + (int)n_closed < nconns) {
        if (n_closed && work != W_IDLE) die("a connection was lost at log-in");
        int mul = drv->accepts ? 2 : 1;
        while (opened < toopen && opened * mul - nready - (int)n_closed < opt_inflight) {
            int k = drv->accepts ? opened : (opened & 1 ? half : 0) + opened / 2;
            open_conn(&conns[k]);
            opened++;
        }
        loop_once(100);
        if (opt_stay > 0) ping_those_due();
        if (now_ns() - t0 > (60 + (uint64_t)nconns / 25) * 1000000000ull)
            die("login timeout: %d of %d ready", nready, nconns);
    }
    uint64_t t1 = now_ns();
    struct usage u1 = usage_now(0);
    int lost = n_closed;
    double login_load = (self_cpu() - g0) * 1e9 / (double)(t1 - t0);
    double lw = (t1 - t0) / 1e9, lcpu = u1.cpu - u0.cpu;
    printf("{\"openssl\":\"%s\",\"driver\":\"%s\",\"work\":\"%s\",\"tls\":\"%s\",\"conns\":%d,"
           "\"lost\":"
           "%d,\"login_s\":%.3f,\"login_cpu\":%.3f,\"logins_per_cpu\":%.0f,\"login_aside\":%.3f",
           OpenSSL_version(OPENSSL_VERSION_STRING), drv->name,
           work == W_PINGPONG ? "pingpong"
           : work == W_STREAM ? "stream"
           : work == W_CHURN  ? "churn"
           : work == W_UNREAD ? "unread"
                              : "idle",
           tls_info, nconns, lost, lw, lcpu, lcpu > 0 ? nready / lcpu : 0, u1.aside - u0.aside);
    if (work == W_IDLE) {
        rest(opt_settle / 1000.0);
        struct usage u2 = usage_now(1);
        double looked = opt_stay > 0 ? opt_stay : opt_settle ? 2 : 0;
        rest(looked);
        struct usage u3 = usage_now(1);
        printf(",\"gen_util\":%.3f", login_load);
        printf(",\"rss0_kb\":%ld,\"rss_kb\":%ld,\"pss0_kb\":%ld,\"pss_kb\":%ld,\"rss_per_conn_kb\":"
               "%.2f,\"pss_per_conn_kb\":%.2f,\"idle_cpu_pct\":%.2f,\"closed\":%llu}\n",
               u0.rss, u3.rss, u0.pss, u3.pss, (double)(u3.rss - u0.rss) / nconns,
               (double)(u3.pss - u0.pss) / nconns,
               looked > 0 ? (u3.cpu - u2.cpu) / looked * 100 : 0,
               (unsigned long long)n_closed);
        return 0;
    }
    if (work == W_UNREAD) {
        rest(opt_settle / 1000.0);
        struct usage silent = usage_now(1);
        running = 1;
        for (int i = 0; i < opt_active_pairs; i++) {
            epoll_ctl(ep, EPOLL_CTL_DEL, conns[i].peer->fd, NULL);
            if (!opt_coalesce) gather_records(&conns[i]);
            pour(&conns[i]);
        }
        if (!rest_until_full(opt_secs)) die("after %g s, pairs still take something", opt_secs);
        struct usage full = usage_now(1);
        printf(",\"size\":%d,\"pss0_kb\":%ld,\"pss_kb\":%ld,\"pss_per_pair_kb\":%.2f,"
               "\"gen_util\":%.3f,\"closed\":%llu}\n",
               opt_size, silent.pss, full.pss, (double)(full.pss - silent.pss) / opt_active_pairs,
               login_load, (unsigned long long)n_closed);
        return 0;
    }
    running = 1;
    for (int i = 0; i < opt_active_pairs; i++) {
        if (work == W_STREAM && !opt_coalesce) {
            gather_records(&conns[i]);
            gather_records(conns[i].peer);
        }
        if (work == W_CHURN) {
            if (!opt_together || i < opt_together) churn_next();
        } else if (work == W_PINGPONG)
            send_data(&conns[i], now_ns());
        else
            refill(&conns[i]);
        if (conns[i].out.len || conns[i].records) flush_out(&conns[i]);
    }
    uint64_t te = now_ns() + (uint64_t)(opt_warm * 1e9);
    while (now_ns() < te)
        loop_once(20);
    struct usage a = usage_now(0);
    double sc0 = self_cpu();
    uint64_t m0 = now_ns();
    measuring = 1;
    te = m0 + (uint64_t)(opt_secs * 1e9);
    double c0 = server_cpu();
    while (now_ns() < te && !is_churned() && (opt_cpu == 0 || server_cpu() - c0 < opt_cpu))
        loop_once(20);
    measuring = 0;
    uint64_t m1 = now_ns();
    struct usage b = usage_now(1);
    double sc1 = self_cpu();
    running = 0;
    double w = (m1 - m0) / 1e9, cpu = b.cpu - a.cpu;
    if (nlat) qsort(lat, nlat, sizeof *lat, cmp32);
    printf(",\"pairs\":%d,\"size\":%d,\"coalesce\":%d,\"secs\":%.3f,\"msgs\":%llu,\"msg_s\":%.0f,"
           "\"mb_s\":%.2f,\"cpu\":%.3f,\"cpu_sched\":%.3f,\"srv_util\":%.3f,\"gen_util\":%.3f,"
           "\"msgs_per_cpu\":%.0f,\"mb_per_cpu\":%.2f,\"p50_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%."
           "1f,\"acks\":%llu,\"bad\":%llu,\"closed\":%llu,\"rss_kb\":%ld,\"procs\":%d,"
           "\"aside_cpu\":%.3f}\n",
           opt_pairs, opt_size, opt_coalesce, w, (unsigned long long)n_msgs, n_msgs / w,
           n_bytes / w / 1e6, cpu, b.cpu_sched - a.cpu_sched, cpu / w, (sc1 - sc0) / w,
           cpu > 0 ? n_msgs / cpu : 0, cpu > 0 ? n_bytes / cpu / 1e6 : 0,
           nlat ? lat[nlat / 2] / 100.0 : 0, nlat ? lat[(size_t)(nlat * .99)] / 100.0 : 0,
           nlat ? lat[nlat - 1] / 100.0 : 0, (unsigned long long)n_acks, (unsigned long long)n_bad,
           (unsigned long long)n_closed, b.rss, b.procs, b.aside - a.aside);
    return 0;
}
