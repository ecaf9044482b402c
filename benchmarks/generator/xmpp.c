/* XMPP c2s over direct TLS: SASL PLAIN (user = password), bind resource "r",
   then <message type='chat'> to the partner's full JID. */
#define _GNU_SOURCE
#include "generator.h"
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

static void str(struct conn *c, const char *s) {
    send_bytes(c, s, strlen(s));
}

static void hdr(struct conn *c) {
    char s[256];
    snprintf(s, sizeof s,
             "<?xml version='1.0'?><stream:stream to='%s' xmlns='jabber:client' "
             "xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>",
             opt_domain);
    str(c, s);
}

static void start(struct conn *c) {
    c->lstate = 0;
    hdr(c);
}

static unsigned char *find(struct conn *c, const char *needle) {
    return memmem(c->in.p + c->in.off, c->in.len - c->in.off, needle, strlen(needle));
}

static void upto(struct conn *c, unsigned char *p, size_t n) {
    consume(&c->in, (p - (c->in.p + c->in.off)) + n);
}

static int data(struct conn *c) {
    unsigned char *p;
    while (c->state != ST_READY) {
        if (find(c, "<stream:error") || find(c, "<failure")) {
            fprintf(stderr, "xmpp: %.*s\n", (int)(c->in.len - c->in.off), c->in.p + c->in.off);
            return -1;
        }
        switch (c->lstate) {
        case 0:
            if (!(p = find(c, "</stream:features>"))) return 0;
            upto(c, p, 18);
            c->lstate = 1;
            {
                unsigned char raw[80];
                char b64[160], s[300];
                int n = 0;
                raw[n++] = 0;
                n += sprintf((char *)raw + n, "%s", c->name);
                raw[n++] = 0;
                n += sprintf((char *)raw + n, "%s", c->name);
                EVP_EncodeBlock((unsigned char *)b64, raw, n);
                snprintf(
                    s, sizeof s,
                    "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>%s</auth>",
                    b64);
                str(c, s);
            }
            break;
        case 1:
            if (!(p = find(c, "<success"))) return 0;
            upto(c, p, 8);
            c->lstate = 2;
            hdr(c);
            break;
        case 2:
            if (!(p = find(c, "</stream:features>"))) return 0;
            upto(c, p, 18);
            c->lstate = 3;
            str(c, "<iq type='set' id='bnd'><bind "
                   "xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>r</resource></bind></iq>");
            break;
        case 3:
            if (!(p = find(c, "</iq>"))) return 0;
            if (!find(c, "</jid>")) return -1;
            upto(c, p, 5);
            str(c, "<presence/>");
            conn_ready(c);
            break;
        }
    }
    for (;;) {
        unsigned char *b, *e;
        if (!(b = find(c, "<body>"))) return 0;
        if (!(e = memmem(b + 6, c->in.p + c->in.len - (b + 6), "</message>", 10))) return 0;
        unsigned char *x = memmem(b + 6, e - (b + 6), "</body>", 7);
        if (!x) return -1;
        on_msg(c, b + 6, x - (b + 6));
        upto(c, e, 10);
    }
}

static size_t encode(struct conn *c, const char *pl, size_t n, unsigned char *o, size_t *po) {
    int k = sprintf((char *)o, "<message type='chat' to='%s@%s/r'><body>", c->pname, opt_domain);
    *po = k;
    memcpy(o + k, pl, n);
    memcpy(o + k + n, "</body></message>", 17);
    return k + n + 17;
}
const struct driver drv_xmpp = {
    "xmpp", "XMPP direct TLS, SASL PLAIN, <message> to full JID", start, data, encode, 200000, 0,
    NULL, NULL};
