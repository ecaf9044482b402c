/* MQTT 3.1.1, clean session, QoS 0: client u<name> subscribes to its own topic
   "u/<name>" and publishes to its partner's. */
#include "generator.h"
#include <string.h>

static size_t put_len(unsigned char *o, size_t n) {
    size_t i = 0;
    do {
        unsigned char b = n & 127;
        n >>= 7;
        if (n) b |= 128;
        o[i++] = b;
    } while (n);
    return i;
}

static size_t put_str(unsigned char *o, const char *s) {
    size_t n = strlen(s);
    o[0] = n >> 8;
    o[1] = n;
    memcpy(o + 2, s, n);
    return n + 2;
}

static void start(struct conn *c) {
    unsigned char b[128], *p = b;
    size_t n = strlen(c->name);
    *p++ = 0x10;
    p += put_len(p, 10 + 2 + n);
    p += put_str(p, "MQTT");
    *p++ = 4;
    *p++ = 2;
    *p++ = 0;
    *p++ = 0; /* keepalive 0 */
    p += put_str(p, c->name);
    send_bytes(c, b, p - b);
}

static int data(struct conn *c) {
    for (;;) {
        size_t have = c->in.len - c->in.off;
        unsigned char *p = c->in.p + c->in.off;
        if (have < 2) return 0;
        size_t rl = 0, i = 1;
        int sh = 0;
        for (;;) {
            if (i >= have) return 0;
            rl |= (size_t)(p[i] & 127) << sh;
            sh += 7;
            if (!(p[i++] & 128)) break;
            if (i > 4) return -1;
        }
        if (have < i + rl) return 0;
        unsigned char *q = p + i;
        switch (p[0] >> 4) {
        case 2: { /* CONNACK */
            if (q[1]) return -1;
            char t[32] = "u/";
            strcat(t, c->name);
            unsigned char b[64], *o = b;
            *o++ = 0x82;
            *o++ = 2 + 2 + strlen(t) + 1;
            *o++ = 0;
            *o++ = 1;
            o += put_str(o, t);
            *o++ = 0;
            send_bytes(c, b, o - b);
            break;
        }
        case 9:
            conn_ready(c);
            break; /* SUBACK */
        case 3: {
            size_t tl = q[0] << 8 | q[1];
            on_msg(c, q + 2 + tl, rl - 2 - tl);
            break;
        }
        default:
            break;
        }
        consume(&c->in, i + rl);
    }
}

static size_t encode(struct conn *c, const char *pl, size_t n, unsigned char *o, size_t *po) {
    char t[32] = "u/";
    strcat(t, c->pname);
    unsigned char *p = o;
    *p++ = 0x30;
    p += put_len(p, 2 + strlen(t) + n);
    p += put_str(p, t);
    *po = p - o;
    memcpy(p, pl, n);
    return (p - o) + n;
}
const struct driver drv_mqtt = {
    "mqtt", "MQTT 3.1.1 QoS0, topic u/<user>", start, data, encode, 1 << 20, 0, NULL, NULL};
