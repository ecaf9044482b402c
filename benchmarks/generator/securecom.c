/* securecom: the real server.  Every person is two TLS connections (standard, request) from a
   loopback address of their own, with their identity certificate (PEOPLE/NNNNN.pem, written by
   benchmarks/bench_people.py). Log-in: LogIn; [request channel: ProveSession]; B: SetAvailability;
   A: RequestChat; B: accept, OpenStream. Data: opaque chat frames of the open stream.  Who is not
   in an active pair only logs in. */
#include "generator.h"
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_OPAQUE = 16384, /* bytes that a chat frame may carry */
    MAX_BODY = 67584,   /* from the server */
    MAX_ROUNDS = 8,     /* requests of one person: the server refuses more than 20 a minute */
    SEED = 32,
    SECOND_KEY = 1952,
    SIGNATURE = 3309,
    HASH = 32,
};

static const char *tags[] = {"l", "p", "a", "r", "e", "i"};

/* Tags of our commands, by what is answered. */
enum { T_LOGIN, T_PROVE, T_AVAIL, T_REQ, T_END, T_PING };

enum { L_IN = 1, L_PROVEN, L_AVAILABLE, L_ASKING, L_CHAT };

struct box {
    unsigned char b[8192];
    size_t n;
};

static void put(struct box *x, const char *k, const void *v, size_t vn) {
    size_t kn = strlen(k);
    unsigned char *o = x->b + x->n;
    o[0] = 0;
    o[1] = kn;
    memcpy(o + 2, k, kn);
    o += 2 + kn;
    o[0] = vn >> 8;
    o[1] = vn;
    memcpy(o + 2, v, vn);
    x->n += 4 + kn + vn;
}

static void put_text(struct box *x, const char *k, const char *v) {
    put(x, k, v, strlen(v));
}

static void box_begin(struct box *x) {
    x->n = 4;
}

static void box_send(struct box *x, struct conn *c) {
    x->b[x->n] = x->b[x->n + 1] = 0;
    x->n += 2;
    size_t n = x->n - 4;
    x->b[0] = 0;
    x->b[1] = n >> 16;
    x->b[2] = n >> 8;
    x->b[3] = n;
    send_bytes(c, x->b, x->n);
}

static void begin_command(struct box *x, const char *name, int tag) {
    box_begin(x);
    put_text(x, "_command", name);
    put_text(x, "_ask", tags[tag]);
}

static void export(struct conn *c, const char *label, unsigned char *out, size_t n) {
    char l[64];
    snprintf(l, sizeof l, "EXPERIMENTAL-SecureCom/%d %s", opt_protocol, label);
    if (SSL_export_keying_material(c->ssl, out, n, l, strlen(l), (const unsigned char *)"", 0, 1) !=
        1)
        die("exporter");
}

static void mac(const unsigned char *key, const char *who, const unsigned char *binding,
                unsigned char *out) {
    unsigned char m[128];
    size_t w = strlen(who);
    memset(m, 0, 4);
    m[3] = w;
    memcpy(m + 4, who, w);
    memset(m + 4 + w, 0, 4);
    m[7 + w] = 32;
    memcpy(m + 8 + w, binding, 32);
    unsigned n = 32;
    HMAC(EVP_sha256(), key, 32, m, 40 + w, out, &n);
}

/* The second key of this person, an ML-DSA-65 key derived from their Ed25519 key's seed. */
static EVP_PKEY *derive_second_key(struct conn *c) {
    unsigned char first[SEED], seed[SEED];
    size_t n = sizeof first;
    char label[] = "SecureCom/2 ML-DSA-65 identity", digest[] = "SHA256";
    if (EVP_PKEY_get_raw_private_key(SSL_get_privatekey(c->ssl), first, &n) != 1 || n != SEED)
        die("not an Ed25519 key");
    OSSL_PARAM kdf_params[] = {OSSL_PARAM_construct_utf8_string("digest", digest, 0),
                               OSSL_PARAM_construct_octet_string("key", first, sizeof first),
                               OSSL_PARAM_construct_octet_string("info", label, sizeof label - 1),
                               OSSL_PARAM_construct_end()};
    EVP_KDF *hkdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *kdf = EVP_KDF_CTX_new(hkdf);
    if (EVP_KDF_derive(kdf, seed, sizeof seed, kdf_params) != 1) die("HKDF");
    EVP_KDF_CTX_free(kdf);
    EVP_KDF_free(hkdf);
    OSSL_PARAM key_params[] = {OSSL_PARAM_construct_octet_string("seed", seed, sizeof seed),
                               OSSL_PARAM_construct_end()};
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "ML-DSA-65", NULL);
    EVP_PKEY *key = NULL;
    if (!context || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_KEYPAIR, key_params) != 1)
        die("no ML-DSA-65: OpenSSL 3.5 or later is needed");
    EVP_PKEY_CTX_free(context);
    return key;
}

