/* The way of a message through the server, compiled: what securecom/transport/splice.py does in
 * Python, from one person's socket to the other's, in one call.
 *
 * It passes on whole chat frames of the one stream that is open to their sender, and keeps count of
 * them. Whatever else comes, and whatever has to be decided, is left to Python: `back` is the object
 * that is asked (securecom/transport/fast.py).
 *
 * OpenSSL's functions and the buffers are Python's: `setup` is given their addresses, so that there
 * is one OpenSSL in the process, and this is linked against none.
 */
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>

/* What `setup` has to be given: it changes whenever that, or what `back` is asked, changes. */
#define INTERFACE 3

#define LANE_CHAT 1
#define HEADER 4 /* lane and three bytes of length */
#define STREAM 4 /* in front of each body */

/* --- what all connections share --------------------------------------------------------------- */

static int (*ssl_read)(void *, void *, int);
static int (*ssl_write)(void *, const void *, int);
static int (*ssl_get_error)(const void *, int);
static int (*bio_read)(void *, void *, int);
static int (*bio_write)(void *, const void *, int);
static long (*bio_held)(void *, char **);
static void (*forget_errors)(void);
static ssize_t (*receive)(int, void *, size_t, int) = recv;
static ssize_t (*transmit)(int, const void *, size_t, int) = send;

/* What came, what it is decrypted, and what is to be sent; the last two have the same size. */
static unsigned char *received, *plain, *sealed;
static int received_size, plain_size;
/* How much OpenSSL is given at once of what came. */
static int piece_size;
/* Bytes of a record, and those that encryption adds to it. */
static int record, seal;
static long frames_a_run, run_work;
static int want_read;
/* What `doRead` returns of a connection that ended. */
static PyObject *connection_done, *connection_lost;

static PyObject *word_begun, *word_broken, *word_buffer, *word_deliver, *word_grant, *word_heard,
    *word_keep, *word_rest, *word_write, *word_temporary;

typedef struct {
    PyObject_HEAD
    int from, to;                     /* sockets */
    void *reads, *into, *unasked;     /* the source's SSL, what it reads, what it has written */
    void *writes, *out;               /* the target's SSL, and what that has written */
    uint32_t stream, most;            /* the number, and the longest body of a frame */
    long credit;                      /* work that may be done without asking */
    int is_fresh;                     /* nobody holds anything of the source's, as far as we know */
    PyObject *back, *protocol, *tcp;  /* who is asked; the source's; the target's */
    PyObject *held;                   /* what has to live as long as the pointers are used */
} Passer;

/* --- frames ----------------------------------------------------------------------------------- */

static uint32_t number_at(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* As framing.whole_run: returns where whole frames of this stream end, and how many they are. */
static int whole_run(const unsigned char *data, int at, int size, uint32_t stream, uint32_t most,
                     long *frames)
{
    long count = 0;
    while (count < frames_a_run && size - at > HEADER + STREAM) {
        uint32_t body = number_at(data + at) - ((uint32_t)LANE_CHAT << 24);
        if (number_at(data + at + HEADER) != stream || body <= STREAM || body > most ||
            body > (uint32_t)(size - at - HEADER))
            break;
        at += HEADER + (int)body;
        count++;
    }
    *frames = count;
    return at;
}

/* Whether what is behind the frames is more than the beginning of one, of whatever kind. */
static int is_more(const unsigned char *rest, int size)
{
    return size >= HEADER && (number_at(rest) & 0xffffff) <= (uint32_t)(size - HEADER);
}

/* --- asking Python ---------------------------------------------------------------------------- */

/* What a call returned that is of no interest; -1: it raised. */
static int drop(PyObject *result)
{
    if (result == NULL)
        return -1;
    Py_DECREF(result);
    return 0;
}

/* Returns -1 on error; otherwise whether it said yes. */
static int is_true(PyObject *result)
{
    int answer;
    if (result == NULL)
        return -1;
    answer = PyObject_IsTrue(result);
    Py_DECREF(result);
    return answer;
}

/* What was decrypted goes the ordinary way. */
static int deliver(Passer *self, int begun, int end, int more)
{
    self->is_fresh = 0;
    return drop(PyObject_CallMethod(self->back, "deliver", "iii", begun, end, more));
}

/* Copies the beginning of a frame that came before in front of what follows: how many bytes; -1 on
 * error; -2: nothing may pass now. */
static int take_begun(Passer *self)
{
    char *bytes;
    Py_ssize_t size;
    PyObject *begun = PyObject_CallMethodObjArgs(self->back, word_begun, NULL);
    if (begun == NULL)
        return -1;
    if (begun == Py_None) {
        Py_DECREF(begun);
        return -2;
    }
    if (PyBytes_AsStringAndSize(begun, &bytes, &size) < 0 || size > HEADER + (int)self->most) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_ValueError, "too much of a frame was kept");
        Py_DECREF(begun);
        return -1;
    }
    memcpy(plain, bytes, (size_t)size);
    Py_DECREF(begun);
    return (int)size;
}

