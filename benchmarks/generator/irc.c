/* IRC: NICK/USER, wait for end of MOTD, PRIVMSG partner. */
#define _GNU_SOURCE
#include "generator.h"
#include <stdio.h>
#include <string.h>

static void start(struct conn *c) {
    char s[128];
    snprintf(s, sizeof s, "NICK %s\r\nUSER %s 0 * :x\r\n", c->name, c->name);
    send_bytes(c, s, strlen(s));
}

static int data(struct conn *c) {
    for (;;) {
        unsigned char *p = c->in.p + c->in.off;
        size_t have = c->in.len - c->in.off;
        unsigned char *nl = memchr(p, '\n', have);
        if (!nl) return 0;
        size_t n = nl - p, full = n + 1;
        if (n && p[n - 1] == '\r') n--;
        if (n > 5 && !memcmp(p, "PING ", 5)) {
            char s[200];
            int k = snprintf(s, sizeof s, "PONG %.*s\r\n", (int)(n - 5), p + 5);
            send_bytes(c, s, k);
        } else if (n > 5 && !memcmp(p, "ERROR", 5)) {
            fprintf(stderr, "irc: %.*s\n", (int)n, p);
            return -1;
        } else {
            unsigned char *sp = memchr(p, ' ', n);
            if (sp && n - (sp - p) > 9 && !memcmp(sp + 1, "PRIVMSG ", 8)) {
                unsigned char *m = memmem(sp + 9, n - (sp + 9 - p), " :", 2);
                if (!m) return -1;
                on_msg(c, m + 2, n - (m + 2 - p));
            } else if (c->state != ST_READY && sp && n - (sp - p) > 4 &&
                       (!memcmp(sp + 1, "376 ", 4) || !memcmp(sp + 1, "422 ", 4)))
                conn_ready(c);
            else if (sp && (!memcmp(sp + 1, "433 ", 4) || !memcmp(sp + 1, "432 ", 4) ||
                            !memcmp(sp + 1, "401 ", 4))) {
                fprintf(stderr, "irc: %.*s\n", (int)n, p);
                return -1;
            }
        }
        consume(&c->in, full);
    }
}

static size_t encode(struct conn *c, const char *pl, size_t n, unsigned char *o, size_t *po) {
    int k = sprintf((char *)o, "PRIVMSG %s :", c->pname);
    *po = k;
    memcpy(o + k, pl, n);
    memcpy(o + k + n, "\r\n", 2);
    return k + n + 2;
}
const struct driver drv_irc = {
    "irc", "IRC PRIVMSG (payload <= 400 bytes)", start, data, encode, 400, 0, NULL, NULL};