static unsigned char *put_part(unsigned char *o, const unsigned char *part, size_t n) {
    o[0] = o[1] = o[2] = 0;
    o[3] = (unsigned char)n;
    memcpy(o + 4, part, n);
    return o + 4 + n;
}

/* What a second key signs at log-in: login-binding, server id, identity key, each with its length.
 */
static size_t said_at_log_in(struct conn *c, unsigned char *said) {
    unsigned char part[HASH], *der = NULL, *o = said;
    size_t n = sizeof part;
    export(c, "login-binding", part, sizeof part);
    o = put_part(o, part, sizeof part);
    STACK_OF(X509) *chain = SSL_get_peer_cert_chain(c->ssl);
    if (sk_X509_num(chain) != 2) die("the server's chain is not leaf and CA");
    int length = i2d_X509(sk_X509_value(chain, 1), &der);
    if (length < 0 || EVP_Digest(der, (size_t)length, part, NULL, EVP_sha256(), NULL) != 1)
        die("no server id");
    OPENSSL_free(der);
    o = put_part(o, part, sizeof part);
    if (EVP_PKEY_get_raw_public_key(SSL_get_privatekey(c->ssl), part, &n) != 1)
        die("no identity key");
    o = put_part(o, part, n);
    return (size_t)(o - said);
}

static void prove_second_key(struct conn *c, struct box *x) {
    unsigned char said[3 * (4 + HASH)], public_key[SECOND_KEY], signature[SIGNATURE];
    size_t said_bytes = said_at_log_in(c, said), key_bytes = sizeof public_key,
           bytes = sizeof signature;
    EVP_PKEY *key = derive_second_key(c);
    if (EVP_PKEY_get_raw_public_key(key, public_key, &key_bytes) != 1) die("no second key");
    char purpose[] = "SecureCom/2 log-in";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string("context-string", purpose, sizeof purpose - 1),
        OSSL_PARAM_construct_end()};
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (EVP_DigestSignInit_ex(context, NULL, NULL, NULL, NULL, key, params) != 1 ||
        EVP_DigestSign(context, signature, &bytes, said, said_bytes) != 1)
        die("ML-DSA-65 does not sign");
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    put(x, "second_key", public_key, key_bytes);
    put(x, "signature", signature, bytes);
}

static void start(struct conn *c) {
    struct box x;
    if (c->is_aux) {
        unsigned char bind[32], proof[32];
        export(c, "request-binding", bind, 32);
        mac(c->owner->request_key, "daemon", bind, proof);
        begin_command(&x, "ProveSession", T_PROVE);
        put(&x, "session", c->owner->session_id, 16);
        put(&x, "proof", proof, 32);
        box_send(&x, c);
        return;
    }
    export(c, "session-id", c->session_id, 16);
    export(c, "request-key", c->request_key, 32);
    begin_command(&x, "LogIn", T_LOGIN);
    put_text(&x, "takeover", "False");
    if (opt_protocol == 2) prove_second_key(c, &x);
    box_send(&x, c);
}

static const unsigned char *get(const unsigned char *p, size_t n, const char *key, size_t *vn) {
    size_t at = 0, want = strlen(key);
    while (at + 2 <= n) {
        size_t kn = p[at] << 8 | p[at + 1];
        at += 2;
        if (!kn || at + kn + 2 > n) return NULL;
        const unsigned char *k = p + at;
        at += kn;
        size_t l = p[at] << 8 | p[at + 1];
        at += 2;
        if (at + l > n) return NULL;
        if (kn == want && !memcmp(k, key, kn)) {
            *vn = l;
            return p + at;
        }
        at += l;
    }
    return NULL;
}

static uint32_t number(const unsigned char *p, size_t n, const char *key) {
    size_t l;
    const unsigned char *v = get(p, n, key, &l);
    char t[16];
    if (!v || l >= sizeof t) die("no %s", key);
    memcpy(t, v, l);
    t[l] = 0;
    return strtoul(t, NULL, 10);
}

static int is_active(struct conn *c) {
    return opt_active_pairs && c->pair < opt_active_pairs;
}

static void ask(struct conn *a) {
    struct box x;
    a->lstate = L_ASKING;
    begin_command(&x, "RequestChat", T_REQ);
    put_text(&x, "callee", user_name(a->peer));
    box_send(&x, a);
}

static void hang_up(struct conn *a) {
    struct box x;
    char s[16];
    snprintf(s, sizeof s, "%u", a->stream);
    begin_command(&x, "EndChat", T_END);
    put_text(&x, "stream", s);
    box_send(&x, a);
}

static void ping(struct conn *c) {
    struct box x;
    begin_command(&x, "Ping", T_PING);
    box_send(&x, c);
}