/* Whether a run of so many frames may pass; -1 on error. */
static int may_pass(Passer *self, long frames)
{
    PyObject *left;
    if (run_work + frames <= self->credit) {
        self->credit -= run_work + frames;
        return 1;
    }
    left = PyObject_CallMethod(self->back, "grant", "l", frames);
    if (left == NULL)
        return -1;
    self->credit = PyLong_AsLong(left);
    Py_DECREF(left);
    if (self->credit == -1 && PyErr_Occurred())
        return -1;
    if (self->credit >= 0)
        return 1;
    self->credit = 0;
    return 0;
}

/* Whether what is behind the run is the beginning of a frame, which is kept then; -1 on error. */
static int keep(Passer *self, int at, int end)
{
    int answer;
    PyObject *rest = PyBytes_FromStringAndSize((char *)plain + at, end - at);
    if (rest == NULL)
        return -1;
    answer = is_true(PyObject_CallMethodObjArgs(self->back, word_keep, rest, NULL));
    Py_DECREF(rest);
    return answer;
}

/* Whether other bytes wait before ours; -1 on error. */
static int is_waiting(Passer *self)
{
    int answer = is_true(PyObject_GetAttr(self->tcp, word_buffer));
    return answer ? answer : is_true(PyObject_GetAttr(self->tcp, word_temporary));
}

/* --- from socket to socket -------------------------------------------------------------------- */

/* Encrypts and sends the first bytes of `plain`; -1 on error. */
static int pass_on(Passer *self, int size)
{
    int at = 0, count = 0, waits;
    ssize_t sent = 0;
    PyObject *left = NULL, *rest = NULL;
    while (at < size) {
        int part = size - at < record ? size - at : record, got;
        int done = ssl_write(self->writes, plain + at, part);
        if (done <= 0) {
            forget_errors(); /* or the next connection's would seem to be one (SSL_get_error(3)) */
            break;
        }
        at += done;
        got = bio_read(self->out, sealed + count, plain_size - count);
        count += got > 0 ? got : 0;
    }
    if (at < size) { /* OpenSSL takes no more, and the target sees what is to be done */
        rest = PyBytes_FromStringAndSize((char *)plain + at, size - at);
        if (rest == NULL)
            return -1;
    }
    if ((waits = is_waiting(self)) < 0)
        goto failed;
    if (!waits && count) {
        sent = transmit(self->to, sealed, (size_t)count, MSG_NOSIGNAL);
        if (sent < 0)
            sent = 0; /* full; or broken, which the reactor's own try will show */
    }
    if (sent < count) {
        left = PyBytes_FromStringAndSize((char *)sealed + sent, count - sent);
        if (left == NULL || drop(PyObject_CallMethodObjArgs(self->tcp, word_write, left, NULL)) < 0)
            goto failed;
    }
    if (rest != NULL && drop(PyObject_CallMethodObjArgs(self->back, word_rest, rest, NULL)) < 0)
        goto failed;
    Py_XDECREF(left);
    Py_XDECREF(rest);
    return 0;
failed:
    Py_XDECREF(left);
    Py_XDECREF(rest);
    return -1;
}

