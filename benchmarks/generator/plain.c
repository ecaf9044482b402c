/* plain: 4-byte big-endian length + payload.  Login: frame "hello <pair>", the
   server answers with a frame "ok".  Everything after is relayed verbatim.
   raw: same framing, but nobody answers: A's first frame "hello <pair>" comes
   out at the accepted side (haproxy / nginx stream between the two). */
#include "generator.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void frame(struct conn *c, const char *s) {
    unsigned char b[64];
    uint32_t n = htonl((uint32_t)strlen(s));
    memcpy(b, &n, 4);
    memcpy(b + 4, s, strlen(s));
    send_bytes(c, b, 4 + strlen(s));
}

static void start(struct conn *c) {
    char s[40];
    snprintf(s, sizeof s, "hello %d", c->pair);
    frame(c, s);
}

/* 1: a whole frame with n bytes behind its four of length stands at p; 0: not yet; -1: never. */
static int next_frame(struct conn *c, unsigned char **p, uint32_t *n) {
    size_t have = c->in.len - c->in.off;
    *p = c->in.p + c->in.off;
    if (have < 4) return 0;
    *n = (uint32_t)(*p)[0] << 24 | (*p)[1] << 16 | (*p)[2] << 8 | (*p)[3];
    if (*n > (1u << 24)) return -1;
    return have >= 4 + (size_t)*n;
}

static int data(struct conn *c) {
    for (;;) {
        unsigned char *p;
        uint32_t n;
        int whole = next_frame(c, &p, &n);
        if (whole <= 0) return whole;
        if (c->state != ST_READY) {
            if (n != 2 || memcmp(p + 4, "ok", 2)) return -1;
            conn_ready(c);
        } else
            on_msg(c, p + 4, n);
        consume(&c->in, 4 + n);
    }
}

static size_t encode(struct conn *c, const char *pl, size_t n, unsigned char *o, size_t *po) {
    (void)c;
    uint32_t l = htonl((uint32_t)n);
    memcpy(o, &l, 4);
    memcpy(o + 4, pl, n);
    *po = 4;
    return 4 + n;
}
const struct driver drv_plain = {
    "plain", "4-byte length framing, hello/ok log-in", start, data, encode, 1 << 20, 0, NULL, NULL};

static void rstart(struct conn *c) {
    if (!c->accepted) {
        start(c);
    }
}

static int rdata(struct conn *c) {
    for (;;) {
        unsigned char *p;
        uint32_t n;
        int whole = next_frame(c, &p, &n);
        if (whole <= 0) return whole;
        if (c->state != ST_READY) {
            char s[32] = "";
            if (n >= sizeof s) return -1;
            memcpy(s, p + 4, n);
            s[n] = 0;
            if (c->accepted) {
                bind_raw(c, atoi(s + 6));
                conn_ready(c);
                frame(c, "ok");
            } else
                conn_ready(c);
        } else
            on_msg(c, p + 4, n);
        consume(&c->in, 4 + n);
    }
}
const struct driver drv_raw = {"raw",  "TLS TCP proxy: generator is client A and TLS backend B",
                               rstart, rdata,
                               encode, 1 << 20,
                               1,      NULL,    NULL};