static void settled(struct conn *c) { /* all of its channels are there */
    struct box x;
    if (!is_active(c)) {
        conn_ready(c);
        return;
    }
    c->lstate = L_PROVEN;
    if (c->side) {
        begin_command(&x, "SetAvailability", T_AVAIL);
        put_text(&x, "available", "True");
        box_send(&x, c);
    } else if (c->peer->lstate == L_AVAILABLE)
        ask(c);
}

static int control(struct conn *c, const unsigned char *p, size_t n) {
    size_t l;
    const unsigned char *v;
    struct box x;
    if ((v = get(p, n, "_error", &l))) {
        size_t m;
        const unsigned char *w = get(p, n, "_error_code", &m);
        fprintf(stderr, "securecom: %s refused %.*s: %.*s\n", c->name, (int)l, v, (int)m,
                w ? w : (const unsigned char *)"");
        return -1;
    }
    if ((v = get(p, n, "_answer", &l))) switch (v[0]) {
        case 'l':
            c->lstate = L_IN;
            c->is_in = 1;
            if (is_active(c) || opt_request)
                open_aux(c, number(p, n, "request_port"));
            else
                settled(c);
            return 0;
        case 'p':
            c->is_in = 1;
            settled(c->owner);
            return 0;
        case 'a':
            c->lstate = L_AVAILABLE;
            if (c->peer->lstate == L_PROVEN) ask(c->peer);
            return 0;
        case 'r':
            c->stream = number(p, n, "stream");
            c->lstate = L_CHAT;
            if (c->state == ST_READY) {
                int is_last = ++c->rounds == MAX_ROUNDS;
                on_churn(is_last);
                if (!is_last) hang_up(c);
            } else
                conn_ready(c);
            return 0;
        case 'e':
            ask(c);
            return 0;
        case 'i':
            return 0;
        default:
            return -1;
        }
    v = get(p, n, "_command", &l);
    if (!v) return -1;
    size_t tn;
    const unsigned char *t = get(p, n, "_ask", &tn);
    if (l == 9 && !memcmp(v, "OfferChat", 9)) {
        box_begin(&x);
        put(&x, "_answer", t, tn);
        put_text(&x, "answer", "accept");
        box_send(&x, c);
        return 0;
    }
    if (l == 10 && !memcmp(v, "OpenStream", 10)) {
        c->stream = number(p, n, "stream");
        box_begin(&x);
        put(&x, "_answer", t, tn);
        box_send(&x, c);
        conn_ready(c);
        return 0;
    }
    if (l == 12 && !memcmp(v, "StreamClosed", 12)) return 0;
    fprintf(stderr, "securecom: %s was told %.*s\n", c->name, (int)l, v);
    return -1;
}

/* Opaque bytes of one chat frame. A message of more than MAX_OPAQUE comes in several. */
static void received(struct conn *c, const unsigned char *p, size_t n) {
    if (!c->gathered && n < MAX_OPAQUE) {
        on_msg(c, p, n);
        return;
    }
    if (!c->gathered) memcpy(c->begun, p, sizeof c->begun);
    c->gathered += n;
    if (c->gathered < message_size(c)) return;
    n = c->gathered;
    c->gathered = 0;
    on_msg(c, c->begun, n);
}

static int data(struct conn *c) {
    for (;;) {
        size_t have = c->in.len - c->in.off;
        unsigned char *p = c->in.p + c->in.off;
        if (have < 4) return 0;
        uint32_t n = (uint32_t)p[1] << 16 | p[2] << 8 | p[3];
        if (n > MAX_BODY) return -1;
        if (have < 4 + (size_t)n) return 0;
        if (p[0] == 1) {
            if (n < 5 || ((uint32_t)p[4] << 24 | p[5] << 16 | p[6] << 8 | p[7]) != c->stream)
                return -1;
            received(c, p + 8, n - 4);
        } else if (p[0] || control(c, p + 4, n) < 0)
            return -1;
        consume(&c->in, 4 + n);
    }
}

static size_t encode(struct conn *c, const char *pl, size_t n, unsigned char *o, size_t *po) {
    unsigned char *begin = o;
    *po = 8;
    while (n) {
        size_t part = n < MAX_OPAQUE ? n : MAX_OPAQUE, l = part + 4;
        o[0] = 1;
        o[1] = l >> 16;
        o[2] = l >> 8;
        o[3] = l;
        o[4] = c->stream >> 24;
        o[5] = c->stream >> 16;
        o[6] = c->stream >> 8;
        o[7] = c->stream;
        memcpy(o + 8, pl, part);
        o += 8 + part;
        pl += part;
        n -= part;
    }
    return (size_t)(o - begin);
}
const struct driver drv_securecom = {
    "securecom", "securecom itself: identity certificates, both channels, accepted chats",
    start,       data,
    encode,      1 << 16,
    0,           hang_up,
    ping};