/* Passes on or delivers what stands in `plain` from `begun` to `end`; -1 on error. */
static int admit(Passer *self, int begun, int end)
{
    long frames;
    int at, may;
    at = whole_run(plain, 0, end, self->stream, self->most, &frames);
    if (!frames || is_more(plain + at, end - at))
        return deliver(self, begun, end, 0);
    if ((may = may_pass(self, frames)) > 0 && (begun || at < end))
        may = keep(self, at, end); /* of nothing, if that is what is left */
    if (may < 0)
        return -1;
    if (!may)
        return deliver(self, begun, end, 0);
    if (at < end)
        self->is_fresh = 0;
    if (PyObject_SetAttr(self->protocol, word_heard, Py_True) < 0)
        return -1;
    return pass_on(self, at);
}

PyDoc_STRVAR(read_doc, "read()\n--\n\nIReadDescriptor.doRead of the source's socket.");

static PyObject *passer_read(PyObject *object, PyObject *Py_UNUSED(nothing))
{
    Passer *self = (Passer *)object;
    int begun = 0, end, got, given, is_ready = 1, failed;
    ssize_t count = receive(self->from, received, (size_t)received_size, 0);
    if (count < 0) {
        PyObject *why = Py_None;
        if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
            why = connection_lost;
        return Py_NewRef(why);
    }
    if (count == 0)
        return Py_NewRef(connection_done);
    given = count < piece_size ? (int)count : piece_size;
    if (bio_write(self->into, received, given) != given)
        return PyErr_NoMemory();
    if (!self->is_fresh) {
        begun = take_begun(self);
        if (begun == -1)
            return NULL;
        if (begun == -2)
            begun = is_ready = 0;
    }
    end = begun;
    got = ssl_read(self->reads, plain + end, plain_size - end);
    if (self->is_fresh && got > 0 && got == (int)count - seal) {
        end += got; /* one record, and all of it */
    } else {
        self->is_fresh = 0;
        for (;;) {
            int piece = (int)count - given;
            while (got > 0) {
                end += got;
                if (!bio_held(self->into, NULL))
                    break;
                got = ssl_read(self->reads, plain + end, plain_size - end);
            }
            if (!piece || (got <= 0 && ssl_get_error(self->reads, got) != want_read))
                break;
            piece = piece < piece_size ? piece : piece_size;
            if (bio_write(self->into, received + given, piece) != piece)
                return PyErr_NoMemory();
            given += piece;
            got = ssl_read(self->reads, plain + end, plain_size - end);
        }
        self->is_fresh = got > 0;
        if (got <= 0 && ssl_get_error(self->reads, got) != want_read) {
            if (drop(PyObject_CallMethod(self->back, "broken", "iii", begun, end, got)) < 0)
                return NULL;
            Py_RETURN_NONE;
        }
        if (bio_held(self->unasked, NULL)) { /* OpenSSL answers something by itself */
            if (deliver(self, begun, end, 1) < 0)
                return NULL;
            Py_RETURN_NONE;
        }
        if (end == begun)
            Py_RETURN_NONE; /* a part of a record */
    }
    failed = is_ready ? admit(self, begun, end) : deliver(self, begun, end, 0);
    if (failed < 0)
        return NULL;
    Py_RETURN_NONE;
}

/* --- the type --------------------------------------------------------------------------------- */

static PyObject *passer_new(PyTypeObject *type, PyObject *args, PyObject *Py_UNUSED(words))
{
    Passer *self;
    int from, to;
    unsigned long long reads, into, unasked, writes, out;
    unsigned int stream, most;
    PyObject *back, *protocol, *tcp, *held;
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    if (received == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "setup was not called");
        return NULL;
    }
    if (!PyArg_ParseTuple(args, "iiKKKKKIIOOOO:Passer", &from, &to, &reads, &into, &unasked, &writes,
                          &out, &stream, &most, &back, &protocol, &tcp, &held))
        return NULL;
    /* A frame, the record that OpenSSL has in part, and a read, with what encryption adds. */
    if (HEADER + (unsigned long long)most > (unsigned int)(plain_size / 2 - 2 * record)) {
        PyErr_SetString(PyExc_ValueError, "frames as long as that do not fit");
        return NULL;
    }
    self = (Passer *)allocate(type, 0);
    if (self == NULL)
        return NULL;
    self->from = from;
    self->to = to;
    self->reads = (void *)(uintptr_t)reads;
    self->into = (void *)(uintptr_t)into;
    self->unasked = (void *)(uintptr_t)unasked;
    self->writes = (void *)(uintptr_t)writes;
    self->out = (void *)(uintptr_t)out;
    self->stream = stream;
    self->most = most;
    self->back = Py_NewRef(back);
    self->protocol = Py_NewRef(protocol);
    self->tcp = Py_NewRef(tcp);
    self->held = Py_NewRef(held);
    return (PyObject *)self;
}

