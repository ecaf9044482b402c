/* What the core (generator.c) and the protocol drivers share. */
#ifndef GENERATOR_H
#define GENERATOR_H
#include <openssl/ssl.h>
#include <stddef.h>
#include <stdint.h>

enum { ST_CONNECTING, ST_TLS, ST_LOGIN, ST_READY, ST_CLOSED };

struct buf {
    unsigned char *p;
    size_t len, off, cap;
};

struct conn {
    int fd, state, side, pair, want_out, accepted;
    int lstate; /* driver private login state */
    SSL *ssl;
    BIO *records; /* where OpenSSL puts records that wait to be sent together (stream) */
    size_t sent;  /* how many of their bytes the kernel has */
    struct conn *peer;
    struct buf in, out;
    unsigned char *tmpl[2]; /* pre-encoded data message / ack message */
    size_t tmpl_len[2];
    size_t seq_off[2]; /* where the 12 decimal-ish seq chars sit in it */
    uint64_t tx_seq, rx_seq, acked, since_ack;
    uint64_t *ts; /* ring of send times, indexed by seq % TSRING */
    char name[24], pname[24];
    /* securecom: the request channel, what the standard channel exported for it, the open stream */
    struct conn *aux, *owner;
    int is_aux, port;
    uint32_t stream;
    unsigned char request_key[32], session_id[16];
    unsigned char begun[32];
    size_t gathered; /* of a message in several frames */
    int rounds;      /* requests made in churn */
    int is_in;       /* the channel is there, so that pings are answered */
};

#define TSRING 4096
/* Seconds between two signs of life of a connection that has nothing to say. */
#define PING 30
#define SEQ_LEN 12

struct driver {
    const char *name, *help;
    /* TLS is up: send the first login bytes (send_bytes) */
    void (*start)(struct conn *c);
    /* eat bytes from c->in; call conn_ready() once, then on_msg() per message.
       returns 0, or -1 on a protocol error */
    int (*data)(struct conn *c);
    /* encode one message with this payload; return its length; *poff = offset of payload */
    size_t (*encode)(struct conn *c, const char *payload, size_t n, unsigned char *out,
                     size_t *poff);
    size_t max_payload;
    int accepts;                   /* raw: side B is accepted on a listening TLS socket */
    void (*churn)(struct conn *c); /* begin the next round of set-up and end */
    void (*ping)(struct conn *c);  /* show that this connection is there; may be missing */
};

extern const struct driver drv_plain, drv_raw, drv_mqtt, drv_xmpp, drv_irc, drv_securecom;
extern int opt_active_pairs, opt_request, opt_protocol;
extern const char *opt_domain, *opt_user_prefix;

void send_bytes(struct conn *c, const void *p, size_t n);
void conn_ready(struct conn *c);
void on_msg(struct conn *c, const unsigned char *payload, size_t n);
void consume(struct buf *b, size_t n);
void bind_raw(struct conn *c, int pair); /* raw driver: accepted side learned its pair */
void open_aux(struct conn *c, int port);
/* A chat was asked for and stands; the last one of this pair or not. */
void on_churn(int is_last);
const char *user_name(struct conn *c);
/* Bytes of the messages of this pair. */
size_t message_size(const struct conn *c);
void die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

struct usage {
    double cpu, cpu_sched;
    double aside; /* CPU of the process that is counted apart */
    long rss, pss;
    int procs;
};
/* Of the server so far; memory only if asked for, in KiB. */
struct usage usage_now(int memory);
double self_cpu(void);
/* CPU seconds of the named processes, without their children: cheap enough to be asked often. */
double server_cpu(void);
void watch(int pid);
void watch_aside(int pid);
#endif