static int passer_traverse(PyObject *object, visitproc visit, void *arg)
{
    Passer *self = (Passer *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->back);
    Py_VISIT(self->protocol);
    Py_VISIT(self->tcp);
    Py_VISIT(self->held);
    return 0;
}

static void passer_dealloc(PyObject *object)
{
    Passer *self = (Passer *)object;
    PyTypeObject *type = Py_TYPE(object);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    PyObject_GC_UnTrack(object);
    Py_CLEAR(self->back);
    Py_CLEAR(self->protocol);
    Py_CLEAR(self->tcp);
    Py_CLEAR(self->held);
    release(object);
    Py_DECREF(type);
}

static PyMethodDef passer_methods[] = {
    {"read", passer_read, METH_NOARGS, read_doc},
    {NULL, NULL, 0, NULL},
};

PyDoc_STRVAR(passer_doc,
             "From one socket to another, for as long as both connections live.\n\n"
             "Passer(from, to, reads, into, unasked, writes, out, stream, most, back, protocol, tcp,\n"
             "held): two descriptors, five pointers of OpenSSL's, the number of the stream, bytes of\n"
             "the longest body, and four objects.");

static PyType_Slot passer_slots[] = {
    {Py_tp_doc, (void *)passer_doc},
    {Py_tp_new, passer_new},
    {Py_tp_dealloc, passer_dealloc},
    {Py_tp_traverse, passer_traverse},
    {Py_tp_methods, passer_methods},
    {0, NULL},
};

/* Its objects cannot be made incomplete, and live only while two connections are spliced: whoever
 * ends that drops them, so nothing has to break a cycle (there is no tp_clear). */
static PyType_Spec passer_spec = {
    .name = "securecom_fast.Passer",
    .basicsize = sizeof(Passer),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = passer_slots,
};

/* --- the module ------------------------------------------------------------------------------- */

PyDoc_STRVAR(setup_doc,
             "setup(functions, buffers, sizes, shares, want_read, done, lost)\n--\n\n"
             "Tell it what all connections share; once, before the first of them.\n\n"
             "functions: addresses of SSL_read, SSL_write, SSL_get_error, BIO_read, BIO_write,\n"
             "BIO_get_mem_data and ERR_clear_error. buffers: addresses for what is received,\n"
             "decrypted and encrypted. sizes: bytes of the first, of each of the others, of a record,\n"
             "what encryption adds to it, and what OpenSSL is given at once. shares: frames in a run,\n"
             "and what a run costs. done and lost: what read returns of a connection that ended.");

static PyObject *setup(PyObject *Py_UNUSED(module), PyObject *args)
{
    unsigned long long functions[7], buffers[3];
    PyObject *done, *lost;
    int sizes[5], wanted;
    long run, work;
    if (!PyArg_ParseTuple(args, "(KKKKKKK)(KKK)(iiiii)(ll)iOO:setup", functions, functions + 1,
                          functions + 2, functions + 3, functions + 4, functions + 5, functions + 6,
                          buffers, buffers + 1, buffers + 2, sizes, sizes + 1, sizes + 2, sizes + 3,
                          sizes + 4, &run, &work, &wanted, &done, &lost))
        return NULL;
    for (int one = 0; one < 7; one++)
        if (!functions[one] || (one < 3 && !buffers[one])) {
            PyErr_SetString(PyExc_ValueError, "an address is missing");
            return NULL;
        }
    /* All that comes in one read fits behind the beginning of a frame; encrypted again, too. */
    if (sizes[0] <= 0 || sizes[2] <= 0 || sizes[3] <= 0 || sizes[1] / 2 < sizes[0] ||
        sizes[4] <= 0 || sizes[2] >= sizes[1] / 4 || sizes[3] > sizes[1] / 4 - sizes[2]) {
        PyErr_SetString(PyExc_ValueError, "the buffers are too small");
        return NULL;
    }
    ssl_read = (int (*)(void *, void *, int))(uintptr_t)functions[0];
    ssl_write = (int (*)(void *, const void *, int))(uintptr_t)functions[1];
    ssl_get_error = (int (*)(const void *, int))(uintptr_t)functions[2];
    bio_read = (int (*)(void *, void *, int))(uintptr_t)functions[3];
    bio_write = (int (*)(void *, const void *, int))(uintptr_t)functions[4];
    bio_held = (long (*)(void *, char **))(uintptr_t)functions[5];
    forget_errors = (void (*)(void))(uintptr_t)functions[6];
    received = (unsigned char *)(uintptr_t)buffers[0];
    plain = (unsigned char *)(uintptr_t)buffers[1];
    sealed = (unsigned char *)(uintptr_t)buffers[2];
    received_size = sizes[0];
    plain_size = sizes[1];
    record = sizes[2];
    seal = sizes[3];
    piece_size = sizes[4];
    frames_a_run = run;
    run_work = work;
    want_read = wanted;
    Py_XDECREF(connection_done);
    connection_done = Py_NewRef(done);
    Py_XDECREF(connection_lost);
    connection_lost = Py_NewRef(lost);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(sockets_doc,
             "sockets(recv, send)\n--\n\n"
             "Addresses of functions to use instead of recv and send; 0: these themselves. Tests have\n"
             "sockets in memory.");

static PyObject *sockets(PyObject *Py_UNUSED(module), PyObject *args)
{
    unsigned long long in, out;
    if (!PyArg_ParseTuple(args, "KK:sockets", &in, &out))
        return NULL;
    receive = in ? (ssize_t(*)(int, void *, size_t, int))(uintptr_t)in : recv;
    transmit = out ? (ssize_t(*)(int, const void *, size_t, int))(uintptr_t)out : send;
    Py_RETURN_NONE;
}

PyDoc_STRVAR(run_doc,
             "whole_run(data, stream, most, at, length)\n--\n\n"
             "As securecom.framing.whole_run, for tests.");

static PyObject *py_whole_run(PyObject *Py_UNUSED(module), PyObject *args)
{
    const char *data;
    Py_ssize_t size;
    unsigned int stream, most;
    int at, length, end;
    long frames;
    if (!PyArg_ParseTuple(args, "y#IIii:whole_run", &data, &size, &stream, &most, &at, &length))
        return NULL;
    if (at < 0 || length < at || length > size) {
        PyErr_SetString(PyExc_ValueError, "beyond the bytes");
        return NULL;
    }
    end = whole_run((const unsigned char *)data, at, length, stream, most, &frames);
    return Py_BuildValue("il", end, frames);
}

static PyMethodDef functions[] = {
    {"setup", setup, METH_VARARGS, setup_doc},
    {"sockets", sockets, METH_VARARGS, sockets_doc},
    {"whole_run", py_whole_run, METH_VARARGS, run_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "securecom_fast",
    .m_doc = "The way of a message through a securecom server, compiled.",
    .m_size = -1,
    .m_methods = functions,
};

static int intern(PyObject **word, const char *text)
{
    *word = PyUnicode_InternFromString(text);
    return *word == NULL ? -1 : 0;
}

PyMODINIT_FUNC PyInit_securecom_fast(void)
{
    PyObject *made, *type;
    if (intern(&word_begun, "begun") < 0 || intern(&word_broken, "broken") < 0 ||
        intern(&word_buffer, "dataBuffer") < 0 || intern(&word_deliver, "deliver") < 0 ||
        intern(&word_grant, "grant") < 0 || intern(&word_heard, "is_heard") < 0 ||
        intern(&word_keep, "keep") < 0 || intern(&word_rest, "rest") < 0 ||
        intern(&word_write, "write") < 0 || intern(&word_temporary, "_tempDataLen") < 0)
        return NULL;
    made = PyModule_Create(&module);
    if (made == NULL)
        return NULL;
    type = PyType_FromSpec(&passer_spec);
    if (type == NULL || PyModule_AddObjectRef(made, "Passer", type) < 0 ||
        PyModule_AddIntConstant(made, "INTERFACE", INTERFACE) < 0) {
        Py_XDECREF(type);
        Py_DECREF(made);
        return NULL;
    }
    Py_DECREF(type);
    return made;
}
